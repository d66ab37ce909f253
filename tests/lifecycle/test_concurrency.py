"""Simultaneous requests: no change is lost or half done, and the audit log has all of them in order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support.audit_log import audit_log, key_states, replayed
from tests.support.concurrency import at_once, before_its_write
from tests.support.depth import size
from tests.support.hashes import is_hash_of
from tests.support.sample_keys import key_parts
from tests.support.service import Caller
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.service import Answer, Service
    from tests.support.stepped_clock import SteppedClock

MANY = size("SIMULTANEOUS_REQUESTS", 6, full=50)


def check_audit_log(service: Service) -> None:
    """Check that the audit log, replayed, is the state of the organization's keys."""
    partition = service.partition()
    assert key_states(partition) == replayed(audit_log(partition))


@pytest.fixture
def key_id(service: Service, admin: Caller) -> str:
    """A key that several requests change."""
    return service.new_key(admin)


CHANGES: list[Callable[[int], dict[str, object]]] = [
    lambda number: {"name": f"name {number}"},
    lambda number: {"metadata": {"number": number}},
    lambda number: {"enabled": number % 4 < 2, "expiresAt": f"2099-01-01T00:00:{number:02d}Z"},
]


def test_simultaneous_updates_of_one_key(service: Service, admin: Caller, key_id: str) -> None:
    """Each update answers 200 or 409; each 200 has one audit record; the replayed log is the final state."""
    answers = at_once([partial(service.update, admin, key_id, **CHANGES[n % 3](n)) for n in range(MANY)])

    assert {200, 409} >= {answer.status for answer in answers}
    done = [answer.status for answer in answers].count(200)
    assert done > 0
    assert done == service.audited_events().count("api_key.updated")
    assert done + 1 == service.key_items()[0]["version"]
    check_audit_log(service)


def test_each_answered_update_has_one_audit_record(service: Service, admin: Caller, key_id: str) -> None:
    """An update answered with 200 has an audit record; one answered with 409 has none."""
    answers = at_once([partial(service.update, admin, key_id, name=f"name {n}") for n in range(MANY)])

    done = {f"name {number}" for number, answer in enumerate(answers) if answer.status == 200}
    log = service.audit_log()
    assert sorted(done) == sorted(r["changes"]["after"]["name"] for r in log if r["event"] == "api_key.updated")
    assert service.key_items()[0]["name"] == log[-1]["changes"]["after"]["name"]


def test_an_update_with_one_conflict_keeps_the_other_change(service: Service, admin: Caller, key_id: str) -> None:
    """An update with one conflict is repeated on top of the other change; both are kept."""
    with before_its_write(lambda: service.update(admin, key_id, name="theirs")):
        answer = service.update(admin, key_id, metadata={"mine": True})

    assert 200 == answer.status
    (item,) = service.key_items()
    assert "theirs" == item["name"]
    assert '{"mine":true}' == item["metadata"]
    check_audit_log(service)


def test_an_update_with_two_conflicts_is_refused(service: Service, admin: Caller, key_id: str) -> None:
    """An update with two conflicts is a 409 and changes nothing."""
    with before_its_write(
        lambda: service.update(admin, key_id, name="theirs"),
        lambda: service.update(admin, key_id, name="theirs again"),
    ):
        answer = service.update(admin, key_id, name="mine")

    assert "409 CONFLICT" == answer.refusal
    assert "theirs again" == service.key_items()[0]["name"]
    assert 2 == service.audited_events().count("api_key.updated")


def test_an_update_during_a_rotation_keeps_the_new_secret(service: Service, admin: Caller, key_id: str) -> None:
    """GIVEN a rotation between an update's read and write THEN the update is made on the rotated key."""
    with before_its_write(lambda: service.rotate(admin, key_id)):
        assert 200 == service.update(admin, key_id, name="mine").status

    (item,) = service.key_items()
    assert "mine" == item["name"]
    assert 1 == item["generation"]
    check_audit_log(service)


def test_a_rotation_during_an_update_keeps_the_change(service: Service, admin: Caller, key_id: str) -> None:
    """GIVEN a key disabled between a rotation's read and write THEN the rotated key is disabled."""
    with before_its_write(lambda: service.update(admin, key_id, enabled=False)):
        assert 200 == service.rotate(admin, key_id).status

    (item,) = service.key_items()
    assert item["enabled"] is False
    assert 1 == item["generation"]
    check_audit_log(service)


def test_rotations_of_one_key(service: Service, admin: Caller, key_id: str) -> None:
    """Each 200 is one generation; the text of the last one works."""
    answers = at_once([lambda: service.rotate(admin, key_id, 3600)] * 20)

    assert {200, 409} >= {answer.status for answer in answers}
    issued = [answer.data["key"] for answer in answers if answer.status == 200]
    texts = {key_parts(text).generation: text for text in issued}
    (item,) = service.key_items()
    assert list(range(1, len(texts) + 1)) == sorted(texts)
    assert len(texts) == item["generation"]
    assert len(texts) == service.audited_events().count("api_key.rotated")
    assert is_hash_of(item["hash"], texts[len(texts)])
    check_audit_log(service)


