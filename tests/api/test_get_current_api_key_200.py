"""GET /auth/api-keys/current: successes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import CURRENT, UNLIMITED, VALID_BODY, Deployment, data
from tests.api.key_text import hint
from tests.api.moments import in_the_future, is_now

if TYPE_CHECKING:
    from collections.abc import Callable


def test_200_all_fields(deployment: Deployment) -> None:
    """The holder of a key gets its fields, without its text."""
    expires_at = in_the_future(days=1)
    made = deployment.create_key(name="Mine", metadata={"größe": "12 µm"}, expiresAt=expires_at)
    shown = data(deployment.current(made["key"]))

    assert is_now(shown.pop("createdAt"))
    assert {
        "id": made["id"],
        "organizationId": deployment.organization_id,
        "name": "Mine",
        "permissions": VALID_BODY["permissions"],
        "metadata": {"größe": "12 µm"},
        "hint": hint(made["key"]),
        "expiresAt": expires_at,
        **UNLIMITED,
    } == shown


HEADERS: dict[str, Callable[[str], dict[str, str]]] = {
    "x-api-key": lambda key: {"x-api-key": key},
    "X-API-KEY": lambda key: {"X-API-KEY": key},
    "Bearer": lambda key: {"authorization": f"Bearer {key}"},
    "bearer": lambda key: {"Authorization": f"bearer {key}"},
    "both": lambda key: {"x-api-key": key, "authorization": "Bearer another"},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_200_either_header(deployment: Deployment, headers: Callable[[str], dict[str, str]]) -> None:
    """A key is sent in x-api-key or in Authorization: Bearer; x-api-key takes precedence."""
    made = deployment.create_key()
    response = deployment.request("GET", CURRENT, persona=None, headers=headers(made["key"]))

    assert made["id"] == data(response)["id"]


@pytest.mark.parametrize("permissions", [["webhooks:write"], ["analytics:read"]], ids=str)
def test_200_with_any_permissions(deployment: Deployment, permissions: list[str]) -> None:
    """A valid key needs no permission to see itself."""
    key = deployment.create_key(permissions=permissions)["key"]

    assert permissions == data(deployment.current(key))["permissions"]


@pytest.mark.parametrize(
    ("changes", "field"), [({"name": "Renamed"}, "name"), ({"permissions": ["sessions:write"]}, "permissions")]
)
def test_200_after_a_change(deployment: Deployment, changes: dict[str, Any], field: str) -> None:
    """A change of the key is visible on the next request."""
    made = deployment.create_key()
    data(deployment.current(made["key"]))
    data(deployment.update(made["id"], changes))

    assert changes[field] == data(deployment.current(made["key"]))[field]


def test_200_with_both_secrets_of_a_grace_period(deployment: Deployment) -> None:
    """In a grace period, both texts show the same key, with the hint of the new text."""
    made = deployment.create_key()
    rotated = data(deployment.rotate(made["id"], {"gracePeriodSeconds": 3600}))["key"]

    assert [hint(rotated)] * 2 == [data(deployment.current(key))["hint"] for key in (made["key"], rotated)]
