"""GET /auth/orgs/audit-logs: 200."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import AUDIT_LOGS, CREATE, FIRST_PAGE, VALID_BODY, data, listed
from tests.api.key_text import unused_id
from tests.api.moments import is_now

if TYPE_CHECKING:
    from tests.api.deployment import Deployment

CREATED, UPDATED, ROTATED, DELETED = "api_key.created", "api_key.updated", "api_key.rotated", "api_key.deleted"


@pytest.fixture(scope="module")
def life(deployment: Deployment) -> list[dict[str, Any]]:
    """The records of a key that one admin made, an owner changed twice and rotated, and the admin deleted."""
    key_id = deployment.create_key()["id"]
    data(deployment.update(key_id, {"name": "b"}, persona="owner"))
    data(deployment.update(key_id, {"enabled": False}, persona="owner"))
    data(deployment.rotate(key_id, persona="owner"))
    data(deployment.delete(key_id))
    return deployment.records(key_id)


def events(records: list[dict[str, Any]]) -> list[str]:
    """Return the events of records."""
    return [record["event"] for record in records]


def test_newest_first(life: list[dict[str, Any]]) -> None:
    """One record for each change, in the order of the changes, the last one first."""
    assert [DELETED, ROTATED, UPDATED, UPDATED, CREATED] == events(life)
    assert sorted((record["id"] for record in life), reverse=True) == [record["id"] for record in life]
    assert sorted((record["createdAt"] for record in life), reverse=True) == [record["createdAt"] for record in life]


def test_a_record_says_who_did_what_to_what_when_and_from_where(deployment: Deployment) -> None:
    """Its request id is that of the answer, so that a log line, an answer and a record lead to one another."""
    response = deployment.create()
    key_id = data(response)["id"]
    (record,) = deployment.records(key_id)

    assert 7 == uuid.UUID(record["id"]).version
    assert record["sourceIp"]
    assert is_now(record["createdAt"])
    assert is_now(record["receivedAt"])
    assert record == {
        "id": record["id"],
        "event": CREATED,
        "actor": {"type": "user", "id": deployment.get_key(key_id)["createdBy"]},
        "targetId": key_id,
        "targetType": "api_key",
        "changes": {
            "before": None,
            "after": {**VALID_BODY, "enabled": True, "metadata": {}, "expiresAt": None},
        },
        "sourceIp": record["sourceIp"],
        "requestId": response.headers["x-request-id"],
        "createdAt": record["createdAt"],
        "receivedAt": record["receivedAt"],
    }


def test_an_update_has_what_changed_and_nothing_else(life: list[dict[str, Any]]) -> None:
    """Before and after, of the fields that the change was about."""
    assert [
        {"before": {"enabled": True}, "after": {"enabled": False}},
        {"before": {"name": VALID_BODY["name"]}, "after": {"name": "b"}},
    ] == [record["changes"] for record in life if record["event"] == UPDATED]


def test_nothing_secret_is_in_it(deployment: Deployment) -> None:
    """Neither a key's text nor its hash gets into a record."""
    created = deployment.create_key()
    rotated = data(deployment.rotate(created["id"], {"gracePeriodSeconds": 60}))
    response = deployment.request("GET", AUDIT_LOGS, params={"target_id": created["id"]})

    assert 2 == len(listed(response)[0])
    assert not any(secret in response.text for secret in (created["key"], rotated["key"], "argon2"))


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_pages_hold_each_record_once(deployment: Deployment, life: list[dict[str, Any]], limit: int) -> None:
    """However long the pages are, together they are the log."""
    assert life == deployment.records(life[0]["targetId"], limit=limit)


def test_a_page_is_as_long_as_asked_for(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """The last record of a page is the cursor of the next one."""
    page, pagination = listed(
        deployment.request("GET", AUDIT_LOGS, params={"target_id": life[0]["targetId"], "limit": 2})
    )

    assert life[:2] == page
    assert {"limit": 2, "has_more": True, "next_cursor": life[1]["id"]} == pagination


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (CREATED, [CREATED]),
        (f"{ROTATED},{CREATED}", [ROTATED, CREATED]),
        (f" {UPDATED} , {UPDATED},{DELETED}", [DELETED, UPDATED, UPDATED]),
        ("member.suspended", []),
    ],
)
def test_event(deployment: Deployment, life: list[dict[str, Any]], event: str, expected: list[str]) -> None:
    """One event or several with commas; blanks around them and repetitions do not matter."""
    found = deployment.records(life[0]["targetId"], event=event, limit=1)

    assert expected == events(found)