@pytest.mark.parametrize("change", ["update", "rotate"])
def test_a_deletion_wins(service: Service, admin: Caller, key_id: str, change: str) -> None:
    """Among many changes one of several deletions succeeds; nothing succeeds after it, and the log ends with it."""
    deletions = [partial(service.delete, admin, key_id)] * 5
    if change == "update":
        changes = [partial(service.update, admin, key_id, name=f"name {n}") for n in range(20)]
    else:
        changes = [partial(service.rotate, admin, key_id, 60)] * 20

    answers = at_once([*deletions, *changes])

    assert [200, 404, 404, 404, 404] == sorted(answer.status for answer in answers[:5])
    assert {200, 404, 409} >= {answer.status for answer in answers[5:]}
    assert not service.key_items()
    done = [answer.status for answer in answers[5:]].count(200)
    assert ["api_key.created", *[f"api_key.{change}d"] * done, "api_key.deleted"] == service.audited_events(
        ORGANIZATION_ID
    )
    check_audit_log(service)


@pytest.mark.parametrize("change", ["update", "rotate"])
def test_a_deletion_is_recorded_after_a_concurrent_change(
    service: Service, admin: Caller, clock: SteppedClock, key_id: str, change: str
) -> None:
    """The audit record describes the key at its deletion, and nothing follows it."""

    def overtake() -> None:
        clock.advance(seconds=1)
        answer = service.update(admin, key_id, name="new") if change == "update" else service.rotate(admin, key_id)
        assert 200 == answer.status

    with before_its_write(overtake):
        assert 200 == service.delete(admin, key_id).status

    assert ["api_key.created", f"api_key.{change}d", "api_key.deleted"] == service.audited_events()
    check_audit_log(service)


@pytest.mark.parametrize("change", ["update", "rotate"])
def test_a_key_deleted_during_a_change_stays_deleted(service: Service, admin: Caller, key_id: str, change: str) -> None:
    """A change neither finds nor restores a deleted key."""
    with before_its_write(lambda: service.delete(admin, key_id)):
        answer = service.update(admin, key_id, name="new") if change == "update" else service.rotate(admin, key_id)

    assert "404 API_KEY_NOT_FOUND" == answer.refusal
    assert not service.key_items()
    assert ["api_key.created", "api_key.deleted"] == service.audited_events()


WRITES: dict[str, Callable[[Service, Caller, str], Answer]] = {
    "create": lambda service, caller, _: service.create(caller),
    "update": lambda service, caller, key_id: service.update(caller, key_id, name="new"),
    "rotate": lambda service, caller, key_id: service.rotate(caller, key_id),
    "delete": lambda service, caller, key_id: service.delete(caller, key_id),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_freeze_stops_running_requests(
    service: Service, admin: Caller, key_id: str, write: Callable[[Service, Caller, str], Answer]
) -> None:
    """A write based on a read from before the request for deletion is refused."""
    before = service.key_items()

    with before_its_write(service.freeze):
        answer = write(service, admin, key_id)

    assert "410 ORGANIZATION_FROZEN" == answer.refusal
    assert before == service.key_items()
    assert ["api_key.created", "organization.deletion_requested"] == service.audited_events()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_suspension_stops_running_requests(
    service: Service, admin: Caller, key_id: str, write: Callable[[Service, Caller, str], Answer]
) -> None:
    """A member suspended between read and write does not write."""
    before = service.key_items()

    with before_its_write(lambda: service.world.table.put_member(suspended_at="2026-01-01T00:00:00.000Z")):
        answer = write(service, admin, key_id)

    assert "403 FORBIDDEN" == answer.refusal
    assert before == service.key_items()
    assert ["api_key.created"] == service.audited_events()


@pytest.mark.usefixtures("admin")
def test_one_of_many_requests_for_deletion_succeeds(service: Service) -> None:
    """GIVEN ten requests at once THEN one schedules the deletion, with one audit record; the others are 410."""
    answers = at_once([service.freeze] * 10)

    assert [200, *[410] * 9] == sorted(answer.status for answer in answers)
    assert ["organization.deletion_requested"] == service.audited_events()


def test_one_of_many_cancellations_succeeds(service: Service, admin: Caller) -> None:
    """GIVEN ten cancellations at once THEN one cancels, with one audit record; the others are 409."""
    owner = Caller(admin.organization_id, "owner")
    service.freeze()

    answers = at_once([lambda: service.call("cancel_organization_deletion", owner)] * 10)

    assert [200, *[409] * 9] == sorted(answer.status for answer in answers)
    assert 1 == service.audited_events().count("organization.deletion_canceled")


def test_request_and_cancellation_are_in_order(service: Service, admin: Caller, clock: SteppedClock) -> None:
    """Audit records of an organization that are a millisecond apart are in order."""
    owner = Caller(admin.organization_id, "owner")
    for _ in range(4):
        assert 200 == service.freeze().status
        clock.advance(seconds=0.001)
        assert 200 == service.call("cancel_organization_deletion", owner).status
        clock.advance(seconds=0.001)

    assert ["organization.deletion_requested", "organization.deletion_canceled"] * 4 == service.audited_events(
        ORGANIZATION_ID
    )
