"""Rotated-out secrets that are used, over days, rotations and containers, as members see them in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.keys import retired_secrets
from tests.support.environment import new_container
from tests.support.world import nth_id

if TYPE_CHECKING:
    from keywright.keys.retired_secrets import RetiredMeter
    from tests.support.service import Answer, Caller, Service
    from tests.support.stepped_clock import SteppedClock

DAY_SECONDS = 24 * 3600
EVENT = "api_key.retired_secret_used"


def present(service: Service, admin: Caller, text: str) -> Answer:
    """Verify a text, from an address."""
    return service.call("verify_api_key", admin, body={"key": text, "clientIp": "2001:DB8::7"})


def listed(service: Service, admin: Caller) -> list[dict[str, Any]]:
    """Return the changes of the records of rotated-out secrets, as an admin lists them, oldest first."""
    records = service.call("list_audit_logs", admin, query={"event": EVENT}).data
    assert {("system", "verification")} >= {(record["actor"]["type"], record["actor"]["id"]) for record in records}
    return [record["changes"] for record in reversed(records)]


def counts(service: Service, admin: Caller) -> list[int]:
    """Return the counts of these records."""
    return [changes["after"]["count"] for changes in listed(service, admin)]


def test_a_rotated_key_whose_old_text_is_used(service: Service, admin: Caller, clock: SteppedClock) -> None:
    """GIVEN three uses on the day of the rotation, and one on the next THEN there are two records, with all of them."""
    key = service.create(admin).data
    service.rotate(admin, key["id"])
    for _ in range(3):
        assert "NOT_FOUND" == present(service, admin, key["key"]).data["code"]
    assert [1] == counts(service, admin)

    clock.advance(seconds=DAY_SECONDS)
    present(service, admin, key["key"])

    assert [1, 3] == counts(service, admin)
    first = listed(service, admin)[0]
    assert {"after"} == first.keys()
    assert {"generation": 0, "lastUsedIp": "2001:db8::7"}.items() <= first["after"].items()
    assert 0 == service.call("get_api_key", admin, key_id=key["id"]).data["requestCount"]


def test_the_answer_is_that_of_an_unknown_key(service: Service, admin: Caller) -> None:
    """Body and status are the same, byte for byte, for the first and a later use, a deleted key and a made-up text."""
    key, deleted = service.create(admin).data, service.create(admin).data
    service.rotate(admin, key["id"])
    service.delete(admin, deleted["id"])

    texts = [key["key"], key["key"], deleted["key"], "kk_" + "0" * 92]
    answers = [present(service, admin, text) for text in texts]

    assert 1 == len({(answer.status, answer.body) for answer in answers})
    assert 1 == len({tuple(sorted(answer.headers.keys())) for answer in answers})


def test_a_grace_period_and_another_rotation(service: Service, admin: Caller, clock: SteppedClock) -> None:
    """The old text works in its grace period; after that, and after another rotation, both old texts are reported."""
    first = service.create(admin).data
    second = service.rotate(admin, first["id"], 3600).data
    assert "VALID" == present(service, admin, first["key"]).data["code"]
    assert [] == counts(service, admin)

    clock.advance(seconds=3601)
    present(service, admin, first["key"])
    assert [1] == counts(service, admin)

    service.rotate(admin, first["id"])
    clock.advance(seconds=DAY_SECONDS)
    present(service, admin, first["key"])
    present(service, admin, second["key"])
    clock.advance(seconds=DAY_SECONDS)
    present(service, admin, second["key"])

    assert [1, 1, 2] == counts(service, admin)
    assert [0, 0, 1] == [changes["after"]["generation"] for changes in listed(service, admin)]


def test_two_containers_over_three_days(service: Service, admin: Caller, clock: SteppedClock) -> None:
    """Each day has one record, and the records have all uses but those since the last one."""
    key = service.create(admin).data
    service.rotate(admin, key["id"])
    meters: list[RetiredMeter] = []
    for uses in (3, 4, 5):
        for _ in range(2):
            new_container()
            for _ in range(uses):
                present(service, admin, key["key"])
            meters.append(retired_secrets.meter())
        for meter in meters:
            meter.flush_all(seconds=60)
        clock.advance(seconds=DAY_SECONDS)

    assert [1, 5 + 1, 7 + 1] == counts(service, admin)
    assert 9 == service.partition()[f"USAGE#{key['id']}"]["retired"]


def test_a_deletion_leaves_nothing_of_it(service: Service, admin: Caller, clock: SteppedClock) -> None:
    """Uses that wait when the key is deleted are dropped; the records stay."""
    key = service.create(admin).data
    service.rotate(admin, key["id"])
    for _ in range(3):
        present(service, admin, key["key"])
    service.delete(admin, key["id"])
    clock.advance(seconds=DAY_SECONDS)
    retired_secrets.meter().flush_all(seconds=60)
    present(service, admin, key["key"])

    assert [1] == counts(service, admin)
    assert [] == [name for name in service.partition() if name.endswith(key["id"])]


def test_a_frozen_organization_takes_records(service: Service, admin: Caller) -> None:
    """The old text of a key is reported while the organization is scheduled for deletion."""
    key = service.create(admin).data
    service.rotate(admin, key["id"])
    service.freeze()
    present(service, admin, key["key"])

    assert EVENT == service.audited_events()[-1]


@pytest.mark.parametrize("last_text", [0, 1])
def test_a_key_that_is_not_rotated_has_no_such_record(service: Service, admin: Caller, last_text: int) -> None:
    """Neither have other keys of the organization."""
    keys = [service.create(admin).data for _ in range(2)]
    service.rotate(admin, keys[0]["id"])
    present(service, admin, keys[last_text]["key"])

    records = service.call("list_audit_logs", admin, query={"event": EVENT, "target_id": keys[1]["id"]}).data
    unknown = service.call("list_audit_logs", admin, query={"event": EVENT, "target_id": nth_id(1)}).data
    assert [] == records == unknown
    assert {"retired", "retired_on"}.isdisjoint(service.partition()[f"USAGE#{keys[1]['id']}"])
