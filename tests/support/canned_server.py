"""A server on loopback that returns a test's responses, byte for byte."""

from __future__ import annotations

import json
import socket
import threading
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Received:
    """A received request, with header names in lower case."""

    line: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


@dataclass(slots=True)
class Canned:
    """Responses to return, and requests received.

    Attributes:
        answers: one for each request; None closes the connection without one. The last one is repeated.
    """

    answers: list[bytes | None]
    received: list[Received] = field(default_factory=list)
    port: int = 0
    _connections: int = 0

    @property
    def url(self) -> str:
        """Return the server's address."""
        return f"http://{HOST}:{self.port}"

    def serve(self, listener: socket.socket) -> None:
        """Accept connections until the listener is closed."""
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._connections += 1
                number = self._connections
                threading.Thread(target=self._answer, args=(connection, number), daemon=True).start()

    def _answer(self, connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError), connection.makefile("rb") as stream:
            while line := stream.readline():
                headers = {}
                while (header := stream.readline().strip()) != b"":
                    name, _, value = header.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers.get("content-length", "0")))
                self.received.append(Received(line.decode("latin-1").strip(), headers, body, number))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    return
                connection.sendall(answer)
                if b"Connection: close" in answer:
                    return


@contextmanager
def serving(*answers: bytes | None) -> Iterator[Canned]:
    """Serve these responses."""
    with socket.create_server((HOST, 0)) as listener:
        server = Canned(list(answers), port=listener.getsockname()[1])
        threading.Thread(target=server.serve, args=(listener,), daemon=True).start()
        yield server
        # Without this a thread stays blocked in accept().
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def answer(content: Any, status: int = 200, **headers: str) -> bytes:
    """Return a response of DynamoDB; a body of bytes is sent unchanged, anything else as JSON.

    Args:
        content: the body.
        status: the HTTP status.
        headers: further headers, with `_` for `-`; they replace those of the same name.
    """
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    fields = {
        "content-type": "application/x-amz-json-1.0",
        "content-length": str(len(body)),
        "x-amzn-requestid": "VVVVVVVV",
        "x-amz-crc32": str(zlib.crc32(body)),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Canned", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
