"""The two lists, of keys and of audit records: their order, their pages, and pages under a filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import faults
from tests.support.endpoints import LIST, LIST_RECORDS, NO_PAGE, Endpoint
from tests.support.world import KEY_ID, OTHER_ORGANIZATION_ID, Table, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.client import Call

FIRST_ID = "00000000-0000-7000-8000-000000000000"
LAST_ID = "ffffffff-ffff-7fff-bfff-ffffffffffff"
NO_PAGE_OF_25 = NO_PAGE | {"limit": 25}
LONG = "x" * 300_000


@dataclass(frozen=True, slots=True)
class Items:
    """The items of a list.

    Attributes:
        put: writes an item, by its id.
        query: a filter.
        matching: the attributes of an item that the filter finds.
        long: attributes that make an item long.
    """

    endpoint: Endpoint
    put: Callable[..., object]
    query: dict[str, str]
    matching: dict[str, Any]
    long: dict[str, Any]


KEYS = Items(LIST, Table.put_key, {"enabled": "false"}, {"enabled": False}, {"metadata": f'{{"a":"{LONG}"}}'})
RECORDS = Items(
    LIST_RECORDS,
    Table.put_audit,
    {"event": "api_key.deleted"},
    {"event": "api_key.deleted"},
    {"changes": f'{{"before":"{LONG}"}}'},
)

pytestmark = pytest.mark.parametrize("items", [KEYS, RECORDS], ids=["keys", "records"])


@pytest.fixture
def call(functions: Callable[[str], Call], items: Items) -> Call:
    """The function of the list."""
    return functions(items.endpoint.name)


def put(call: Call, items: Items, numbers: Iterable[int], **attributes: Any) -> None:
    """Write items whose ids sort by their numbers."""
    for number in numbers:
        items.put(call.table, nth_id(number), **attributes)


def newest_first(*numbers: int) -> list[str]:
    """Return the ids of items, highest number first."""
    return [nth_id(number) for number in sorted(numbers, reverse=True)]


def test_newest_first(call: Call, items: Items) -> None:
    """Items are listed by id, the newest first, independent of the order of writes."""
    put(call, items, [2, 3, 1])

    assert newest_first(1, 2, 3) == call.ids()


@pytest.mark.parametrize(
    ("query", "limit"), [(None, 10), ({}, 10), ({"limit": "1"}, 1), ({"limit": "10"}, 10), ({"limit": "100"}, 100)]
)
def test_a_page_has_the_requested_length_and_a_cursor(
    call: Call, items: Items, query: dict[str, str] | None, limit: int
) -> None:
    """A page has 10 items by default; its cursor is the id of its last item."""
    put(call, items, range(limit + 1))

    page, pagination = call.page(query=query)

    assert newest_first(*range(1, limit + 1)) == [item["id"] for item in page]
    assert {"limit": limit, "has_more": True, "next_cursor": nth_id(1)} == pagination


@pytest.mark.parametrize("limit", [1, 10, 100])
def test_a_full_page_can_be_the_last_one(call: Call, items: Items, limit: int) -> None:
    """A full page without a successor says so: no client fetches an empty page."""
    put(call, items, range(limit))

    page, pagination = call.page(query={"limit": str(limit)})

    assert limit == len(page)
    assert {"limit": limit, "has_more": False, "next_cursor": None} == pagination


@pytest.mark.parametrize(
    ("starting_after", "numbers"),
    [
        pytest.param(nth_id(4), [1], id="an item"),
        pytest.param(nth_id(3), [1], id="an item that is gone"),
        pytest.param(nth_id(1), [], id="the oldest item"),
        pytest.param(FIRST_ID, [], id="older than all"),
        pytest.param(LAST_ID, [1, 4, 5], id="newer than all"),
        pytest.param(nth_id(0xABC).upper(), [1, 4, 5], id="upper case"),
    ],
)
def test_a_cursor_is_a_place_in_the_order(call: Call, items: Items, starting_after: str, numbers: list[int]) -> None:
    """A page begins after its cursor, which may name an item that does not exist."""
    put(call, items, [1, 4, 5])

    assert newest_first(*numbers) == call.ids({"starting_after": starting_after})


def test_pages_stay_full_under_a_filter(call: Call, items: Items) -> None:
    """Filtered pages are full: 4 of 23 items match, in pages of 2, and the second is the last."""
    put(call, items, range(1, 24))
    put(call, items, [3, 4, 17, 20], **items.matching)
    query = {"limit": "2", **items.query}

    first_page, first = call.page(query=query)
    second_page, second = call.page(query=query | {"starting_after": first["next_cursor"]})

    assert newest_first(3, 4, 17, 20) == [item["id"] for item in first_page + second_page]
    assert {"limit": 2, "has_more": True, "next_cursor": nth_id(17)} == first
    assert {"limit": 2, "has_more": False, "next_cursor": None} == second


def test_nothing_but_the_organizations_own_items(call: Call, items: Items) -> None:
    """Neither another organization's items nor items of another kind are listed."""
    for other in (KEYS, RECORDS):
        other.put(call.table, nth_id(8 if other is items else 9))
        other.put(call.table, nth_id(7), organization_id=OTHER_ORGANIZATION_ID)
    call.table.put_usage(nth_id(6))

    assert [nth_id(8)] == call.ids()


