"""GET /v1/auth/orgs/audit-logs: every refusal, each of which says its pagination as well."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.store import table
from tests import faults
from tests.calling import UNANSWERED, Refusal
from tests.world import KEY_ID, STRANGERS, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.calling import Call
    from tests.world import Table

NO_PAGE = {"limit": 10, "has_more": False, "next_cursor": None}
NO_PAGE_OF_25 = {"limit": 25, "has_more": False, "next_cursor": None}
ASKED_FOR_25 = {"limit": "25"}

TIMES = [
    *("", "now", "2026", "2026-03-01", "2026-03-01T12:00:00", "2026-03-01 12:00:00Z", "2026-W09-1T12:00:00Z"),
    *("20260301T120000Z", "1772366400", "2026-02-30T12:00:00Z", "2026-03-01T25:00:00Z", "2026-03-01T12:00:60Z"),
    *("10000-01-01T00:00:00Z", "2026-03-01T12:00:00+01", " 2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z\n"),
]
A_TIME = "must be a time of RFC 3339"
WRONG: dict[str, tuple[list[str], str]] = {
    "limit": (
        ["0", "101", "-1", "+1", "1.5", "1e1", "abc", "", " 1", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 5000],
        "must be a whole number from 1 to 100",
    ),
    "starting_after": (["", "abc", KEY_ID.replace("-", ""), f"AUDIT#{KEY_ID}"], "must be an id of the list"),
    "event": (
        [
            *("", ",", "api_key", "api_key.*", "API_KEY.CREATED", "api_key.created,", "api_key.created,unknown"),
            *("api_key.created;api_key.updated", "member.*", "\ud800"),
        ],
        "must list events, separated by commas",
    ),
    "created_from": (TIMES, A_TIME),
    "created_to": (TIMES, A_TIME),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, (values, _) in WRONG.items() for value in values],
    ids=lambda value: repr(value) if len(value) < 100 else "long",
)
def test_400_each_parameter(call: Call, name: str, value: str) -> None:
    """The message names the parameter and its rule."""
    refusal = call.refused(query={name: value})

    assert (400, "BAD_REQUEST", f"{name} {WRONG[name][1]}", NO_PAGE) == (
        refusal.status,
        refusal.code,
        refusal.message,
        refusal.pagination,
    )


def test_400_hints_list_the_events(call: Call) -> None:
    """Who mistyped one sees what there is."""
    hint = call.refused(query={"event": "api_key.revoked"}).hint

    assert "api_key.created, api_key.deleted, api_key.rotated, api_key.updated, member.added" in hint


@pytest.mark.parametrize("name", ["created_from", "created_to"])
def test_400_hints_at_a_plus_that_became_a_space(call: Call, name: str) -> None:
    """Who writes a time with an offset into an address reads why it did not arrive as it was written."""
    assert "%2B" in call.refused(query={name: "2026-03-01T12:00:00 01:00"}).hint
    assert "%2B" not in call.refused(query={name: "2026-03-01"}).hint


@pytest.mark.parametrize(
    "wrong",
    [{"starting_after": "x"}, {"event": "x"}, {"created_from": "x"}, {"created_to": "x"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_400_keeps_the_limit_that_was_asked_for(call: Call, wrong: dict[str, str]) -> None:
    """Pagination tells it even when something else is wrong."""
    assert NO_PAGE_OF_25 == call.refused(query=ASKED_FOR_25 | wrong).pagination


def test_401_an_expired_session_that_the_gateway_still_remembers(call: Call) -> None:
    """API Gateway reuses an authorizer's answer for minutes; the session's end counts all the same."""
    refusal = call.refused(query=ASKED_FOR_25, authorizer={"expiresAt": str(int(time.time()))})

    assert (401, NO_PAGE_OF_25) == (refusal.status, refusal.pagination)


def test_401_without_an_authorizer(call: Call) -> None:
    """A route that lost its authorizer lets nobody in."""
    assert 401 == call.refused(requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


@pytest.mark.parametrize("arrange", STRANGERS, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(call: Call, arrange: Callable[[Table], None]) -> None:
    """Who is not allowed learns that, and neither why nor what has happened."""
    for number in range(30):
        call.table.put_audit(nth_id(number))
    arrange(call.table)

    assert Refusal(
        status=403,
        code="FORBIDDEN",
        message="You are not allowed to read the audit log of this organization",
        hint="Ask an owner or admin of the organization to do it, or to give you the role.",
        pagination=NO_PAGE_OF_25,
    ) == call.refused(query=ASKED_FOR_25, user_id="someone")


def test_403_costs_one_request_to_dynamodb(call: Call) -> None:
    """No record is read for somebody who may not see it."""
    with faults.injected() as operations:
        call.refused(user_id="nobody")

    assert ["BatchGetItem"] == operations


def test_500_shows_nothing(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the contract's sentence; the log gets the exception."""

    def broken(*_: object) -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(table, "read", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        refusal = call.refused(query=ASKED_FOR_25)

    assert (500, "An unexpected error occurred", NO_PAGE_OF_25) == (refusal.status, refusal.message, refusal.pagination)
    assert "RuntimeError: the details" in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("position", range(2), ids=["member", "records"])
@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_recover(call: Call, fault: faults.Fault, position: int) -> None:
    """Whichever of the two requests fails, there is no half of a page."""
    call.table.put_audit(nth_id(1))
    with faults.injected(*[None] * position, *[fault] * 100):
        refusal = call.refused(query=ASKED_FOR_25)

    assert (503, "SERVICE_UNAVAILABLE", NO_PAGE_OF_25) == (refusal.status, refusal.code, refusal.pagination)


def test_503_comes_before_the_functions_time_is_over(call: Call) -> None:
    """A filter that keeps next to nothing of very many records is given up in time, not cut off by Lambda."""
    long = "x" * 300_000
    for number in range(8):  # two megabytes: more than DynamoDB reads at once
        call.table.put_audit(nth_id(number), changes=f'{{"before":"{long}"}}')
    with faults.injected() as operations:
        refusal = call.with_time_left(1000).refused(query={"limit": "1", "event": "member.removed"})

    assert 503 == refusal.status
    assert operations.count("Query") <= 1
