"""Lists read page by page while they change: every item that stays is seen exactly once, newest first."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keywright.ids import uuid7
from keywright.store.api_keys import ApiKeyRecord
from tests.lifecycle.service import Caller
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.lifecycle.service import Answer, Service

KEYS = 250
PAGE_SIZES = [1, 7, 10, 100]
START = datetime(2026, 1, 1, tzinfo=UTC)

FILTERS: dict[str, dict[str, str]] = {
    "all": {},
    "enabled": {"enabled": "true"},
    "disabled": {"enabled": "false"},
    "rare permission": {"permission": "analytics:read"},
    "both": {"enabled": "false", "permission": "sessions:read"},
}


def a_key(number: int) -> ApiKeyRecord:
    """Return a key created that many seconds after the start; every third is disabled, every tenth is rare."""
    created_at = START + timedelta(seconds=number)
    return ApiKeyRecord(
        organization_id=uuid.UUID(ORGANIZATION_ID),
        key_id=uuid7(int(created_at.timestamp()) * 10**9),
        name=f"key {number}",
        permissions=("analytics:read",) if number % 10 == 0 else ("sessions:read",),
        metadata="{}",
        hash="$argon2id$",
        generation=0,
        hint="kk_...abcd",
        created_by="user_1",
        created_at=created_at,
        updated_at=created_at,
        enabled=number % 3 != 0,
    )


def is_match(record: ApiKeyRecord, query: Mapping[str, str]) -> bool:
    """Return whether a key passes the filters of a query."""
    return (query.get("enabled") in {None, str(record.enabled).lower()}) and (
        "permission" not in query or query["permission"] in record.permissions
    )


@pytest.fixture
def keys(service: Service, admin: Caller) -> list[ApiKeyRecord]:
    """Fill the organization, and a neighboring one that no list may show."""
    del admin
    records = [a_key(number) for number in range(KEYS)]
    service.put_keys(records)
    service.open_organization("00000000-0000-4000-8000-000000000000", user_1="admin")
    service.new_key(Caller("00000000-0000-4000-8000-000000000000"))
    return records


def pages(
    service: Service,
    caller: Caller,
    query: Mapping[str, str],
    *,
    function: str = "list_api_keys",
    between: Callable[[Answer], object] = lambda _: None,
) -> Iterator[list[dict[str, Any]]]:
    """Return all pages, read as a client does, with a change between them.

    Each page but the last must be full, and must say correctly whether it is the last.
    """
    limit, cursor = int(query["limit"]), None
    while True:
        answer = service.call(function, caller, query={**query, **({"starting_after": cursor} if cursor else {})})
        page, pagination = answer.data, answer.content["pagination"]
        cursor = pagination["next_cursor"]
        assert {"limit": limit, "has_more": cursor is not None, "next_cursor": cursor} == pagination
        yield page
        if cursor is None:
            return
        assert limit == len(page)
        assert page[-1]["id"] == cursor
        between(answer)


@pytest.mark.parametrize(
    ("limit", "filters"),
    [
        pytest.param(limit, filters, id=f"{limit}, {name}")
        for limit in PAGE_SIZES
        for name, filters in FILTERS.items()
        if limit > 1 or name in {"all", "both"}  # pages of one take a while
    ],
)
def test_250_keys_while_others_come_and_go(
    service: Service, admin: Caller, keys: list[ApiKeyRecord], limit: int, filters: dict[str, str]
) -> None:
    """Each key that stays and passes the filters is seen exactly once, newest first, in full pages."""
    query = {"limit": str(limit), **filters}
    newer = itertools.count(KEYS)
    # Every fifth key is deleted, in an order unrelated to the list's.
    going = (keys[number * 77 % KEYS] for number in range(0, KEYS, 5))
    gone: set[str] = set()

    def change(answer: Answer) -> None:
        del answer
        service.put_keys([a_key(next(newer))])
        record = next(going, None)
        if record is not None:
            service.delete_item(ORGANIZATION_ID, f"KEY#{record.key_id}")
            gone.add(str(record.key_id))

    seen = [item["id"] for page in pages(service, admin, query, between=change) for item in page]

    expected = [str(record.key_id) for record in reversed(keys) if is_match(record, query)]
    assert sorted(set(seen), reverse=True) == seen
    assert [key_id for key_id in expected if key_id not in gone] == [key_id for key_id in seen if key_id not in gone]
    assert set(seen) <= set(expected)


@pytest.mark.parametrize("limit", [7, 100])
def test_a_deleted_key_is_still_a_cursor(service: Service, admin: Caller, keys: list[ApiKeyRecord], limit: int) -> None:
    """`starting_after` accepts the id of a deleted key."""

    def delete_the_cursor(answer: Answer) -> None:
        service.delete_item(ORGANIZATION_ID, f"KEY#{answer.content['pagination']['next_cursor']}")

    seen = [
        item["id"] for page in pages(service, admin, {"limit": str(limit)}, between=delete_the_cursor) for item in page
    ]

    assert [str(record.key_id) for record in reversed(keys)] == seen


@pytest.mark.parametrize(
    ("matching", "expected"),
    [(0, [0]), (1, [1]), (4, [4]), (5, [5]), (6, [5, 1]), (10, [5, 5]), (11, [5, 5, 1])],
)
@pytest.mark.parametrize("others", [0, 1, 30])
def test_no_page_is_empty(service: Service, admin: Caller, matching: int, expected: list[int], others: int) -> None:
    """A full page is never followed by an empty one, even if the filter drops all older keys."""
    older = [number for number in range(100) if number % 3 == 0]
    newer = [number for number in range(100, 200) if number % 3 != 0]
    service.put_keys([a_key(number) for number in older[:others] + newer[:matching]])

    sizes = [len(page) for page in pages(service, admin, {"limit": "5", "enabled": "true"})]

    assert expected == sizes


def test_another_organizations_cursor_is_a_time(service: Service, admin: Caller, keys: list[ApiKeyRecord]) -> None:
    """A cursor is a point in time: another organization's id works like any other."""
    other = str(uuid7(int((START + timedelta(seconds=100.5)).timestamp() * 10**9)))

    answer = service.call("list_api_keys", admin, query={"limit": "1", "starting_after": other})

    assert [str(keys[100].key_id)] == [item["id"] for item in answer.data]


