"""Every endpoint that is called with a session, when its code or DynamoDB fails: all or nothing is written.

tests/reliability has every fault at every request; here each request fails once in the usual way.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from keywright.store import table
from tests.support import faults
from tests.support.client import UNANSWERED
from tests.support.endpoints import CREATE, GET, NO_PAGE, READING, UPDATE, WRITING, Endpoint, each

if TYPE_CHECKING:
    from tests.support.client import Call

EACH_REQUEST = pytest.mark.parametrize(
    ("endpoint", "position"),
    [
        pytest.param(endpoint, position, id=f"{endpoint.name}-{position}-{operation}")
        for endpoint in (*READING, *WRITING)
        for position, operation in enumerate(endpoint.requests)
    ],
)
TRANSIENT = [
    *UNANSWERED,
    faults.canceled("TransactionConflict", "None", "None", "None"),
    faults.canceled("None", "None", "ThrottlingError", "None"),
    faults.canceled("None", "None", "None", "ProvisionedThroughputExceeded"),
    faults.error("TransactionInProgressException"),
    faults.error("RequestLimitExceeded"),
    faults.answer(500, b"<html>"),
]
"""Failures of a transaction that a retry may overcome."""


@each(*READING, *WRITING)
def test_500_hides_the_exception(
    call: Call, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets a generic message; the log gets the exception."""
    endpoint.prepare(call.table)

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "commit" if endpoint.event else "read", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused(endpoint.body)

    assert 500 == refusal.status
    assert "INTERNAL_SERVER_ERROR" == refusal.code
    assert "An unexpected error occurred" == refusal.message
    assert (NO_PAGE if endpoint.is_list else None) == refusal.pagination
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize(
    ("endpoint", "position"),
    [pytest.param(one, position, id=f"{one.name}-{position}") for one in WRITING for position in range(one.writes)],
)
def test_each_condition_alone_stops_everything(call: Call, endpoint: Endpoint, position: int) -> None:
    """If any item refuses the transaction for a reason that the service does not expect, the answer is a 500."""
    endpoint.prepare(call.table)
    codes = ["None"] * endpoint.writes
    codes[position] = "ValidationError"

    with faults.injected(*[None] * (len(endpoint.requests) - 1), faults.canceled(*codes)):
        refusal = call.refused(endpoint.body)

    assert 500 == refusal.status


@EACH_REQUEST
def test_transient_failures_are_retried(call: Call, endpoint: Endpoint, position: int) -> None:
    """Two transient failures in a row are retried at each request, and a change is made once."""
    endpoint.prepare(call.table)
    records = len(call.table.under("AUDIT#"))

    with faults.injected(*[None] * position, faults.timeout, faults.timeout) as operations:
        answer = call(endpoint.body)

    assert 200 == answer["statusCode"]
    assert len(endpoint.requests) + 2 == len(operations)
    assert records + (endpoint.event is not None) == len(call.table.under("AUDIT#"))


@EACH_REQUEST
def test_503_when_dynamodb_does_not_recover(call: Call, endpoint: Endpoint, position: int) -> None:
    """If any request keeps failing, nothing is written, no partial page is returned, and the answer says when to retry.

    The request can be repeated.
    """
    endpoint.prepare(call.table)

    with faults.injected(*[None] * position, *[faults.timeout] * 100):
        refusal = call.refused(endpoint.body)
    with faults.injected(*[None] * position, *[faults.timeout] * 100):
        answer = call(endpoint.body)

    assert 503 == refusal.status
    assert "SERVICE_UNAVAILABLE" == refusal.code
    assert (NO_PAGE if endpoint.is_list else None) == refusal.pagination
    assert "1" == answer["headers"]["retry-after"]
    assert 200 == call(endpoint.body)["statusCode"]


@pytest.mark.parametrize("fault", UNANSWERED)
@each(GET)
def test_a_read_is_retried_after_each_failure(call: Call, endpoint: Endpoint, fault: faults.Fault) -> None:
    """Every failure that may pass is retried; if it lasts, the answer is a 503."""
    endpoint.prepare(call.table)
    with faults.injected(fault, fault):
        assert 200 == call()["statusCode"]
    with faults.injected(*[fault] * 100):
        assert 503 == call()["statusCode"]


@pytest.mark.parametrize("fault", TRANSIENT)
@each(CREATE, UPDATE)
def test_a_write_is_retried_after_each_failure(call: Call, endpoint: Endpoint, fault: faults.Fault) -> None:
    """Every failure that may pass is retried, conflicts of transactions too; if it lasts, the answer is a 503."""
    endpoint.prepare(call.table)
    reads = [None] * (len(endpoint.requests) - 1)
    with faults.injected(*reads, *[fault] * 100):
        assert 503 == call.refused(endpoint.body).status
    with faults.injected(*reads, fault, fault):
        call.data(endpoint.body)

    assert 1 == len(call.table.under("AUDIT#"))


@each(*WRITING)
def test_a_lost_response_is_recovered(call: Call, endpoint: Endpoint) -> None:
    """When the response of the transaction is lost, the retry succeeds, and nothing is written twice."""
    endpoint.prepare(call.table)
    with faults.injected(*[None] * (len(endpoint.requests) - 1), faults.lost_answer) as operations:
        call.data(endpoint.body)

    assert len(endpoint.requests) + 1 == len(operations)
    assert 1 == len(call.table.under("AUDIT#"))
