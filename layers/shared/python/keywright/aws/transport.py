"""HTTP over Python's http.client, with connections that are kept and reconnect when closed.

A request is one write. http.client makes two, of the head and of the body: one system call and one TLS record more.
"""

from __future__ import annotations

import http.client
import select
import ssl
import weakref
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from keywright.cache import once

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from http.client import HTTPMessage


class NoAnswerError(Exception):
    """No complete answer arrived: the outcome is unknown, and the same request may succeed in a moment."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    Attributes:
        headers: as http.client parsed them: names in any case.
    """

    status: int
    headers: HTTPMessage
    body: bytes


class _Connection(http.client.HTTPConnection):
    """A connection that sends a request in one write. It must be open."""

    _pieces: list[bytes]

    def send_at_once(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> None:
        """Send a request."""
        self._pieces = []
        self.request(method, target, body, headers)
        self.sock.sendall(b"".join(self._pieces))

    def send(self, data: bytes) -> None:  # type: ignore[override]  # only bytes are sent
        """Keep a piece of a request: http.client calls this for the head and for the body."""
        self._pieces.append(data)


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    """The same over TLS."""


class Host:
    """A host. Threads may share it: each concurrent request has a connection.

    Args:
        url: URL of the host; path and query are ignored.
        connect_timeout_seconds: time-out of connecting.
        read_timeout_seconds: time-out of each read.
    """

    def __init__(self, url: str, *, connect_timeout_seconds: float, read_timeout_seconds: float) -> None:
        self.connect_timeout_seconds = connect_timeout_seconds
        self.read_timeout_seconds = read_timeout_seconds
        self._address = urlsplit(url)
        self._idle: deque[_Connection] = deque()
        weakref.finalize(self, _close, self._idle)

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        maximum_bytes: int | None = None,
    ) -> Response:
        """Send a request once and return its answer. Redirects are not followed.

        Args:
            method: HTTP method, for example POST.
            target: path and query.
            headers: headers in addition to those that http.client sends.
            body: body of the request.
            maximum_bytes: maximum to read of the answer's body; no limit if absent.

        Raises:
            NoAnswerError: the connection failed or broke, or a read timed out.
        """
        connection = self._connection()
        is_open = connection.sock is not None
        try:
            if not is_open:
                connection.connect()
                connection.sock.settimeout(self.read_timeout_seconds)
            connection.send_at_once(method, target, body, headers)
            answer = connection.getresponse()
            response = Response(answer.status, answer.headers, answer.read(maximum_bytes))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error
        if not answer.isclosed():  # the rest of the body is unread
            connection.close()
        self._idle.append(connection)
        return response

    def _connection(self) -> _Connection:
        """Return an unused connection, open or not yet connected."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._new_connection()
        if connection.sock is not None and _is_closed(connection.sock):
            connection.close()
        return connection

    def _new_connection(self) -> _Connection:
        host, timeout = self._address.netloc, self.connect_timeout_seconds
        if self._address.scheme == "https":
            return _SecureConnection(host, timeout=timeout, context=_tls())
        return _Connection(host, timeout=timeout)


@once
def _tls() -> ssl.SSLContext:
    """Return Python's defaults: host names are checked against authorities of the system or of SSL_CERT_FILE."""
    return ssl.create_default_context()


def _is_closed(sock: socket.socket) -> bool:
    """Return whether the host closed an idle connection, for example while Lambda had frozen the container.

    Nothing else can arrive on a connection without a request.
    """
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _close(connections: deque[_Connection]) -> None:
    for connection in connections:
        connection.close()
