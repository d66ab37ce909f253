"""Events in any order, late and repeated, leave the same table as events in order.

EVENTS sets the length of the history: 100 by default, 10000 for the full proof. Run that on DynamoDB Local (`make
test-dynamodb`): moto copies the table in each transaction, and ten thousand take tens of gigabytes.
"""

from __future__ import annotations

import os
import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock
from tests.bus import about, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.bus import Sync
    from tests.world import Table

EVENTS = int(os.environ.get("EVENTS", "100"))
GRACE_DAYS = 365
"""The maximum: no deletion request in a history of up to 15,000 events is late, in any order."""
BEGINNING = clock.stored("2026-01-01T00:00:00.000Z")
STEPS = [timedelta(0), timedelta(milliseconds=1), timedelta(seconds=1), timedelta(hours=1)]
ROLES = ["owner", "admin", "member"]
Event = dict[str, Any]


def history(chance: random.Random, length: int) -> list[Event]:
    """Return random events of a few organizations and their members, in order.

    Many share a millisecond; their ids order them. They need not make sense: members are removed who were never added,
    and organizations are renamed that were never created.
    """
    organizations = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(1 + length // 500)]
    now, events = BEGINNING, []
    for _ in range(length):
        now += chance.choice(STEPS)
        kind = chance.choice(sorted(KINDS))
        detail = KINDS[kind](chance)
        detail["organization"] = {"id": chance.choice(organizations), **detail.get("organization", {})}
        event_id = f"evt_{chance.getrandbits(64):016x}"
        events.append(event(kind, time=clock.rfc3339(now), event_id=event_id, **detail))
    return sorted(events, key=order)


def order(happened: Event) -> tuple[str, str]:
    """Return the order of an event: its time, then its id."""
    return happened["detail"]["time"], happened["detail"]["eventId"]


def _somebody(chance: random.Random) -> str:
    return f"user_{chance.randrange(6)}"


def _named(chance: random.Random) -> dict[str, Any]:
    return {"organization": {"name": f"Acme {chance.randrange(1000)}"}}


KINDS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "organization.created": _named,
    "organization.updated": _named,
    "organization.deletion_requested": lambda _: {},
    "organization.deletion_canceled": lambda _: {},
    "member.added": lambda chance: about(_somebody(chance), role=chance.choice(ROLES)),
    "member.role_changed": lambda chance: about(_somebody(chance), role=chance.choice(ROLES)),
    "member.updated": lambda chance: about(
        _somebody(chance), role=chance.choice(ROLES), suspended=chance.choice([True, False])
    ),
    "member.suspended": lambda chance: about(_somebody(chance)),
    "member.reinstated": lambda chance: about(_somebody(chance)),
    "member.removed": lambda chance: about(_somebody(chance)),
}


def delayed(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Deliver each event with a random delay, and a third of them twice."""
    copies = [
        (position + chance.expovariate(1 / 20), happened)
        for position, happened in enumerate(events)
        for _ in range(chance.choice([1, 1, 2]))
    ]
    return [happened for _, happened in sorted(copies, key=lambda copy: copy[0])]


def shuffled(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Deliver the events in random order, and a third of them twice."""
    copies = [happened for happened in events for _ in range(chance.choice([1, 1, 2]))]
    chance.shuffle(copies)
    return copies


def backwards(events: Sequence[Event], _: random.Random) -> list[Event]:
    """Deliver the last event first."""
    return list(reversed(events))


def batches(events: Sequence[Event], chance: random.Random) -> Iterator[Sequence[Event]]:
    """Split events into batches of random size."""
    position = 0
    while position < len(events):
        size = chance.randint(1, 10)
        yield events[position : position + size]
        position += size


def deliver(sync: Sync, batch: Sequence[Event]) -> None:
    """Deliver a batch, and again the events that return to the queue, until none is left."""
    while batch:
        batch = [batch[position] for position in sync(*batch)]


@dataclass(slots=True)
class Known:
    """State of one organization after reading its events in order, by the simplest implementation."""

    organization: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    suspensions: dict[str, str] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)

    def read(self, happened: Event) -> None:
        """Apply one event."""
        kind, detail = happened["detail-type"], happened["detail"]
        if kind.startswith("member."):
            self._read_member(kind, detail["member"]["userId"], detail["time"], detail["member"])
        elif kind == "organization.deletion_canceled":
            self.organization.pop("pending_deletion_at", None)
        elif kind == "organization.deletion_requested":
            until = clock.stored(detail["time"]) + timedelta(days=GRACE_DAYS)
            self.organization["pending_deletion_at"] = clock.rfc3339(until)
        else:
            self.organization["name"] = detail["organization"]["name"]
            if kind == "organization.created":
                self.organization["created_at"] = detail["time"]

    def _read_member(self, kind: str, user_id: str, time: str, said: dict[str, Any]) -> None:
        if kind == "member.added":
            self.members.add(user_id)
            self.suspensions.pop(user_id, None)
        if kind == "member.removed":
            self.members.discard(user_id)
        if "role" in said:
            self.roles[user_id] = said["role"]
        if kind == "member.suspended" or said.get("suspended") is True:
            self.suspensions[user_id] = time
        if kind == "member.reinstated" or said.get("suspended") is False:
            self.suspensions.pop(user_id, None)

    def visible(self) -> dict[str, dict[str, str]]:
        """Return the visible state: the organization and its members."""
        members = {
            f"MEMBER#{user_id}": {
                "role": self.roles[user_id],
                **({"suspended_at": self.suspensions[user_id]} if user_id in self.suspensions else {}),
            }
            for user_id in self.members
        }
        return {"ORG": self.organization, **members}


def visible(table: Table, organization_id: str) -> dict[str, dict[str, str]]:
    """Return the visible state of the table."""
    items = {item["sk"]: item for item in table.items() if item["pk"] == f"ORG#{organization_id}"}
    members = {
        sort_key: _some(item, "role", "suspended_at")
        for sort_key, item in items.items()
        if sort_key.startswith("MEMBER#") and "role" in item
    }
    return {"ORG": _some(items.get("ORG", {}), "name", "created_at", "pending_deletion_at"), **members}


def _some(item: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: item[name] for name in names if name in item}


@pytest.mark.parametrize("delivered", [delayed, shuffled, backwards], ids=lambda way: way.__name__)
def test_the_order_of_arrival_does_not_matter(
    sync: Sync,
    another_table: Callable[[], Table],
    stop_clock: Callable[[str], datetime],
    setting: Callable[[str, str], None],
    delivered: Callable[[Sequence[Event], random.Random], list[Event]],
) -> None:
    """GIVEN a history WHEN its events arrive in another order, late and twice THEN the table is the same to the byte.

    Audit records, stamps and scheduled deletions included. The visible state is that of reading the events in order.
    """
    chance = random.Random(f"{delivered.__name__} {EVENTS}")  # noqa: S311 - a seed that can be repeated
    stop_clock("2026-06-30T00:00:00.000Z")
    setting("DELETION_GRACE_DAYS", str(GRACE_DAYS))
    events = history(chance, EVENTS)
    known: dict[str, Known] = {}
    for happened in events:
        known.setdefault(happened["detail"]["organization"]["id"], Known()).read(happened)
    table = sync.world.table
    for batch in batches(events, chance):
        deliver(sync, batch)

    other = another_table()
    for batch in batches(delivered(events, chance), chance):
        deliver(sync, batch)

    assert table.items() == other.items()
    assert {key: value.visible() for key, value in known.items()} == {key: visible(other, key) for key in known}
    assert [] == sync.put_aside()
