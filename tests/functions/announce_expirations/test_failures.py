"""Failures during a run: retried, left to the next run, or reported. Each notice is given once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.aws import retries
from keywright.errors import ServiceError
from keywright.keys import expirations
from keywright.keys.expirations import LEAST_SECONDS, AnnouncementsFailedError
from keywright.store import expiries
from tests.support import faults
from tests.support.client import UNANSWERED, meanwhile
from tests.support.depth import mostly_deep
from tests.support.world import KEY_ID, ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from keywright.store.expiries import DueNotice
    from keywright.store.table import Step
    from tests.support.announcements import Announcements

SOON, PAST = "2030-02-07T12:00:00.000Z", "2030-01-31T11:00:00.000Z"
STEPS = {"due": 0, "keys": 1, "first": 2, "second": 3, "forget": 4}
"""The requests of a run with a key that has expired, one that will, and an expiry without a key, in order."""


@pytest.fixture
def three(announce: Announcements) -> Announcements:
    """An expired key, one that expires soon, and an expiry without a key."""
    announce.expire(PAST, nth_id(1))
    announce.expire(SOON, nth_id(2))
    announce.table.put(pk="EXPIRIES", sk=f"2030-02-08T00:00:00.000Z#{ORGANIZATION_ID}#{nth_id(3)}")
    return announce


def check_all_is_done(announce: Announcements) -> None:
    """Check that each of the two notices was given once, and that a run changes nothing more."""
    assert [(nth_id(1), 0), (nth_id(2), 7)] == sorted((notice.key_id, notice.days) for notice in announce.notices())
    assert {f"{SOON}#{ORGANIZATION_ID}#{nth_id(2)}": 7} == announce.expiries()
    assert {} == announce()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", mostly_deep([*UNANSWERED, faults.lost_answer], lambda f: f is faults.lost_answer))
def test_transient_failures_are_retried(three: Announcements, step: str, fault: faults.Fault) -> None:
    """A single failure or lost answer at any request changes nothing: each notice is given once."""
    with faults.injected(*[None] * STEPS[step], fault):
        assert {"expired": 1, "expiring": 1, "forgotten": 1} == three()

    check_all_is_done(three)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("is_done", [False, True], ids=["lost request", "lost answer"])
def test_the_next_run_goes_on_after_a_lasting_failure(three: Announcements, step: str, is_done: bool) -> None:  # noqa: FBT001
    """A failure that lasts at one request holds up no other key, and the next run does what is left."""
    lost = [faults.lost_answer if is_done else faults.timeout] * retries.ATTEMPTS
    with (
        faults.injected(*[None] * STEPS[step], *lost),
        pytest.raises(ServiceError if step == "due" else AnnouncementsFailedError),
    ):
        three()

    three()
    check_all_is_done(three)


def test_one_key_does_not_stop_the_others(
    three: Announcements, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected failure of one key fails the invocation after the others were announced."""
    record_notice = expiries.record_notice

    def broken(notice: DueNotice, record: Step) -> None:
        if str(notice.key_id) == nth_id(1):
            raise RuntimeError("the details")
        record_notice(notice, record)

    with monkeypatch.context() as breaking:
        breaking.setattr(expiries, "record_notice", broken)
        with pytest.raises(AnnouncementsFailedError, match="1 keys could not be announced"):
            three()

    assert [nth_id(2)] == [notice.key_id for notice in three.notices()]
    assert nth_id(1) == caplog.records[0].__dict__["key_id"]
    assert {"expired": 1} == three()
    check_all_is_done(three)


@pytest.mark.parametrize("step", STEPS)
def test_two_runs_at_once_give_each_notice_once(three: Announcements, step: str) -> None:
    """A second run at any moment of the first gives no notice twice."""
    with faults.injected(*[None] * STEPS[step], meanwhile(lambda: outcomes.append(three()))):
        outcomes = []
        outcomes.append(three())

    assert 2 == sum(outcome.get("expired", 0) + outcome.get("expiring", 0) for outcome in outcomes)
    check_all_is_done(three)


@pytest.mark.parametrize("step", ["keys", "first"])
@pytest.mark.parametrize("at", [None, "2030-02-03T00:00:00.000Z"], ids=["deleted", "another expiry"])
def test_a_key_that_changes_meanwhile_is_not_announced(announce: Announcements, step: str, at: str | None) -> None:
    """GIVEN a key that is deleted, or expires at another time, just before its notice THEN it gets none of this run."""
    announce.expire(SOON)

    def change() -> None:
        client, name = announce.table.client, announce.table.name
        client.delete_item(
            TableName=name, Key={"pk": {"S": "EXPIRIES"}, "sk": {"S": f"{SOON}#{ORGANIZATION_ID}#{KEY_ID}"}}
        )
        client.delete_item(TableName=name, Key={"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{KEY_ID}"}})
        if at is not None:
            announce.expire(at, noticed=7)

    with faults.injected(*[None] * STEPS[step], meanwhile(change)):
        announce()

    assert [] == announce.notices()
    assert ({} if at is None else {f"{at}#{ORGANIZATION_ID}#{KEY_ID}": 7}) == announce.expiries()


def test_an_expiry_that_is_valid_again_is_not_deleted(announce: Announcements) -> None:
    """GIVEN an expiry without a key WHEN the key expires then after all THEN the expiry stays, for the next run."""
    announce.table.put(pk="EXPIRIES", sk=f"{SOON}#{ORGANIZATION_ID}#{KEY_ID}")

    with faults.injected(None, None, meanwhile(lambda: announce.expire(SOON))):
        assert {"unfinished": 1} == announce()

    assert {"expiring": 1} == announce()


def test_without_time_nothing_begins(three: Announcements) -> None:
    """Without time left nothing is announced."""
    before = three.table.items()

    with pytest.raises(AnnouncementsFailedError, match="time was up"):
        three.with_time_left(int(LEAST_SECONDS * 1000))()
    assert before == three.table.items()


def test_the_next_run_goes_on_when_time_is_up(three: Announcements, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a run that is short of time THEN what is most urgent was announced, and the next run does the rest."""
    answers = iter([False, False])
    with monkeypatch.context() as late:
        late.setattr(expirations, "_is_late", lambda: next(answers, True))
        with pytest.raises(AnnouncementsFailedError, match="time was up"):
            three()
        assert 1 == len(three.notices())

    assert {"expiring": 1, "forgotten": 1} == three()
    check_all_is_done(three)
