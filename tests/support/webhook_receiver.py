"""A receiver of webhooks: an HTTPS server on loopback with answers of a test and a certificate made for it."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HOST = "127.0.0.1"
SILENT, CLOSED, DRIPPING = 0, -1, -2
"""Answers: none until the receiver ends, a closed connection, and a header that comes slowly, in two seconds."""
DRIP_SECONDS, DRIPS = 0.02, 100


@dataclass(frozen=True, slots=True)
class Delivery:
    """A received request, with header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """Answers to give, and requests received.

    Attributes:
        answers: a status for each request, SILENT, CLOSED or DRIPPING. The last one is repeated.
        headers: of each answer.
        interim: statuses of responses before each answer.
    """

    answers: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    interim: list[int] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    port: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Return the address of the receiver."""
        return f"https://{HOST}:{self.port}"


@cache
def _certificate() -> bytes:
    """Return a private key and a certificate of this machine that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def write_certificate(folder: Path) -> Path:
    """Write the key and the certificate of receivers to a file, for SSL_CERT_FILE, and return it."""
    path = folder / "receiver.pem"
    path.write_bytes(_certificate())
    return path


@contextmanager
def receiving(certificate: Path) -> Iterator[Receiver]:
    """Run a receiver with a certificate that `write_certificate` has written."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        """Answers requests as the receiver says."""

        def do_POST(self) -> None:
            """Answer a request."""
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.deliveries.append(Delivery(self.command, self.path, headers, body))
            status = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
            if status == SILENT:
                receiver.ended.wait()
            if status == DRIPPING:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nx-drip: ")
                for _ in range(DRIPS):
                    if not receiver.ended.wait(DRIP_SECONDS):
                        self.wfile.write(b"x")
                self.wfile.write(b"\r\n\r\n")
            if status <= 0:
                self.close_connection = True
                return
            for each in receiver.interim:
                self.send_response_only(each)
                self.send_header("link", "</style.css>")
                self.end_headers()
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = _Server((HOST, 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """A server that stays silent about clients which do not trust it or go away."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Write nothing."""
