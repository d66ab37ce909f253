"""Changes that are overtaken just before their transaction: the caller loses the right to them, or a race."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from keywright.api.schemas import CreateApiKey, RevocationQuery, RotateApiKey, UpdateApiKey
from keywright.clock import stored
from keywright.domain.audit_event import AuditEvent
from keywright.domain.organization_state import MemberChange
from keywright.domain.principals import Actor, ActorType, KeyHolder, Member, Origin
from keywright.errors import (
    CONFLICT,
    FORBIDDEN,
    ORGANIZATION_FROZEN,
    OWNER_REQUIRED,
    UNAUTHORIZED,
    ErrorType,
    ServiceError,
)
from keywright.keys import create, manage, rotate
from keywright.operators import keys as operator_keys
from keywright.organizations import deletion
from keywright.organizations.apply import ProviderEvent, apply
from keywright.store import table as store
from tests.support import faults
from tests.support.client import meanwhile
from tests.support.world import KEY_ID, ORGANIZATION_ID, PENDING_DELETION_AT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import Table, World

CALLER = Member(UUID(ORGANIZATION_ID), "user_1")
ORIGIN = Origin("203.0.113.7", "request-1")
TRANSACTION = "TransactWriteItems"


def create_key() -> object:
    """Create a key."""
    body = CreateApiKey.model_validate({"name": "CI", "permissions": ["sessions:read"]})
    return create.create(CALLER, ORIGIN, body, None)


def update_key() -> object:
    """Disable the key."""
    return manage.update(CALLER, ORIGIN, UUID(KEY_ID), UpdateApiKey(enabled=False))


def rotate_key() -> object:
    """Rotate the key."""
    return rotate.rotate(CALLER, ORIGIN, UUID(KEY_ID), RotateApiKey(), None)


def delete_key() -> object:
    """Delete the key."""
    return manage.delete(CALLER, ORIGIN, UUID(KEY_ID), RevocationQuery())


def delete_current_key() -> object:
    """Delete the key as its holder."""
    holder = KeyHolder(UUID(ORGANIZATION_ID), UUID(KEY_ID))
    return manage.delete_current(holder, ORIGIN, RevocationQuery())


def request_deletion() -> object:
    """Schedule the deletion of the organization."""
    return deletion.request_deletion(CALLER, ORIGIN)


def cancel_deletion() -> object:
    """Cancel the scheduled deletion of the organization."""
    return deletion.cancel_deletion(CALLER, ORIGIN)


OF_ADMINS = [create_key, update_key, rotate_key, delete_key]
OF_OWNERS = [request_deletion, cancel_deletion]


def make_a_member(table: Table) -> None:
    """Take away the caller's role of an admin."""
    table.put_member(role="member")


def make_an_admin(table: Table) -> None:
    """Take away the caller's role of an owner."""
    table.put_member(role="admin")


def suspend(table: Table) -> None:
    """Suspend the caller, whose role stays."""
    table.put_member(role="owner", suspended_at="2026-01-01T00:00:00.000Z")


def remove(table: Table) -> None:
    """Remove the caller as an event of the identity provider does."""
    table.put(pk=f"ORG#{ORGANIZATION_ID}", sk="MEMBER#user_1", last_role="owner")


def forget(table: Table) -> None:
    """Delete the caller's item."""
    key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": "MEMBER#user_1"}}
    table.client.delete_item(TableName=table.name, Key=key)


def refused_meanwhile(world: World, act: Callable[[], object], change: Callable[[Table], None]) -> ErrorType:
    """Return the error of an act whose caller changes just before its transaction; check that nothing is written."""
    world.table.put_organization(**({"pending_deletion_at": PENDING_DELETION_AT} if act is cancel_deletion else {}))
    world.table.put_member(role="owner" if act in OF_OWNERS else "admin")
    world.table.put_key()
    world.table.put_unused()
    expected: list[dict[str, Any]] = []

    def overtake() -> None:
        change(world.table)
        expected.extend(world.table.items())

    reads = [None] * (0 if act in {create_key, request_deletion} else 1)
    with faults.injected(*reads, meanwhile(overtake)) as operations, pytest.raises(ServiceError) as caught:
        act()

    assert TRANSACTION == operations[len(reads)]
    assert expected == world.table.items()
    return caught.value.error


