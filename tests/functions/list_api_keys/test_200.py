"""GET /v1/auth/api-keys: 200."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import faults
from tests.support.client import calling
from tests.support.world import OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.client import Call

call = calling("list_api_keys")

LAST_ID = "ffffffff-ffff-7fff-bfff-ffffffffffff"
FIRST_ID = "00000000-0000-7000-8000-000000000000"


def put_keys(call: Call, numbers: Iterable[int], **attributes: Any) -> None:
    """Write keys whose ids sort by their numbers."""
    for number in numbers:
        call.table.put_key(nth_id(number), **attributes)


def newest_first(*numbers: int) -> list[str]:
    """Return the ids of keys, highest number first."""
    return [nth_id(number) for number in sorted(numbers, reverse=True)]


def test_newest_first(call: Call) -> None:
    """Keys are listed by id, the newest first, independent of the order of writes and changes."""
    put_keys(call, [2, 3, 1])
    call.table.put_key(nth_id(1), updated_at="2029-01-01T00:00:00.000Z")

    assert newest_first(1, 2, 3) == call.ids()


def test_each_key_comes_with_its_own_usage(call: Call) -> None:
    """Each key of a page has its usage, or none."""
    put_keys(call, [1, 2, 3])
    call.table.put_usage(nth_id(1), request_count=11)
    call.table.put_usage(nth_id(3), request_count=33, last_used_at="2026-07-01T00:00:00.000Z")

    keys, _ = call.page()

    assert [(33, "2026-07-01T00:00:00.000Z"), (0, None), (11, "2026-06-01T12:00:00.000Z")] == [
        (key["requestCount"], key["lastUsedAt"]) for key in keys
    ]


@pytest.mark.parametrize(
    ("query", "limit"),
    [(None, 10), ({}, 10), ({"limit": "1"}, 1), ({"limit": "10"}, 10), ({"limit": "100"}, 100)],
)
def test_a_page_has_the_requested_length_and_a_cursor(call: Call, query: dict[str, str] | None, limit: int) -> None:
    """A page has 10 keys by default; its cursor is the id of its last key."""
    put_keys(call, range(limit + 1))

    keys, pagination = call.page(query=query)

    assert newest_first(*range(1, limit + 1)) == [key["id"] for key in keys]
    assert {"limit": limit, "has_more": True, "next_cursor": nth_id(1)} == pagination


@pytest.mark.parametrize("limit", [1, 10, 100])
def test_a_full_page_can_be_the_last_one(call: Call, limit: int) -> None:
    """A full page without a successor says so: no client fetches an empty page."""
    put_keys(call, range(limit))

    keys, pagination = call.page(query={"limit": str(limit)})

    assert limit == len(keys)
    assert {"limit": limit, "has_more": False, "next_cursor": None} == pagination


def test_the_cursor_leads_to_the_next_page(call: Call) -> None:
    """The next page begins after the key of the cursor."""
    put_keys(call, range(1, 6))

    _, first = call.page(query={"limit": "2"})
    keys, second = call.page(query={"limit": "2", "starting_after": first["next_cursor"]})

    assert newest_first(2, 3) == [key["id"] for key in keys]
    assert {"limit": 2, "has_more": True, "next_cursor": nth_id(2)} == second


@pytest.mark.parametrize(
    ("starting_after", "numbers"),
    [
        pytest.param(nth_id(3), [1], id="a key that is gone"),
        pytest.param(nth_id(1), [], id="the oldest key"),
        pytest.param(FIRST_ID, [], id="older than all"),
        pytest.param(LAST_ID, [1, 4, 5], id="newer than all"),
        pytest.param(nth_id(0xABC).upper(), [1, 4, 5], id="upper case"),
    ],
)
def test_a_cursor_is_a_place_in_the_order(call: Call, starting_after: str, numbers: list[int]) -> None:
    """A cursor may name a key that does not exist."""
    put_keys(call, [1, 4, 5])

    assert newest_first(*numbers) == call.ids({"starting_after": starting_after})


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"enabled": "true"}, [1, 3]),
        ({"enabled": "false"}, [2, 4]),
        ({"permission": "sessions:read"}, [1, 2]),
        ({"permission": "webhooks:write"}, [2, 3, 4]),
        ({"permission": "webhooks:read"}, []),
        ({"permission": "webhooks:write", "enabled": "false"}, [2, 4]),
        ({"permission": "sessions:read", "enabled": "true", "starting_after": nth_id(1)}, []),
        ({"unknown": "parameter"}, [1, 2, 3, 4]),
    ],
    ids=lambda value: "&".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else "",
)
def test_filters(call: Call, query: dict[str, str], numbers: list[int]) -> None:
    """Filters work alone and together; `permission` matches permissions of the key itself, not implied ones."""
    put_keys(call, [1], permissions=["sessions:read"])
    put_keys(call, [2], permissions=["sessions:read", "webhooks:write"], enabled=False)
    put_keys(call, [3], permissions=["webhooks:write"])
    put_keys(call, [4], permissions=["webhooks:write"], enabled=False)

    assert newest_first(*numbers) == call.ids(query)


@pytest.mark.parametrize(
    "query", [{"enabled": "false"}, {"permission": "webhooks:write"}], ids=["enabled", "permission"]
)
def test_pages_stay_full_under_a_filter(call: Call, query: dict[str, str]) -> None:
    """Filtered pages are full: 4 of 23 keys match, in pages of 2, and the second is the last."""
    put_keys(call, range(1, 24))
    put_keys(call, [3, 4, 17, 20], enabled=False, permissions=["webhooks:write"])

    first_keys, first = call.page(query={"limit": "2", **query})
    second_keys, second = call.page(query={"limit": "2", "starting_after": first["next_cursor"], **query})

    assert newest_first(3, 4, 17, 20) == [key["id"] for key in first_keys + second_keys]
    assert {"limit": 2, "has_more": True, "next_cursor": nth_id(17)} == first
    assert {"limit": 2, "has_more": False, "next_cursor": None} == second


def test_all_kinds_of_keys_are_listed(call: Call) -> None:
    """Disabled and expired keys are listed too."""
    put_keys(call, [1], enabled=False)
    put_keys(call, [2], expires_at="2020-01-01T00:00:00.000Z")
    put_keys(call, [3])

    assert newest_first(1, 2, 3) == call.ids()


def test_nothing_but_the_organizations_own_keys(call: Call) -> None:
    """Neither another organization's keys nor other items of this organization are listed."""
    call.table.put_key(name="mine")
    call.table.put_usage()
    call.table.put_usage(nth_id(9))
    call.table.put_audit(nth_id(8))
    for number in (1, 2, 3):
        call.table.put_key(nth_id(number), OTHER_ORGANIZATION_ID, name="theirs")
        call.table.put_usage(nth_id(number), OTHER_ORGANIZATION_ID, request_count=7)

    keys, _ = call.page()

    assert [("mine", 42)] == [(key["name"], key["requestCount"]) for key in keys]


def test_it_takes_three_requests_to_dynamodb(call: Call) -> None:
    """Member, keys, and the usage of all keys at once: three requests, even for the longest page."""
    put_keys(call, range(101))
    with faults.injected() as operations:
        call.page(query={"limit": "100"})

    assert ["BatchGetItem", "Query", "BatchGetItem"] == operations


def test_without_keys_no_usage_is_requested(call: Call) -> None:
    """Without keys, usage is not requested."""
    with faults.injected() as operations:
        call.page()

    assert ["BatchGetItem", "Query"] == operations


def test_a_filter_reads_many_keys_in_a_request(call: Call) -> None:
    """Keys dropped by a filter are read in large pages: DynamoDB applies `Limit` before the filter."""
    put_keys(call, range(120))
    with faults.injected() as operations:
        assert [] == call.ids({"enabled": "false", "limit": "1"})

    assert operations.count("Query") <= 10
