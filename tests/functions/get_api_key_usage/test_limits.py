"""GET /v1/auth/api-keys/{id}/usage: what is left of the key's limits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock
from keywright.domain.limits import SECOND
from tests.support import faults
from tests.support.client import calling, meanwhile
from tests.support.endpoints import READ
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

call = calling("get_api_key_usage")

NOON = "2028-03-01T12:00:00.000Z"
RATE = '{"limit":60,"windowSeconds":60,"burst":10}'
QUOTA = '{"limit":100,"period":"day"}'
WHOLE_RATE = {"limit": 60, "remaining": 10, "resetSeconds": 0}
WHOLE_QUOTA = {"limit": 100, "used": 0, "remaining": 100, "resetsAt": "2028-03-02T00:00:00.000Z"}


@pytest.fixture
def now(stop_clock: Callable[[str], datetime], monkeypatch: pytest.MonkeyPatch) -> int:
    """The time at which the clock stands, in nanoseconds since 1970."""
    stopped = int(stop_clock(NOON).timestamp()) * SECOND
    monkeypatch.setattr(clock, "now_ns", lambda: stopped)
    return stopped


def put_limits(call: Call, **used: Any) -> None:
    """Write what was used of the key's limits."""
    call.table.put(pk=f"LIMIT#{KEY_ID}", sk="LIMIT", **used)


def take_limits(call: Call, **key: Any) -> None:
    """Take the key's limits away, and write it as it is then."""
    call.table.client.delete_item(TableName=call.table.name, Key={"pk": {"S": f"LIMIT#{KEY_ID}"}, "sk": {"S": "LIMIT"}})
    call.table.put_key(**key)


def left(call: Call) -> tuple[Any, Any]:
    """Return what is left of the rate limit and of the quota."""
    shown = call.data()
    return shown["rateLimit"], shown["quota"]


@pytest.mark.parametrize(
    ("limits", "used", "expected"),
    [
        ({"rate_limit": RATE}, {}, (WHOLE_RATE, None)),
        ({"quota": QUOTA}, {}, (None, WHOLE_QUOTA)),
        (
            {"rate_limit": RATE, "quota": QUOTA},
            {"ahead": 3, "quota_period": "day 2028-03-01", "quota_used": 40},
            (WHOLE_RATE | {"remaining": 7, "resetSeconds": 3}, WHOLE_QUOTA | {"used": 40, "remaining": 60}),
        ),
        (
            {"rate_limit": RATE, "quota": QUOTA},
            {"ahead": 10, "quota_period": "day 2028-03-01", "quota_used": 100},
            (WHOLE_RATE | {"remaining": 0, "resetSeconds": 10}, WHOLE_QUOTA | {"used": 100, "remaining": 0}),
        ),
        ({"quota": QUOTA}, {"quota_period": "day 2028-02-29", "quota_used": 100}, (None, WHOLE_QUOTA)),
        (
            {"quota": '{"limit":5,"period":"total"}'},
            {"quota_period": "total", "quota_used": 7},
            (None, {"limit": 5, "used": 7, "remaining": 0, "resetsAt": None}),
        ),
    ],
    ids=["unused rate", "unused quota", "in use", "used up", "yesterday's period", "lowered quota"],
)
def test_what_is_left_now(
    call: Call, now: int, limits: dict[str, str], used: dict[str, Any], expected: tuple[Any, Any]
) -> None:
    """Each limit is shown with what is left of it at this moment, and looking takes nothing."""
    call.table.put_key(**limits)
    ahead = used.pop("ahead", None)
    put_limits(call, **used | ({} if ahead is None else {"tat": now + ahead * SECOND, "rate_interval": SECOND}))
    before = call.table.items()

    assert [expected] * 3 == [left(call) for _ in range(3)]
    assert before == call.table.items()


