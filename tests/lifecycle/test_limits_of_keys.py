"""What is kept of limits: an item exactly as long as a key has limits, and nothing spent or counted by refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import faults
from tests.support.client import VALID_BODY
from tests.support.service import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.service import Answer, Service
    from tests.support.stepped_clock import SteppedClock

RATE = {"limit": 60, "windowSeconds": 60, "burst": 2}
QUOTA = {"limit": 3, "period": "day"}
ADDRESSES = ["192.0.2.0/24"]
DAY = 24 * 3600


def verify(service: Service, text: str, **fields: Any) -> Answer:
    """Verify a key."""
    return service.call("verify_api_key", Caller("backend"), body={"key": text, **fields})


def limit_items(service: Service) -> dict[str, dict[str, Any]]:
    """Return what is stored of limits, by the id of the holder."""
    return {
        item["pk"].removeprefix("LIMIT#"): {name: value for name, value in item.items() if name not in {"pk", "sk"}}
        for item in service.world.table.items()
        if item["sk"] == "LIMIT"
    }


def test_the_item_is_there_as_long_as_a_limit(service: Service, admin: Caller) -> None:
    """A rate or a quota has an item, addresses do not; it stays until the last limit goes, or the key."""
    steps: list[dict[str, Any]] = [
        {"allowedIps": ADDRESSES},
        {"rateLimit": RATE},
        {"quota": QUOTA},
        {"rateLimit": None},
        {"quota": QUOTA | {"limit": 5}},
        {"quota": None},
        {"quota": QUOTA, "allowedIps": None},
    ]
    key_id = service.new_key(admin)
    there = [set(limit_items(service))]
    for changes in steps:
        assert 200 == service.update(admin, key_id, **changes).status
        there.append(set(limit_items(service)))
    assert 200 == service.rotate(admin, key_id).status
    there.append(set(limit_items(service)))
    assert 200 == service.delete(admin, key_id).status
    there.append(set(limit_items(service)))

    one: set[str] = {key_id}
    none: set[str] = set()
    assert [none, none, one, one, one, one, none, one, one, none] == there


@pytest.mark.parametrize(
    "limits", [{"rateLimit": RATE}, {"quota": QUOTA}, {"rateLimit": RATE, "quota": QUOTA}], ids=str
)
def test_a_new_key_has_its_item(service: Service, admin: Caller, limits: dict[str, Any]) -> None:
    """A key that is created with limits has an item at once, with nothing used."""
    created = service.create(admin, VALID_BODY | limits).data

    assert {created["id"]: {}} == limit_items(service)


def test_what_was_used_is_kept_by_every_change_but_the_last(service: Service, admin: Caller) -> None:
    """Rotation and changes of a key and of its limits keep what was used."""
    created = service.create(admin, VALID_BODY | {"rateLimit": RATE, "quota": QUOTA}).data
    assert "VALID" == verify(service, created["key"]).data["code"]
    before = limit_items(service)
    assert 1 == before[created["id"]]["quota_used"]

    assert 200 == service.rotate(admin, created["id"]).status
    assert 200 == service.update(admin, created["id"], name="b", enabled=False, quota=QUOTA | {"limit": 9}).status
    assert 200 == service.update(admin, created["id"], rateLimit=None).status

    assert before == limit_items(service)


def test_refused_uses_are_neither_spent_nor_counted(
    service: Service, admin: Caller, setting: Callable[[str, str], None], clock: SteppedClock
) -> None:
    """The requests of a key are its admitted uses; refused ones change neither its limits nor its usage."""
    setting("USAGE_FLUSH_SECONDS", "0")
    created = service.create(admin, VALID_BODY | {"rateLimit": RATE, "quota": QUOTA, "allowedIps": ADDRESSES}).data
    here = {"clientIp": "192.0.2.1"}
    codes = [
        verify(service, created["key"], **fields).data["code"]
        for fields in (here, {}, here | {"permissions": ["analytics:read"]}, here | {"cost": 2}, here)
    ]
    codes.append(verify(service, created["key"], **here).data["code"])
    clock.advance(seconds=10)
    codes += [verify(service, created["key"], **here | {"cost": cost}).data["code"] for cost in (2, 1, 1)]

    shown = service.call("get_api_key", admin, key_id=created["id"]).data
    assert ["VALID", "IP_NOT_ALLOWED", "INSUFFICIENT_PERMISSIONS", "RATE_LIMITED", "VALID", "RATE_LIMITED"] == codes[:6]
    assert ["QUOTA_EXCEEDED", "VALID", "QUOTA_EXCEEDED"] == codes[6:]
    assert 3 == limit_items(service)[created["id"]]["quota_used"]
    assert 3 == shown["requestCount"]


def test_a_quota_starts_anew_with_its_period(service: Service, admin: Caller, clock: SteppedClock) -> None:
    """On the next day a quota of a day is whole again."""
    created = service.create(admin, VALID_BODY | {"quota": QUOTA}).data
    today = [verify(service, created["key"]).data for _ in range(4)]
    clock.advance(seconds=today[-1]["retryAfterSeconds"] - 1)
    late = verify(service, created["key"]).data["code"]
    clock.advance(seconds=1)
    tomorrow = verify(service, created["key"]).data

    assert ["VALID"] * 3 + ["QUOTA_EXCEEDED"] * 2 == [*(answer["code"] for answer in today), late]
    assert "VALID" == tomorrow["code"]
    assert 1 == tomorrow["quota"]["used"]
    assert 0 < today[-1]["retryAfterSeconds"] <= DAY


def test_503_if_a_quota_cannot_be_asked(service: Service, admin: Caller) -> None:
    """A use whose quota cannot be asked is neither admitted nor refused: the caller is to try again."""
    created = service.create(admin, VALID_BODY | {"quota": QUOTA}).data
    with faults.injected(None, *[faults.error("ThrottlingException")] * 20):
        answer = verify(service, created["key"])

    assert "503 SERVICE_UNAVAILABLE" == answer.refusal
    assert "retry-after" in answer.headers


def test_a_rate_limit_that_cannot_be_asked_admits(service: Service, admin: Caller) -> None:
    """A use whose rate limit cannot be asked is admitted, and the answer says that nothing is known of it."""
    created = service.create(admin, VALID_BODY | {"rateLimit": RATE}).data
    with faults.injected(None, *[faults.error("ThrottlingException")] * 20):
        answer = verify(service, created["key"]).data

    assert "VALID" == answer["code"]
    assert {"limit": 60, "remaining": None, "resetSeconds": None} == answer["rateLimit"]


def test_a_repeated_create_may_spell_out_the_burst(service: Service, admin: Caller) -> None:
    """A burst that is omitted is the limit, so a repeat that spells it out is the same request."""
    rate = {"limit": 60, "windowSeconds": 60}
    bodies = [VALID_BODY | {"rateLimit": rate}, VALID_BODY | {"rateLimit": rate | {"burst": 60}, "quota": None}]
    first, second = (service.create(admin, body, idempotency_key="a") for body in bodies)
    other = service.create(admin, VALID_BODY | {"rateLimit": rate | {"burst": 59}}, idempotency_key="a")

    assert first.data == second.data
    assert second.is_replayed
    assert "422 IDEMPOTENCY_KEY_REUSED" == other.refusal
