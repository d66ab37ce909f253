"""HTTP over sockets, with connections that are kept and reconnect when closed.

Requests are written in one write each: http.client makes two, of the head and of the body, which is a system call and a
TLS record more, and checks each header by itself. Plain responses, as AWS sends them, are read here: http.client parses
their headers as an e-mail, which takes longer than all else that is done with them. It reads every other response, and
is loaded when there is one, because its import takes a fifteenth of a cold start.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from keywright.cache import once
from keywright.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedReader

_BREAKS = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that would end a line of a request, or that no line has."""

_PLAIN_HEAD = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [^\r\n]*\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*\r\n)+)\r\n")
"""Status line and header fields (RFC 9112, sections 4 and 5), without lines that continue others."""
_WITHOUT_BODY = frozenset({204, 304})
_LENGTH = re.compile(r"[0-9]{1,15}")
_KEEP_ALIVE = "keep-alive"
_HTTP_PORT, _HTTPS_PORT = 80, 443

IDLE_SECONDS = 30
"""Longest rest of a connection that is used again. While Lambda has frozen a container, its connections can end without
a trace (Lambda Developer Guide, "Best practices for working with AWS Lambda functions": it purges idle connections),
and the next request would wait for its time-out. A new one costs a few milliseconds."""


class NoAnswerError(Exception):
    """No complete answer arrived: the outcome is unknown, and the same request may succeed in a moment."""


@immutable
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
        read_timeout_seconds: time-out of each read; None for no limit.
    """

    def __init__(self, url: str, *, connect_timeout_seconds: float, read_timeout_seconds: float | None) -> None:
        self.connect_timeout_seconds = connect_timeout_seconds
        self.read_timeout_seconds = read_timeout_seconds
        self._address = urlsplit(url)
        self._idle: deque[tuple[float, socket.socket]] = deque()
        """With the times of their last use by the wall clock: others can stand still while the container is frozen."""
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
        connection = self._idle_connection() or self._open()
        try:
            connection.sendall(request)
            with connection.makefile("rb") as stream:
                plain = None if method == "HEAD" else _read_plain(stream, maximum_bytes)
                response, is_open = plain or _read(stream, method, maximum_bytes)
        except OSError as error:
            connection.close()
            raise _no_answer(error) from error
        except NoAnswerError:
            connection.close()
            raise
        if is_open:
            self._keep(connection)
        else:  # the host closes it, or the rest of the body is unread
            connection.close()
        return response

    def connect(self) -> None:
        """Open a connection for the next request.

        Raises:
            NoAnswerError: the connection failed.
        """
        self._keep(self._open())

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

    def _idle_connection(self) -> socket.socket | None:
        """Return an open connection that no request uses; None if there is none."""
        while self._idle:
            try:
                used_at, connection = self._idle.pop()
            except IndexError:  # another thread has taken it
                return None
            if abs(time.time() - used_at) <= IDLE_SECONDS and not _is_closed(connection):
                return connection
            connection.close()
        return None

    def _keep(self, connection: socket.socket) -> None:
        self._idle.append((time.time(), connection))

    def _open(self) -> socket.socket:
        is_secure, name = self._address.scheme == "https", self._address.hostname or ""
        port = self._address.port or (_HTTPS_PORT if is_secure else _HTTP_PORT)
        try:
            connection = socket.create_connection((name, port), self.connect_timeout_seconds)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if is_secure:
                    connection = _tls().wrap_socket(connection, server_hostname=name)
                connection.settimeout(self.read_timeout_seconds)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            raise _no_answer(error) from error
        return connection


def _no_answer(error: Exception) -> NoAnswerError:
    return NoAnswerError(f"{type(error).__name__}: {error}")


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
        raise NoAnswerError(f"the answer ended {wanted - len(body)} bytes too early")
    return Response(status, headers, body), wanted == int(length)


def _read(stream: BufferedReader, method: str, maximum_bytes: int | None) -> tuple[Response, bool]:
    """Read any response; return whether the connection can be used again, too.

    Raises:
        NoAnswerError: it is no HTTP response, or not complete.
    """
    import http.client  # noqa: PLC0415 - few responses need it

    try:
        with http.client.HTTPResponse(cast("socket.socket", _Received(stream)), method=method) as answer:
            answer.begin()
            headers = {name.lower(): value for name, value in answer.headers.items()}
            response = Response(answer.status, headers, answer.read(maximum_bytes))
            return response, answer.isclosed() and not answer.will_close
    except http.client.HTTPException as error:
        raise _no_answer(error) from error


class _Received:
    """What http.client takes for a socket, to read from a stream that is there already."""

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream

    def makefile(self, _: str) -> BufferedReader:
        return self._stream


@once
def _tls() -> ssl.SSLContext:
    """Return Python's defaults: host names are checked against authorities of the system or of SSL_CERT_FILE."""
    return ssl.create_default_context()


def _is_closed(connection: socket.socket) -> bool:
    """Return whether the host closed an idle connection, for example while Lambda had frozen the container.

    Nothing else can arrive on a connection without a request, except the session tickets of TLS 1.3, which follow a
    handshake (RFC 8446, section 4.6.1).
    """
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if not poll.poll(0):
        return False
    if not isinstance(connection, ssl.SSLSocket):
        return True
    limit = connection.gettimeout()
    connection.settimeout(0)
    try:
        connection.recv(1)
    except ssl.SSLWantReadError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(limit)
    return True


def _close(connections: deque[tuple[float, socket.socket]]) -> None:
    for _, connection in connections:
        connection.close()
