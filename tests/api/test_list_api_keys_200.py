"""GET /auth/api-keys: 200."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import CREATE, VALID_BODY, data, listed
from tests.api.key_text import hint, unused_id
from tests.api.moments import is_now

if TYPE_CHECKING:
    from tests.api.deployment import Deployment


def made(deployment: Deployment, count: int, **fields: Any) -> list[str]:
    """Create keys; give their ids in the order of the list."""
    return sorted((deployment.create_key(**fields)["id"] for _ in range(count)), reverse=True)


def ids(keys: list[dict[str, Any]]) -> list[str]:
    """Return the ids of keys."""
    return [key["id"] for key in keys]


def test_an_item_shows_all_but_the_secret(deployment: Deployment) -> None:
    """An item has the key's fields and usage, and no more of its text than the hint."""
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
        "id": created["id"],
        "enabled": True,
        "createdAt": item["createdAt"],
        "updatedAt": item["createdAt"],
        "lastUsedAt": None,
        "requestCount": 0,
        "hint": hint(created["key"]),
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_hold_each_key_once_newest_first(deployment: Deployment, limit: int) -> None:
    """However long the pages are, together they are the list."""
    mine = made(deployment, 5)
    walked = ids(deployment.newest(CREATE, since=mine[-1], limit=limit))

    assert sorted(set(walked), reverse=True) == walked
    assert mine == [key_id for key_id in walked if key_id in mine]


@pytest.mark.parametrize(("query", "limit"), [({}, 10), ({"limit": 3}, 3), ({"limit": "003"}, 3)])
def test_a_page_is_as_long_as_asked_for(deployment: Deployment, query: dict[str, Any], limit: int) -> None:
    """Ten items unless another number is asked for; the pagination repeats the number."""
    made(deployment, limit + 1)
    items, pagination = listed(deployment.request("GET", CREATE, params=query))

    assert limit == len(items)
    assert {"limit": limit, "has_more": True, "next_cursor": items[-1]["id"]} == pagination


def test_the_last_of_two_limits_counts(deployment: Deployment) -> None:
    """A parameter that is given twice is no error."""
    made(deployment, 2)
    items, pagination = listed(deployment.request("GET", f"{CREATE}?limit=2&limit=1&unknown=x"))

    assert (1, 1) == (len(items), pagination["limit"])


def test_pages_stand_still_while_keys_come_and_go(deployment: Deployment) -> None:
    """A key that is made, and one that is deleted, cursor included, neither repeats nor hides another."""
    mine = made(deployment, 4)
    first, _ = listed(deployment.request("GET", CREATE, params={"limit": 2}))
    made(deployment, 1)
    assert mine[:2] == ids(first)
    assert data(deployment.delete(mine[1]))

    second, _ = listed(deployment.request("GET", CREATE, params={"limit": 2, "starting_after": mine[1]}))

    assert mine[2:] == ids(second)


def test_the_end_of_the_list(deployment: Deployment) -> None:
    """After an id older than any key there is nothing, and no more to come."""
    response = deployment.request("GET", CREATE, params={"starting_after": "00000000-0000-7000-8000-000000000000"})

    assert ([], {"limit": 10, "has_more": False, "next_cursor": None}) == listed(response)


def test_starting_after_an_unknown_id(deployment: Deployment) -> None:
    """A cursor need not be there any more, nor ever have been; in capitals it is the same."""
    older = made(deployment, 1)
    cursor = unused_id()
    items, _ = listed(deployment.request("GET", CREATE, params={"starting_after": cursor.upper(), "limit": 100}))

    assert all(key["id"] < cursor for key in items)
    assert older[0] in ids(items) or older[0] > cursor


@pytest.mark.parametrize(("enabled", "wanted"), [("true", [0, 2]), ("false", [1, 3])])
def test_enabled(deployment: Deployment, enabled: str, wanted: list[int]) -> None:
    """Only those that are switched on, or only those that are switched off; pages are full all the same."""
    mine = made(deployment, 4)
    for key_id in (mine[1], mine[3]):
        data(deployment.update(key_id, {"enabled": False}))

    found = deployment.newest(CREATE, since=mine[-1], enabled=enabled, limit=1)

    assert [mine[index] for index in wanted] == [key_id for key_id in ids(found) if key_id in mine]
    assert {enabled == "true"} == {key["enabled"] for key in found}


def test_permission(deployment: Deployment) -> None:
    """Keys that were given a permission themselves, be it with others; one that implies it is another."""
    wanted = ["sessions:read"]
    keys = {
        deployment.create_key(permissions=permissions)["id"]: permissions
        for permissions in (["webhooks:read", *wanted], ["sessions:write"], wanted, ["webhooks:read"])
    }

    found = deployment.newest(CREATE, since=min(keys), permission=wanted[0], limit=1)

    expected = [key_id for key_id in sorted(keys, reverse=True) if wanted[0] in keys[key_id]]
    assert expected == [key_id for key_id in ids(found) if key_id in keys]


def test_a_filtered_page_is_full(deployment: Deployment) -> None:
    """A filter does not leave holes: what is asked for is looked for until the page is full."""
    mine = made(deployment, 2, permissions=["analytics:read"])
    made(deployment, 6)

    items, pagination = listed(
        deployment.request("GET", CREATE, params={"permission": "analytics:read", "enabled": "true", "limit": 2})
    )

    assert (mine, 2) == (ids(items), pagination["limit"])


def test_another_organization_lists_none_of_them(deployment: Deployment) -> None:
    """Organizations do not see each other's keys."""
    mine = made(deployment, 1)
    items, _ = listed(deployment.request("GET", CREATE, params={"limit": 100}, persona="frozen_admin"))

    assert mine[0] not in ids(items)
