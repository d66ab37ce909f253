"""Events in any order, late and repeated, leave the same table as events in order.

EVENTS sets the length of the history, up to 10000. Run that on DynamoDB Local (`make
test-dynamodb`): moto copies the table in each transaction, and ten thousand take tens of gigabytes.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock
from tests.support.depth import mostly_deep, size
from tests.support.history import backwards, batches, delayed, history, shuffled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.event_queue import Sync
    from tests.support.history import Event
    from tests.support.world import Table

EVENTS = size("EVENTS", 15, full=100)
GRACE_DAYS = 365
"""The maximum: no deletion request in a history of up to 15,000 events is late, in any order."""


ATTRIBUTES = {
    "name": "name",
    "rateLimit": "rate_limit",
    "quota": "quota",
    "usagePlanKey": "usage_plan_key",
}
"""Fields of an organization in events, and attributes of its item."""


def compact(value: object) -> str:
    """Return the JSON text of a limit in the table."""
    return json.dumps(value, separators=(",", ":"))


def deliver(sync: Sync, batch: Sequence[Event]) -> None:
    """Deliver a batch, and again the events that return to the queue, until none is left."""
    while batch:
        batch = [batch[position] for position in sync(*batch)]


@dataclass(slots=True)
class Expected:
    """State of one organization after reading its events in order, by the simplest implementation."""

    organization: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    suspensions: dict[str, str] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)

    def read(self, event: Event) -> None:
        """Apply one event."""
        kind, detail = event["detail-type"], event["detail"]
        if kind.startswith("member."):
            self._read_member(kind, detail["member"]["userId"], detail["time"], detail["member"])
        elif kind == "organization.deletion_canceled":
            self.organization.pop("pending_deletion_at", None)
        elif kind == "organization.deletion_requested":
            until = clock.stored(detail["time"]) + timedelta(days=GRACE_DAYS)
            self.organization["pending_deletion_at"] = clock.rfc3339(until)
        else:
            self._read_organization(kind, detail["time"], detail["organization"])

    def _read_organization(self, kind: str, time: str, organization: dict[str, Any]) -> None:
        if kind == "organization.created":
            self.organization["created_at"] = time
        for name, attribute in ATTRIBUTES.items():
            if name in organization:
                self.organization.pop(attribute, None)
            if organization.get(name):
                value = organization[name]
                self.organization[attribute] = value if isinstance(value, str) else compact(value)

    def _read_member(self, kind: str, user_id: str, time: str, member: dict[str, Any]) -> None:
        if kind == "member.added":
            self.members.add(user_id)
            self.suspensions.pop(user_id, None)
        if kind == "member.removed":
            self.members.discard(user_id)
        if "role" in member:
            self.roles[user_id] = member["role"]
        if kind == "member.suspended" or member.get("suspended") is True:
            self.suspensions[user_id] = time
        if kind == "member.reinstated" or member.get("suspended") is False:
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
        limits: dict[str, dict[str, str]] = {"LIMIT": {}} if {"rate_limit", "quota"} & self.organization.keys() else {}
        return {"ORG": self.organization, **members, **limits}


def visible(table: Table, organization_id: str) -> dict[str, dict[str, str]]:
    """Return the visible state of the table, and whether there is an item of the organization's limits."""
    items = {item["sk"]: item for item in table.items() if item["pk"] == f"ORG#{organization_id}"}
    members = {
        sort_key: _some(item, "role", "suspended_at")
        for sort_key, item in items.items()
        if sort_key.startswith("MEMBER#") and "role" in item
    }
    names = ("created_at", "pending_deletion_at", *ATTRIBUTES.values())
    limits = {item["sk"]: _some(item) for item in table.items() if item["pk"] == f"LIMIT#{organization_id}"}
    return {"ORG": _some(items.get("ORG", {}), *names), **members, **limits}


def _some(item: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: item[name] for name in names if name in item}


@pytest.mark.parametrize(
    "delivered",
    mostly_deep([delayed, shuffled, backwards], lambda way: way is shuffled),
    ids=lambda way: way.__name__,
)
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
    expected: dict[str, Expected] = {}
    for event in events:
        expected.setdefault(event["detail"]["organization"]["id"], Expected()).read(event)
    table = sync.world.table
    for batch in batches(events, chance):
        deliver(sync, batch)

    other = another_table()
    for batch in batches(delivered(events, chance), chance):
        deliver(sync, batch)

    assert table.items() == other.items()
    assert {key: value.visible() for key, value in expected.items()} == {key: visible(other, key) for key in expected}
    assert [] == sync.put_aside()
