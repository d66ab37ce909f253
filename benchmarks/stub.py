"""A stub of DynamoDB and Secrets Manager: a process that returns constant answers, at once or after a stated time.

It takes almost no time itself, so that only the client is measured. `python -m benchmarks.stub` reads its answers from
standard input, prints its port, and ends when its input closes.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HOST = "127.0.0.1"
_COUNTS = "/counts"


@dataclass(frozen=True, slots=True)
class Network:
    """Network between a client and the services.

    Attributes:
        is_encrypted: whether it is TLS.
        leg_seconds: time of a packet in one direction. A new connection takes two legs, a handshake of TLS 1.3 two
            more, and an answer two.
        dynamodb_seconds: time that DynamoDB takes for an answer.
        secrets_manager_seconds: time that Secrets Manager takes for an answer.
    """

    is_encrypted: bool = False
    leg_seconds: float = 0.0
    dynamodb_seconds: float = 0.0
    secrets_manager_seconds: float = 0.0


AT_ONCE = Network()
ENCRYPTED = Network(is_encrypted=True)


class Stub:
    """A running stub, as its clients see it.

    Attributes:
        url: of the stub.
        authorities: file of the authorities that its clients trust; None without TLS.
    """

    def __init__(self, port: int, authorities: Path | None) -> None:
        self.url = f"{'http' if authorities is None else 'https'}://{_HOST}:{port}"
        self.authorities = authorities
        self._context = None if authorities is None else ssl.create_default_context(cafile=str(authorities))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead Keywright and boto3 to the stub."""
        variables = {"AWS_ENDPOINT_URL": self.url}
        if self.authorities is not None:
            variables |= {name: str(self.authorities) for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE")}
        return variables

    def requests(self) -> int:
        """Return the number of requests so far."""
        with urllib.request.urlopen(self.url + _COUNTS, context=self._context) as answer:  # noqa: S310 - loopback
            return int(answer.read())


@contextmanager
def run_stub(answers: Mapping[str, Any], network: Network = AT_ONCE) -> Iterator[Stub]:
    """Run a stub while the context is open.

    Args:
        answers: by x-amz-target, such as DynamoDB_20120810.BatchGetItem. An answer to requests that contain a text has
            that text after the target and a space; it goes before the others.
        network: what the stub acts as.
    """
    command = [sys.executable, "-m", "benchmarks.stub"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process,  # noqa: S603
    ):
        assert process.stdin is not None, "stdin is a pipe"  # noqa: S101
        assert process.stdout is not None, "stdout is a pipe"  # noqa: S101
        authorities, chain = None, ""
        if network.is_encrypted:
            from benchmarks.certificates import write_certificates  # noqa: PLC0415 - only TLS has cryptography

            certificates = write_certificates(Path(folder))
            authorities, chain = certificates.authorities, str(certificates.chain)
        order = {
            "answers": answers,
            "chain": chain,
            "leg_seconds": network.leg_seconds,
            "service_seconds": {
                "DynamoDB_20120810": network.dynamodb_seconds,
                "secretsmanager": network.secrets_manager_seconds,
            },
        }
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        try:
            yield Stub(int(process.stdout.readline()), authorities)
        finally:
            process.stdin.close()


class _Server:
    def __init__(
        self, answers: Mapping[str, Any], chain: str, leg_seconds: float, service_seconds: Mapping[str, float]
    ) -> None:
        self._answers: dict[bytes, dict[bytes, bytes]] = {}
        for name, content in sorted(answers.items(), reverse=True):
            target, _, text = name.partition(" ")
            self._answers.setdefault(target.encode(), {})[text.encode()] = _http(content)
        self._round_trip_seconds = 2 * leg_seconds
        self._seconds = {
            target: self._round_trip_seconds + service_seconds.get(target.decode().partition(".")[0], 0.0)
            for target in self._answers
        }
        self._context: ssl.SSLContext | None = None
        if chain:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(chain)
        self._requests = 0

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._connected, args=(connection,), daemon=True).start()

    def _connected(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            # The system has accepted the connection already: its round trip is waited for here.
            _wait(self._round_trip_seconds)
            if self._context is None:
                self._answer(connection)
                return
            _wait(self._round_trip_seconds)
            with self._context.wrap_socket(connection, server_side=True) as encrypted:
                self._answer(encrypted)

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
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
                    _wait(self._seconds[target])
                    connection.sendall(next(answer for text, answer in answers.items() if text in body))


def _wait(seconds: float) -> None:
    """Wait, if at all: even a sleep of no time gives up the processor."""
    if seconds:
        time.sleep(seconds)


def _http(content: Any) -> bytes:
    body = json.dumps(content).encode()
    head = (
        "HTTP/1.1 200 OK\r\nServer: Server\r\nContent-Type: application/x-amz-json-1.0\r\nConnection: keep-alive\r\n"
        "x-amzn-RequestId: OEPB0CSH7F2GQNIO7S1M8KBSIVVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        f"x-amz-crc32: {zlib.crc32(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _main() -> None:
    server = _Server(**json.loads(sys.stdin.readline()))
    with socket.create_server((_HOST, 0)) as listener:
        threading.Thread(target=server.serve, args=(listener,), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main()
