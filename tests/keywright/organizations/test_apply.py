"""Applying an identity provider's events: on a real table, late, twice, in any order, with operators' changes."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from keywright.clock import rfc3339
from keywright.domain.audit_event import AuditEvent
from keywright.domain.organization_state import MemberChange, OrganizationChange
from keywright.domain.permissions import Role
from keywright.domain.principals import Actor, ActorType
from keywright.operators import members as operator_members
from keywright.organizations.apply import Outcome, ProviderEvent, apply
from keywright.store.organizations import PurgedError
from tests.support import faults
from tests.support.client import meanwhile
from tests.support.depth import size
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World

START = datetime(2030, 1, 1, tzinfo=UTC)
OPERATOR = Actor(ActorType.OPERATOR, "ops")
WITH_ROLE = {AuditEvent.MEMBER_ADDED, AuditEvent.MEMBER_ROLE_CHANGED}


@pytest.fixture(autouse=True)
def stopped(stop_clock: Callable[[str], datetime]) -> None:
    """Stop the clock: all events arrive at one time, and the provider's clock is ahead."""
    stop_clock(rfc3339(START))


def event(
    kind: AuditEvent,
    second: float = 0,
    user_id: str = "ada",
    role: Role = Role.MEMBER,
) -> ProviderEvent:
    """Return an event with a time in seconds, the only one of its kind at that time."""
    change: MemberChange | OrganizationChange
    if kind.startswith("member."):
        change = MemberChange(kind, user_id, role if kind in WITH_ROLE else None)
    else:
        with_name = kind in {AuditEvent.ORGANIZATION_CREATED, AuditEvent.ORGANIZATION_UPDATED}
        change = OrganizationChange(kind, f"Name {second}" if with_name else None)
    at = START + timedelta(seconds=second)
    return ProviderEvent("idp", f"{kind}-{second}", at, uuid.UUID(ORGANIZATION_ID), change)


def contents(world: World, organization_id: str = ORGANIZATION_ID) -> list[dict[str, Any]]:
    """Read an organization's items and scheduled deletion, with its id replaced."""
    return [
        {name: value.replace(organization_id, "...") if isinstance(value, str) else value for name, value in i.items()}
        for i in world.table.items()
        if organization_id in i["pk"] + i["sk"]
    ]


def test_an_addition_makes_a_member(world: World, stop_clock: Callable[[str], datetime]) -> None:
    """The member has the attributes that conditions expect, with stamps. The record has the content of the event."""
    added = event(AuditEvent.MEMBER_ADDED, role=Role.ADMIN)
    now = stop_clock("2031-06-01T00:00:00.000Z")

    assert Outcome.CHANGED == apply(added)

    record, member = contents(world)
    stamp = "2030-01-01T00:00:00.000Z#member.added-0"
    assert {
        "pk": "ORG#...",
        "sk": "MEMBER#ada",
        "role": "admin",
        "created_at": "2030-01-01T00:00:00.000Z",
        "membership_as_of": stamp,
        "role_as_of": stamp,
        "suspension_as_of": stamp,
    } == member
    assert {
        "pk": "ORG#...",
        "sk": record["sk"],
        "event": "member.added",
        "actor_type": "identity_provider",
        "actor_id": "idp",
        "target_type": "member",
        "target_id": "ada",
        "changes": '{"after": {"role": "admin"}}',
        "created_at": "2030-01-01T00:00:00.000Z",
        "received_at": "2031-06-01T00:00:00.000Z",
        "ttl": int((now + timedelta(days=365)).timestamp()),
    } == record
    assert 7 == uuid.UUID(record["sk"].removeprefix("AUDIT#")).version


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        (AuditEvent.ORGANIZATION_CREATED, {"name": "Name 0"}),
        (AuditEvent.ORGANIZATION_UPDATED, {"name": "Name 0"}),
        (AuditEvent.ORGANIZATION_DELETION_REQUESTED, {"pendingDeletionAt": "2030-01-31T00:00:00.000Z"}),
        (AuditEvent.ORGANIZATION_DELETION_CANCELED, {"pendingDeletionAt": None}),
        (AuditEvent.MEMBER_ROLE_CHANGED, {"role": "member"}),
        (AuditEvent.MEMBER_SUSPENDED, {"suspendedAt": "2030-01-01T00:00:00.000Z"}),
        (AuditEvent.MEMBER_REINSTATED, {"suspendedAt": None}),
        (AuditEvent.MEMBER_REMOVED, None),
    ],
)
def test_a_record_says_what_the_event_said(world: World, kind: AuditEvent, after: dict[str, Any] | None) -> None:
    """The record has the fields of the event and no previous values."""
    apply(event(kind))

    assert [{"after": after}] == [json.loads(record["changes"]) for record in world.table.under("AUDIT#")]


