"""GET /auth/api-keys/{id}: successes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.deployment import KEY, UNLIMITED, VALID_BODY, Deployment, data
from tests.api.key_text import hint
from tests.api.moments import is_now


def test_shows_all_but_the_secret(deployment: Deployment) -> None:
    """A new key has every field except its text."""
    created = deployment.create_key()
    shown = deployment.get_key(created["id"])

    assert is_now(shown["createdAt"])
    assert shown["createdBy"]
    assert shown == {
        **VALID_BODY,
        **UNLIMITED,
        "leak": None,
        "id": created["id"],
        "enabled": True,
        "metadata": {},
        "createdAt": shown["createdAt"],
        "updatedAt": shown["createdAt"],
        "expiresAt": None,
        "lastUsedAt": None,
        "lastUsedIp": None,
        "requestCount": 0,
        "hint": hint(created["key"]),
        "createdBy": shown["createdBy"],
        "previousKeyExpiresAt": None,
        "previousKeyLastUsedAt": None,
    }


METADATA: dict[str, dict[str, Any]] = {
    "Unicode": {"größe": "12 µm", "\N{ROCKET}": "\u2028\x00", "": ""},
    "numbers": {"large": 2**53 + 1, "huge": 1e300, "tiny": 5e-324, "negative": -0.5},
    "booleans": {"yes": True, "no": False},
    "names of Python and JavaScript": {"__proto__": "a", "constructor": "b", "__class__": "c"},
}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA.keys())
def test_metadata_is_returned_as_sent(deployment: Deployment, metadata: dict[str, Any]) -> None:
    """Names, characters, digits and types of metadata are preserved."""
    shown = deployment.get_key(deployment.create_key(metadata=metadata)["id"])["metadata"]

    assert metadata == shown
    assert [type(value) for value in metadata.values()] == [type(value) for value in shown.values()]


def test_an_id_in_capitals(deployment: Deployment) -> None:
    """Ids are not case-sensitive (RFC 9562, section 4)."""
    key_id = deployment.create_key()["id"]

    assert key_id == deployment.get_key(key_id.upper())["id"]


def test_every_admin_sees_every_key(deployment: Deployment) -> None:
    """Keys belong to the organization: every admin gets the same response."""
    key_id = deployment.create_key(persona="owner")["id"]
    by_admin, by_owner = (
        data(deployment.request("GET", KEY.format(id=key_id), persona=persona)) for persona in ("admin", "owner")
    )

    assert by_admin == by_owner
