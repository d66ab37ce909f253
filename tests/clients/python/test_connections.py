"""Real sockets: servers that are slow, that break off, that redirect, and that are not there."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import struct
import threading
import time
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from keywright_client import ApiConnectionError, ApiError, AsyncKeywright, Keywright, NotFound
from tests.clients.python.drivers import (
    FUNCTION,
    KEY_ID,
    KEY_TEXT,
    PLAIN_HTTP,
    TOKEN,
    URL,
    Kind,
    credentials,
    failure,
    leaked,
    pretended,
    shown,
    success,
)
from tests.support.canned_server import HOST, answer, serving
from tests.support.environment import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

NOT_FOUND = {"data": {"valid": False, "code": "NOT_FOUND"}, "error": None}
OK = answer(NOT_FOUND, 200, content_type="application/json")
UNAVAILABLE = {"code": "SERVICE_UNAVAILABLE", "message": "No", "hint": "Wait.", "docs": ""}


@contextmanager
def server(behave: Callable[[socket.socket], object]) -> Iterator[str]:
    """Serve connections, each by a function; yield the address."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                behave(connection)
            except OSError:
                return

    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://{HOST}:{listener.getsockname()[1]}/v1"
        listener.shutdown(socket.SHUT_RDWR)


def request_of(connection: socket.socket) -> bytes:
    """Read a request whose body is JSON."""
    received = b""
    while not received.endswith(b"}"):
        part = connection.recv(65536)
        if not part:
            raise OSError
        received += part
    return received


def silent(connection: socket.socket) -> None:
    """Read the request and never answer."""
    while connection.recv(65536):
        pass


