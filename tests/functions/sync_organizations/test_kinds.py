"""The effect of each kind of event on the table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keywright.ids import organization_uuid
from tests.support.event_queue import NAME_OF_PROVIDER, TIME, about, event
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.event_queue import Sync
    from tests.support.world import Table

LATER = "2026-03-02T12:00:00.000Z"
LATEST = "2026-03-03T12:00:00.000Z"


def member(table: Table, user_id: str = "user_1") -> dict[str, Any]:
    """Return a member's role and suspension, if set."""
    item = table.item(f"MEMBER#{user_id}")
    return {name: item[name] for name in ("role", "suspended_at") if name in item}


def created(**changes: Any) -> dict[str, Any]:
    """Return the event of the organization's creation."""
    return event("organization.created", organization={"id": ORGANIZATION_ID, "name": "Acme", **changes})


def test_an_organization_and_its_owner_from_an_empty_table(sync: Sync) -> None:
    """From an empty table on, two events write all that an owner's session needs."""
    assert [] == sync(created(), event("member.added", **about(role="owner")))

    organization = sync.world.table.item("ORG")
    assert "Acme" == organization["name"]
    assert TIME == organization["created_at"]
    assert {"role": "owner"} == member(sync.world.table)


def test_an_organization_id_that_is_not_a_uuid_is_mapped(sync: Sync) -> None:
    """A provider's organization id that is not a UUID maps to the same UUID as in a session's claim."""
    sync(created(id="org_2abc"))

    assert "Acme" == sync.world.table.item("ORG", str(organization_uuid("org_2abc")))["name"]


def test_white_space_around_a_name_is_trimmed(sync: Sync) -> None:
    """White space around an organization's name is trimmed."""
    sync(created(name="  Acme \n"))

    assert "Acme" == sync.world.table.item("ORG")["name"]


def test_an_organization_is_renamed(sync: Sync) -> None:
    """organization.updated renames an organization."""
    renamed = event("organization.updated", time=LATER, organization={"id": ORGANIZATION_ID, "name": "Acme Inc."})

    sync(created(), renamed)

    assert "Acme Inc." == sync.world.table.item("ORG")["name"]


def test_a_new_member_without_a_role_is_a_member(sync: Sync) -> None:
    """Without a role a new member gets the least powerful one."""
    sync(event("member.added", **about()))

    assert {"role": "member"} == member(sync.world.table)


@pytest.mark.parametrize("kind", ["member.role_changed", "member.updated"])
def test_a_role_changes(sync: Sync, kind: str) -> None:
    """A change of role keeps the suspension."""
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
    """A suspension has the time of the event and keeps the role."""
    sync(event("member.added", **about(role="admin")), event(kind, time=LATER, **about(**state)))

    assert {"role": "admin", "suspended_at": LATER} == member(sync.world.table)


@pytest.mark.parametrize(
    ("kind", "state"),
    [("member.reinstated", {}), ("member.updated", {"suspended": False})],
    ids=["reinstated", "updated"],
)
def test_a_member_is_reinstated(sync: Sync, kind: str, state: dict[str, Any]) -> None:
    """A reinstated member has the same role as before."""
    sync(
        event("member.added", **about(role="admin")),
        event("member.suspended", time=LATER, **about()),
        event(kind, time=LATEST, **about(**state)),
    )

    assert {"role": "admin"} == member(sync.world.table)


def test_role_and_suspension_in_one_event(sync: Sync) -> None:
    """One event may carry both role and suspension."""
    sync(
        event("member.added", **about(role="member")),
        event("member.updated", time=LATER, **about(role="owner", suspended=True)),
    )

    assert {"role": "owner", "suspended_at": LATER} == member(sync.world.table)


def test_a_member_is_removed(sync: Sync) -> None:
    """A removed member has no role."""
    sync(event("member.added", **about(role="owner")), event("member.removed", time=LATER, **about()))

    assert {} == member(sync.world.table)


def test_a_returning_member_starts_anew(sync: Sync) -> None:
    """A member who returns has neither the old role nor an old suspension."""
    sync(
        event("member.added", **about(role="owner")),
        event("member.suspended", **about()),
        event("member.removed", time=LATER, **about()),
        event("member.added", time=LATEST, **about()),
    )

    assert {"role": "member"} == member(sync.world.table)


def test_the_last_owner_may_be_removed(sync: Sync) -> None:
    """The last owner may be removed: the provider decides, and an operator can add an owner."""
    sync(event("member.added", **about(role="owner")), event("member.removed", time=LATER, **about()))

    assert {} == member(sync.world.table)


def test_a_deletion_is_requested(sync: Sync) -> None:
    """The grace period begins at the event's time, and the scheduled deletion is added."""
    sync(created(), event("organization.deletion_requested", time=LATER))

    assert "2026-04-01T12:00:00.000Z" == sync.world.table.item("ORG")["pending_deletion_at"]
    assert [f"2026-04-01T12:00:00.000Z#{ORGANIZATION_ID}"] == [
        item["sk"] for item in sync.world.table.items() if item["pk"] == "DELETIONS"
    ]


def test_a_deletion_is_canceled(sync: Sync) -> None:
    """The scheduled deletion is removed with the mark."""
    sync(
        created(),
        event("organization.deletion_requested", time=LATER),
        event("organization.deletion_canceled", time=LATEST),
    )

    assert "pending_deletion_at" not in sync.world.table.item("ORG")
    assert [] == [item for item in sync.world.table.items() if item["pk"] == "DELETIONS"]


def test_events_are_audited(sync: Sync) -> None:
    """The audit record names the provider, the change, and the time of the event."""
    sync(event("member.added", event_id="evt_1", **about(role="owner")))

    (record,) = sync.world.table.under("AUDIT#")
    assert {"role": "owner"} == json.loads(record["changes"])["after"]
    assert "member.added" == record["event"]
    assert "identity_provider" == record["actor_type"]
    assert NAME_OF_PROVIDER == record["actor_id"]
    assert "member" == record["target_type"]
    assert "user_1" == record["target_id"]
    assert TIME == record["created_at"]


def test_a_repeated_event_changes_nothing(sync: Sync) -> None:
    """An event delivered twice changes table and audit log once."""
    added = event("member.added", **about(role="owner"))
    sync(added)
    before = sync.world.table.items()

    assert [] == sync(added, added)
    assert before == sync.world.table.items()


def test_five_minutes_ahead_are_accepted(sync: Sync, stop_clock: Callable[[str], datetime]) -> None:
    """A time of up to five minutes ahead is accepted."""
    stop_clock("2026-03-01T11:55:00.000Z")

    sync(event("member.added", **about(role="owner")))

    assert {"role": "owner"} == member(sync.world.table)
