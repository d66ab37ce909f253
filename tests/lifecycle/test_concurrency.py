"""Concurrent requests: no change is lost or half done, and the audit log has them in order."""

from __future__ import annotations

import hmac
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any

import argon2
import pytest

from keywright.store import pepper
from tests.lifecycle.service import Caller, audited, meanwhile, replayed
from tests.support.sample_keys import key_parts
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.lifecycle.service import Answer, Service, SteppedClock

MANY = 50


def at_once(acts: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Run all acts at the same time, each in a thread."""
    pepper.keyring()  # creates the clients as well: boto3 does so one at a time
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Answer]) -> Answer:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def events(service: Service) -> list[str]:
    """List the events of the audit log, oldest first."""
    return [record["event"] for record in service.audit_log(ORGANIZATION_ID)]


def state(service: Service) -> dict[str, dict[str, Any]]:
    """Return the fields of the table's keys that audit records hold."""
    return {item["sk"].removeprefix("KEY#"): audited(item) for item in service.keys(ORGANIZATION_ID)}


@pytest.fixture
def key_id(service: Service, admin: Caller) -> str:
    """A key that several requests change."""
    return service.new_key(admin)


CHANGES: list[Callable[[int], dict[str, object]]] = [
    lambda number: {"name": f"name {number}"},
    lambda number: {"metadata": {"number": number}},
    lambda number: {"enabled": number % 4 < 2, "expiresAt": f"2099-01-01T00:00:{number:02d}Z"},
]


def test_50_updates_of_one_key(service: Service, admin: Caller, key_id: str) -> None:
    """Each update answers 200 or 409; each 200 has one audit record; the replayed log is the final state."""
    answers = at_once([partial(service.update, admin, key_id, **CHANGES[n % 3](n)) for n in range(MANY)])

    statuses = [answer.status for answer in answers]
    assert {200, 409} >= set(statuses)
    assert statuses.count(200) == events(service).count("api_key.updated") > 0
    assert state(service) == replayed(service.audit_log(ORGANIZATION_ID))
    assert statuses.count(200) + 1 == service.keys(ORGANIZATION_ID)[0]["version"]


def test_each_answered_update_has_one_audit_record(service: Service, admin: Caller, key_id: str) -> None:
    """An update answered with 200 has an audit record; one answered with 409 has none."""
    answers = at_once([partial(service.update, admin, key_id, name=f"name {n}") for n in range(MANY)])

    done = {f"name {number}" for number, answer in enumerate(answers) if answer.status == 200}
    log = service.audit_log(ORGANIZATION_ID)
    assert sorted(done) == sorted(r["changes"]["after"]["name"] for r in log if r["event"] == "api_key.updated")
    assert service.keys(ORGANIZATION_ID)[0]["name"] == log[-1]["changes"]["after"]["name"]


def test_an_update_with_one_conflict_keeps_the_other_change(service: Service, admin: Caller, key_id: str) -> None:
    """An update with one conflict is repeated on top of the other change; both are kept."""
    with meanwhile(lambda: service.update(admin, key_id, name="theirs")):
        answer = service.update(admin, key_id, metadata={"mine": True})

    assert 200 == answer.status
    (item,) = service.keys(ORGANIZATION_ID)
    assert "theirs" == item["name"]
    assert '{"mine":true}' == item["metadata"]
    assert state(service) == replayed(service.audit_log(ORGANIZATION_ID))


def test_an_update_with_two_conflicts_is_refused(service: Service, admin: Caller, key_id: str) -> None:
    """An update with two conflicts is a 409 and changes nothing."""
    with meanwhile(
        lambda: service.update(admin, key_id, name="theirs"),
        lambda: service.update(admin, key_id, name="theirs again"),
    ):
        answer = service.update(admin, key_id, name="mine")

    assert 409 == answer.status
    assert "CONFLICT" == answer.code
    assert "theirs again" == service.keys(ORGANIZATION_ID)[0]["name"]
    assert 2 == events(service).count("api_key.updated")


def test_an_update_during_a_rotation_does_not_bring_the_old_secret_back(
    service: Service, admin: Caller, key_id: str
) -> None:
    """An update is a write of the whole item, so it must be made on the rotated one."""
    with meanwhile(lambda: service.rotate(admin, key_id)):
        assert 200 == service.update(admin, key_id, name="mine").status

    (item,) = service.keys(ORGANIZATION_ID)
    assert "mine" == item["name"]
    assert 1 == item["generation"]
    assert state(service) == replayed(service.audit_log(ORGANIZATION_ID))


def test_a_rotation_during_an_update_keeps_the_change(service: Service, admin: Caller, key_id: str) -> None:
    """A rotation does not enable a key that was just disabled."""
    with meanwhile(lambda: service.update(admin, key_id, enabled=False)):
        assert 200 == service.rotate(admin, key_id).status

    (item,) = service.keys(ORGANIZATION_ID)
    assert item["enabled"] is False
    assert 1 == item["generation"]
    assert state(service) == replayed(service.audit_log(ORGANIZATION_ID))


def test_rotations_of_one_key(service: Service, admin: Caller, key_id: str) -> None:
    """Each 200 is one generation; the text of the last one works."""
    answers = at_once([lambda: service.rotate(admin, key_id, 3600)] * 20)

    assert {200, 409} >= {answer.status for answer in answers}
    issued = [key_parts(answer.data["key"]) for answer in answers if answer.status == 200]
    texts = {parts.generation: parts for parts in issued}
    (item,) = service.keys(ORGANIZATION_ID)
    assert list(range(1, len(texts) + 1)) == sorted(texts)
    assert len(texts) == item["generation"] == events(service).count("api_key.rotated")
    digest = hmac.digest(pepper.keyring().current.hash_key, texts[len(texts)].payload, "sha256")
    assert argon2.PasswordHasher().verify(item["hash"], digest)
    assert state(service) == replayed(service.audit_log(ORGANIZATION_ID))


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
    assert not service.keys(ORGANIZATION_ID)
    done = [answer.status for answer in answers[5:]].count(200)
    assert ["api_key.created", *[f"api_key.{change}d"] * done, "api_key.deleted"] == events(service)
    assert not replayed(service.audit_log(ORGANIZATION_ID))


@pytest.mark.parametrize("change", ["update", "rotate"])
def test_a_deletion_is_recorded_after_a_concurrent_change(
    service: Service, admin: Caller, clock: SteppedClock, key_id: str, change: str
) -> None:
    """The audit record describes the key at its deletion, and nothing follows it."""

    def overtake() -> None:
        clock.advance(seconds=1)
        answer = service.update(admin, key_id, name="new") if change == "update" else service.rotate(admin, key_id)
        assert 200 == answer.status

    with meanwhile(overtake):
        assert 200 == service.delete(admin, key_id).status

    assert ["api_key.created", f"api_key.{change}d", "api_key.deleted"] == events(service)
    assert not replayed(service.audit_log(ORGANIZATION_ID))


@pytest.mark.parametrize("change", ["update", "rotate"])
def test_a_key_deleted_during_a_change_stays_deleted(service: Service, admin: Caller, key_id: str, change: str) -> None:
    """A change neither finds nor restores a deleted key."""
    with meanwhile(lambda: service.delete(admin, key_id)):
        answer = service.update(admin, key_id, name="new") if change == "update" else service.rotate(admin, key_id)

    assert 404 == answer.status
    assert "API_KEY_NOT_FOUND" == answer.code
    assert not service.keys(ORGANIZATION_ID)
    assert ["api_key.created", "api_key.deleted"] == events(service)


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
    owner, before = Caller(ORGANIZATION_ID, "owner"), service.keys(ORGANIZATION_ID)

    with meanwhile(lambda: service.call("request_organization_deletion", owner)):
        answer = write(service, admin, key_id)

    assert 410 == answer.status
    assert "ORGANIZATION_FROZEN" == answer.code
    assert before == service.keys(ORGANIZATION_ID)
    assert ["api_key.created", "organization.deletion_requested"] == events(service)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_suspension_stops_running_requests(
    service: Service, admin: Caller, key_id: str, write: Callable[[Service, Caller, str], Answer]
) -> None:
    """A member suspended between read and write does not write."""
    before = service.keys(ORGANIZATION_ID)

    with meanwhile(lambda: service.world.table.put_member(suspended_at="2026-01-01T00:00:00.000Z")):
        answer = write(service, admin, key_id)

    assert 403 == answer.status
    assert "FORBIDDEN" == answer.code
    assert before == service.keys(ORGANIZATION_ID)
    assert ["api_key.created"] == events(service)


def test_one_of_many_requests_to_delete_an_organization_succeeds(service: Service, admin: Caller) -> None:
    """All others find it scheduled, and there is one audit record."""
    owner = Caller(admin.organization_id, "owner")

    answers = at_once([lambda: service.call("request_organization_deletion", owner)] * 10)

    assert [200, *[410] * 9] == sorted(answer.status for answer in answers)
    assert ["organization.deletion_requested"] == events(service)


def test_one_of_many_cancellations_succeeds(service: Service, admin: Caller) -> None:
    """All others find nothing to cancel, and there is one audit record."""
    owner = Caller(admin.organization_id, "owner")
    service.call("request_organization_deletion", owner)

    answers = at_once([lambda: service.call("cancel_organization_deletion", owner)] * 10)

    assert [200, *[409] * 9] == sorted(answer.status for answer in answers)
    assert 1 == events(service).count("organization.deletion_canceled")


def test_request_and_cancellation_are_in_order(service: Service, admin: Caller, clock: SteppedClock) -> None:
    """Records a millisecond apart are in order."""
    owner = Caller(admin.organization_id, "owner")
    for _ in range(4):
        assert 200 == service.call("request_organization_deletion", owner).status
        clock.advance(seconds=0.001)
        assert 200 == service.call("cancel_organization_deletion", owner).status
        clock.advance(seconds=0.001)

    assert ["organization.deletion_requested", "organization.deletion_canceled"] * 4 == events(service)
