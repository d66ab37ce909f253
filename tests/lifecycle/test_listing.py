"""Lists that change while they are read page by page: every item that stays is seen exactly once, newest first."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keywright.ids import uuid7
from tests.support.depth import size
from tests.support.service import Caller
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.service import Answer, Service

KEYS = size("LISTED_KEYS", 60, full=250)
START = datetime(2026, 1, 1, tzinfo=UTC)

FILTERS: dict[str, dict[str, str]] = {
    "all": {},
    "enabled": {"enabled": "true"},
    "disabled": {"enabled": "false"},
    "rare permission": {"permission": "analytics:read"},
    "disabled with a permission": {"enabled": "false", "permission": "sessions:read"},
}


def id_at(seconds: float) -> str:
    """Return an id made that many seconds after the start."""
    return str(uuid7(round((START + timedelta(seconds=seconds)).timestamp() * 1000) * 10**6))


def put_key(service: Service, number: int) -> dict[str, Any]:
    """Write a key made that many seconds after the start; every third is disabled, every tenth has a rare permission.

    Return it with the fields that filters compare.
    """
    key_id, enabled = id_at(number), number % 3 != 0
    permissions = ["analytics:read"] if number % 10 == 0 else ["sessions:read"]
    service.world.table.put_key(key_id, enabled=enabled, permissions=permissions)
    return {"id": key_id, "enabled": str(enabled).lower(), "permission": permissions[0]}


def put_audit_record(service: Service, number: int) -> None:
    """Write an audit record made that many seconds after the start; every fifth is of a deletion."""
    event = "api_key.deleted" if number % 5 == 0 else "api_key.updated"
    service.world.table.put_audit(id_at(number), event=event, target_id=str(number))


@pytest.fixture
def keys(service: Service, admin: Caller) -> list[dict[str, Any]]:
    """Fill the organization with keys, oldest first, and put one into another organization, which no list may show."""
    del admin
    service.open_organization(OTHER_ORGANIZATION_ID, user_1="admin")
    service.new_key(Caller(OTHER_ORGANIZATION_ID))
    return [put_key(service, number) for number in range(KEYS)]


def pages(
    service: Service,
    caller: Caller,
    query: Mapping[str, str],
    *,
    function: str = "list_api_keys",
    between: Callable[[Answer], object] = lambda _: None,
) -> Iterator[list[dict[str, Any]]]:
    """Yield all pages as a client reads them, and call `between` with each answer before the next request.

    Each page says correctly whether it is the last, and is full unless it is.
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
        pytest.param(limit, filters, id=f"{limit}, {name}", marks=[] if is_quick else pytest.mark.deep)
        for limit in [1, 7, 10, 100]
        for name, filters in FILTERS.items()
        for is_quick in [limit == 7 or name == "disabled with a permission"]
        if limit > 1 or name in {"all", "disabled with a permission"}
    ],
)
def test_each_key_is_seen_once_while_others_come_and_go(
    service: Service, admin: Caller, keys: list[dict[str, Any]], limit: int, filters: dict[str, str]
) -> None:
    """GIVEN keys created and deleted between pages THEN each key that stays and matches is seen once, newest first."""
    newer = itertools.count(KEYS)
    # Every fifth key is deleted, in an order unrelated to the list's.
    going = (keys[number * 77 % KEYS]["id"] for number in range(0, KEYS, 5))
    gone: set[str] = set()

    def change(_: Answer) -> None:
        put_key(service, next(newer))
        for key_id in itertools.islice(going, 1):
            service.delete_item(ORGANIZATION_ID, f"KEY#{key_id}")
            gone.add(key_id)

    query = {"limit": str(limit), **filters}
    seen = [item["id"] for page in pages(service, admin, query, between=change) for item in page]

    matches = [key["id"] for key in reversed(keys) if filters.items() <= key.items()]
    assert sorted(set(seen), reverse=True) == seen
    assert [key_id for key_id in matches if key_id not in gone] == [key_id for key_id in seen if key_id not in gone]
    assert set(seen) <= set(matches)


