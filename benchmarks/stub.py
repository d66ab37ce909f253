"""A stub of DynamoDB and Secrets Manager: a process that returns constant answers at once.

It takes almost no time, so that only the client is measured. `python -m benchmarks.stub` reads its answers from
standard input, prints its port, and ends when its input closes.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import urllib.request
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HOST = "127.0.0.1"
_COUNTS = "/counts"


class Stub:
    """A running stub, as its clients see it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{_HOST}:{port}"

    def requests(self) -> int:
        """Return the number of requests so far."""
        with urllib.request.urlopen(self.url + _COUNTS) as answer:  # noqa: S310 - loopback
            return int(answer.read())


@contextmanager
def run_stub(answers: Mapping[str, Any]) -> Iterator[Stub]:
    """Run a stub while the context is open.

    Args:
        answers: by x-amz-target, such as DynamoDB_20120810.BatchGetItem. An answer to requests that contain a text has
            that text after the target and a space; it goes before the others.
    """
    command = [sys.executable, "-m", "benchmarks.stub"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603
        assert process.stdin is not None, "stdin is a pipe"  # noqa: S101
        assert process.stdout is not None, "stdout is a pipe"  # noqa: S101
        process.stdin.write(json.dumps(answers) + "\n")
        process.stdin.flush()
        try:
            yield Stub(int(process.stdout.readline()))
        finally:
            process.stdin.close()


class _Server:
    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers: dict[bytes, dict[bytes, bytes]] = {}
        for name, content in sorted(answers.items(), reverse=True):
            target, _, text = name.partition(" ")
            self._answers.setdefault(target.encode(), {})[text.encode()] = _http(content)
        self._requests = 0

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError), connection.makefile("rb") as stream:
            while line := stream.readline():
                length, target = 0, b""
                while (header := stream.readline().rstrip()) != b"":
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                    elif name.lower() == b"x-amz-target":
                        target = value.strip()
                body = stream.read(length)
                if _COUNTS.encode() in line:
                    connection.sendall(_http(self._requests))
                else:
                    self._requests += 1
                    answers = self._answers[target]
                    connection.sendall(next(answer for text, answer in answers.items() if text in body))


def _http(content: Any) -> bytes:
    body = json.dumps(content).encode()
    head = (
        "HTTP/1.1 200 OK\r\nServer: Server\r\nContent-Type: application/x-amz-json-1.0\r\nConnection: keep-alive\r\n"
        "x-amzn-RequestId: OEPB0CSH7F2GQNIO7S1M8KBSIVVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        f"x-amz-crc32: {zlib.crc32(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _main() -> None:
    server = _Server(json.loads(sys.stdin.readline()))
    with socket.create_server((_HOST, 0)) as listener:
        threading.Thread(target=server.serve, args=(listener,), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main()
