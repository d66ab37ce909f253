"""Uses of keys over days, rotations and containers, as members see them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from keywright.keys.usage import UsageMeter, meter
from tests.support.environment import new_container

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.service import Caller, Service
    from tests.support.stepped_clock import SteppedClock

HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS
GRACE_SECONDS = 7 * DAY_SECONDS


@pytest.fixture
def at_once(setting: Callable[[str, str], None]) -> None:
    """Write uses at once."""
    setting("USAGE_FLUSH_SECONDS", "0")


def shown(service: Service, admin: Caller, key_id: str) -> dict[str, Any]:
    """Show the key."""
    data: dict[str, Any] = service.call("get_api_key", admin, key_id=key_id).data
    return data


def used(service: Service, admin: Caller, key_id: str, **query: str) -> list[int]:
    """Show the counts of the key's days that are not zero, the first of them first."""
    days = service.call("get_api_key_usage", admin, key_id=key_id, query=query).data["days"]
    return [day["requestCount"] for day in days if day["requestCount"]]


def verify(service: Service, admin: Caller, text: str) -> None:
    """Verify the key, which is valid."""
    assert "VALID" == service.call("verify_api_key", admin, body={"key": text}).data["code"]


@pytest.mark.usefixtures("at_once")
def test_the_previous_text_around_two_rotations(service: Service, admin: Caller, clock: SteppedClock) -> None:
    """It is shown whether the text before the last rotation was used since, for as long as it works."""
    first = service.create(admin).data
    show = partial(shown, service, admin, first["id"])
    verify(service, admin, first["key"])

    second = service.rotate(admin, first["id"], GRACE_SECONDS).data
    assert second["apiKey"]["previousKeyLastUsedAt"] is None
    assert show()["previousKeyLastUsedAt"] is None

    clock.advance(seconds=HOUR_SECONDS)
    verify(service, admin, second["key"])
    assert show()["previousKeyLastUsedAt"] is None
    verify(service, admin, first["key"])
    last_use = show()["lastUsedAt"]
    clock.advance(seconds=HOUR_SECONDS)
    verify(service, admin, second["key"])
    assert last_use == show()["previousKeyLastUsedAt"] < show()["lastUsedAt"]
    assert last_use == service.update(admin, first["id"], name="New").data["apiKey"]["previousKeyLastUsedAt"]

    third = service.rotate(admin, first["id"], GRACE_SECONDS).data
    assert third["apiKey"]["previousKeyLastUsedAt"] is None
    assert show()["previousKeyLastUsedAt"] is None

    verify(service, admin, second["key"])
    assert show()["lastUsedAt"] == show()["previousKeyLastUsedAt"]

    clock.advance(seconds=GRACE_SECONDS + 1)
    assert show()["previousKeyLastUsedAt"] is None
    assert 5 == show()["requestCount"]


def test_a_rotation_does_not_touch_the_usage(service: Service, admin: Caller) -> None:
    """Its item is the same before and after."""
    key_id = service.new_key(admin)
    before = service.partition()[f"USAGE#{key_id}"]
    service.rotate(admin, key_id, GRACE_SECONDS)

    assert before == service.partition()[f"USAGE#{key_id}"]


@pytest.mark.deep
@pytest.mark.usefixtures("at_once")
def test_a_key_that_is_used_for_a_hundred_days(service: Service, admin: Caller, clock: SteppedClock) -> None:
    """The last 90 days are shown, and the total counts all."""
    key = service.create(admin).data
    for _ in range(100):
        verify(service, admin, key["key"])
        clock.advance(seconds=DAY_SECONDS)
    verify(service, admin, key["key"])

    days = service.partition()[f"USAGE#{key['id']}"]["days"]
    first = service.call("get_api_key_usage", admin, key_id=key["id"]).data["to"]
    assert [1] * 30 == used(service, admin, key["id"])
    assert [1] == used(service, admin, key["id"], **{"from": first})
    assert 90 == len(days)
    assert 101 == shown(service, admin, key["id"])["requestCount"]


def test_two_containers_over_midnight(service: Service, admin: Caller, clock: SteppedClock) -> None:
    """GIVEN uses in two containers before midnight WHEN they are written after it THEN each counts for its day."""
    key = service.create(admin).data
    clock.advance(seconds=DAY_SECONDS - clock.milliseconds / 1000 % DAY_SECONDS - 30)
    meters: list[UsageMeter] = []
    for uses in (3, 4):
        new_container()
        for _ in range(uses):
            verify(service, admin, key["key"])
        meters.append(meter())
    clock.advance(seconds=60)
    for _ in range(5):
        verify(service, admin, key["key"])

    for container in reversed(meters):
        container.flush_all(seconds=60)

    assert [7, 5] == used(service, admin, key["id"])
    assert 12 == shown(service, admin, key["id"])["requestCount"]


@pytest.mark.usefixtures("at_once")
def test_a_deleted_key_has_no_usage(service: Service, admin: Caller) -> None:
    """The usage is deleted with the key."""
    key = service.create(admin).data
    verify(service, admin, key["key"])
    service.delete(admin, key["id"])

    assert 404 == service.call("get_api_key_usage", admin, key_id=key["id"]).status
    assert f"USAGE#{key['id']}" not in service.partition()