def dripping(connection: socket.socket) -> None:
    """Send a body that takes seconds, a byte at a time, and break off."""
    request_of(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n{")
    for _ in range(150):
        time.sleep(0.02)
        connection.sendall(b" ")


def well(connection: socket.socket) -> None:
    """Answer as Keywright does."""
    request_of(connection)
    connection.sendall(OK)


def cut(connection: socket.socket) -> None:
    """Close in the middle of the body."""
    request_of(connection)
    connection.sendall(OK[:-5])


def reset(connection: socket.socket) -> None:
    """Reset in the middle of the body."""
    request_of(connection)
    connection.sendall(OK[:-5])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def no_http(connection: socket.socket) -> None:
    """Answer in another protocol."""
    request_of(connection)
    connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")


def unreachable() -> str:
    """Return an address at which nothing listens."""
    with socket.create_server((HOST, 0)) as listener:
        return f"http://{HOST}:{listener.getsockname()[1]}/v1"


LONG = 60.0
"""A time-out for answers that come at once, on a busy machine too."""
BEHAVIORS: dict[str, tuple[Callable[[socket.socket], None], float, str]] = {
    "silent": (silent, 0.1, "timed out"),
    "dripping": (dripping, 0.3, "timed out"),
    "cut": (cut, LONG, "the connection ended before the answer was complete, or it is not HTTP"),
    "reset": (reset, LONG, "the connection broke"),
    "no HTTP": (no_http, LONG, "the connection ended before the answer was complete, or it is not HTTP"),
}


@pytest.mark.parametrize(("behave", "timeout_seconds", "reason"), BEHAVIORS.values(), ids=BEHAVIORS)
def test_an_answer_that_does_not_arrive(
    kind: Kind, behave: Callable[[socket.socket], object], timeout_seconds: float, reason: str
) -> None:
    """A server that is silent, slow, or breaks off gives no answer: the error names reason and host, and no secret."""
    with server(behave) as url, pytest.raises(ApiConnectionError) as caught:
        kind.client(url, timeout_seconds=timeout_seconds, retries=0).verify(KEY_TEXT)

    assert f"No answer from {httpx.URL(url).netloc.decode()}: {reason}" == str(caught.value)
    assert [] == leaked(shown(caught.value))
    assert caught.value.__context__ is None


def test_nothing_listens(kind: Kind) -> None:
    """A refused connection says so."""
    with pytest.raises(ApiConnectionError, match="connection refused"):
        kind.client(unreachable(), retries=0).verify(KEY_TEXT)


def test_a_connection_that_breaks_once(kind: Kind) -> None:
    """A real reset in the middle of the body is repeated on another connection."""
    behaviors = iter([reset, well])
    with server(lambda connection: next(behaviors)(connection)) as url:  # noqa: PLW0108 - another one each time
        assert NotFound() == kind.client(url).verify(KEY_TEXT)


def test_a_short_retry_after(kind: Kind, pauses: list[float]) -> None:
    """After a 503 the client waits for the seconds that the answer says."""
    unavailable = answer({"data": None, "error": UNAVAILABLE}, 503, retry_after="1")
    with serving(unavailable, OK) as canned:
        result = kind.client(f"{canned.url}/v1").verify(KEY_TEXT)

    assert NotFound() == result
    assert 1 <= pauses[0] <= 1.1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(kind: Kind, status: int) -> None:
    """Neither the key nor the token is sent to the target of a redirect."""
    with serving(OK) as other:
        moved = answer(b"", status, location=f"{other.url}/v1/auth/api-keys/verify")
        with serving(moved) as canned:
            client = kind.client(f"{canned.url}/v1")
            with pytest.raises(ApiError, match="The address redirects"):
                client.verify(KEY_TEXT)
            with pytest.raises(ApiError, match="The address redirects"):
                client.get(KEY_ID)

    assert [] == other.received


def test_connections_are_used_again(kind: Kind) -> None:
    """Verifications one after the other share a connection."""
    with serving(OK) as canned:
        client = kind.client(f"{canned.url}/v1")
        for _ in range(3):
            client.verify(KEY_TEXT)

    assert {1} == {received.connection for received in canned.received}


def test_a_connection_that_the_server_closed(kind: Kind) -> None:
    """A connection that was closed while idle is replaced."""
    with serving(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)) as canned:
        client = kind.client(f"{canned.url}/v1")
        results = [client.verify(KEY_TEXT) for _ in range(3)]

    assert [NotFound()] * 3 == results


def test_a_compressed_answer(kind: Kind) -> None:
    """A body that cannot be decompressed is not an answer."""
    with serving(answer(b"no gzip", 200, content_encoding="gzip")) as canned, pytest.raises(ApiConnectionError):
        kind.client(f"{canned.url}/v1", retries=0).verify(KEY_TEXT)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the name cannot be resolved"),
        (ConnectionRefusedError(111, "no"), "connection refused"),
        (ssl.SSLError(1, "no"), "TLS failed"),
        (OSError(101, "Network is unreachable"), "cannot connect"),
    ],
    ids=["name", "refused", "TLS", "network"],
)
def test_why_there_is_no_connection(kind: Kind, cause: OSError, reason: str) -> None:
    """The error says what failed: the name, the connection or TLS."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no") from cause

    with pytest.raises(ApiConnectionError) as caught:
        kind.client(URL, handler=fail, retries=0).verify(KEY_TEXT)

    assert reason == caught.value.reason
    assert "abc123.execute-api.eu-west-1.amazonaws.com" == caught.value.host


def test_lambda_cannot_be_reached(kind: Kind) -> None:
    """The error names Lambda's host."""
    client = kind.client(function=FUNCTION, handler=pretended(httpx.ConnectTimeout("no")), retries=0)
    with pytest.raises(ApiConnectionError, match=r"No answer from lambda\.eu-west-1\.amazonaws\.com: timed out"):
        client.verify(KEY_TEXT)


def test_a_certificate_that_is_not_trusted(kind: Kind) -> None:
    """The error says why a certificate is refused."""
    cause = ssl.SSLCertVerificationError("no")
    cause.verify_message = "certificate has expired"

    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no") from cause

    with pytest.raises(ApiConnectionError, match="the certificate is not trusted: certificate has expired"):
        kind.client(URL, handler=fail, retries=0).verify(KEY_TEXT)


