"""DELETE /auth/api-keys/current: errors, which change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import CURRENT, Deployment, data

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

UNAUTHORIZED = (401, "UNAUTHORIZED")


@pytest.mark.parametrize("reason", ["leaked", "", "Compromised", "compromised,other"])
def test_400_another_reason(deployment: Deployment, reason: str) -> None:
    """The message names the parameter, the hint has the reasons, and the key still works."""
    key = deployment.create_key()["key"]
    response = deployment.revoke_current(key, reason=reason)

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert response.json()["error"]["message"].startswith("reason must be 'compromised'")
    assert "reason is one of: compromised, superseded, no_longer_used, other." == response.json()["error"]["hint"]
    assert 200 == deployment.current(key).status_code


REVOKED: dict[str, Callable[[Deployment, str], httpx.Response]] = {
    "disabled": lambda deployment, key_id: deployment.update(key_id, {"enabled": False}),
    "rotated": lambda deployment, key_id: deployment.rotate(key_id),
    "deleted": lambda deployment, key_id: deployment.delete(key_id),
}


@pytest.mark.parametrize("revoke", REVOKED.values(), ids=REVOKED)
def test_401_a_key_that_is_not_valid(
    deployment: Deployment, revoke: Callable[[Deployment, str], httpx.Response]
) -> None:
    """Only a text that works deletes its key: a retired one does not delete the key that has a new text."""
    made = deployment.create_key()
    answered = data(revoke(deployment, made["id"]))

    assert UNAUTHORIZED == deployment.refusal(deployment.revoke_current(made["key"]))
    assert "key" not in answered or 200 == deployment.current(answered["key"]).status_code


@pytest.mark.parametrize("persona", [None, "owner"])
def test_401_without_a_key(deployment: Deployment, persona: str | None) -> None:
    """The route takes keys only, not sessions."""
    assert UNAUTHORIZED == deployment.refusal(deployment.request("DELETE", CURRENT, persona=persona))


def test_403_from_another_address(deployment: Deployment) -> None:
    """A key with allowed addresses is deleted from these only."""
    made = deployment.create_key(allowedIps=["192.0.2.0/24"])

    assert (403, "IP_NOT_ALLOWED") == deployment.refusal(deployment.revoke_current(made["key"]))
    assert made["id"] == deployment.get_key(made["id"])["id"]


def test_403_a_frozen_organization(deployment: Deployment) -> None:
    """A key of a frozen organization does not work; after the deletion is canceled it does."""
    key = deployment.create_key()["key"]
    with deployment.frozen() as requested:
        assert data(requested)
        response = deployment.revoke_current(key)

    assert (403, "ORGANIZATION_FROZEN") == deployment.refusal(response)
    assert data(deployment.revoke_current(key))
