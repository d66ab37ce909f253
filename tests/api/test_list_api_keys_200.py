"""GET /auth/api-keys: successes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.api.deployment import CREATE, FIRST_PAGE, UNLIMITED, VALID_BODY, Deployment, data, listed
from tests.api.key_text import hint, unused_id
from tests.api.moments import is_now


def create_keys(deployment: Deployment, count: int, **fields: Any) -> list[str]:
    """Create keys; return their ids, newest first as in the list."""
    return sorted((deployment.create_key(**fields)["id"] for _ in range(count)), reverse=True)


def ids(keys: list[dict[str, Any]]) -> list[str]:
    """Return the ids of keys."""
    return [key["id"] for key in keys]


def test_an_item_shows_all_but_the_secret(deployment: Deployment) -> None:
    """An item has the fields, usage and hint of a key, but not its text."""
    fields: dict[str, Any] = {
        "metadata": {"größe": "12 µm", "n": 2**53 + 1, "t": True},
        "expiresAt": "2099-01-31T12:00:00.000Z",
    }
    created = deployment.create_key(**fields)
    (item,) = (key for key in deployment.newest(CREATE, since=created["id"]) if key["id"] == created["id"])

    assert is_now(item["createdAt"])
    assert item == {
        **VALID_BODY,
        **fields,
        **UNLIMITED,
        "leak": None,
        "id": created["id"],
        "enabled": True,
        "createdAt": item["createdAt"],
        "updatedAt": item["createdAt"],
        "lastUsedAt": None,
        "lastUsedIp": None,
        "requestCount": 0,
        "hint": hint(created["key"]),
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_hold_each_key_once_newest_first(deployment: Deployment, limit: int) -> None:
    """Pages of any length together have each key once, newest first."""
    mine = create_keys(deployment, 5)
    walked = ids(deployment.newest(CREATE, since=mine[-1], limit=limit))

    assert sorted(set(walked), reverse=True) == walked
    assert mine == [key_id for key_id in walked if key_id in mine]


@pytest.mark.parametrize(("query", "limit"), [({}, 10), ({"limit": 3}, 3), ({"limit": "003"}, 3)])
def test_the_length_of_a_page(deployment: Deployment, query: dict[str, Any], limit: int) -> None:
    """A page has `limit` items, 10 by default; the pagination repeats the limit."""
    create_keys(deployment, limit + 1)
    items, pagination = listed(deployment.request("GET", CREATE, params=query))

    assert limit == len(items)
    assert {"limit": limit, "has_more": True, "next_cursor": items[-1]["id"]} == pagination


def test_the_last_of_two_limits_is_used(deployment: Deployment) -> None:
    """Of a repeated query parameter the last value is used."""
    create_keys(deployment, 2)
    items, pagination = listed(deployment.request("GET", f"{CREATE}?limit=2&limit=1"))

    assert 1 == len(items)
    assert 1 == pagination["limit"]


def test_pages_are_stable_during_changes(deployment: Deployment) -> None:
    """Between two pages, a new key and the deletion of the cursor's key neither repeat nor hide an item."""
    mine = create_keys(deployment, 4)
    first, _ = listed(deployment.request("GET", CREATE, params={"limit": 2}))
    create_keys(deployment, 1)
    assert mine[:2] == ids(first)
    assert data(deployment.delete(mine[1]))

    second, _ = listed(deployment.request("GET", CREATE, params={"limit": 2, "starting_after": mine[1]}))

    assert mine[2:] == ids(second)


def test_the_end_of_the_list(deployment: Deployment) -> None:
    """The page after an id older than all keys is empty and the last one."""
    response = deployment.request("GET", CREATE, params={"starting_after": "00000000-0000-7000-8000-000000000000"})

    assert ([], FIRST_PAGE) == listed(response)


def test_starting_after_an_unknown_id(deployment: Deployment) -> None:
    """A cursor may be the id of no key, in any case; the page has only older keys."""
    (older,) = create_keys(deployment, 1)
    time.sleep(0.002)  # ids have milliseconds: the cursor is newer
    cursor = unused_id()
    items, _ = listed(deployment.request("GET", CREATE, params={"starting_after": cursor.upper(), "limit": 100}))

    assert all(key["id"] < cursor for key in items)
    assert older in ids(items)


@pytest.mark.parametrize(("enabled", "positions"), [("true", [0, 2]), ("false", [1, 3])])
def test_enabled(deployment: Deployment, enabled: str, positions: list[int]) -> None:
    """The filter `enabled` selects enabled or disabled keys on every page."""
    mine = create_keys(deployment, 4)
    for key_id in (mine[1], mine[3]):
        data(deployment.update(key_id, {"enabled": False}))

    selected = deployment.newest(CREATE, since=mine[-1], enabled=enabled, limit=1)

    assert [mine[position] for position in positions] == [key_id for key_id in ids(selected) if key_id in mine]
    assert {enabled == "true"} == {key["enabled"] for key in selected}


def test_permission(deployment: Deployment) -> None:
    """The filter `permission` selects keys that have it explicitly; a permission that implies it does not match."""
    keys = {
        deployment.create_key(permissions=permissions)["id"]: permissions
        for permissions in (
            ["webhooks:read", "sessions:read"],
            ["sessions:write"],
            ["sessions:read"],
            ["webhooks:read"],
        )
    }

    selected = deployment.newest(CREATE, since=min(keys), permission="sessions:read", limit=1)

    expected = [key_id for key_id in sorted(keys, reverse=True) if "sessions:read" in keys[key_id]]
    assert expected == [key_id for key_id in ids(selected) if key_id in keys]


def test_a_filtered_page_is_full(deployment: Deployment) -> None:
    """A filtered page is full if enough keys match, however many do not."""
    mine = create_keys(deployment, 2, permissions=["analytics:read"])
    create_keys(deployment, 6)

    items, pagination = listed(
        deployment.request("GET", CREATE, params={"permission": "analytics:read", "enabled": "true", "limit": 2})
    )

    assert mine == ids(items)
    assert 2 == pagination["limit"]


def test_another_organization_lists_none_of_them(deployment: Deployment) -> None:
    """Organizations do not see each other's keys."""
    (key_id,) = create_keys(deployment, 1)
    items, _ = listed(deployment.request("GET", CREATE, params={"limit": 100}, persona="frozen_admin"))

    assert key_id not in ids(items)