def test_many_threads_share_a_client() -> None:
    """One client serves many threads at once; each gets its own answer."""

    def echo(request: httpx.Request) -> httpx.Response:
        key = request.read().decode().partition(":")[2].strip('"}')
        return success({"valid": False, "code": f"CODE_{key}"})

    client = Kind(None).client(URL, handler=echo)
    codes: dict[str, str] = {}

    def verify(first: int) -> None:
        for number in range(first, first + 20):
            codes[str(number)] = client.verify(str(number)).code

    threads = [threading.Thread(target=verify, args=(20 * number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {str(number): f"CODE_{number}" for number in range(320)} == codes


@asynccontextmanager
async def asynchronous(url: str, **options: Any) -> AsyncIterator[AsyncKeywright]:
    """Return a client for asyncio that sends real requests."""
    async with httpx.AsyncClient(verify=PLAIN_HTTP, trust_env=False) as http:
        yield AsyncKeywright(url, credentials=credentials(), region="eu-west-1", token=TOKEN, http=http, **options)


def test_a_canceled_verification() -> None:
    """A canceled task ends at once, and the client can be used afterwards."""
    behaviors = iter([silent, well])

    async def canceled(url: str) -> object:
        async with asynchronous(url, timeout_seconds=60) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.verify(KEY_TEXT)
            return await client.verify(KEY_TEXT)

    with server(lambda connection: next(behaviors)(connection)) as url:  # noqa: PLW0108 - another one each time
        assert NotFound() == asyncio.run(canceled(url))


def test_a_pause_can_be_canceled() -> None:
    """A task that waits for its next attempt can be canceled, and sends nothing more."""
    keywright = pretended(failure(503, "SERVICE_UNAVAILABLE", retry_after="9"))

    async def canceled() -> None:
        http = httpx.AsyncClient(transport=httpx.MockTransport(keywright))
        async with asyncio.timeout(0.05):
            await AsyncKeywright(URL, credentials=credentials(), http=http).verify(KEY_TEXT)

    with pytest.raises(TimeoutError):
        asyncio.run(canceled())

    assert 1 == len(keywright.received)


def test_an_asynchronous_token() -> None:
    """The asyncio client awaits a token that is not there yet."""
    keywright = pretended(failure(404, "API_KEY_NOT_FOUND"))

    async def token() -> str:
        await asyncio.sleep(0)
        return "awaited"

    async def called() -> None:
        http = httpx.AsyncClient(transport=httpx.MockTransport(keywright))
        await AsyncKeywright(URL, token=token, http=http).get(KEY_ID)

    with pytest.raises(ApiError):
        asyncio.run(called())

    assert "Bearer awaited" == keywright.received[0].headers["authorization"]


def test_many_tasks_share_a_client() -> None:
    """One client serves many tasks at once."""

    async def verified(url: str) -> list[object]:
        async with asynchronous(url) as client:
            return await asyncio.gather(*(client.verify(KEY_TEXT) for _ in range(50)))

    with serving(OK) as canned:
        assert [NotFound()] * 50 == asyncio.run(verified(f"{canned.url}/v1"))


def test_a_closed_client() -> None:
    """A client closes its own connections at the end of its context."""
    with serving(OK) as canned:
        with Keywright(f"{canned.url}/v1", credentials=credentials(), region="eu-west-1") as client:
            client.verify(KEY_TEXT)
        with pytest.raises(RuntimeError, match="closed"):
            client.verify(KEY_TEXT)


def test_a_closed_asynchronous_client() -> None:
    """The asyncio client closes its own connections at the end of its context too."""

    async def closed(url: str) -> None:
        async with AsyncKeywright(url, credentials=credentials(), region="eu-west-1") as client:
            await client.verify(KEY_TEXT)
        with pytest.raises(RuntimeError, match="closed"):
            await client.verify(KEY_TEXT)

    with serving(OK) as canned:
        asyncio.run(closed(f"{canned.url}/v1"))

    assert 1 == len(canned.received)


def test_the_http_client_of_the_caller_adds_no_credentials() -> None:
    """Credentials, headers and parameters of the caller's client do not replace the signature, nor travel with it."""
    keywright = pretended(success(NOT_FOUND["data"]))
    extras = {"auth": ("user", "password"), "headers": {"x-api-key": "other"}, "params": {"a": "b"}}
    http = httpx.Client(transport=httpx.MockTransport(keywright), **extras)  # type: ignore[arg-type] # of several types
    Keywright(URL, credentials=credentials(), http=http).verify(KEY_TEXT)
    (request,) = keywright.received

    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
    assert "x-api-key" not in request.headers
    assert b"" == request.url.query


def test_the_http_client_of_the_caller_stays_open() -> None:
    """Connections that the caller brought are the caller's to close."""
    http = httpx.Client(transport=httpx.MockTransport(pretended(success(NOT_FOUND["data"]))))
    with Keywright(URL, credentials=credentials(), http=http):
        pass

    assert http.is_closed is False


def test_no_proxy_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests to this machine, which are not encrypted, do not pass a proxy of the environment."""
    with serving(OK) as canned, serving(OK) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with Keywright(f"{canned.url}/v1", credentials=credentials(), region="eu-west-1") as client:
            client.verify(KEY_TEXT)

    assert [] == proxy.received
    assert 1 == len(canned.received)


def test_no_proxy_to_this_machine_with_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """The asyncio client does not send them through a proxy either, nor to a Lambda on this machine."""

    async def verified(url: str) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        async with AsyncKeywright(function=FUNCTION, credentials=credentials(), retries=0) as client:
            with pytest.raises(ApiError):  # the answer is not one of Lambda
                await client.verify(KEY_TEXT)

    with serving(OK) as canned, serving(OK) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        asyncio.run(verified(canned.url))

    assert [] == proxy.received
    assert 1 == len(canned.received)


def test_a_second_event_loop() -> None:
    """A client can be used in one event loop after the other: each has its own connections."""

    async def verified(client: AsyncKeywright) -> object:
        try:
            return await client.verify(KEY_TEXT)
        finally:
            await client._connections.get().aclose()  # those of this loop only

    with serving(OK) as canned:
        client = AsyncKeywright(f"{canned.url}/v1", credentials=credentials(), region="eu-west-1")

        assert NotFound() == asyncio.run(verified(client))
        assert NotFound() == asyncio.run(verified(client))

    assert [1, 2] == [received.connection for received in canned.received]


def test_a_closed_client_in_another_event_loop() -> None:
    """A closed client is closed in every event loop."""
    client = AsyncKeywright(URL, credentials=credentials())
    asyncio.run(client.aclose())
    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(client.verify(KEY_TEXT))


def test_no_cancellation_is_lost() -> None:
    """A task that verifies keys without a pause ends when it is canceled, at whatever moment."""

    async def verified_for_ever(client: AsyncKeywright) -> None:
        while True:
            await client.verify(KEY_TEXT)

    async def canceled(client: AsyncKeywright, turns: int) -> bool:
        task = asyncio.create_task(verified_for_ever(client))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        return bool(done)

    async def slowly(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return httpx.Response(200, json=NOT_FOUND)

    async def all_canceled() -> list[bool]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(slowly)) as http:
            client = AsyncKeywright(URL, credentials=credentials(), http=http)
            await client.verify(KEY_TEXT)
            return [await canceled(client, turns) for turns in range(40)]

    assert [True] * 40 == asyncio.run(all_canceled())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # nothing can close connections of an ended event loop
def test_event_loops_that_ended_leave_nothing() -> None:
    """A client that is used in one event loop after the other keeps the connections of the last one only."""
    with serving(OK) as canned:
        client = AsyncKeywright(f"{canned.url}/v1", credentials=credentials(), region="eu-west-1")
        for _ in range(5):
            asyncio.run(client.verify(KEY_TEXT))

        assert 1 == len(client._connections._own.get())
        client._connections._own.get().clear()
        gc.collect()


def test_the_errors_of_a_connection_of_its_own() -> None:
    """The client's own connections fail with the same reasons as those of httpx."""
    behaviors = [*BEHAVIORS.values(), (None, LONG, "connection refused")]
    for behave, timeout_seconds, reason in behaviors:
        with (
            server(behave) if behave else nullcontext(unreachable()) as url,
            Keywright(
                url, credentials=credentials(), region="eu-west-1", timeout_seconds=timeout_seconds, retries=0
            ) as client,
            pytest.raises(ApiConnectionError, match=f": {reason}"),
        ):
            client.verify(KEY_TEXT)
