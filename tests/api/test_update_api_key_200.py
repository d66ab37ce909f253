"""PATCH /auth/api-keys/{id}: successes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.deployment import KEY, VALID_BODY, Deployment, data
from tests.api.moments import moment

BEFORE: dict[str, Any] = {**VALID_BODY, "metadata": {"plan": "free"}, "expiresAt": "2099-01-31T12:00:00.000Z"}
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "name": ({"name": "\tRenamed "}, {"name": "Renamed"}),
    "enabled": ({"enabled": False}, {"enabled": False}),
    "permissions": (
        {"permissions": ["webhooks:write", "analytics:read", "webhooks:write"]},
        {"permissions": ["webhooks:write", "analytics:read"]},
    ),
    "metadata": ({"metadata": {"größe": 1e300}}, {"metadata": {"größe": 1e300}}),
    "metadata taken away": ({"metadata": {}}, {"metadata": {}}),
    "expiresAt": ({"expiresAt": "2098-01-01T00:00:00+01:00"}, {"expiresAt": "2097-12-31T23:00:00.000Z"}),
    "expiresAt taken away": ({"expiresAt": None}, {"expiresAt": None}),
    "two": ({"name": "a", "enabled": False}, {"name": "a", "enabled": False}),
    "none that differs": ({"enabled": True}, {}),
}


@pytest.mark.parametrize(("body", "changed"), CHANGES.values(), ids=CHANGES.keys())
def test_only_the_fields_of_the_body_change(
    deployment: Deployment, body: dict[str, Any], changed: dict[str, Any]
) -> None:
    """An update changes the fields of the body and the time of the last change, and nothing else."""
    key_id = deployment.create_key(**BEFORE)["id"]
    before = deployment.get_key(key_id)

    answer = data(deployment.update(key_id, body))

    after = deployment.get_key(key_id)
    assert {"status": "success", "message": "The API key was updated", "apiKey": after} == answer
    assert {**before, **changed, "updatedAt": after["updatedAt"]} == after
    assert moment(after["updatedAt"]) > moment(before["updatedAt"])


def test_off_and_on_again(deployment: Deployment) -> None:
    """A disabled key can be enabled again."""
    key_id = deployment.create_key()["id"]
    states = []
    for enabled in (False, True):
        data(deployment.update(key_id, {"enabled": enabled}))
        states.append(deployment.get_key(key_id)["enabled"])

    assert [False, True] == states


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/merge-patch+json"])
def test_media_types_of_json(deployment: Deployment, content_type: str) -> None:
    """Parameters and the suffix +json are accepted (RFC 9110, section 8.3.1; RFC 6839, section 3.1)."""
    key_id = deployment.create_key()["id"]
    response = deployment.request(
        "PATCH", KEY.format(id=key_id), content=b'{"name": "b"}', headers={"content-type": content_type}
    )

    assert data(response)
    assert "b" == deployment.get_key(key_id)["name"]


def test_ten_at_once_lose_nothing(deployment: Deployment) -> None:
    """Each concurrent update succeeds or gets a 409, and the audit log is consistent with the final key."""
    key_id = deployment.create_key()["id"]
    with ThreadPoolExecutor(10) as pool:
        responses = list(pool.map(lambda number: deployment.update(key_id, {"name": str(number)}), range(10)))

    assert {response.status_code for response in responses} <= {200, 409}
    records = deployment.records(key_id, event="api_key.updated")
    done = [str(number) for number, response in enumerate(responses) if response.status_code == 200]
    assert sorted(done) == sorted(record["changes"]["after"]["name"] for record in records)
    names = [record["changes"]["before"]["name"] for record in records] + [deployment.get_key(key_id)["name"]]
    assert [VALID_BODY["name"], *(record["changes"]["after"]["name"] for record in reversed(records))] == [
        *reversed(names[:-1]),
        names[-1],
    ]


def test_the_largest_body(deployment: Deployment) -> None:
    """A body of the maximum size, 64 KiB, is accepted."""
    key_id = deployment.create_key()["id"]
    body = json.dumps({"name": "b"}).encode().ljust(64 * 1024)
    response = deployment.request(
        "PATCH", KEY.format(id=key_id), content=body, headers={"content-type": "application/json"}
    )

    assert data(response)