def test_a_cursor_may_be_in_upper_case(service: Service, admin: Caller, keys: list[ApiKeyRecord]) -> None:
    """A cursor in upper case is the same cursor."""
    cursor = str(keys[100].key_id).upper()

    answer = service.call("list_api_keys", admin, query={"limit": "1", "starting_after": cursor})

    assert [str(keys[99].key_id)] == [item["id"] for item in answer.data]


def put_audit_records(service: Service, first: int, last: int) -> None:
    """Write audit records that many seconds after the start; every fifth is a deletion."""
    name = service.world.table.name
    items = [
        {
            "pk": {"S": f"ORG#{ORGANIZATION_ID}"},
            "sk": {"S": f"AUDIT#{uuid7(int((START + timedelta(seconds=number)).timestamp()) * 10**9)}"},
            "event": {"S": "api_key.deleted" if number % 5 == 0 else "api_key.updated"},
            "actor_type": {"S": "user"},
            "actor_id": {"S": "user_1"},
            "target_type": {"S": "api_key"},
            "target_id": {"S": str(number)},
            "changes": {"S": "{}"},
            "created_at": {"S": "2026-01-01T00:00:00.000Z"},
            "received_at": {"S": "2026-01-01T00:00:00.000Z"},
        }
        for number in range(first, last)
    ]
    for start in range(0, len(items), 25):
        requests: Any = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        service.world.table.client.batch_write_item(RequestItems={name: requests})


@pytest.mark.parametrize(
    ("limit", "event"),
    [(1, "api_key.deleted"), (7, None), (10, "api_key.deleted"), (100, "api_key.deleted,api_key.updated")],
)
def test_250_audit_records_while_others_are_written(
    service: Service, admin: Caller, limit: int, event: str | None
) -> None:
    """Each record is seen exactly once, newest first, in full pages, while others are written."""
    put_audit_records(service, 0, KEYS)
    newer = itertools.count(KEYS)
    query = {"limit": str(limit), **({"event": event} if event else {})}

    def change(answer: Answer) -> None:
        del answer
        number = next(newer)
        put_audit_records(service, number, number + 1)

    records_by_page = pages(service, admin, query, function="list_audit_logs", between=change)

    step = 5 if event == "api_key.deleted" else 1
    assert [str(number) for number in reversed(range(0, KEYS, step))] == [
        item["targetId"] for page in records_by_page for item in page
    ]


@pytest.mark.parametrize(("records", "expected"), [(0, [0]), (5, [5]), (6, [5, 1]), (10, [5, 5])])
def test_audit_pages_end_where_the_records_end(
    service: Service, admin: Caller, records: int, expected: list[int]
) -> None:
    """A full page is never followed by an empty one, even if the filter drops all older records."""
    put_audit_records(service, 0, 1)
    put_audit_records(service, 1, 1 + records + (records - 1) // 4 if records else 1)

    query = {"limit": "5", "event": "api_key.updated"}
    sizes = [len(page) for page in pages(service, admin, query, function="list_audit_logs")]

    assert expected == sizes