def test_the_longest_page_takes_no_more_requests(call: Call, items: Items) -> None:
    """A page of 100 items takes as many requests to DynamoDB as a page of one."""
    put(call, items, range(101))
    with faults.injected() as operations:
        call.page(query={"limit": "100"})

    assert list(items.endpoint.requests) == operations


def test_a_filter_reads_many_items_in_a_request(call: Call, items: Items) -> None:
    """Items dropped by a filter are read in large pages: DynamoDB applies `Limit` before the filter."""
    put(call, items, range(120))
    with faults.injected() as operations:
        assert [] == call.ids(items.query | {"limit": "1"})

    assert operations.count("Query") <= 10


def test_503_within_the_functions_time(call: Call, items: Items) -> None:
    """A filter that drops nearly all of many items ends with 503 before Lambda ends the function."""
    put(call, items, range(8), **items.long)  # two megabytes: more than DynamoDB reads at once
    with faults.injected() as operations:
        refusal = call.with_time_left(1000).refused(query=items.query | {"limit": "1"})

    assert 503 == refusal.status
    assert operations.count("Query") <= 1


@pytest.mark.parametrize(
    ("name", "values", "rule"),
    [
        (
            "limit",
            [
                *("0", "101", "-1", "+1", "1.5", "1e1", "abc", "", " 1", "1 ", "1\n", "1000", "9" * 5000),
                *("\N{ARABIC-INDIC DIGIT ONE}", "\N{SUPERSCRIPT TWO}", "0x1", "1_0", "true", "None"),
            ],
            "must be a whole number from 1 to 100",
        ),
        (
            "starting_after",
            [
                *("", "abc", "1", KEY_ID[:-1], KEY_ID + "0", KEY_ID.replace("-", ""), f"{{{KEY_ID}}}"),
                *(f"urn:uuid:{KEY_ID}", f"KEY#{KEY_ID}", f"{KEY_ID}\n", "\ud800", "null"),
            ],
            "must be a cursor of this list",
        ),
    ],
    ids=["limit", "starting_after"],
)
def test_400_a_wrong_page(call: Call, items: Items, name: str, values: list[str], rule: str) -> None:
    """The message names the parameter and the rule it breaks; the pagination is that of an empty first page."""
    del items
    refusals = {value: call.refused(query={name: value}) for value in values}

    assert dict.fromkeys(values, (400, "BAD_REQUEST", f"{name} {rule}", NO_PAGE)) == {
        value: (refusal.status, refusal.code, refusal.message, refusal.pagination)
        for value, refusal in refusals.items()
    }


def test_refusals_repeat_a_valid_limit(call: Call, items: Items) -> None:
    """The pagination of a refusal repeats a valid limit, even when another parameter is wrong."""
    wrong: list[dict[str, str]] = [{"starting_after": "x"}, {next(iter(items.query)): "x"}]

    assert [NO_PAGE_OF_25] * 2 == [call.refused(query={"limit": "25"} | query).pagination for query in wrong]
    assert NO_PAGE_OF_25 == call.refused(query={"limit": "25"}, user_id="stranger").pagination
