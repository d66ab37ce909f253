"""HTTP over Python's http.client, with connections that are kept and reconnect when closed.

http.client connects. Requests are written here, in one write each: http.client makes two, of the head and of the body,
which is a system call and a TLS record more, and checks each header by itself. Plain responses, as AWS sends them, are
read here too: http.client parses their headers as an e-mail, which takes longer than all else that is done with them.
http.client reads every other response.
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
    from io import BufferedReader

_BREAKS = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that would end a line of a request, or that no line has."""

_PLAIN_HEAD = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [^\r\n]*\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*\r\n)+)\r\n")
"""Status line and header fields (RFC 9112, sections 4 and 5), without lines that continue others."""
_WITHOUT_BODY = frozenset({204, 304})
_LENGTH = re.compile(r"[0-9]{1,15}")
_KEEP_ALIVE = "keep-alive"


class NoAnswerError(Exception):
    """No complete answer arrived: the outcome is unknown, and the same request may succeed in a moment."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    Attributes:
        headers: by name in lower case.
    """

    status: int
    headers: Mapping[str, str]
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
                plain = None if method == "HEAD" else _read_plain(answer.fp, maximum_bytes)
                response, is_open = plain or _read(answer, maximum_bytes)
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


def _read_plain(stream: BufferedReader, maximum_bytes: int | None) -> tuple[Response, bool] | None:
    """Read a response whose whole head is there, and whose body has a stated length.

    Returns:
        The response, and whether the connection can be used again; None if it has another form. Then nothing is read.
    """
    head = _PLAIN_HEAD.match(stream.peek())
    if head is None:
        return None
    lines = [line.partition(":") for line in head[2].decode("latin-1").split("\r\n")[:-1]]
    status, headers = int(head[1]), {name.lower(): value.strip(" \t") for name, _, value in lines}
    length, connection = headers.get("content-length", ""), headers.get("connection", _KEEP_ALIVE)
    is_odd = len(headers) != len(lines) or "transfer-encoding" in headers or status in _WITHOUT_BODY
    if is_odd or not _LENGTH.fullmatch(length) or connection.lower() != _KEEP_ALIVE:
        return None
    stream.read(head.end())
    wanted = int(length) if maximum_bytes is None else min(int(length), maximum_bytes)
    body = stream.read(wanted)
    if len(body) < wanted:
        raise http.client.IncompleteRead(body, wanted - len(body))
    return Response(status, headers, body), wanted == int(length)


def _read(answer: http.client.HTTPResponse, maximum_bytes: int | None) -> tuple[Response, bool]:
    """Read any response; return whether the connection can be used again, too."""
    answer.begin()
    headers = {name.lower(): value for name, value in answer.headers.items()}
    response = Response(answer.status, headers, answer.read(maximum_bytes))
    return response, answer.isclosed() and not answer.will_close


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
