"""GET /auth/orgs/audit-logs: successes."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.api.deployment import AUDIT_LOGS, CREATE, FIRST_PAGE, UNLIMITED, VALID_BODY, Deployment, data, listed
from tests.api.key_text import unused_id
from tests.api.moments import is_now

CREATED, UPDATED, ROTATED, DELETED = "api_key.created", "api_key.updated", "api_key.rotated", "api_key.deleted"


@pytest.fixture(scope="module")
def life(deployment: Deployment) -> list[dict[str, Any]]:
    """The records of a key that an admin created, an owner updated twice and rotated, and the admin deleted."""
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
    """Each change has one record; the newest comes first."""
    assert [DELETED, ROTATED, UPDATED, UPDATED, CREATED] == events(life)
    assert sorted((record["id"] for record in life), reverse=True) == [record["id"] for record in life]
    assert sorted((record["createdAt"] for record in life), reverse=True) == [record["createdAt"] for record in life]


def test_a_record_has_every_field(deployment: Deployment) -> None:
    """A record has actor, target, changes, source, times, and the request id of the response."""
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
        "actor": {"type": "user", "id": deployment.get_key(key_id)["createdBy"], "name": None},
        "targetId": key_id,
        "targetType": "api_key",
        "changes": {
            "before": None,
            "after": {**VALID_BODY, "enabled": True, "metadata": {}, "expiresAt": None, **UNLIMITED},
        },
        "reason": None,
        "sourceIp": record["sourceIp"],
        "requestId": response.headers["x-request-id"],
        "createdAt": record["createdAt"],
        "receivedAt": record["receivedAt"],
    }


def test_an_update_has_only_changed_fields(life: list[dict[str, Any]]) -> None:
    """The record of an update has the values of the changed fields before and after."""
    assert [
        {"before": {"enabled": True}, "after": {"enabled": False}},
        {"before": {"name": VALID_BODY["name"]}, "after": {"name": "b"}},
    ] == [record["changes"] for record in life if record["event"] == UPDATED]


def test_no_record_has_a_secret(deployment: Deployment) -> None:
    """No record contains a key's text or its hash."""
    created = deployment.create_key()
    rotated = data(deployment.rotate(created["id"], {"gracePeriodSeconds": 60}))
    response = deployment.request("GET", AUDIT_LOGS, params={"target_id": created["id"]})

    assert 2 == len(listed(response)[0])
    assert created["key"] not in response.text
    assert rotated["key"] not in response.text
    assert "argon2" not in response.text


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_pages_hold_each_record_once(deployment: Deployment, life: list[dict[str, Any]], limit: int) -> None:
    """Pages of any length together have each record once, newest first."""
    assert life == deployment.records(life[0]["targetId"], limit=limit)


def test_the_length_of_a_page(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """A page has `limit` records; its last id is the cursor of the next page."""
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
    """The filter `event` takes several events, with blanks and repetitions."""
    assert expected == events(deployment.records(life[0]["targetId"], event=event, limit=1))


def test_actor_type(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """The filter `actor_type` takes several types."""
    key_id = life[0]["targetId"]

    assert life == deployment.records(key_id, actor_type="system, user", limit=2)
    assert [] == deployment.records(key_id, actor_type="api_key,operator,identity_provider,system")


def test_actor_user_id(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """The filter `actor_user_id` selects the records of a user."""
    admin, owner = life[0]["actor"]["id"], life[1]["actor"]["id"]

    def events_of(user: str) -> list[str]:
        return events(deployment.records(life[0]["targetId"], actor_user_id=user))

    assert [DELETED, CREATED] == events_of(admin)
    assert [ROTATED, UPDATED, UPDATED] == events_of(owner)
    assert [] == events_of("unknown")


def test_actor_api_key_id(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """The filter `actor_api_key_id` matches neither a user nor a target: no API key changes keys."""
    key_id, user = life[0]["targetId"], life[0]["actor"]["id"]

    assert [] == deployment.records(key_id, actor_api_key_id=user)
    assert [] == deployment.records(key_id, actor_api_key_id=key_id)


def test_created_from_and_to(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """`created_from` and `created_to` include both ends, to the millisecond."""
    first, last = life[3]["createdAt"], life[1]["createdAt"]

    selected = deployment.records(life[0]["targetId"], created_from=first, created_to=last, limit=1)

    assert [record for record in life if first <= record["createdAt"] <= last] == selected


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
def test_times_without_records(deployment: Deployment, times: dict[str, str]) -> None:
    """A range before or after all records, or one that ends before it begins, is empty and no error."""
    assert [] == deployment.newest(AUDIT_LOGS, **times)


def test_all_of_time(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """A range of all years that Python knows has every record."""
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
    """The page after an id older than all records is empty and the last one."""
    response = deployment.request("GET", AUDIT_LOGS, params={"starting_after": "00000000-0000-7000-8000-000000000000"})

    assert ([], FIRST_PAGE) == listed(response)


def test_a_cursor_outside_of_the_times(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """A cursor after the range starts at its end; a cursor before the range leads to an empty page."""
    query = {"target_id": life[0]["targetId"], "created_to": life[-1]["createdAt"]}
    above = listed(deployment.request("GET", AUDIT_LOGS, params={**query, "starting_after": unused_id()}))[0]
    query = {"target_id": life[0]["targetId"], "created_from": life[0]["createdAt"]}
    below = listed(deployment.request("GET", AUDIT_LOGS, params={**query, "starting_after": life[-1]["id"]}))[0]

    assert [record for record in life if record["createdAt"] <= life[-1]["createdAt"]] == above
    assert [] == [record for record in below if record["createdAt"] < life[0]["createdAt"]]


def test_errors_and_reads_have_no_record(deployment: Deployment) -> None:
    """Only changes are recorded, not errors and reads."""
    key_id = deployment.create_key()["id"]
    deployment.get_key(key_id)
    deployment.request("GET", CREATE)
    deployment.delete(key_id, persona="member")
    deployment.update(key_id, {"name": ""})

    assert [CREATED] == events(deployment.records(key_id))


def test_another_organization_sees_no_record(deployment: Deployment, life: list[dict[str, Any]]) -> None:
    """Organizations do not see each other's audit logs."""
    query = {"target_id": life[0]["targetId"]}
    response = deployment.request("GET", AUDIT_LOGS, params=query, persona="frozen_admin")

    assert [] == listed(response)[0]


def test_the_use_of_a_rotated_out_text(deployment: Deployment) -> None:
    """GIVEN three uses of the text before a rotation THEN one record, at once, tells of it; the system wrote it."""
    made = deployment.create_key()
    data(deployment.rotate(made["id"]))
    assert ["NOT_FOUND"] * 3 == [data(deployment.verify(made["key"]))["code"] for _ in range(3)]

    record, *others = deployment.records(made["id"])
    assert [ROTATED, CREATED] == events(others)
    assert "api_key.retired_secret_used" == record["event"]
    assert {"type": "system", "id": "verification", "name": "verification"} == record["actor"]
    assert record["sourceIp"] is None
    assert record["requestId"] is None
    assert {"after"} == record["changes"].keys()
    used = record["changes"]["after"]
    assert {"count", "generation", "lastUsedAt", "lastUsedIp"} == used.keys()
    assert 1 == used["count"]
    assert 0 == used["generation"]
    assert is_now(used["lastUsedAt"])