@pytest.mark.parametrize("change", [make_a_member, suspend, remove, forget])
@pytest.mark.parametrize("act", OF_ADMINS)
def test_a_former_admin_changes_no_key(
    world: World, act: Callable[[], object], change: Callable[[Table], None]
) -> None:
    """GIVEN an admin who loses the role between the read and the write THEN the write is refused as any outsider's."""
    assert FORBIDDEN is refused_meanwhile(world, act, change)


@pytest.mark.parametrize("change", [make_an_admin, make_a_member, suspend, remove, forget])
@pytest.mark.parametrize("act", OF_OWNERS)
def test_a_former_owner_schedules_and_cancels_nothing(
    world: World, act: Callable[[], object], change: Callable[[Table], None]
) -> None:
    """GIVEN an owner who loses the role between the read and the write THEN the deletion stays as it is."""
    assert OWNER_REQUIRED is refused_meanwhile(world, act, change)


@pytest.mark.parametrize("act", [*OF_ADMINS, delete_current_key])
def test_a_frozen_organization_is_not_changed(world: World, act: Callable[[], object]) -> None:
    """GIVEN an organization that is frozen between the read and the write THEN the write is refused."""
    assert ORGANIZATION_FROZEN is refused_meanwhile(world, act, lambda table: table.freeze())


@pytest.mark.parametrize("act", [*OF_ADMINS, delete_current_key])
def test_a_purged_organization_gets_no_key(world: World, act: Callable[[], object]) -> None:
    """GIVEN an organization that is gone between the read and the write THEN nothing is left in its partition."""

    def delete_organization(table: Table) -> None:
        key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": "ORG"}}
        table.client.delete_item(TableName=table.name, Key=key)

    expected = UNAUTHORIZED if act is delete_current_key else FORBIDDEN
    assert expected is refused_meanwhile(world, act, delete_organization)


def test_a_key_that_is_gone_has_no_holder(world: World) -> None:
    """GIVEN a key that is deleted between the read and the write THEN its holder's deletion is refused."""

    def delete_the_key(table: Table) -> None:
        key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{KEY_ID}"}}
        table.client.delete_item(TableName=table.name, Key=key)

    assert UNAUTHORIZED is refused_meanwhile(world, delete_current_key, delete_the_key)


# ---- Lost races ----------------------------------------------------------------------------------------------


def revoke_key() -> object:
    """Delete the key as an operator."""
    operator_keys.revoke_key(Actor(ActorType.OPERATOR, "ada"), UUID(ORGANIZATION_ID), UUID(KEY_ID))
    return None


def follow_event() -> object:
    """Apply an event of the identity provider."""
    change = MemberChange(AuditEvent.MEMBER_REMOVED, "user_2")
    at = stored("2026-01-01T00:00:00.000Z")
    return apply(ProviderEvent("com.example.identity", "event-1", at, UUID(ORGANIZATION_ID), change))


@pytest.mark.parametrize(
    ("act", "attempts"),
    [
        (update_key, 2),
        (rotate_key, 2),
        (request_deletion, 2),
        (delete_key, 20),
        (delete_current_key, 20),
        (revoke_key, 20),
        (follow_event, 20),
    ],
)
def test_a_lost_race_is_run_again(
    world: World, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], attempts: int
) -> None:
    """A change is tried twice; a revocation and an event 20 times, since they have to be made in the end."""
    commits: list[object] = []

    def lose(*_: object) -> None:
        commits.append(act)
        raise store.Conflict

    monkeypatch.setattr(store, "commit", lose)
    world.table.put_organization()
    world.table.put_member(role="owner")
    world.table.put_key()

    with pytest.raises(ServiceError) as caught:
        act()

    assert CONFLICT is caught.value.error
    assert attempts == len(commits)
