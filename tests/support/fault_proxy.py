"""A proxy in front of DynamoDB that injects faults of networks and busy services.

It speaks HTTP on loopback, so it works for any client. A fault is a function of the exchange (network_faults.py).
Without a fault, requests and answers pass unchanged.
"""

from __future__ import annotations

import http.client
import json
import re
import select
import socket
import socketserver
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fault = Callable[["Exchange"], None]

_HOST = "127.0.0.1"
_END_OF_HEAD = b"\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *[A-Za-z0-9_]+\.([A-Za-z]+)", re.IGNORECASE)
_OF_THE_CONNECTION = {"connection", "content-length", "keep-alive", "transfer-encoding"}
_RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time
_UPSTREAM_SECONDS = 60
_QUIET_SECONDS = 60
"""Time limit for exchanges still running when a script ends."""


class Time(Protocol):
    """The clock of waits without traffic."""

    def stall(self, client: socket.socket, seconds: float) -> None:
        """Send nothing for that many seconds, or until the client has disconnected."""


class RealTime:
    """The real clock."""

    def stall(self, client: socket.socket, seconds: float) -> None:
        """Wait; a waiting client sends nothing, so readable data means that it has disconnected."""
        select.select([client], [], [], seconds)


@dataclass(frozen=True, slots=True)
class Reply:
    """A response, complete or not."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def head(self) -> bytes:
        """Return the lines before the body, content-length included."""
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"content-length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1")


class Exchange:
    """One request, its way to DynamoDB, and the response's way back.

    Attributes:
        operation: of DynamoDB, such as `TransactWriteItems`.
        method, target: of the request, such as `GET` and `/v1/console`.
    """

    def __init__(self, proxy: FaultProxy, client: socket.socket, request: bytes) -> None:
        head, _, self._body = request.partition(_END_OF_HEAD * 2)
        target = _TARGET.search(head)
        self.operation = target[1].decode() if target else ""
        line, *self._headers = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = line.split(" ", 2)
        self.is_open = True
        self._proxy = proxy
        self._client = client
        self._request = request

    @property
    def content(self) -> Any:
        """Return the parsed body of the request."""
        return json.loads(self._body)

    def header(self, name: str) -> str | None:
        """Return the value of a header of the request; the name is in lower case."""
        lines = (line.partition(":") for line in self._headers)
        return next((value.strip() for field, _, value in lines if field.lower() == name), None)

    def forward(self) -> Reply:
        """Let the request take effect; return its response, not sent yet."""
        reply = self._proxy.ask(self._request)
        self._proxy.deliver_late()
        return reply

    def forward_late(self) -> None:
        """Deliver the request after the next one, or when the script ends; its response is dropped."""
        self._proxy.late.append(self._request)

    def stall(self, seconds: float) -> None:
        """Send nothing for that many seconds, or until the client has disconnected."""
        self._proxy.time.stall(self._client, seconds)

    def answer(self, reply: Reply) -> None:
        """Send a response."""
        self.send(reply.head + reply.body)

    def send(self, part: bytes) -> None:
        """Send a part of a response."""
        self._client.sendall(part)

    def close(self) -> None:
        """Close the connection, as a server that is done does."""
        self.is_open = False

    def reset(self) -> None:
        """Reset the connection."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_WHEN_CLOSED)
        self.is_open = False


def passed_on(exchange: Exchange) -> None:
    """Pass a request and its response on unchanged."""
    exchange.answer(exchange.forward())


class FaultProxy:
    """A proxy in front of a DynamoDB, or of another service of AWS, until `close`.

    Args:
        upstream: address of that service, such as `http://127.0.0.1:8000`.

    Attributes:
        url: address of the proxy.
        time: clock of waits without traffic.
        late: requests not delivered yet.
        requests: number of requests so far.
        faults: number of failed requests.
    """

    def __init__(self, upstream: str) -> None:
        self.forward_to(upstream)
        self.time: Time = RealTime()
        self.late: list[bytes] = []
        self.requests = 0
        self.faults = 0
        self._fault: Fault = passed_on
        self._errors: list[BaseException] = []
        self._idle: list[socket.socket] = []
        self._under_way = 0
        self._quiet = threading.Condition()
        self._server = _Server((_HOST, 0), _connection_class(self), bind_and_activate=True)
        self.url = f"http://{_HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def forward_to(self, upstream: str) -> None:
        """Change the address of the service."""
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or _HOST, parts.port or 80)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def inflicting(self, fault: Fault) -> Iterator[None]:
        """Apply a fault to every request until the context ends; wait there for running exchanges.

        Raises:
            BaseException: raised by the fault.
        """
        before, self._fault = self._fault, fault
        try:
            yield
        finally:
            with self._quiet:
                is_quiet = self._quiet.wait_for(lambda: self._under_way == 0, _QUIET_SECONDS)
            self._fault = before
            self.deliver_late()
            errors, self._errors = self._errors, []
        if errors:
            raise errors[0]
        if not is_quiet:
            raise TimeoutError("a request has not come to its end")

    def ask(self, request: bytes) -> Reply:
        """Send a request to DynamoDB and return its response."""
        connection = self._connection()
        try:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection, method="POST")
            response.begin()
            headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _OF_THE_CONNECTION]
            reply = Reply(response.status, tuple(headers), response.read())
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return reply

    def _connection(self) -> socket.socket:
        """Return a connection to DynamoDB: an idle one that is still open, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            if not select.select([connection], [], [], 0)[0]:
                return connection
            connection.close()
        return socket.create_connection(self._upstream, _UPSTREAM_SECONDS)

    def deliver_late(self) -> None:
        """Deliver the requests that were held back."""
        while self.late:
            self.ask(self.late.pop(0))

    def handle(self, client: socket.socket, request: bytes) -> bool:
        """Handle one request; return whether the connection can be used again."""
        exchange = Exchange(self, client, request)
        with self._quiet:
            self._under_way += 1
            self.requests += 1
        try:
            self._fault(exchange)
        except OSError:  # either side has disconnected
            return False
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            self._errors.append(error)
            return False
        else:
            return exchange.is_open
        finally:
            with self._quiet:
                self._under_way -= 1
                self._quiet.notify_all()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024


def _connection_class(proxy: FaultProxy) -> type[socketserver.StreamRequestHandler]:
    class Connection(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            try:
                while (request := self._read()) and proxy.handle(self.connection, request):
                    pass
            except OSError:
                pass

        def _read(self) -> bytes:
            """Read one request; return an empty one if the client has disconnected."""
            lines = []
            while (line := self.rfile.readline()) not in {_END_OF_HEAD, b""}:
                lines.append(line)
            head = b"".join(lines)
            length = _LENGTH.search(head)
            body = self.rfile.read(int(length[1])) if length else b""
            return head + _END_OF_HEAD + body if head else b""

    return Connection
