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

Event = dict[str, Any]


def created(**changes: Any) -> Event:
    """Return the event of the organization's creation."""
    return event("organization.created", organization={"id": ORGANIZATION_ID, "name": "Acme", **changes})


def added(**state: Any) -> Event:
    """Return the event of a new member."""
    return event("member.added", **about(**state))


def later(kind: str, **state: Any) -> Event:
    """Return a later event of the same member."""
    return event(kind, time=LATER, **about(**state))


def latest(kind: str, **state: Any) -> Event:
    """Return the last event of the same member."""
    return event(kind, time=LATEST, **about(**state))


def member(table: Table) -> dict[str, Any]:
    """Return the member's role and suspension, if set."""
    item = table.item("MEMBER#user_1")
    return {name: item[name] for name in ("role", "suspended_at") if name in item}


ADMIN, SUSPENDED_ADMIN = {"role": "admin"}, {"role": "admin", "suspended_at": LATER}

HISTORIES: dict[str, tuple[list[Event], dict[str, str]]] = {
    "a member has the role of the event": ([added(role="owner")], {"role": "owner"}),
    "a new member without a role gets the least powerful one": ([added()], {"role": "member"}),
    "a change of role keeps the suspension": (
        [added(role="member"), later("member.suspended"), latest("member.role_changed", role="admin")],
        SUSPENDED_ADMIN,
    ),
    "an update of the role keeps the suspension": (
        [added(role="member"), later("member.suspended"), latest("member.updated", role="admin")],
        SUSPENDED_ADMIN,
    ),
    "a suspension has the time of the event and keeps the role": (
        [added(role="admin"), later("member.suspended")],
        SUSPENDED_ADMIN,
    ),
    "an update suspends": ([added(role="admin"), later("member.updated", suspended=True)], SUSPENDED_ADMIN),
    "a reinstated member has the same role as before": (
        [added(role="admin"), later("member.suspended"), latest("member.reinstated")],
        ADMIN,
    ),
    "an update reinstates": (
        [added(role="admin"), later("member.suspended"), latest("member.updated", suspended=False)],
        ADMIN,
    ),
    "one event may carry both role and suspension": (
        [added(role="member"), later("member.updated", role="admin", suspended=True)],
        SUSPENDED_ADMIN,
    ),
    "a removed member has no role, not even the last owner": ([added(role="owner"), later("member.removed")], {}),
    "a returning member has neither the old role nor an old suspension": (
        [added(role="owner"), event("member.suspended", **about()), later("member.removed"), latest("member.added")],
        {"role": "member"},
    ),
}


@pytest.mark.parametrize(("events", "expected"), HISTORIES.values(), ids=HISTORIES)
def test_the_state_of_a_member(sync: Sync, events: list[Event], expected: dict[str, str]) -> None:
    """GIVEN a history of a member WHEN its events are applied THEN the member has this role and suspension."""
    assert [] == sync(*events)

    assert expected == member(sync.world.table)


def test_an_organization_and_its_owner_from_an_empty_table(sync: Sync) -> None:
    """From an empty table on, two events write all that an owner's session needs; the name is trimmed."""
    assert [] == sync(created(name="  Acme \n"), added(role="owner"))

    organization = sync.world.table.item("ORG")
    assert "Acme" == organization["name"]
    assert TIME == organization["created_at"]
    assert {"role": "owner"} == member(sync.world.table)


def test_an_organization_id_that_is_not_a_uuid_is_mapped(sync: Sync) -> None:
    """A provider's organization id that is not a UUID maps to the same UUID as in a session's claim."""
    sync(created(id="org_2abc"))

    assert "Acme" == sync.world.table.item("ORG", str(organization_uuid("org_2abc")))["name"]


def test_an_organization_is_renamed(sync: Sync) -> None:
    """A later event changes the name."""
    renamed = event("organization.updated", time=LATER, organization={"id": ORGANIZATION_ID, "name": "Acme Inc."})

    sync(created(), renamed)

    assert "Acme Inc." == sync.world.table.item("ORG")["name"]


def test_a_deletion_is_requested_and_canceled(sync: Sync) -> None:
    """The grace period begins at the event's time; a cancellation removes the scheduled deletion and the mark."""
    sync(created(), event("organization.deletion_requested", time=LATER))
    due = "2026-04-01T12:00:00.000Z"
    assert due == sync.world.table.item("ORG")["pending_deletion_at"]
    assert [f"{due}#{ORGANIZATION_ID}"] == scheduled_deletions(sync)

    sync(event("organization.deletion_canceled", time=LATEST))
    assert "pending_deletion_at" not in sync.world.table.item("ORG")
    assert [] == scheduled_deletions(sync)


def scheduled_deletions(sync: Sync) -> list[str]:
    """Return the sort keys of the scheduled deletions."""
    return [item["sk"] for item in sync.world.table.items() if item["pk"] == "DELETIONS"]


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
    owner = added(role="owner")
    sync(owner)
    before = sync.world.table.items()

    assert [] == sync(owner, owner)
    assert before == sync.world.table.items()


def test_five_minutes_ahead_are_accepted(sync: Sync, stop_clock: Callable[[str], datetime]) -> None:
    """A time of up to five minutes ahead is accepted."""
    stop_clock("2026-03-01T11:55:00.000Z")

    sync(added(role="owner"))

    assert {"role": "owner"} == member(sync.world.table)
