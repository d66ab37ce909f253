"""HTTP over Python's http.client, with connections that are kept and reconnect when closed.

http.client connects and reads the responses. Requests are written here, in one write each: http.client makes two, of
the head and of the body, which is a system call and a TLS record more, and its checks of every header take a tenth of a
verification.
"""

from __future__ import annotations

import http.client
import re
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


_BREAKS = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that would end a line of a request, or that no line has."""


Headers = http.client.HTTPMessage
"""The headers of a response. Their names are compared without regard to case."""


class NoAnswerError(Exception):
    """No complete answer arrived: the outcome is unknown, and the same request may succeed in a moment."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer."""

    status: int
    headers: Headers
    body: bytes


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
        self._idle: deque[http.client.HTTPConnection] = deque()
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
            headers: headers by name in lower case; host and content-length are added.
            body: body of the request.
            maximum_bytes: maximum to read of the answer's body; no limit if absent.

        Raises:
            NoAnswerError: the connection failed or broke, a read timed out, or HTTP does not allow the request.
        """
        request = self._request(method, target, headers, body)
        connection = self._connection()
        is_new = connection.sock is None
        try:
            if is_new:
                connection.connect()
                connection.sock.settimeout(self.read_timeout_seconds)
            connection.sock.sendall(request)
            with http.client.HTTPResponse(connection.sock, method=method) as answer:
                answer.begin()
                response = Response(answer.status, answer.headers, answer.read(maximum_bytes))
                is_open = answer.isclosed() and not answer.will_close
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error
        if not is_open:  # the host closes it, or the rest of the body is unread
            connection.close()
        self._idle.append(connection)
        return response

    def _request(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        """Return the bytes of a request (RFC 9112, section 2.1)."""
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if "host" not in headers:
            lines.append(f"host: {self._address.netloc}")
        if body is not None:
            lines.append(f"content-length: {len(body)}")
        head = "\r\n".join([*lines, "", ""])
        if not head.isascii() or _BREAKS.search("".join(lines)) or " " in target:
            raise NoAnswerError("the request has characters that HTTP does not allow")
        return head.encode("ascii") + (body or b"")

    def _connection(self) -> http.client.HTTPConnection:
        """Return an unused connection, open or not yet connected."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._new_connection()
        if connection.sock is not None and _is_closed(connection.sock):
            connection.close()
        return connection

    def _new_connection(self) -> http.client.HTTPConnection:
        host, timeout = self._address.netloc, self.connect_timeout_seconds
        if self._address.scheme == "https":
            return http.client.HTTPSConnection(host, timeout=timeout, context=_tls())
        return http.client.HTTPConnection(host, timeout=timeout)


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


def _close(connections: deque[http.client.HTTPConnection]) -> None:
    for connection in connections:
        connection.close()
