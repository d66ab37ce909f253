"""GET /v1/auth/orgs/current: 200."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.domain.permissions import Role
from tests.support.client import calling
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, PENDING_DELETION_AT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("get_current_organization", role="member")

CATALOGUE = ["webhooks:read", "webhooks:write", "sessions:read", "sessions:write", "analytics:read"]


def test_everything_is_shown(call: Call) -> None:
    """A member sees the organization, their role and the permissions; what is not set is null."""
    assert {
        "id": ORGANIZATION_ID,
        "name": "Acme",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "pendingDeletionAt": None,
        "role": "member",
        "permissions": CATALOGUE,
        "rateLimit": None,
        "quota": None,
    } == call.data()


@pytest.mark.parametrize("role", Role)
def test_the_role_is_the_present_one(call: Call, role: Role) -> None:
    """The role is that of the caller in the table, also if it has just changed."""
    call.data()
    call.table.put_member("user_1", role)
    call.table.put_member("user_2", "owner")

    assert role.value == call.data()["role"]


def test_it_is_the_organization_of_the_session(call: Call) -> None:
    """A user who is a member of two organizations sees the one that the session acts for, with the role there."""
    call.table.put_organization(OTHER_ORGANIZATION_ID)
    call.table.put_member("user_1", "owner", OTHER_ORGANIZATION_ID)

    one, other = call.data(), call.data(authorizer={"organizationId": OTHER_ORGANIZATION_ID})

    assert [(ORGANIZATION_ID, "member"), (OTHER_ORGANIZATION_ID, "owner")] == [
        (shown["id"], shown["role"]) for shown in (one, other)
    ]


@pytest.mark.parametrize("role", Role)
def test_every_member_sees_a_scheduled_deletion(call: Call, role: Role) -> None:
    """In a frozen organization, every member learns when it will be deleted."""
    call.table.put_member("user_1", role)
    call.table.freeze()

    assert PENDING_DELETION_AT == call.data()["pendingDeletionAt"]


def test_limits_of_the_organization(call: Call) -> None:
    """Rate limit and quota are shown; the usage plan key, which is a secret, is not."""
    call.table.put_organization(
        rate_limit='{"limit":600,"windowSeconds":60,"burst":100}',
        quota='{"limit":1000,"period":"week"}',
        usage_plan_key="a-secret-of-api-gateway",
    )

    answer = call()

    assert "a-secret-of-api-gateway" not in answer["body"]
    shown = call.data()
    assert {"limit": 600, "windowSeconds": 60, "burst": 100} == shown["rateLimit"]
    assert {"limit": 1000, "period": "week"} == shown["quota"]


def test_the_permissions_are_those_of_the_deployment(call: Call, setting: Callable[[str, str], None]) -> None:
    """The permissions are all that keys can have, in the order of the parameter."""
    setting("PERMISSIONS", "reports:write,reports:read")

    assert ["reports:write", "reports:read"] == call.data()["permissions"]
