"""Batches: an event that may succeed later is retried alone; one that cannot is set aside with the reason."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from keywright.aws import retries
from keywright.store import table
from tests.support import faults
from tests.support.client import UNANSWERED
from tests.support.event_queue import TIME, about, event
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.event_queue import Sync

SECRET = "kk_" + "0ETHK3Teh1d8Ge8g" * 5


def added(user_id: str) -> dict[str, Any]:
    """Return the event of a new member."""
    return event("member.added", **about(user_id, role="member"))


def members(sync: Sync) -> list[str]:
    """Return the ids of all members in the table."""
    return [item["sk"].removeprefix("MEMBER#") for item in sync.world.table.under("MEMBER#")]


def broken(**changes: Any) -> dict[str, Any]:
    """Return an event with changed details."""
    whole = added("user_1")
    return {**whole, "detail": {**whole["detail"], **changes}}


KINDS = (
    "detail-type must be one of member.added, member.reinstated, member.removed, member.role_changed, "
    "member.suspended, member.updated, organization.created, organization.deletion_canceled, "
    "organization.deletion_requested, organization.updated"
)
UNUSABLE: list[tuple[object, str]] = [
    ("no JSON", "the event cannot be read: not JSON"),
    ("[1]", "the event cannot be read: not a JSON object"),
    (f'{{"{SECRET}": 1, "{SECRET}": 2}}', "the event cannot be read: duplicate name in an object"),
    ({}, KINDS),
    ({**added("user_1"), "detail-type": ["member.added"]}, KINDS),
    ({**added("user_1"), "detail-type": "member.created"}, KINDS),
    ({**added("user_1"), "detail": None}, "detail must be an object"),
    (broken(eventId=SECRET * 4), "detail.eventId must have at most 255 characters"),
    (broken(time="yesterday"), "detail.time must be an RFC 3339 time"),
    (broken(time="9999-12-31T23:59:59Z"), "detail.time lies in the future"),
    (broken(organization={}), "detail.organization.id is required"),
    (broken(organization={"id": "\N{LATIN SMALL LETTER O WITH DIAERESIS}" * 200}),
     "detail.organization.id must have at most 255 bytes"),
    (broken(member={"userId": SECRET, "role": SECRET}), "detail.member.role must be 'owner', 'admin' or 'member'"),
    (broken(member={"userId": 'a"b'}),
     "detail.member.userId must have at most 255 bytes, printable, without quotation marks and backslashes"),
    (event("organization.created"), "detail.organization.name is required"),
    (event("organization.created", organization={"id": "x", "name": " "}),
     "detail.organization.name must be printable and not blank"),
    (event("member.role_changed", **about()), "detail.member.role is required"),
    (event("member.updated", **about()), "detail.member must give a role, suspended, or both"),
    (event("member.updated", **about(role=None)), "detail.member.role must be 'owner', 'admin' or 'member'"),
    ({**added("user_1"), "source": ""}, "source must have at least 1 character"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "reason"), UNUSABLE, ids=range(len(UNUSABLE)))
def test_an_invalid_event_is_set_aside_with_the_reason(
    sync: Sync, body: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An invalid event is set aside unchanged; neither its reason nor the log repeats its content."""
    with caplog.at_level(logging.INFO, logger="keywright"):
        assert [] == sync(body)

    assert [(body if isinstance(body, str) else json.dumps(body), reason)] == sync.put_aside()
    assert [] == sync.world.table.items()
    logged = [record.__dict__ for record in caplog.records]
    assert [reason] == [record["reason"] for record in logged]
    assert SECRET not in str(logged)


def test_an_invalid_event_does_not_stop_the_others(sync: Sync) -> None:
    """An invalid event does not stop those before and after it in its batch."""
    assert [] == sync(added("user_1"), "no JSON", added("user_2"))

    assert ["user_1", "user_2"] == members(sync)
    assert 1 == len(sync.put_aside())


THROTTLED = faults.error("ThrottlingException")
CONFLICT = faults.canceled("None", "TransactionConflict", "None")


@pytest.mark.parametrize(
    "failing",
    [[THROTTLED] * retries.ATTEMPTS, [None, *[THROTTLED] * retries.ATTEMPTS], [None, *[CONFLICT] * retries.ATTEMPTS]],
    ids=["while reading", "while writing", "in conflict with others"],
)
def test_a_transient_failure_returns_its_event_alone(
    sync: Sync, failing: list[faults.Fault | None], caplog: pytest.LogCaptureFixture
) -> None:
    """A transient failure returns only its event to the queue, and nothing is set aside."""
    with caplog.at_level(logging.INFO, logger="keywright"), faults.injected(None, None, *failing):
        again = sync(added("user_1"), added("user_2"), added("user_3"))

    assert [1] == again
    assert ["user_1", "user_3"] == members(sync)
    assert [] == sync.put_aside()
    assert ["event", "event comes again", "event"] == [record.message for record in caplog.records]


