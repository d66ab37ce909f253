"""Notices: which are given, when, and what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock
from keywright.keys import expirations
from keywright.store import expiries
from tests.support import faults
from tests.support.world import KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from tests.support.announcements import Announcements

SOON = "2030-02-07T12:00:00.000Z"
"""In seven days."""


@pytest.mark.parametrize(
    ("at", "noticed", "days"),
    [
        pytest.param("2030-03-02T12:00:00.001Z", None, None, id="more than 30 days"),
        pytest.param("2030-03-02T12:00:00.000Z", None, 30, id="30 days"),
        pytest.param("2030-02-07T12:00:00.001Z", None, 30, id="more than 7 days, the first notice is late"),
        pytest.param("2030-02-07T12:00:00.001Z", 30, None, id="more than 7 days"),
        pytest.param("2030-02-07T12:00:00.000Z", 30, 7, id="7 days"),
        pytest.param("2030-02-01T12:00:00.001Z", 7, None, id="more than a day"),
        pytest.param("2030-02-01T12:00:00.000Z", 7, 1, id="a day"),
        pytest.param("2030-02-01T12:00:00.000Z", None, 1, id="a day, and only the most urgent notice"),
        pytest.param("2030-01-31T12:00:00.001Z", 1, None, id="a millisecond"),
        pytest.param("2030-01-31T12:00:00.000Z", 1, 0, id="now"),
        pytest.param("2029-01-31T12:00:00.000Z", None, 0, id="a year ago, without any notice"),
    ],
)
def test_the_most_urgent_notice_that_is_due_is_given_once(
    announce: Announcements, at: str, noticed: int | None, days: int | None
) -> None:
    """GIVEN a key that expires WHEN the function runs twice THEN the most urgent notice that is due is given once."""
    announce.expire(at, noticed=noticed)

    outcomes = [announce(), announce()]

    name = "expired" if days == 0 else "expiring"
    assert [{} if days is None else {name: 1}, {}] == outcomes
    assert ([] if days is None else [(at, days)]) == [(notice.expires_at, notice.days) for notice in announce.notices()]
    assert ({} if days == 0 else {f"{at}#{ORGANIZATION_ID}#{KEY_ID}": days or noticed}) == announce.expiries()


def test_a_notice_is_an_audit_record_of_the_key(announce: Announcements) -> None:
    """The record names the key and the system; it has no `before`, since nothing of the key has changed."""
    announce.expire(SOON, name="Nightly import")

    announce()

    (record,) = announce.table.under("AUDIT#")
    assert f"ORG#{ORGANIZATION_ID}" == record["pk"]
    assert "system" == record["actor_type"]
    assert "expirations" == record["actor_id"]
    assert "api_key" == record["target_type"]
    assert KEY_ID == record["target_id"]
    assert {"after": {"name": "Nightly import", "expiresAt": SOON, "days": 7}} == json.loads(record["changes"])
    assert "source_ip" not in record


def test_an_expired_key_is_announced_without_days(announce: Announcements) -> None:
    """`api_key.expired` has the name and the expiry."""
    announce.expire("2030-01-31T11:00:00.000Z", noticed=1)

    announce()

    (record,) = announce.table.under("AUDIT#")
    assert "api_key.expired" == record["event"]
    assert {"after": {"name": "CI", "expiresAt": "2030-01-31T11:00:00.000Z"}} == json.loads(record["changes"])


@pytest.mark.parametrize(
    "attributes",
    [{"enabled": False}, {"enabled": False, "leak": '{"generation":0,"reportedAt":"2030-01-01T00:00:00.000Z"}'}],
    ids=["disabled", "leaked"],
)
def test_a_key_that_could_be_enabled_again_is_announced(announce: Announcements, attributes: dict[str, Any]) -> None:
    """A disabled or leaked key is announced as any other."""
    announce.expire(SOON, **attributes)

    assert {"expiring": 1} == announce()


def test_a_key_of_a_frozen_organization_is_announced(announce: Announcements) -> None:
    """The deletion of the organization may still be canceled."""
    announce.table.freeze()
    announce.expire(SOON)

    assert {"expiring": 1} == announce()


def test_the_keys_that_expire_first_are_announced_first(announce: Announcements) -> None:
    """Keys of two organizations are announced in the order of their expiry."""
    announce.table.put_organization(OTHER_ORGANIZATION_ID)
    announce.expire("2030-02-20T00:00:00.000Z", nth_id(1))
    announce.expire("2030-02-03T00:00:00.000Z", nth_id(2), OTHER_ORGANIZATION_ID)
    announce.expire("2030-01-31T00:00:00.000Z", nth_id(3))

    due = [(str(notice.key_id), notice.days) for notice in expiries.due(clock.now())]

    assert [(nth_id(3), 0), (nth_id(2), 7), (nth_id(1), 30)] == due
    assert {"expiring": 2, "expired": 1} == announce()


@pytest.mark.parametrize("change", ["deleted", "another expiry", "no expiry", "of another organization"])
def test_an_expiry_that_no_key_has_is_deleted(announce: Announcements, change: str) -> None:
    """GIVEN an expiry without a key that expires then THEN it is deleted, and announced to no one."""
    announce.table.put(pk="EXPIRIES", sk=f"{SOON}#{ORGANIZATION_ID}#{KEY_ID}")
    if change == "another expiry":
        announce.table.put_key(expires_at="2031-01-01T00:00:00.000Z")
    elif change == "no expiry":
        announce.table.put_key()
    elif change == "of another organization":
        announce.table.put_key(organization_id=OTHER_ORGANIZATION_ID, expires_at=SOON)

    assert {"forgotten": 1} == announce()
    assert {} == announce.expiries()
    assert [] == announce.notices()


def test_more_keys_than_are_read_at_once(announce: Announcements, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN more keys than one request reads THEN all are announced in one run."""
    monkeypatch.setattr(expirations, "_MOST_READ_AT_ONCE", 3)
    for number in range(8):
        announce.expire(SOON, nth_id(number))

    assert {"expiring": 8} == announce()
    assert {nth_id(number) for number in range(8)} == {notice.key_id for notice in announce.notices()}


def test_nothing_due_takes_one_request(announce: Announcements) -> None:
    """GIVEN keys that were announced THEN a run sends one request; with a notice, two more."""
    announce.expire(SOON, noticed=7)

    with faults.injected() as operations:
        assert {} == announce()
        announce.expire(SOON, nth_id(2))
        assert {"expiring": 1} == announce()

    assert ["Query", "Query", "BatchGetItem", "TransactWriteItems"] == operations