def test_an_event_that_comes_twice_changes_nothing(world: World) -> None:
    """A repeated event writes no second record, also after other events."""
    apply(event(AuditEvent.MEMBER_ADDED, 1))
    apply(event(AuditEvent.MEMBER_SUSPENDED, 2))
    before = world.table.items()

    assert Outcome.REPEATED == apply(event(AuditEvent.MEMBER_ADDED, 1))
    assert before == world.table.items()


def test_an_older_event_is_recorded_and_changes_nothing(world: World) -> None:
    """An event that is older than the state is written to the audit log only."""
    apply(event(AuditEvent.MEMBER_ADDED, 1, role=Role.OWNER))
    apply(event(AuditEvent.MEMBER_ROLE_CHANGED, 3, role=Role.ADMIN))
    before = world.table.item("MEMBER#ada")

    assert Outcome.OUTDATED == apply(event(AuditEvent.MEMBER_ROLE_CHANGED, 2))
    assert before == world.table.item("MEMBER#ada")
    assert 3 == len(world.table.under("AUDIT#"))


@pytest.mark.usefixtures("world")
def test_the_provider_may_remove_the_last_owner() -> None:
    """The identity provider decides who is a member, even if no owner is left."""
    apply(event(AuditEvent.ORGANIZATION_CREATED, 0))
    apply(event(AuditEvent.MEMBER_ADDED, 1, role=Role.OWNER))

    assert Outcome.CHANGED == apply(event(AuditEvent.MEMBER_REMOVED, 2))
    assert [] == operator_members.list_members(uuid.UUID(ORGANIZATION_ID))


def test_a_cancellation_wins_in_either_order(world: World) -> None:
    """A cancellation that arrives first still wins."""
    requested = event(AuditEvent.ORGANIZATION_DELETION_REQUESTED, 1)
    canceled = event(AuditEvent.ORGANIZATION_DELETION_CANCELED, 2)

    apply(requested)
    assert ["2030-01-31T00:00:01.000Z#..."] == [item["sk"] for item in contents(world) if item["pk"] == "DELETIONS"]
    apply(canceled)
    in_order = contents(world)
    for late in (canceled, requested):
        apply(replace(late, organization_id=uuid.UUID(OTHER_ORGANIZATION_ID)))

    assert not [item for item in in_order if item["pk"] == "DELETIONS"]
    assert without_ids(in_order) == without_ids(contents(world, OTHER_ORGANIZATION_ID))


def test_a_second_request_moves_the_scheduled_deletion(world: World) -> None:
    """There is one scheduled deletion, with the date in the organization's item."""
    apply(event(AuditEvent.ORGANIZATION_DELETION_REQUESTED, 1))
    apply(event(AuditEvent.ORGANIZATION_DELETION_REQUESTED, 2))

    assert "2030-01-31T00:00:02.000Z" == world.table.item("ORG")["pending_deletion_at"]
    assert ["2030-01-31T00:00:02.000Z#..."] == [item["sk"] for item in contents(world) if item["pk"] == "DELETIONS"]


