"""Batches: what fails comes again alone, what can never succeed is put aside with the reason."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from keywright.aws import retries
from keywright.store import table
from tests import faults
from tests.bus import TIME, about, event
from tests.calling import UNANSWERED
from tests.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.bus import Sync

SECRET = "kk_" + "0ETHK3Teh1d8Ge8g" * 5


def added(user_id: str) -> dict[str, Any]:
    """Make the event of somebody who joins."""
    return event("member.added", **about(user_id, role="member"))


def members(sync: Sync) -> list[str]:
    """Name everybody in the table."""
    return [item["sk"].removeprefix("MEMBER#") for item in sync.world.table.under("MEMBER#")]


def broken(**changes: Any) -> dict[str, Any]:
    """Make an event with other details than it should have."""
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
    (f'{{"{SECRET}": 1, "{SECRET}": 2}}', "the event cannot be read: a name twice in one object"),
    ({}, KINDS),
    ({**added("user_1"), "detail-type": ["member.added"]}, KINDS),
    ({**added("user_1"), "detail-type": "member.created"}, KINDS),
    ({**added("user_1"), "detail": None}, "detail must be an object"),
    (broken(eventId=SECRET * 4), "detail.eventId must have at most 255 characters"),
    (broken(time="yesterday"), "detail.time must be a time of RFC 3339"),
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
def test_what_no_retry_will_mend_is_put_aside_with_the_reason(
    sync: Sync, body: object, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As it came, at once, and the log says why; neither reason nor log repeats what the event holds."""
    with caplog.at_level(logging.INFO, logger="keywright"):
        assert [] == sync(body)

    assert [(body if isinstance(body, str) else json.dumps(body), {"reason": reason})] == sync.put_aside()
    assert [] == sync.world.table.items()
    logged = [record.__dict__ for record in caplog.records]
    assert [reason] == [record["reason"] for record in logged]
    assert SECRET not in str(logged)


def test_a_bad_event_does_not_hold_up_the_others(sync: Sync) -> None:
    """Before and after it in the same batch."""
    assert [] == sync(added("user_1"), "no JSON", added("user_2"))

    assert (["user_1", "user_2"], 1) == (members(sync), len(sync.put_aside()))


THROTTLED = faults.error("ThrottlingException")
CONFLICT = faults.canceled("None", "TransactionConflict", "None")


@pytest.mark.parametrize(
    "failing",
    [[THROTTLED] * retries.ATTEMPTS, [None, *[THROTTLED] * retries.ATTEMPTS], [None, *[CONFLICT] * retries.ATTEMPTS]],
    ids=["while reading", "while writing", "in conflict with others"],
)
def test_what_fails_for_a_reason_that_passes_comes_again_alone(
    sync: Sync, failing: list[faults.Fault | None], caplog: pytest.LogCaptureFixture
) -> None:
    """The others are done and do not come again; nothing is put aside."""
    with caplog.at_level(logging.INFO, logger="keywright"), faults.injected(None, None, *failing):
        again = sync(added("user_1"), added("user_2"), added("user_3"))

    assert ([1], ["user_1", "user_3"], []) == (again, members(sync), sync.put_aside())
    assert ["event", "event comes again", "event"] == [record.message for record in caplog.records]


@pytest.mark.parametrize("fault", [*UNANSWERED, CONFLICT])
def test_what_passes_soon_is_not_noticed(sync: Sync, fault: faults.Fault) -> None:
    """Two failures of the transaction in a row are absorbed."""
    with faults.injected(None, fault, fault):
        again = sync(added("user_1"))

    assert ([], ["user_1"]) == (again, members(sync))


def test_an_answer_that_was_lost_is_found_again(sync: Sync) -> None:
    """The member was written, the answer did not arrive: one member, one record."""
    with faults.injected(None, faults.lost_answer):
        again = sync(added("user_1"))

    assert ([], ["user_1"], 1) == (again, members(sync), len(sync.world.table.under("AUDIT#")))


def test_half_an_event_is_made_whole_by_the_next_attempt(sync: Sync) -> None:
    """Of role and suspension, two transactions, the second failed: nothing happens twice."""
    sync(added("user_1"))
    whole = event("member.updated", time="2026-03-02T12:00:00Z", **about(role="admin", suspended=True))
    with faults.injected(None, None, *[THROTTLED] * retries.ATTEMPTS):
        assert [0] == sync(whole)

    assert [] == sync(whole)

    item = sync.world.table.item("MEMBER#user_1")
    assert ("admin", "2026-03-02T12:00:00.000Z") == (item["role"], item["suspended_at"])
    assert 3 == len(sync.world.table.under("AUDIT#"))


def test_what_nobody_has_thought_of_comes_again_and_is_in_the_log(
    sync: Sync, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in one event does not take the rest of the batch with it; in the end the queue puts it aside."""
    commit = table.commit

    def fails_once(*_: object) -> None:
        monkeypatch.setattr(table, "commit", commit)
        raise RuntimeError(f"the details, {SECRET}")

    monkeypatch.setattr(table, "commit", fails_once)
    with caplog.at_level(logging.INFO, logger="keywright"):
        again = sync(added("user_1"), added("user_2"))

    assert ([0], ["user_2"], []) == (again, members(sync), sync.put_aside())
    assert "RuntimeError: the details, [redacted]" in caplog.records[0].__dict__["details"]


def test_a_batch_ends_in_time(sync: Sync) -> None:
    """What cannot be begun any more comes again."""
    late = sync.with_time_left(3_000)

    assert ([0, 1], []) == (late(added("user_1"), added("user_2")), sync.world.table.items())


def test_an_event_comes_again_if_it_cannot_be_put_aside(sync: Sync, setting: Callable[[str, str], None]) -> None:
    """It is never lost: not even while SQS does not answer."""
    setting("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    retries.queues.cache_clear()

    assert ([0], ["user_1"]) == (sync("no JSON", added("user_1")), members(sync))


def test_a_time_more_than_five_minutes_ahead_is_put_aside(sync: Sync, stop_clock: Callable[[str], datetime]) -> None:
    """It would outdo whatever is said until then."""
    stop_clock("2026-03-01T11:54:59.999Z")

    assert [] == sync(added("user_1"))
    assert [{"reason": "detail.time lies in the future"}] == [attributes for _, attributes in sync.put_aside()]


def purged(sync: Sync, at: str) -> None:
    """Leave of the organization what its purge leaves."""
    sync.world.table.put(pk=f"PURGED#{ORGANIZATION_ID}", sk="PURGED", created_at=at)


def test_what_was_said_before_the_purge_is_passed_over(sync: Sync) -> None:
    """It comes late, and the organization stays away."""
    purged(sync, TIME)

    assert [] == sync(added("user_1"))
    assert ([], []) == (members(sync), sync.put_aside())


def test_what_is_said_after_the_purge_is_put_aside(sync: Sync) -> None:
    """Somebody has to know that the provider still has the organization, or has it again."""
    purged(sync, "2026-03-01T11:59:59.999Z")

    assert [] == sync(added("user_1"))
    assert [{"reason": "the organization was deleted for good, and cannot come back"}] == [
        attributes for _, attributes in sync.put_aside()
    ]
    assert [] == members(sync)


def test_an_empty_batch_is_done(sync: Sync) -> None:
    """Lambda does not send one; an operator who calls the function by hand may."""
    assert [] == sync()


def test_an_event_takes_two_requests_to_dynamodb(sync: Sync) -> None:
    """What is known is read, and what is new is written with its record."""
    with faults.injected() as operations:
        sync(added("user_1"))

    assert ["BatchGetItem", "TransactWriteItems"] == operations