@pytest.mark.parametrize("limit", [7, 100])
def test_a_deleted_key_is_still_a_cursor(
    service: Service, admin: Caller, keys: list[dict[str, Any]], limit: int
) -> None:
    """GIVEN that the last key of each page is deleted WHEN the list continues after its id THEN no other is missed."""

    def delete_the_cursor(answer: Answer) -> None:
        service.delete_item(ORGANIZATION_ID, f"KEY#{answer.content['pagination']['next_cursor']}")

    seen = pages(service, admin, {"limit": str(limit)}, between=delete_the_cursor)

    assert [key["id"] for key in reversed(keys)] == [item["id"] for page in seen for item in page]


@pytest.mark.parametrize(
    ("matching", "expected"),
    [(0, [0]), (1, [1]), (4, [4]), (5, [5]), (6, [5, 1]), (10, [5, 5]), (11, [5, 5, 1])],
)
@pytest.mark.parametrize("others", [0, 1, 30])
def test_no_page_of_keys_is_empty(
    service: Service, admin: Caller, matching: int, expected: list[int], others: int
) -> None:
    """GIVEN older keys that do not match WHEN the last match fills its page THEN no empty page follows."""
    disabled = [number for number in range(100) if number % 3 == 0]
    enabled = [number for number in range(100, 200) if number % 3 != 0]
    for number in disabled[:others] + enabled[:matching]:
        put_key(service, number)

    sizes = [len(page) for page in pages(service, admin, {"limit": "5", "enabled": "true"})]

    assert expected == sizes


def test_an_id_of_another_organization_is_a_cursor(service: Service, admin: Caller, keys: list[dict[str, Any]]) -> None:
    """A cursor is a point in time: the list continues with the next older key, whoever has the id."""
    answer = service.call("list_api_keys", admin, query={"limit": "1", "starting_after": id_at(40.5)})

    assert [keys[40]["id"]] == [item["id"] for item in answer.data]


def test_a_cursor_may_be_in_upper_case(service: Service, admin: Caller, keys: list[dict[str, Any]]) -> None:
    """The case of a cursor does not matter."""
    answer = service.call("list_api_keys", admin, query={"limit": "1", "starting_after": keys[40]["id"].upper()})

    assert [keys[39]["id"]] == [item["id"] for item in answer.data]


@pytest.mark.parametrize(
    ("limit", "event", "step"),
    [
        pytest.param(1, "api_key.deleted", 5, marks=pytest.mark.deep),
        (7, None, 1),
        (10, "api_key.deleted", 5),
        (100, "api_key.deleted,api_key.updated", 1),
    ],
)
def test_each_audit_record_is_seen_once(
    service: Service, admin: Caller, limit: int, event: str | None, step: int
) -> None:
    """GIVEN records written between pages THEN each earlier one that matches is seen once, newest first."""
    for number in range(KEYS):
        put_audit_record(service, number)
    newer = itertools.count(KEYS)

    query = {"limit": str(limit), **({"event": event} if event else {})}
    seen = pages(
        service, admin, query, function="list_audit_logs", between=lambda _: put_audit_record(service, next(newer))
    )

    assert [str(number) for number in reversed(range(0, KEYS, step))] == [
        item["targetId"] for page in seen for item in page
    ]


@pytest.mark.parametrize(("last", "expected"), [(0, [0]), (6, [5]), (7, [5, 1]), (12, [5, 5])])
def test_no_page_of_the_audit_log_is_empty(service: Service, admin: Caller, last: int, expected: list[int]) -> None:
    """GIVEN an older record that does not match WHEN the last match fills its page THEN no empty page follows."""
    for number in range(last + 1):
        put_audit_record(service, number)

    query = {"limit": "5", "event": "api_key.updated"}
    sizes = [len(page) for page in pages(service, admin, query, function="list_audit_logs")]

    assert expected == sizes