def without_ids(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Remove what is derived from the organization's id."""
    return [item | {"sk": "AUDIT#" if item["sk"].startswith("AUDIT#") else item["sk"]} for item in items]


def history(number: int, rng: random.Random) -> list[ProviderEvent]:
    """Draw an organization's history: two simultaneous events in each second."""
    kinds = [kind for kind in AuditEvent if kind.split(".")[0] in {"member", "organization"}]
    made = [
        event(
            rng.choice(kinds) if index else AuditEvent.ORGANIZATION_CREATED,
            index // 2,
            rng.choice(["ada", "bob", "eve"]),
            rng.choice(list(Role)),
        )
        for index in range(number)
    ]
    return [replace(followed, event_id=f"event-{index:03d}") for index, followed in enumerate(made)]


@pytest.mark.parametrize("seed", range(size("HISTORIES", 1, full=3)))
def test_a_shuffled_history_with_repeats_leaves_what_the_history_does(world: World, seed: int) -> None:
    """GIVEN a history WHEN its events come in any order, some twice THEN every item is the same, records included."""
    rng = random.Random(seed)  # noqa: S311 - a test's choice
    events = history(40, rng)
    for followed in events:
        apply(followed)
    expected = world.table.items()
    for item in expected:
        world.table.client.delete_item(
            TableName=world.table.name, Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}}
        )

    for followed in rng.sample(events * 2, len(events) * 2):
        apply(followed)

    assert expected == world.table.items()


def test_an_operators_change_is_not_undone_by_an_older_event(world: World) -> None:
    """A change by an operator at noon wins over an event of 11:00 that arrives at 13:00."""
    world.table.put_organization()
    world.table.put_member("owner", "owner")
    world.table.put_member("ada", "admin")
    organization_id = uuid.UUID(ORGANIZATION_ID)
    operator_members.suspend(OPERATOR, organization_id, "ada")

    outcome = apply(
        ProviderEvent(
            "idp", "1", START - timedelta(days=3650), organization_id, MemberChange(AuditEvent.MEMBER_REINSTATED, "ada")
        )
    )

    assert Outcome.OUTDATED == outcome
    assert "suspended_at" in world.table.item("MEMBER#ada")


def test_an_operators_change_follows_what_the_provider_has_said(world: World) -> None:
    """An operator's change is later than what they see, even if the provider's clock is ahead."""
    apply(event(AuditEvent.ORGANIZATION_CREATED, 0))
    apply(event(AuditEvent.MEMBER_ADDED, 1))
    organization_id = uuid.UUID(ORGANIZATION_ID)

    operator_members.suspend(OPERATOR, organization_id, "ada")

    assert "2030-01-01T00:00:01.001Z" == world.table.item("MEMBER#ada")["suspended_at"]


def test_an_event_that_is_overtaken_is_followed_all_the_same(world: World) -> None:
    """The event is applied again, on top of the concurrent one."""
    apply(event(AuditEvent.MEMBER_ADDED, 1))

    with faults.injected(None, meanwhile(partial(apply, event(AuditEvent.MEMBER_ROLE_CHANGED, 3, role=Role.OWNER)))):
        apply(event(AuditEvent.MEMBER_SUSPENDED, 2))

    member = world.table.item("MEMBER#ada")
    assert "owner" == member["role"]
    assert "2030-01-01T00:00:02.000Z" == member["suspended_at"]
    assert 3 == len(world.table.under("AUDIT#"))


def test_an_event_that_is_followed_elsewhere_meanwhile_is_repeated(world: World) -> None:
    """Two simultaneous deliveries are applied once."""
    added = event(AuditEvent.MEMBER_ADDED)

    with faults.injected(None, meanwhile(partial(apply, added))):
        outcome = apply(added)

    assert Outcome.REPEATED == outcome
    assert 1 == len(world.table.under("AUDIT#"))


def test_an_answer_that_was_lost_is_found_again(world: World) -> None:
    """The change was made, and a retry reports it."""
    with faults.injected(None, faults.lost_answer):
        assert Outcome.CHANGED == apply(event(AuditEvent.MEMBER_ADDED))

    assert "member" == world.table.item("MEMBER#ada")["role"]


@pytest.mark.parametrize("kind", [AuditEvent.ORGANIZATION_CREATED, AuditEvent.MEMBER_ADDED])
def test_an_organization_that_was_deleted_for_good_does_not_come_back(world: World, kind: AuditEvent) -> None:
    """An event about a purged organization writes neither an item nor a record."""
    world.table.put(pk=f"PURGED#{ORGANIZATION_ID}", sk="PURGED")
    before = world.table.items()

    with pytest.raises(PurgedError):
        apply(event(kind))

    assert before == world.table.items()
