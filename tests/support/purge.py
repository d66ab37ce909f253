"""purge_organizations, called by its schedule, on a table with an organization that is due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from keywright.domain.limits import Period, Quota, RateLimit
from keywright.ids import uuid7
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, Context, Table, World, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

REQUESTED = "2030-01-01T00:00:00.000Z"
DUE = "2030-01-31T00:00:00.000Z"
NOW = "2030-01-31T00:30:00.000Z"
RATE_LIMIT = RateLimit(10, 60, 10).stored()
QUOTA = Quota(1000, Period.MONTH).stored()
FIRST_LIMITED = 10_000
"""Number of the first key with limits; others have lower ones."""
FIRST_IMPORTED = 20_000
"""Number of the first imported key."""
SECONDS = 300
"""The time limit of a run, by the template."""
REQUEST_RECORD = str(uuid7(1893456000 * 10**9, 1))
"""The id of the request's audit record, which contains the time of the request."""
SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2030-01-31T00:30:00Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:events:eu-central-1:123456789012:rule/hourly"],
    "detail": {},
}
"""Amazon EventBridge User Guide, "Events from EventBridge schedules"."""


@dataclass(frozen=True, slots=True)
class Purge:
    """purge_organizations, called as its schedule calls it."""

    handler: Callable[..., Any]
    world: World

    @property
    def table(self) -> Table:
        """The table of the function."""
        return self.world.table

    def __call__(self) -> dict[str, int]:
        """Run the purge and return its outcomes, without those counted zero."""
        answer: dict[str, int] = self.handler(SCHEDULED, self.world.context)
        assert {"purged", "kept", "unfinished"} == answer.keys()
        return {name: count for name, count in answer.items() if count}

    def with_time_left(self, milliseconds: int) -> Purge:
        """Return the same function, with less time left."""
        return replace(self, world=replace(self.world, context=Context(remaining_milliseconds=milliseconds)))

    def schedule(self, organization_id: str = ORGANIZATION_ID, at: str = DUE) -> None:
        """Schedule the deletion of an organization, as the request does."""
        self.table.put_organization(
            organization_id, pending_deletion_at=at, deletion_as_of=f"{REQUESTED}#{REQUEST_RECORD}"
        )
        self.table.put(pk="DELETIONS", sk=f"{at}#{organization_id}")

    def fill(self, items: int, organization_id: str = ORGANIZATION_ID) -> None:
        """Add that many items of every kind to an organization."""
        fill(self.table, items, organization_id)

    def limit(self, keys: int) -> None:
        """Give limits to the organization and to that many more keys of it, all of which were used."""
        organization = self.table.item("ORG")
        self.table.put(**organization | {"rate_limit": RATE_LIMIT, "quota": QUOTA})
        for number in range(keys):
            limits = [{"rate_limit": RATE_LIMIT}, {"quota": QUOTA}, {"rate_limit": RATE_LIMIT, "quota": QUOTA}]
            self.table.put_key(nth_id(FIRST_LIMITED + number), **limits[number % len(limits)])
            self.table.put(pk=f"LIMIT#{nth_id(FIRST_LIMITED + number)}", sk="LIMIT", tat=1893456000 * 10**9)
        self.table.put(pk=f"LIMIT#{ORGANIZATION_ID}", sk="LIMIT", quota_period="month 2030-01-01", quota_used=1)

    def imported(self, keys: int, *, limited: bool) -> None:
        """Give the organization that many more keys that were imported, with limits or without."""
        for number in range(keys):
            limits = {"rate_limit": RATE_LIMIT} if limited else {}
            digest = f"{number:064x}"
            self.table.put_key(nth_id(FIRST_IMPORTED + number), imported_as=digest, **limits)
            self.table.put(pk=f"IMPORTED#{digest}", sk=digest)
            if limited:
                self.table.put(pk=f"LIMIT#{nth_id(FIRST_IMPORTED + number)}", sk="LIMIT")

    def limits(self) -> list[str]:
        """Return the partition keys of all items of limits."""
        return [item["pk"] for item in self.table.items() if item["pk"].startswith("LIMIT#")]

    def left(self, organization_id: str = ORGANIZATION_ID) -> list[dict[str, Any]]:
        """Return the items in an organization's partition."""
        return [item for item in self.table.items() if item["pk"] == f"ORG#{organization_id}"]

    def record(self, organization_id: str = ORGANIZATION_ID) -> dict[str, Any]:
        """Return the record of the purge, which must exist."""
        (record,) = [item for item in self.table.items() if item["pk"] == f"PURGED#{organization_id}"]
        return record


def fill(table: Table, items: int, organization_id: str) -> None:
    """Add that many items to an organization: keys, usage, audit records, members, stored answers."""
    writes: list[Callable[[int], object]] = [
        lambda number: table.put_key(nth_id(number), organization_id),
        lambda number: table.put_usage(nth_id(number), organization_id),
        lambda number: table.put_audit(nth_id(number), organization_id),
        lambda number: table.put_member(f"user_{number}", "member", organization_id),
        lambda number: table.put(pk=f"ORG#{organization_id}", sk=f"IDEMPOTENCY#{number:064x}", answer=b"\x00\x01"),
    ]
    for number in range(items):
        writes[number % len(writes)](number)


def due(handler: Callable[..., Any], world: World) -> Purge:
    """Return the function, on a table with an organization that is due and another one that is not."""
    purge = Purge(handler, replace(world, context=Context(remaining_milliseconds=SECONDS * 1000)))
    purge.schedule()
    purge.table.put_audit(
        REQUEST_RECORD,
        event="organization.deletion_requested",
        actor_id="user_7",
        target_type="organization",
        target_id=ORGANIZATION_ID,
        created_at=REQUESTED,
    )
    purge.table.put_organization(OTHER_ORGANIZATION_ID)
    purge.fill(5, OTHER_ORGANIZATION_ID)
    return purge
