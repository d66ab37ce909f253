"""Repeats of answered requests: a caller who may no longer make the request does not get the secret again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from keywright.api.schemas import CreateApiKey, RotateApiKey
from keywright.domain.principals import Member, Origin
from keywright.errors import FORBIDDEN, ServiceError
from keywright.keys import create, rotate
from tests.support.world import KEY_ID, ORGANIZATION_ID, STRANGERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.world import Table, World

CALLER = Member(UUID(ORGANIZATION_ID), "someone")
ORIGIN = Origin("203.0.113.7", "request-1")
IDEMPOTENCY_KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
BEFORE, AFTER = "2026-06-01T12:00:00.000Z", "2026-06-01T13:00:00.000Z"


def create_key() -> object:
    """Create a key that expires half an hour later."""
    body = {"name": "CI", "permissions": ["sessions:read"], "expiresAt": "2026-06-01T12:30:00Z"}
    return create.create(CALLER, ORIGIN, CreateApiKey.model_validate(body), IDEMPOTENCY_KEY)


def rotate_key() -> object:
    """Rotate the key."""
    return rotate.rotate(CALLER, ORIGIN, UUID(KEY_ID), RotateApiKey(), IDEMPOTENCY_KEY)


@pytest.fixture
def table(world: World) -> Table:
    """A table with an organization, an admin and a key."""
    world.table.put_organization()
    world.table.put_member("someone")
    world.table.put_key()
    return world.table


@pytest.mark.parametrize("become", STRANGERS)
@pytest.mark.parametrize("act", [create_key, rotate_key])
def test_a_repeat_of_a_former_admin_is_refused(
    table: Table, act: Callable[[], object], become: Callable[[Table], None], stop_clock: Callable[[str], datetime]
) -> None:
    """GIVEN a request that was answered WHEN its caller is no admin any more THEN a repeat is refused."""
    stop_clock(BEFORE)
    act()
    key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": "MEMBER#someone"}}
    table.client.delete_item(TableName=table.name, Key=key)
    become(table)
    stop_clock(AFTER)

    with pytest.raises(ServiceError) as caught:
        act()

    assert FORBIDDEN is caught.value.error
