"""HTTP requests: kept, frozen, closed and refused connections; TLS; time-outs."""

from __future__ import annotations

import io
import ipaddress
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keywright.aws import transport
from keywright.aws.transport import Host, NoAnswerError
from tests.support.canned_server import Received, answer, serving
from tests.support.depth import mostly_deep
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOPBACK, LOOPBACK_6 = "127.0.0.1", "::1"
PATIENCE_SECONDS = 5

pytestmark = pytest.mark.allow_hosts([LOOPBACK, LOOPBACK_6])


def host(url: str, *, connect_timeout_seconds: float = 5, read_timeout_seconds: float = 5) -> Host:
    """Return a host with time-outs for tests."""
    return Host(url, connect_timeout_seconds=connect_timeout_seconds, read_timeout_seconds=read_timeout_seconds)


@contextmanager
def closing_on_event() -> Iterator[tuple[int, threading.Event, threading.Event]]:
    """Serve connections that close after their answer once the first event is set. The second event confirms it."""
    close, closed = threading.Event(), threading.Event()

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer({}))
                    close.wait(PATIENCE_SECONDS)
                closed.set()

    with socket.create_server((LOOPBACK, 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], close, closed
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_was_closed_while_frozen_is_replaced() -> None:
    """GIVEN a process that is stopped, as Lambda does WHEN its connection is closed meanwhile THEN the next call works.

    At the first attempt: a caller that makes only one loses nothing.
    """
    script = (
        "import sys; from keywright.aws.transport import Host\n"
        "host = Host(sys.argv[1], connect_timeout_seconds=5, read_timeout_seconds=5)\n"
        "for _ in sys.stdin: print(host.send('POST', '/', {}, b'').status, flush=True)"
    )
    with closing_on_event() as (port, close, closed):
        process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-c", script, f"http://{LOOPBACK}:{port}"],
            env={"PYTHONPATH": str(ROOT / "layers/shared/python")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin
        assert process.stdout
        with process:
            process.stdin.write("\n")
            process.stdin.flush()
            assert "200\n" == process.stdout.readline()
            process.send_signal(signal.SIGSTOP)
            close.set()
            assert closed.wait(PATIENCE_SECONDS)
            process.send_signal(signal.SIGCONT)
            answers, _ = process.communicate("\n", timeout=PATIENCE_SECONDS)

    assert "200\n" == answers


def test_there_are_as_many_connections_as_requests_at_once() -> None:
    """GIVEN 200 requests of 4 threads THEN at most 4 connections are made, and kept."""
    with serving(answer({})) as server:
        there = host(server.url)
        with ThreadPoolExecutor(4) as threads:
            statuses = list(threads.map(lambda _: there.send("POST", "/", {}, b"").status, range(200)))

    assert [200] * 200 == statuses
    assert {request.connection for request in server.received} <= {1, 2, 3, 4}
    assert len(there._idle) <= 4


def test_a_request_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writes would be two system calls, and two TLS records, for each request to DynamoDB."""
    written: list[bytes] = []
    send_all = socket.socket.sendall

    def noted(self: socket.socket, data: bytes) -> None:
        if data.startswith(b"POST"):
            written.append(data)
        send_all(self, data)

    monkeypatch.setattr(socket.socket, "sendall", noted)
    with serving(answer({})) as server:
        host(server.url).send("POST", "/", {"x-name": "value"}, b'{"body": 1}')
    (request,) = written
    head, _, body = request.partition(b"\r\n\r\n")
    assert b"x-name: value" in head
    assert body == b'{"body": 1}'


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/a b", {}),
        ("/a\r\nx-name: value", {}),
        ("/\N{LATIN SMALL LETTER E WITH ACUTE}", {}),
        ("/", {"x-name": "value\r\nx-other: value"}),
        ("/", {"x-name": "value\n"}),
        ("/", {"x-name\r\nx-other": "value"}),
        ("/", {"x-name": "\0"}),
        ("/", {"x-name": "\N{LATIN SMALL LETTER E WITH ACUTE}"}),
    ],
)
def test_a_request_that_http_does_not_allow_is_not_sent(target: str, headers: dict[str, str]) -> None:
    """No value ends a line of the request, and so adds a header or a request of its choice."""
    with serving(answer({})) as server:
        with pytest.raises(NoAnswerError, match="characters"):
            host(server.url).send("GET", target, headers)

        assert not server.received


def test_the_host_is_named_unless_a_header_does() -> None:
    """The head has one host, the length of a body, and nothing else that the caller did not give."""
    with serving(answer({}), answer({})) as server:
        here = host(server.url)
        here.send("GET", "/path?query", {"accept": "application/json"})
        here.send("POST", "/", {"host": "example.com"}, b"{}")

    address = server.url.removeprefix("http://")
    assert [
        Received("GET /path?query HTTP/1.1", {"accept": "application/json", "host": address}, b"", 1),
        Received("POST / HTTP/1.1", {"host": "example.com", "content-length": "2"}, b"{}", 1),
    ] == server.received


def test_a_broken_connection_is_not_kept() -> None:
    """The request after a failure gets a new connection, and none is left over."""
    with serving(answer({}), None, answer({})) as server:
        there = host(server.url)
        there.send("POST", "/", {}, b"")
        with pytest.raises(NoAnswerError):
            there.send("POST", "/", {}, b"")
        assert 0 == len(there._idle)

        there.send("POST", "/", {}, b"")

    assert [1, 1, 2] == [request.connection for request in server.received]
    assert 1 == len(there._idle)


def test_connections_are_closed_with_their_host() -> None:
    """A host that is used once, such as the identity provider's, leaves no connection behind."""
    with serving(answer({})) as server:
        there = host(server.url)
        there.send("POST", "/", {}, b"")
        ((_, connection),) = there._idle
        assert connection.fileno() >= 0

        del there

        assert -1 == connection.fileno()


def test_a_connection_that_was_opened_before_serves_the_next_request() -> None:
    """GIVEN a connection without a request WHEN one is sent THEN it needs no other connection."""
    with serving(answer({})) as server:
        there = host(server.url)
        there.connect()
        ((_, connection),) = there._idle

        there.send("POST", "/", {}, b"")

        assert [connection] == [kept for _, kept in there._idle]


@pytest.mark.parametrize(("passed_seconds", "connections"), [(29, [1, 1]), (31, [1, 2]), (-31, [1, 2])])
def test_a_connection_that_rested_long_is_replaced(
    monkeypatch: pytest.MonkeyPatch, passed_seconds: int, connections: list[int]
) -> None:
    """GIVEN a connection unused for more than half a minute, by a clock that may be set back THEN a new one is opened.

    It can have ended without a trace while the container was frozen.
    """
    with serving(answer({}), answer({})) as server:
        there = host(server.url)
        there.send("POST", "/", {}, b"")
        now = time.time() + passed_seconds
        monkeypatch.setattr(time, "time", lambda: now)

        there.send("POST", "/", {}, b"")

    assert connections == [request.connection for request in server.received]


def test_a_host_that_cannot_be_connected_to_is_a_failure() -> None:
    """Connecting before a request fails as the request does."""
    with pytest.raises(NoAnswerError, match="ConnectionRefusedError"):
        host(f"http://{LOOPBACK}:1").connect()


def test_an_answer_that_comes_too_late_is_not_the_next_ones() -> None:
    """GIVEN a request that got no answer in time WHEN another one is sent THEN it goes over a new connection."""
    listener = socket.create_server((LOOPBACK, 0))
    is_too_late = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            if number == 0:
                is_too_late.wait()
            connection.sendall(answer(b"%d" % number))

    def accept() -> None:
        for number in range(2):
            threading.Thread(target=serve, args=(listener.accept()[0], number), daemon=True).start()

    with listener:
        threading.Thread(target=accept, daemon=True).start()
        there = host(f"http://{LOOPBACK}:{listener.getsockname()[1]}", read_timeout_seconds=0.2)
        with pytest.raises(NoAnswerError, match="TimeoutError"):
            there.send("POST", "/", {}, b"")
        is_too_late.set()

        assert b"1" == there.send("POST", "/", {}, b"").body


def test_only_so_much_of_an_answer_is_read() -> None:
    """The rest of an answer is not taken for the answer to the next request."""
    with serving(answer(b"x" * 100), answer(b"y" * 10)) as server:
        there = host(server.url)
        bodies = [there.send("GET", "/", {}, maximum_bytes=10).body for _ in range(2)]

    assert [b"x" * 10, b"y" * 10] == bodies


class Pieces(io.RawIOBase):
    """Bytes that arrive in pieces."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size = content, size

    def readable(self) -> bool:
        """Return that there is something to read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next piece."""
        piece, self._content = self._content[: self._size], self._content[self._size :]
        buffer[: len(piece)] = piece
        return len(piece)


def read(raw: bytes, maximum_bytes: int | None, *, is_plain: bool, size: int = 1000) -> object:
    """Return what is read of a response, or the kind of the failure; None if it is not a plain one."""
    stream: io.BufferedReader[Any] = io.BufferedReader(Pieces(raw, size))
    try:
        if is_plain:
            return transport._read_plain(stream, maximum_bytes)
        response, is_open = transport._read(stream, "POST", maximum_bytes)
    except NoAnswerError as error:
        return type(error)
    headers = {name: value.strip(" \t") for name, value in response.headers.items()}
    return transport.Response(response.status, headers, response.body), is_open


HEADS = [
    "Content-Length: 5\r\n",
    "content-length:3\r\nx-amzn-RequestId:  a b \r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 9\r\nconnection: Keep-Alive\r\n",
    "Content-Length: 5\r\nConnection: close\r\n",
    "Content-Length: 5\r\nContent-Length: 5\r\n",
    "Content-Length: 5\r\nx: a\r\n b\r\n",
    "Content-Length: -5\r\n",
    "Content-Length: \xb2\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "x: \xe4\r\n",
    "no colon\r\nContent-Length: 5\r\n",
    "a b: c\r\nContent-Length: 5\r\n",
    "",
]


@pytest.mark.parametrize("body", ["hello", "5\r\nhello\r\n0\r\n\r\n", ""], ids=["plain", "chunks", "empty"])
@pytest.mark.parametrize(
    "line", ["HTTP/1.1 200 OK", "HTTP/1.1 400 ", "HTTP/1.1 204 OK", "HTTP/1.0 200 OK", "HTTP/1.1 99 x"]
)
@pytest.mark.parametrize("head", mostly_deep(HEADS, lambda head: HEADS.index(head) < 3), ids=range(len(HEADS)))
def test_plain_responses_are_read_as_http_client_reads_them(line: str, head: str, body: str) -> None:
    """A response that is read here has the same status, headers, body and connection, or fails in the same way."""
    raw = f"{line}\r\n{head}\r\n{body}".encode("latin-1")
    for maximum_bytes in (
        (None, 2) if body else (None,)
    ):  # http.client takes a cut body for a short one if asked for less
        plain = read(raw, maximum_bytes, is_plain=True)
        assert plain in (None, read(raw, maximum_bytes, is_plain=False))


@pytest.mark.parametrize("head", HEADS[:4])
def test_the_responses_of_aws_are_plain(head: str) -> None:
    """A response with a length is read here."""
    assert read(f"HTTP/1.1 200 OK\r\n{head}\r\n{'x' * 9}".encode(), None, is_plain=True) is not None


def test_a_head_that_is_not_all_there_is_left_to_http_client() -> None:
    """GIVEN a head in pieces THEN nothing of it is taken from http.client."""
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

    assert read(raw, None, is_plain=True, size=20) is None
    assert read(raw, None, is_plain=False, size=20) == read(raw, None, is_plain=True)


def test_a_connection_with_an_unread_rest_is_not_kept() -> None:
    """GIVEN an answer whose rest was not read and is still on its way THEN the next request gets a new connection."""
    with serving(answer(b"x" * 100)[:-90], answer(b"y" * 10)) as server:
        there = host(server.url)
        bodies = [there.send("GET", "/", {}, maximum_bytes=10).body for _ in range(2)]

    assert [b"x" * 10, b"y" * 10] == bodies
    assert [1, 2] == [request.connection for request in server.received]


def test_waiting_for_a_connection_ends() -> None:
    """GIVEN a host that accepts no more connections WHEN a request is sent THEN it fails after the time-out."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        for filler in (first, second):
            filler.settimeout(0)
            with suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        time.sleep(0.1)
        started = time.monotonic()
        with pytest.raises(NoAnswerError):
            host(f"http://{LOOPBACK}:{listener.getsockname()[1]}", connect_timeout_seconds=0.2).send("GET", "/", {})

    assert 0.2 <= time.monotonic() - started < PATIENCE_SECONDS


def test_reading_has_a_time_of_its_own() -> None:
    """GIVEN a short time to connect WHEN an answer takes longer than that THEN it is waited for."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                time.sleep(0.6)
                connection.sendall(answer({}))

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"

        assert 200 == host(url, connect_timeout_seconds=0.3).send("GET", "/", {}).status


def test_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN proxies in the environment WHEN a request is sent THEN it goes to the host itself."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(answer({})) as server:
        assert 200 == host(server.url).send("GET", "/", {}).status


def test_ipv6_addresses_work() -> None:
    """A host may have only an IPv6 address."""
    try:
        listener = socket.create_server((LOOPBACK_6, 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer({}))

        threading.Thread(target=serve, daemon=True).start()

        assert 200 == host(f"http://[{LOOPBACK_6}]:{listener.getsockname()[1]}").send("GET", "/", {}).status


# TLS


@pytest.fixture
def authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of trusted authorities, empty at first."""
    path = tmp_path / "authorities.pem"
    path.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)
    transport._tls.cache_clear()
    yield path
    transport._tls.cache_clear()


@contextmanager
def tls_server(folder: Path, name: x509.GeneralName, *, is_closing: bool = False) -> Iterator[tuple[str, bytes]]:
    """Serve one connection over TLS with a certificate for a name. Yield the URL and the certificate.

    Args:
        folder: for the certificate.
        name: what the certificate is for.
        is_closing: whether the connection is closed instead of answered.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    pair = folder / "server.pem"
    pair.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection, context.wrap_socket(connection, server_side=True) as encrypted:
                if not is_closing:
                    encrypted.recv(65536)
                    encrypted.sendall(answer({}))

    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"https://{LOOPBACK}:{listener.getsockname()[1]}", certificate
        thread.join(PATIENCE_SECONDS)


RIGHT = x509.IPAddress(ipaddress.ip_address(LOOPBACK))
WRONG = x509.DNSName("dynamodb.example.com")


def test_a_certificate_of_a_known_authority_is_believed(tmp_path: Path, authorities: Path) -> None:
    """GIVEN its authority in SSL_CERT_FILE WHEN a request is sent THEN it is answered."""
    with tls_server(tmp_path, RIGHT) as (url, certificate):
        authorities.write_bytes(certificate)

        assert 200 == host(url).send("GET", "/", {}).status


def test_session_tickets_do_not_look_like_an_end(tmp_path: Path, authorities: Path) -> None:
    """GIVEN a connection without a request WHEN the tickets of TLS 1.3 have arrived THEN it serves the next request."""
    with tls_server(tmp_path, RIGHT) as (url, certificate):
        authorities.write_bytes(certificate)
        there = host(url)
        there.connect()
        ((_, connection),) = there._idle
        assert select.select([connection], [], [], PATIENCE_SECONDS)[0]

        there.send("GET", "/", {})

        assert [connection] == [kept for _, kept in there._idle]


def test_the_end_of_an_encrypted_connection_is_seen(tmp_path: Path, authorities: Path) -> None:
    """GIVEN a connection over TLS WHEN the host closes it after its tickets THEN no request goes over it."""
    with tls_server(tmp_path, RIGHT, is_closing=True) as (url, certificate):
        authorities.write_bytes(certificate)
        there = host(url)
        there.connect()
        ((_, connection),) = there._idle
        connection.settimeout(PATIENCE_SECONDS)
        with suppress(OSError):
            connection.recv(1)

        assert there._idle_connection() is None


@pytest.mark.parametrize(("name", "is_known"), [(RIGHT, False), (WRONG, True)], ids=["authority", "host"])
def test_any_other_certificate_is_refused(
    tmp_path: Path,
    authorities: Path,
    name: x509.GeneralName,
    is_known: bool,  # noqa: FBT001 - a case
) -> None:
    """GIVEN an unknown authority, or a certificate of another host WHEN a request is sent THEN nothing leaves."""
    with tls_server(tmp_path, name) as (url, certificate):
        if is_known:
            authorities.write_bytes(certificate)
        with pytest.raises(NoAnswerError, match="CERTIFICATE_VERIFY_FAILED"):
            host(url).send("GET", "/", {})


def test_a_connection_that_the_host_closes_after_its_answer_is_not_kept() -> None:
    """GIVEN "connection: close" WHEN the host takes its time THEN the next request does not wait for it."""
    with serving(answer({}, connection="close"), answer({})) as server:
        there = host(server.url)
        for _ in range(2):
            there.send("POST", "/", {}, b"")

    assert [1, 2] == [request.connection for request in server.received]
