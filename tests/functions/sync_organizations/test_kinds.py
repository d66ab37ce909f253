"""What each kind of event does to the table, from an empty one on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keywright.ids import organization_uuid
from tests.bus import NAME_OF_PROVIDER, TIME, about, event
from tests.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.bus import Sync
    from tests.world import Table

LATER = "2026-03-02T12:00:00.000Z"
LATEST = "2026-03-03T12:00:00.000Z"


def member(table: Table, user_id: str = "user_1") -> dict[str, Any]:
    """Give a member's role and suspension, as far as there are any."""
    item = table.item(f"MEMBER#{user_id}")
    return {name: item[name] for name in ("role", "suspended_at") if name in item}


def created(**changes: Any) -> dict[str, Any]:
    """Make the event of the organization's creation."""
    return event("organization.created", organization={"id": ORGANIZATION_ID, "name": "Acme", **changes})


def test_an_organization_and_its_owner_from_an_empty_table_on(sync: Sync) -> None:
    """Two events, and everything that a session of the owner's needs is there."""
    assert [] == sync(created(), event("member.added", **about(role="owner")))

    organization = sync.world.table.item("ORG")
    assert ("Acme", TIME) == (organization["name"], organization["created_at"])
    assert {"role": "owner"} == member(sync.world.table)


def test_an_organization_that_is_no_uuid_has_one_made_of_its_name(sync: Sync) -> None:
    """The same as the one that a session's organization claim is mapped to."""
    sync(created(id="org_2abc"))

    assert "Acme" == sync.world.table.item("ORG", str(organization_uuid("org_2abc")))["name"]


def test_white_space_around_a_name_is_removed(sync: Sync) -> None:
    """As everywhere."""
    sync(created(name="  Acme \n"))

    assert "Acme" == sync.world.table.item("ORG")["name"]


def test_an_organization_is_renamed(sync: Sync) -> None:
    """By organization.updated."""
    renamed = event("organization.updated", time=LATER, organization={"id": ORGANIZATION_ID, "name": "Acme Inc."})

    sync(created(), renamed)

    assert "Acme Inc." == sync.world.table.item("ORG")["name"]


def test_a_new_member_without_a_role_is_a_member(sync: Sync) -> None:
    """The least powerful role: a provider that tells of roles by other events is not kept waiting."""
    sync(event("member.added", **about()))

    assert {"role": "member"} == member(sync.world.table)


@pytest.mark.parametrize("kind", ["member.role_changed", "member.updated"])
def test_a_role_changes(sync: Sync, kind: str) -> None:
    """Alone; a suspension stays."""
    sync(
        event("member.added", **about(role="member")),
        event("member.suspended", time=LATER, **about()),
        event(kind, time=LATEST, **about(role="admin")),
    )

    assert {"role": "admin", "suspended_at": LATER} == member(sync.world.table)


@pytest.mark.parametrize(
    ("kind", "state"), [("member.suspended", {}), ("member.updated", {"suspended": True})], ids=["suspended", "updated"]
)
def test_a_member_is_suspended(sync: Sync, kind: str, state: dict[str, Any]) -> None:
    """Since the time that the event names; the role stays."""
    sync(event("member.added", **about(role="admin")), event(kind, time=LATER, **about(**state)))

    assert {"role": "admin", "suspended_at": LATER} == member(sync.world.table)


@pytest.mark.parametrize(
    ("kind", "state"),
    [("member.reinstated", {}), ("member.updated", {"suspended": False})],
    ids=["reinstated", "updated"],
)
def test_a_member_is_reinstated(sync: Sync, kind: str, state: dict[str, Any]) -> None:
    """With the role as it was."""
    sync(
        event("member.added", **about(role="admin")),
        event("member.suspended", time=LATER, **about()),
        event(kind, time=LATEST, **about(**state)),
    )

    assert {"role": "admin"} == member(sync.world.table)


def test_role_and_suspension_in_one_event(sync: Sync) -> None:
    """What a provider sends that tells of a member's whole state."""
    sync(
        event("member.added", **about(role="member")),
        event("member.updated", time=LATER, **about(role="owner", suspended=True)),
    )

    assert {"role": "owner", "suspended_at": LATER} == member(sync.world.table)


def test_a_member_is_removed(sync: Sync) -> None:
    """Whoever has no role is nobody."""
    sync(event("member.added", **about(role="owner")), event("member.removed", time=LATER, **about()))

    assert {} == member(sync.world.table)


def test_a_member_who_comes_back_starts_anew(sync: Sync) -> None:
    """Neither the old role nor an old suspension comes back with them."""
    sync(
        event("member.added", **about(role="owner")),
        event("member.suspended", **about()),
        event("member.removed", time=LATER, **about()),
        event("member.added", time=LATEST, **about()),
    )

    assert {"role": "member"} == member(sync.world.table)


def test_the_provider_may_leave_an_organization_without_an_owner(sync: Sync) -> None:
    """It is the truth; what it says later, or an operator, makes somebody an owner."""
    sync(event("member.added", **about(role="owner")), event("member.removed", time=LATER, **about()))

    assert {} == member(sync.world.table)


def test_a_deletion_is_requested(sync: Sync) -> None:
    """The grace period begins when it was requested, and the appointment is there for the purge."""
    sync(created(), event("organization.deletion_requested", time=LATER))

    assert "2026-04-01T12:00:00.000Z" == sync.world.table.item("ORG")["pending_deletion_at"]
    assert [f"2026-04-01T12:00:00.000Z#{ORGANIZATION_ID}"] == [
        item["sk"] for item in sync.world.table.items() if item["pk"] == "DELETIONS"
    ]


def test_a_deletion_is_cancelled(sync: Sync) -> None:
    """The appointment goes with the mark."""
    sync(
        created(),
        event("organization.deletion_requested", time=LATER),
        event("organization.deletion_canceled", time=LATEST),
    )

    assert "pending_deletion_at" not in sync.world.table.item("ORG")
    assert [] == [item for item in sync.world.table.items() if item["pk"] == "DELETIONS"]


def test_events_are_audited(sync: Sync) -> None:
    """Who says so, what, and when it happened there."""
    sync(event("member.added", event_id="evt_1", **about(role="owner")))

    (record,) = sync.world.table.under("AUDIT#")
    assert {"role": "owner"} == json.loads(record["changes"])["after"]
    assert ("member.added", "identity_provider", NAME_OF_PROVIDER, "member", "user_1", TIME) == (
        record["event"],
        record["actor_type"],
        record["actor_id"],
        record["target_type"],
        record["target_id"],
        record["created_at"],
    )


def test_the_same_event_twice_is_one(sync: Sync) -> None:
    """Queues deliver at least once; the table and the audit log do not show it."""
    added = event("member.added", **about(role="owner"))
    sync(added)
    before = sync.world.table.items()

    assert [] == sync(added, added)
    assert before == sync.world.table.items()


def test_a_clock_that_is_a_little_ahead_is_believed(sync: Sync, stop_clock: Callable[[str], datetime]) -> None:
    """Five minutes."""
    stop_clock("2026-03-01T11:55:00.000Z")

    sync(event("member.added", **about(role="owner")))

    assert {"role": "owner"} == member(sync.world.table)