def test_actor_user_id(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """Filter by the user who acted."""
    admin, owner = life[0]["actor"]["id"], life[1]["actor"]["id"]
    found = [events(deployment.records(life[0]["targetId"], actor_user_id=user)) for user in (admin, owner, "unknown")]

    assert [[DELETED, CREATED], [ROTATED, UPDATED, UPDATED], []] == found


def test_actor_api_key_id(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """A person's id is no key's, and keys do not manage keys."""
    found = [
        deployment.records(life[0]["targetId"], actor_api_key_id=actor)
        for actor in (life[0]["actor"]["id"], life[0]["targetId"])
    ]

    assert [[], []] == found


def test_created_from_and_to(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """Both ends are included, to the millisecond."""
    found = deployment.records(
        life[0]["targetId"],
        created_from=life[3]["createdAt"],
        created_to=life[1]["createdAt"],
        limit=1,
    )

    expected = [record for record in life if life[3]["createdAt"] <= record["createdAt"] <= life[1]["createdAt"]]
    assert expected == found


@pytest.mark.parametrize(
    "times",
    [
        {"created_from": "9999-12-31T23:59:59.999Z"},
        {"created_to": "0001-01-01T00:00:00Z"},
        {"created_to": "1969-12-31T23:59:59Z"},
        {"created_from": "2026-01-02T00:00:00Z", "created_to": "2026-01-01T00:00:00Z"},
    ],
    ids=lambda times: " ".join(times.values()),
)
def test_times_of_nothing(deployment: Deployment, times: dict[str, str]) -> None:
    """A time before or after everything, or one that ends before it begins, finds nothing, and is no error."""
    assert [] == deployment.newest(AUDIT_LOGS, **times)


def test_all_of_time(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """From the first year to the last."""
    times = {"created_from": "0001-01-01T00:00:00Z", "created_to": "9999-12-31T23:59:59Z", "limit": 100}

    assert life == deployment.records(life[0]["targetId"], **times)


@pytest.mark.parametrize("name", ["target_id", "actor_user_id", "actor_api_key_id"])
@pytest.mark.parametrize(
    "value",
    ["", "%00", "%FF", "%ED%A0%80", "%F0%9F%9A%80", "x" * 4000, "%25", ":now)%20OR%20(attribute_exists(pk)", "%23ttl"],
    ids=lambda value: value[:40] or "empty",
)
def test_hostile_values_find_nothing(deployment: Deployment, life: list[dict[str, Any]], name: str, value: str) -> None:
    """Ids are compared with stored values and are never part of an expression."""
    response = deployment.request("GET", f"{AUDIT_LOGS}?created_from={life[-1]['createdAt']}&{name}={value}")

    assert ([], FIRST_PAGE) == listed(response)


def test_the_end_of_the_log(deployment: Deployment) -> None:
    """After an id older than any record there is nothing, and no more to come."""
    response = deployment.request("GET", AUDIT_LOGS, params={"starting_after": "00000000-0000-7000-8000-000000000000"})

    assert ([], {"limit": 10, "has_more": False, "next_cursor": None}) == listed(response)


def test_starting_after_what_the_times_leave_out(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """A cursor above the asked time starts at its end; one below it finds nothing."""
    query = {"target_id": life[0]["targetId"], "created_to": life[-1]["createdAt"]}
    above = listed(deployment.request("GET", AUDIT_LOGS, params={**query, "starting_after": unused_id()}))[0]
    query = {"target_id": life[0]["targetId"], "created_from": life[0]["createdAt"]}
    below = listed(deployment.request("GET", AUDIT_LOGS, params={**query, "starting_after": life[-1]["id"]}))[0]

    assert [record for record in life if record["createdAt"] <= life[-1]["createdAt"]] == above
    assert [] == [record for record in below if record["createdAt"] < life[0]["createdAt"]]


def test_refusals_and_reading_leave_no_record(deployment: Deployment) -> None:
    """The log tells of what was done; what was refused or only looked at is in the service's own log."""
    key_id = deployment.create_key()["id"]
    deployment.get_key(key_id)
    deployment.request("GET", CREATE)
    deployment.delete(key_id, persona="member")
    deployment.update(key_id, {"name": ""})

    assert [CREATED] == events(deployment.records(key_id))


def test_another_organization_sees_none_of_it(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """Organizations do not see each other's audit logs."""
    query = {"target_id": life[0]["targetId"]}
    response = deployment.request("GET", AUDIT_LOGS, params=query, persona="frozen_admin")

    assert [] == listed(response)[0]
