"""A proxy in front of DynamoDB that does to requests and answers what networks and busy services do to them.

It speaks HTTP on loopback, so it works for any client. What it does to a request is a function of the exchange: the
faults are in wire.py. Without one it passes everything on.
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
"""What is still under way when a script ends has this long to come to its end."""


class Time(Protocol):
    """How time passes while nothing is sent."""

    def stall(self, client: socket.socket, seconds: float) -> None:
        """Send nothing for so long, or until the client has gone away."""


class RealTime:
    """It passes by itself."""

    def stall(self, client: socket.socket, seconds: float) -> None:
        """Wait; a client that waits for an answer sends nothing, so whatever can be read of it is its end."""
        select.select([client], [], [], seconds)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, complete or not."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def head(self) -> bytes:
        """The lines before the body, which say how long the body is."""
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"content-length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1")


class Exchange:
    """One request, its way to DynamoDB, and its answer's way back.

    Attributes:
        operation: of DynamoDB, as `TransactWriteItems`.
    """

    def __init__(self, proxy: FaultProxy, client: socket.socket, request: bytes) -> None:
        head, _, self._body = request.partition(_END_OF_HEAD * 2)
        found = _TARGET.search(head)
        self.operation = found[1].decode() if found else ""
        self.is_open = True
        self._proxy = proxy
        self._client = client
        self._request = request

    @property
    def content(self) -> Any:
        """The request's body, parsed."""
        return json.loads(self._body)

    def forward(self) -> Reply:
        """Let the request take effect; give its answer, which has not been sent yet."""
        reply = self._proxy.ask(self._request)
        self._proxy.deliver_late()
        return reply

    def forward_late(self) -> None:
        """Let the request arrive after the next one that arrives, or when the script ends; nobody hears its answer."""
        self._proxy.late.append(self._request)

    def stall(self, seconds: float) -> None:
        """Send nothing for so long, or until the client has gone away."""
        self._proxy.time.stall(self._client, seconds)

    def answer(self, reply: Reply) -> None:
        """Send an answer."""
        self.send(reply.head + reply.body)

    def send(self, part: bytes) -> None:
        """Send a part of an answer."""
        self._client.sendall(part)

    def close(self) -> None:
        """End the connection, as a server does that has nothing more to say."""
        self.is_open = False

    def reset(self) -> None:
        """Break the connection off."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_WHEN_CLOSED)
        self.is_open = False


def passed_on(exchange: Exchange) -> None:
    """Do nothing to a request and its answer."""
    exchange.answer(exchange.forward())


class FaultProxy:
    """Stands in front of a DynamoDB until `stop`.

    Args:
        upstream: where that is, as `http://127.0.0.1:8000`.

    Attributes:
        url: the address to use instead.
        time: how time passes while nothing is sent.
        late: requests that are still to arrive.
        requests: how many have arrived so far.
        faults: how many of them were failed.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or _HOST, parts.port or 80)
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

    def stop(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def inflicting(self, fault: Fault) -> Iterator[None]:
        """Do this to every request until the context ends, which waits for those that are under way.

        Raises:
            BaseException: what the fault raised, if it did.
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
        """Send a request to DynamoDB itself."""
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
        """Give a connection to DynamoDB: an idle one that has not been closed at its other end, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            if not select.select([connection], [], [], 0)[0]:
                return connection
            connection.close()
        return socket.create_connection(self._upstream, _UPSTREAM_SECONDS)

    def deliver_late(self) -> None:
        """Let the requests arrive that were held back."""
        while self.late:
            self.ask(self.late.pop(0))

    def handle(self, client: socket.socket, request: bytes) -> bool:
        """Handle one request; tell whether the connection can be used for another."""
        exchange = Exchange(self, client, request)
        with self._quiet:
            self._under_way += 1
            self.requests += 1
        try:
            self._fault(exchange)
        except OSError:  # either side has gone away
            return False
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
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
            """Read one request; nothing if there is none any more."""
            lines = []
            while (line := self.rfile.readline()) not in {_END_OF_HEAD, b""}:
                lines.append(line)
            head = b"".join(lines)
            length = _LENGTH.search(head)
            body = self.rfile.read(int(length[1])) if length else b""
            return head + _END_OF_HEAD + body if head else b""

    return Connection
