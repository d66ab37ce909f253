"""The fault proxy injects each fault on the wire, for any HTTP client."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.support import network_faults
from tests.support.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

ANSWER = {"Item": {"name": {"S": "something long enough to be cut half-way"}}}
CLIENT_SECONDS = 0.3


@dataclass(slots=True)
class Upstream:
    """A server with one answer to everything.

    Attributes:
        proxy: the proxy in front of it.
        arrived: bodies of the requests, in order.
    """

    proxy: FaultProxy
    arrived: list[str] = field(default_factory=list)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A server behind a proxy."""
    arrived: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            arrived.append(self.rfile.read(int(self.headers["content-length"])).decode())
            body = json.dumps(ANSWER).encode()
            self.send_response(200)
            self.send_header("x-amzn-requestid", f"answer {len(arrived)}")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    proxy = FaultProxy(f"http://127.0.0.1:{server.server_port}")
    yield Upstream(proxy, arrived)
    proxy.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(upstream: Upstream) -> Iterator[http.client.HTTPConnection]:
    """A client with a short timeout."""
    connection = http.client.HTTPConnection(upstream.proxy.url.removeprefix("http://"), timeout=CLIENT_SECONDS)
    yield connection
    connection.close()


def ask(client: http.client.HTTPConnection, body: str = "{}", operation: str = "GetItem") -> tuple[int, str, bytes]:
    """Send a request; return the status of the response, its number, and its body."""
    try:
        client.request("POST", "/", body, {"X-Amz-Target": f"DynamoDB_20120810.{operation}"})
        response = client.getresponse()
        return response.status, response.headers.get("x-amzn-requestid", ""), response.read()
    except (http.client.HTTPException, OSError):
        client.close()
        raise


def test_without_faults_everything_passes(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    """Requests on one connection and their responses pass unchanged."""
    first, second = ask(client, "1"), ask(client, "2")

    assert (200, "answer 1", json.dumps(ANSWER).encode()) == first
    assert (200, "answer 2", json.dumps(ANSWER).encode()) == second
    assert ["1", "2"] == upstream.arrived


def test_a_script_is_one_fault_for_each_request(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    """None passes a request, as does the end of the script; every operation is recorded."""
    with network_faults.injected(
        upstream.proxy, network_faults.throttled, None, network_faults.error("InternalServerError", 500)
    ) as operations:
        statuses = [ask(client, str(number))[0] for number in range(4)]

    assert [400, 200, 500, 200] == statuses
    assert ["1", "3"] == upstream.arrived
    assert ["GetItem"] * 4 == operations
    assert 200 == ask(client)[0]


def test_throttling_has_dynamodbs_error_type(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    """Clients recognize throttling by DynamoDB's error type."""
    with network_faults.injected(upstream.proxy, network_faults.throttled):
        status, _, body = ask(client)

    assert 400 == status
    assert "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException" == json.loads(body)["__type"]


def test_a_conflict_has_a_reason_for_each_item(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    """A transaction's conflict has one reason for each of its items."""
    with network_faults.injected(upstream.proxy, network_faults.conflicted, network_faults.conflicted):
        _, _, transaction = ask(client, json.dumps({"TransactItems": [{}, {}, {}]}), "TransactWriteItems")
        _, _, read = ask(client)

    assert [{"Code": "TransactionConflict"}] * 3 == json.loads(transaction)["CancellationReasons"]
    assert json.loads(read)["__type"].endswith("#ProvisionedThroughputExceededException")


def test_a_batch_is_left_unprocessed(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    """All keys of the batch are reported as unprocessed, in a response of DynamoDB's form."""
    keys = {"a table": {"Keys": [{"pk": {"S": "1"}}], "ConsistentRead": True}}
    with network_faults.injected(upstream.proxy, network_faults.unprocessed):
        status, request_id, body = ask(client, json.dumps({"RequestItems": keys}), "BatchGetItem")

    assert 200 == status
    assert "1" == request_id
    assert {"Responses": {}, "UnprocessedKeys": keys} == json.loads(body)


@pytest.mark.parametrize(
    ("fault", "expected", "arrived"),
    [
        (network_faults.lost_request, http.client.RemoteDisconnected, 0),
        (network_faults.reset, ConnectionResetError, 0),
        (network_faults.silent, TimeoutError, 0),
        (network_faults.lost_answer, http.client.RemoteDisconnected, 1),
        (network_faults.silent_afterwards, TimeoutError, 1),
        (network_faults.cut_in_body, http.client.IncompleteRead, 1),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_broken_exchange(
    client: http.client.HTTPConnection,
    upstream: Upstream,
    fault: network_faults.Fault,
    expected: type[Exception],
    arrived: int,
) -> None:
    """Each fault has the described effect on the client and on the server."""
    with network_faults.injected(upstream.proxy, fault), pytest.raises(expected):
        ask(client)

    assert arrived == len(upstream.arrived)
    assert 200 == ask(client)[0]


def test_a_response_can_end_within_its_head(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    """A client that does not check gets an empty success."""
    with network_faults.injected(upstream.proxy, network_faults.cut_in_head):
        assert (200, "", b"") == ask(client)

    assert 1 == len(upstream.arrived)


def test_half_a_response_is_recognized(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    """The head promises a longer body than is sent."""
    with (
        network_faults.injected(upstream.proxy, network_faults.cut_in_body),
        pytest.raises(http.client.IncompleteRead) as caught,
    ):
        ask(client)

    whole = json.dumps(ANSWER).encode()
    assert whole[: len(whole) // 2] == caught.value.partial


@pytest.mark.parametrize("fault", [network_faults.delayed, network_faults.delayed_twice])
def test_a_delayed_answer_comes(
    client: http.client.HTTPConnection,
    upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
    fault: network_faults.Fault,
) -> None:
    """A delayed response is late but complete."""
    monkeypatch.setattr(network_faults, "DELAY_SECONDS", 0.1)
    with network_faults.injected(upstream.proxy, fault):
        assert (200, "answer 1", json.dumps(ANSWER).encode()) == ask(client)

    assert ["{}"] == upstream.arrived


def test_a_duplicate_arrives_twice(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    """A duplicate arrives twice and is answered once."""
    with network_faults.injected(upstream.proxy, network_faults.duplicated):
        assert "answer 1" == ask(client, "1")[1]
        assert "answer 3" == ask(client, "2")[1]

    assert ["1", "1", "2"] == upstream.arrived


def test_a_late_request_arrives_behind_the_next_one(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    """A late request arrives before the next one's response is sent."""
    with network_faults.injected(upstream.proxy, network_faults.late):
        with pytest.raises(http.client.RemoteDisconnected):
            ask(client, "1")
        ask(client, "2")
        assert ["2", "1"] == upstream.arrived


def test_a_late_request_without_a_next_one_arrives_at_the_end(
    client: http.client.HTTPConnection, upstream: Upstream
) -> None:
    """A late request without a next one arrives when the script ends."""
    with network_faults.injected(upstream.proxy, network_faults.late):
        with pytest.raises(http.client.RemoteDisconnected):
            ask(client, "1")
        assert [] == upstream.arrived

    assert ["1"] == upstream.arrived


def test_an_exception_of_a_fault_fails_the_test(client: http.client.HTTPConnection, upstream: Upstream) -> None:
    """An assertion that fails in the proxy's thread fails the test."""

    def fails(_: object) -> None:
        raise AssertionError("seen")

    def run() -> None:
        with network_faults.injected(upstream.proxy, fails), pytest.raises(http.client.RemoteDisconnected):
            ask(client)

    with pytest.raises(AssertionError, match="seen"):
        run()
