"""GET /v1/auth/api-keys/current over HTTP: what the holder of a key sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import CURRENT, VALID_BODY, data
from tests.api.key_text import hint
from tests.api.moments import in_the_future, is_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.deployment import Deployment


def test_200_all_fields(deployment: Deployment) -> None:
    """The key as it was made; not its text."""
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
    """`x-api-key`, or `Authorization: Bearer`; the first wins."""
    made = deployment.create_key()
    response = deployment.request("GET", CURRENT, persona=None, headers=headers(made["key"]))

    assert made["id"] == data(response)["id"]


@pytest.mark.parametrize("permissions", [["webhooks:write"], ["analytics:read"]], ids=str)
def test_200_with_any_permissions(deployment: Deployment, permissions: list[str]) -> None:
    """Every valid key may see itself."""
    key = deployment.create_key(permissions=permissions)["key"]

    assert permissions == data(deployment.current(key))["permissions"]


@pytest.mark.parametrize(
    ("changes", "field"), [({"name": "Renamed"}, "name"), ({"permissions": ["sessions:write"]}, "permissions")]
)
def test_200_as_it_is_now(deployment: Deployment, changes: dict[str, Any], field: str) -> None:
    """On the very next request."""
    made = deployment.create_key()
    data(deployment.current(made["key"]))
    data(deployment.update(made["id"], changes))

    assert changes[field] == data(deployment.current(made["key"]))[field]


def test_200_with_both_secrets_of_a_grace_period(deployment: Deployment) -> None:
    """It is one key; the hint is that of the new text."""
    made = deployment.create_key()
    rotated = data(deployment.rotate(made["id"], {"gracePeriodSeconds": 3600}))["key"]

    assert [hint(rotated)] * 2 == [data(deployment.current(key))["hint"] for key in (made["key"], rotated)]
