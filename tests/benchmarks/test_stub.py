"""The stub of AWS that stands in for DynamoDB and Secrets Manager."""

from __future__ import annotations

import time
from typing import Any

import pytest

from benchmarks.stub import ENCRYPTED, Network, run_stub
from keywright.aws.client import HttpClient
from keywright.aws.endpoints import DYNAMODB
from keywright.aws.transport import NoAnswerError
from keywright.cache import clear_all
from local.server import HOST

pytestmark = [pytest.mark.allow_hosts(HOST), pytest.mark.deep]

ANSWERS: dict[str, Any] = {"DynamoDB_20120810.GetItem": {"Item": {}}}
LEG_SECONDS = 0.01


def client(variables: dict[str, str]) -> HttpClient:
    """Return a client of the stub."""
    credentials = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    return HttpClient(DYNAMODB, variables | credentials, connect_timeout_seconds=5, read_timeout_seconds=5)


def test_the_encrypted_stub_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a stub with TLS THEN clients that trust its authority get its answer, and all others refuse it."""
    with run_stub(ANSWERS, ENCRYPTED) as server:
        clear_all()
        with pytest.raises(NoAnswerError):
            client(server.environment).call("GetItem", {})
        monkeypatch.setenv("SSL_CERT_FILE", server.environment["SSL_CERT_FILE"])
        clear_all()

        assert {"Item": {}} == client(server.environment).call("GetItem", {}).content
        assert 1 == server.requests()
    clear_all()


def test_the_stub_takes_the_time_of_a_network() -> None:
    """A new connection takes two legs of the network, and each answer two more and the service's time."""
    network = Network(leg_seconds=LEG_SECONDS, dynamodb_seconds=2 * LEG_SECONDS)
    with run_stub(ANSWERS, network) as server:
        connected = client(server.environment)
        started = time.monotonic()
        connected.call("GetItem", {})
        first = time.monotonic()
        connected.call("GetItem", {})
        second = time.monotonic()

    assert 6 * LEG_SECONDS <= first - started
    assert 4 * LEG_SECONDS <= second - first
