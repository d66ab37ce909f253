"""What is ready before the first request of a container: a connection to DynamoDB, and the pepper."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from keywright.aws.retries import dynamodb
from keywright.shutdown import RUNTIME_API
from keywright.store import pepper
from keywright.warm_up import warm_up
from tests.support.canned_server import Canned, answer, serving
from tests.support.environment import LOOPBACK, isolate, new_container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.template import Stack

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

SECRET = json.dumps({"current": 1, "1": "Zt4Kq9Wm2Xv7Bn1Rp8Ls3Hd6Fg0Jc5Yy" + "aQ7eT2uI9oP4sD6fG1hJ8kL3zX5cV0bN"})
FETCHED = answer({"SecretString": SECRET})


@pytest.fixture(autouse=True)
def _container(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> Iterator[None]:
    """Begin a new container on Lambda."""
    isolate(monkeypatch)
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PEPPER_SECRET_ID", "pepper")
    monkeypatch.setenv(RUNTIME_API, "127.0.0.1:1")
    new_container()
    yield
    new_container()


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canned]:
    """DynamoDB."""
    with serving(answer({"Item": {}})) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        yield server


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canned]:
    """Secrets Manager."""
    with serving(FETCHED) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
        yield server


@pytest.mark.usefixtures("secrets")
def test_the_first_request_uses_the_open_connection(table: Canned) -> None:
    """Nothing is sent before the first request, which needs no connection but the one that is open."""
    warm_up()()
    ((_, connection),) = dynamodb().host._idle
    assert [] == table.received

    dynamodb().call("GetItem", {})

    assert [connection] == [kept for _, kept in dynamodb().host._idle]
    assert [1] == [request.connection for request in table.received]


@pytest.mark.usefixtures("table")
def test_the_pepper_is_fetched_once(secrets: Canned) -> None:
    """The first request finds the pepper."""
    warm_up()()
    assert 1 == len(secrets.received)

    assert pepper.read(SECRET) == pepper.keyring()
    assert 1 == len(secrets.received)


@pytest.mark.usefixtures("table")
def test_a_pepper_that_is_refused_is_fetched_by_the_first_request(
    secrets: Canned, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failure is not reported, and does not fail the request."""
    secrets.answers[:] = [answer({"__type": "AccessDeniedException"}, 400), FETCHED]
    warm_up()()

    assert pepper.read(SECRET) == pepper.keyring()
    assert ("", "") == capsys.readouterr()


@pytest.mark.usefixtures("table")
def test_a_pepper_that_is_invalid_is_not_shown(secrets: Canned, capfd: pytest.CaptureFixture[str]) -> None:
    """No thread writes the traceback of its failure."""
    secrets.answers[:] = [answer({"SecretString": SECRET[:-1]})]

    warm_up()()

    assert ("", "") == capfd.readouterr()


@pytest.mark.usefixtures("secrets")
def test_a_connection_that_fails_is_opened_by_the_first_request(
    table: Canned, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The failure is not reported, and does not fail the request."""
    with monkeypatch.context() as unreachable:
        unreachable.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
        warm_up()()
    dynamodb.cache_clear()

    dynamodb().call("GetItem", {})

    assert 1 == len(table.received)
    assert ("", "") == capfd.readouterr()


def test_outside_of_lambda_nothing_is_done(table: Canned, secrets: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a connection is opened nor the pepper fetched."""
    monkeypatch.delenv(RUNTIME_API)

    warm_up()()

    assert [] == table.received + secrets.received
    assert 0 == len(dynamodb().host._idle)
