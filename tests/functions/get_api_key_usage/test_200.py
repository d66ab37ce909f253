"""GET /v1/auth/api-keys/{id}/usage: 200."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keywright.store.usage import day_name
from tests.support.client import calling
from tests.support.world import KEY_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tests.support.client import Call

call = calling("get_api_key_usage")

NOON = "2028-03-01T12:00:00.000Z"
TODAY = date(2028, 3, 1)


def days_of(counts: Mapping[date, int]) -> dict[str, int]:
    """Return counts as the table has them."""
    return {day_name(day): count for day, count in counts.items()}


def days_ago(number: int) -> date:
    """Return the day so many days before today."""
    return TODAY - timedelta(days=number)


@pytest.fixture
def used(call: Call, stop_clock: Callable[[str], datetime]) -> Call:
    """The function, and a key whose count of each day is the number of days since then plus one, for a hundred days."""
    stop_clock(NOON)
    call.table.put_key()
    call.table.put_usage(days=days_of({days_ago(number): number + 1 for number in range(100)}))
    return call


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        (None, 29, 0),
        ({"to": "2028-02-29"}, 30, 1),
        ({"from": "2028-02-29"}, 1, 0),
        ({"from": "2028-03-01"}, 0, 0),
        ({"from": "2028-02-28", "to": "2028-03-01"}, 2, 0),
        ({"from": "2027-12-03"}, 89, 0),
        ({"from": "2027-12-03", "to": "2027-12-03"}, 89, 89),
        ({"to": "2027-12-31"}, 89, 61),
        ({"to": "2027-12-03"}, 89, 89),
    ],
    ids=str,
)
def test_every_day_of_the_range(used: Call, query: dict[str, str] | None, first: int, last: int) -> None:
    """Both ends are included, by default the last 30 days, and never a day that is too old."""
    expected = range(first, last - 1, -1)

    assert {
        "from": str(days_ago(first)),
        "to": str(days_ago(last)),
        "requestCount": sum(number + 1 for number in expected),
        "days": [{"date": str(days_ago(number)), "requestCount": number + 1} for number in expected],
        "rateLimit": None,
        "quota": None,
    } == used.data(query=query)


def test_days_without_uses_are_zero(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """A leap day is a day like any other."""
    stop_clock(NOON)
    call.table.put_key()
    call.table.put_usage(days=days_of({date(2028, 2, 28): 5, date(2028, 3, 1): 1}))

    answer = call.data(query={"from": "2028-02-27"})

    assert [("2028-02-27", 0), ("2028-02-28", 5), ("2028-02-29", 0), ("2028-03-01", 1)] == [
        (day["date"], day["requestCount"]) for day in answer["days"]
    ]
    assert 6 == answer["requestCount"]


@pytest.mark.parametrize(
    ("now", "to"),
    [("2028-02-29T23:59:59.999Z", "2028-02-29"), ("2028-03-01T00:00:00.000Z", "2028-03-01")],
)
def test_today_is_a_day_in_utc(call: Call, stop_clock: Callable[[str], datetime], now: str, to: str) -> None:
    """The range moves at midnight."""
    stop_clock(now)
    call.table.put_key()

    assert to == call.data()["to"]


@pytest.mark.parametrize("is_written", [False, True], ids=["no item", "unused"])
def test_a_key_without_uses(call: Call, is_written: bool) -> None:  # noqa: FBT001 - a case
    """All zeros, also if the usage is missing because the key is being deleted."""
    call.table.put_key()
    if is_written:
        call.table.put_unused()

    answer = call.data()

    assert [0] * 30 == [day["requestCount"] for day in answer["days"]]


@pytest.mark.parametrize(
    "attributes",
    [{"enabled": False}, {"expires_at": "2020-01-01T00:00:00.000Z"}],
    ids=["disabled", "expired"],
)
def test_keys_that_do_not_work_have_usage(used: Call, attributes: dict[str, Any]) -> None:
    """The usage of a key that does not work can be read."""
    used.table.put_key(**attributes)

    assert 465 == used.data()["requestCount"]


def test_it_is_the_requested_key(used: Call) -> None:
    """Neighboring keys, and one with the same id in another organization, are not counted."""
    used.table.put_usage(nth_id(2), days=days_of({TODAY: 1000}))
    used.table.put_usage(KEY_ID, OTHER_ORGANIZATION_ID, days=days_of({TODAY: 2000}))

    assert 1 == used.data(query={"from": str(TODAY)})["requestCount"]