@pytest.mark.parametrize(
    "attributes",
    [{"enabled": False}, {"expires_at": "2020-01-01T00:00:00.000Z"}, {"allowed_ips": ["192.0.2.7"]}],
    ids=["disabled", "expired", "another address"],
)
@pytest.mark.usefixtures("now")
def test_keys_that_do_not_work_have_limits(call: Call, attributes: dict[str, Any]) -> None:
    """The limits of a key that would be refused are shown too."""
    call.table.put_key(rate_limit=RATE, quota=QUOTA, **attributes)
    put_limits(call)

    assert (WHOLE_RATE, WHOLE_QUOTA) == left(call)


@pytest.mark.parametrize(
    ("limits", "requests"),
    [
        ({}, 1),
        ({"allowed_ips": ["192.0.2.7"]}, 1),
        ({"rate_limit": RATE}, 2),
        ({"rate_limit": RATE, "quota": QUOTA}, 2),
    ],
    ids=["none", "addresses", "rate", "both"],
)
def test_only_limits_cost_a_request(call: Call, limits: dict[str, Any], requests: int) -> None:
    """A key with limits costs one read more, for one limit or two; the organization's limits cost none."""
    call.table.put_organization(rate_limit=RATE, quota=QUOTA)
    call.table.put_key(**limits)
    put_limits(call)

    with faults.injected() as operations:
        call.data()

    assert [READ] * requests == operations


def test_limits_of_the_organization_do_not_count(call: Call) -> None:
    """The limits that all keys of the organization share are not shown as the key's."""
    call.table.put_organization(rate_limit=RATE, quota=QUOTA)
    call.table.put_key()

    assert (None, None) == left(call)


@pytest.mark.usefixtures("now")
def test_limits_that_are_taken_meanwhile(call: Call) -> None:
    """If the limits go between two reads, the key is read again, and has none."""
    call.table.put_key(rate_limit=RATE)

    with faults.injected(None, meanwhile(partial(take_limits, call))) as operations:
        assert (None, None) == left(call)

    assert 3 == len(operations)


@pytest.mark.usefixtures("now")
def test_limits_that_are_taken_and_set_again_meanwhile(call: Call) -> None:
    """If the limits are gone for a moment, the key is read again, and the new ones are shown."""
    call.table.put_key(rate_limit=RATE)

    def set_again() -> None:
        call.table.put_key(quota=QUOTA)
        put_limits(call)

    with faults.injected(None, None, meanwhile(set_again)):
        assert (None, WHOLE_QUOTA) == left(call)


def test_404_of_a_key_that_is_deleted_meanwhile(call: Call) -> None:
    """If the key goes between two reads, it is not found."""
    call.table.put_key(rate_limit=RATE)
    key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{KEY_ID}"}}
    delete = partial(call.table.client.delete_item, TableName=call.table.name, Key=key)

    with faults.injected(None, meanwhile(delete)):
        assert 404 == call.fails().status


def test_403_of_a_role_that_is_lost_meanwhile(call: Call) -> None:
    """A second read asks for the caller's role again."""
    call.table.put_key(rate_limit=RATE)

    with faults.injected(None, meanwhile(lambda: call.table.put_member("user_1", "member"))):
        assert 403 == call.fails().status


def test_a_limiter_that_does_not_answer_has_an_unknown_rate(call: Call) -> None:
    """The uses by day are shown, with the rate limit that the key has, and null for what is left of it."""
    call.table.put_key(rate_limit=RATE)
    call.table.put_usage()
    put_limits(call)

    with faults.injected(None, *[faults.timeout] * 100):
        assert ({"limit": 60, "remaining": None, "resetSeconds": None}, None) == left(call)


@pytest.mark.parametrize("limits", [{"quota": QUOTA}, {"rate_limit": RATE, "quota": QUOTA}], ids=["alone", "both"])
def test_503_if_a_quota_does_not_answer(call: Call, limits: dict[str, str]) -> None:
    """The rest of a quota is never guessed."""
    call.table.put_key(**limits)
    put_limits(call)

    with faults.injected(None, *[faults.timeout] * 100):
        assert 503 == call.refused().status


def test_503_if_what_was_used_is_missing(call: Call) -> None:
    """A key with a limit whose item is missing each time is not shown as a key without limits."""
    call.table.put_key(rate_limit=RATE)

    with faults.injected() as operations:
        assert 503 == call.refused().status

    assert 6 == len(operations)
