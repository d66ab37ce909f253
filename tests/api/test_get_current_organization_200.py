"""GET /auth/orgs/current: successes. test_personas.py has the callers that are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import ORGANIZATION, Deployment, data

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("persona", ["owner", "admin", "member"])
def test_each_member_sees_the_organization_and_their_role(deployment: Deployment, persona: str) -> None:
    """Each member sees the organization of the session, and the role that they have in it."""
    shown = data(deployment.request("GET", ORGANIZATION, persona=persona))

    assert [deployment.organization_id, persona, None] == [shown[name] for name in ("id", "role", "pendingDeletionAt")]


def test_keys_can_have_each_permission(deployment: Deployment) -> None:
    """A key with all the permissions can be made."""
    permissions = data(deployment.request("GET", ORGANIZATION))["permissions"]

    made = deployment.create_key(permissions=permissions)

    assert permissions == deployment.get_key(made["id"])["permissions"]


def test_members_see_when_a_frozen_organization_is_deleted(deployment: Deployment, frozen: httpx.Response) -> None:
    """The time of the scheduled deletion is the one that the request for it answered."""
    shown = data(deployment.request("GET", ORGANIZATION, persona="member"))

    assert shown["pendingDeletionAt"] in data(frozen)["message"]
