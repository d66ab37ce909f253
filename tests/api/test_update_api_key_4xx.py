"""PATCH /auth/api-keys/{id}: errors, which change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.deployment import KEY, Deployment, data
from tests.api.key_text import unused_id

INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "the"),
    "nothing that is known": ({"id": "x", "hash": "y", "version": 7, "createdBy": "z"}, "id"),
    "a field that is nearly known": ({"enable": False, "name": "x"}, "enable"),
    "name is null": ({"name": None}, "name"),
    "name holds a line break": ({"name": "a\nb"}, "name"),
    "name is blank": ({"name": " "}, "name"),
    "name of 121 characters": ({"name": "a" * 121}, "name"),
    "enabled is null": ({"enabled": None}, "enabled"),
    "enabled is a number": ({"enabled": 1}, "enabled"),
    "enabled is a string": ({"enabled": "true"}, "enabled"),
    "permissions are null": ({"permissions": None}, "permissions"),
    "permissions are empty": ({"permissions": []}, "permissions"),
    "unknown permission": ({"permissions": ["sessions:read", "root"]}, "permissions[1]"),
    "metadata is null": ({"metadata": None}, "metadata"),
    "metadata holds an array": ({"metadata": {"a b": []}}, 'metadata["a'),
    "metadata over 16 KiB": ({"metadata": {str(n): "x" * 512 for n in range(32)}}, "metadata"),
    "expiresAt is over": ({"expiresAt": "2026-01-01T00:00:00Z"}, "expiresAt"),
    "expiresAt is a date": ({"expiresAt": "2099-01-01"}, "expiresAt"),
    "expiresAt is empty": ({"expiresAt": ""}, "expiresAt"),
    "one right and one wrong": ({"name": "b", "enabled": "no"}, "enabled"),
}


@pytest.mark.parametrize(("body", "place"), INVALID.values(), ids=INVALID.keys())
def test_400_names_the_field(deployment: Deployment, body: dict[str, Any], place: str) -> None:
    """The message begins with the place of the invalid value; the key is unchanged."""
    key_id = deployment.create_key()["id"]
    before = deployment.get_key(key_id)
    response = deployment.update(key_id, body)

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert place == response.json()["error"]["message"].split(" ")[0]
    assert before == deployment.get_key(key_id)


HOSTILE = {
    "empty": b"",
    "not json": b"{",
    "array": b"[]",
    "null": b"null",
    "invalid UTF-8": b'{"\xff": 1}',
    "a name twice": b'{"name": "a", "name": "b"}',
    "NaN": b'{"metadata": {"a": NaN}}',
    "a lone surrogate": b'{"name": "\\ud800"}',
    "10,000 nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_400_hostile_bodies(deployment: Deployment, body: bytes) -> None:
    """A hostile body is refused with 400, before the key is read."""
    response = deployment.request(
        "PATCH", KEY.format(id=unused_id()), content=body, headers={"content-type": "application/json"}
    )

    assert (400, "BAD_REQUEST") == deployment.refusal(response)


def test_404_deleted(deployment: Deployment) -> None:
    """A deleted key cannot be updated."""
    key_id = deployment.create_key()["id"]
    assert data(deployment.delete(key_id))

    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(deployment.update(key_id, {"enabled": True}))


def test_413_more_than_64_kib(deployment: Deployment) -> None:
    """The size is checked before the body is parsed."""
    response = deployment.request("PATCH", KEY.format(id=unused_id()), content=b" " * (64 * 1024 + 1))

    assert (413, "PAYLOAD_TOO_LARGE") == deployment.refusal(response)
