"""The whole life of a key: created, listed, shown, updated, rotated, deleted, and in the audit log."""

from __future__ import annotations

from tests.api.deployment import CREATE, KEY, VALID_BODY, Deployment, data
from tests.api.key_text import generation, hint
from tests.api.moments import is_now, moment

CHANGES = {
    "name": "Renamed",
    "enabled": False,
    "permissions": ["webhooks:write"],
    "metadata": {"plan": "pro"},
    "expiresAt": "2099-01-31T12:00:00.000Z",
}


def test_every_step_sees_the_steps_before(deployment: Deployment) -> None:
    """Each request sees the changes of all requests before it, and the audit log has every change."""
    created = deployment.create_key()
    key_id = created["id"]

    (listed_key,) = [key for key in deployment.newest(CREATE, since=key_id) if key["id"] == key_id]
    shown = deployment.get_key(key_id)
    assert shown == {
        **listed_key,
        "createdBy": shown["createdBy"],
        "previousKeyExpiresAt": None,
        "previousKeyLastUsedAt": None,
    }
    assert VALID_BODY["name"] == shown["name"]
    assert shown["enabled"]
    assert hint(created["key"]) == shown["hint"]

    data(deployment.update(key_id, CHANGES))
    changed = deployment.get_key(key_id)
    assert changed == {**shown, **CHANGES, "updatedAt": changed["updatedAt"]}
    assert moment(changed["updatedAt"]) > moment(shown["updatedAt"])

    rotated = data(deployment.rotate(key_id, {"gracePeriodSeconds": 3600}))
    assert key_id == rotated["id"]
    assert 1 == generation(rotated["key"])
    assert deployment.get_key(key_id) == {
        **changed,
        "hint": hint(rotated["key"]),
        "previousKeyExpiresAt": rotated["previousKeyExpiresAt"],
        "updatedAt": deployment.get_key(key_id)["updatedAt"],
    }

    data(deployment.delete(key_id))
    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(deployment.request("GET", KEY.format(id=key_id)))
    assert key_id not in [key["id"] for key in deployment.newest(CREATE, since=key_id)]

    records = deployment.records(key_id)
    assert ["api_key.deleted", "api_key.rotated", "api_key.updated", "api_key.created"] == [
        record["event"] for record in records
    ]
    assert all(is_now(record["createdAt"]) for record in records)
