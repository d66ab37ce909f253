"""Random histories of organizations as events, and the ways in which they arrive."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from keywright import clock
from tests.support import event_queue

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

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
        events.append(event_queue.event(kind, time=clock.rfc3339(now), event_id=event_id, **detail))
    return sorted(events, key=order)


def order(event: Event) -> tuple[str, str]:
    """Return the order of an event: its time, then its id."""
    return event["detail"]["time"], event["detail"]["eventId"]


def _user_id(chance: random.Random) -> str:
    return f"user_{chance.randrange(6)}"


def _updated(chance: random.Random) -> dict[str, Any]:
    """Return a new name, new limits or both; half of the limits are cleared."""
    changes: dict[str, Any] = {
        "name": f"Acme {chance.randrange(1000)}",
        "rateLimit": chance.choice([None, {"limit": 1 + chance.randrange(1000), "windowSeconds": 60, "burst": 1}]),
        "quota": chance.choice([None, {"limit": 1 + chance.randrange(1000), "period": "month"}]),
        "usagePlanKey": chance.choice([None, f"{chance.getrandbits(128):032x}"]),
    }
    return {"organization": {name: changes[name] for name in chance.sample(list(changes), chance.randint(1, 4))}}


def _named(chance: random.Random) -> dict[str, Any]:
    return {"organization": {"name": f"Acme {chance.randrange(1000)}"}}


KINDS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "organization.created": _named,
    "organization.updated": _updated,
    "organization.deletion_requested": lambda _: {},
    "organization.deletion_canceled": lambda _: {},
    "member.added": lambda chance: event_queue.about(_user_id(chance), role=chance.choice(ROLES)),
    "member.role_changed": lambda chance: event_queue.about(_user_id(chance), role=chance.choice(ROLES)),
    "member.updated": lambda chance: event_queue.about(
        _user_id(chance), role=chance.choice(ROLES), suspended=chance.choice([True, False])
    ),
    "member.suspended": lambda chance: event_queue.about(_user_id(chance)),
    "member.reinstated": lambda chance: event_queue.about(_user_id(chance)),
    "member.removed": lambda chance: event_queue.about(_user_id(chance)),
}


def delayed(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Deliver each event with a random delay, and a third of them twice."""
    copies = [
        (position + chance.expovariate(1 / 20), event)
        for position, event in enumerate(events)
        for _ in range(chance.choice([1, 1, 2]))
    ]
    return [event for _, event in sorted(copies, key=lambda copy: copy[0])]


def shuffled(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Deliver the events in random order, and a third of them twice."""
    copies = [event for event in events for _ in range(chance.choice([1, 1, 2]))]
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