@pytest.mark.parametrize("fault", [*UNANSWERED, CONFLICT])
def test_transient_failures_are_retried(sync: Sync, fault: faults.Fault) -> None:
    """Two transient failures of the transaction in a row are retried."""
    with faults.injected(None, fault, fault):
        again = sync(added("user_1"))

    assert [] == again
    assert ["user_1"] == members(sync)


def test_a_lost_response_is_recovered(sync: Sync) -> None:
    """When the response of the transaction is lost, there is one member and one audit record."""
    with faults.injected(None, faults.lost_answer):
        again = sync(added("user_1"))

    assert [] == again
    assert ["user_1"] == members(sync)
    assert 1 == len(sync.world.table.under("AUDIT#"))


def test_half_an_event_is_completed_by_the_next_attempt(sync: Sync) -> None:
    """When the second of two transactions fails, for role and suspension, the retry repeats nothing."""
    sync(added("user_1"))
    whole = event("member.updated", time="2026-03-02T12:00:00Z", **about(role="admin", suspended=True))
    with faults.injected(None, None, *[THROTTLED] * retries.ATTEMPTS):
        assert [0] == sync(whole)

    assert [] == sync(whole)

    item = sync.world.table.item("MEMBER#user_1")
    assert "admin" == item["role"]
    assert "2026-03-02T12:00:00.000Z" == item["suspended_at"]
    assert 3 == len(sync.world.table.under("AUDIT#"))


def test_an_unexpected_exception_is_logged_and_retried(
    sync: Sync, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected exception returns its event to the queue, is logged, and does not stop the batch."""
    commit = table.commit

    def fails_once(*_: object) -> None:
        monkeypatch.setattr(table, "commit", commit)
        raise RuntimeError(f"the details, {SECRET}")

    monkeypatch.setattr(table, "commit", fails_once)
    with caplog.at_level(logging.INFO, logger="keywright"):
        again = sync(added("user_1"), added("user_2"))

    assert [0] == again
    assert ["user_2"] == members(sync)
    assert [] == sync.put_aside()
    assert "RuntimeError: the details, [redacted]" in caplog.records[0].__dict__["details"]


def test_a_batch_ends_in_time(sync: Sync) -> None:
    """Events without time left return to the queue."""
    late = sync.with_time_left(3_000)

    assert [0, 1] == late(added("user_1"), added("user_2"))
    assert [] == sync.world.table.items()


def test_an_event_returns_if_it_cannot_be_set_aside(sync: Sync, setting: Callable[[str, str], None]) -> None:
    """An invalid event returns to the queue if SQS does not take it."""
    setting("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    retries.queues.cache_clear()

    assert [0] == sync("no JSON", added("user_1"))
    assert ["user_1"] == members(sync)


def test_more_than_five_minutes_ahead_are_set_aside(sync: Sync, stop_clock: Callable[[str], datetime]) -> None:
    """An event from the future would win over all events until then."""
    stop_clock("2026-03-01T11:54:59.999Z")

    assert [] == sync(added("user_1"))
    assert ["detail.time lies in the future"] == [letter.reason for letter in sync.put_aside()]


def purged(sync: Sync, at: str) -> None:
    """Leave of the organization only the record of its purge."""
    sync.world.table.put(pk=f"PURGED#{ORGANIZATION_ID}", sk="PURGED", created_at=at)


def test_an_event_before_the_purge_is_skipped(sync: Sync) -> None:
    """An event from before the purge is skipped, and the organization is not restored."""
    purged(sync, TIME)

    assert [] == sync(added("user_1"))
    assert [] == members(sync)
    assert [] == sync.put_aside()


def test_an_event_after_the_purge_is_set_aside(sync: Sync) -> None:
    """An event from after the purge is set aside: the provider still has the organization, or has it again."""
    purged(sync, "2026-03-01T11:59:59.999Z")

    assert [] == sync(added("user_1"))
    assert ["the organization was deleted for good, and cannot come back"] == [
        letter.reason for letter in sync.put_aside()
    ]
    assert [] == members(sync)


def test_an_empty_batch_is_done(sync: Sync) -> None:
    """An empty batch, which only an operator sends, succeeds."""
    assert [] == sync()


def test_an_event_takes_two_requests_to_dynamodb(sync: Sync) -> None:
    """One request reads the state; one transaction writes state and audit record."""
    with faults.injected() as operations:
        sync(added("user_1"))

    assert ["BatchGetItem", "TransactWriteItems"] == operations
