"""announce_expirations, called by its schedule."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.purge import SCHEDULED
from tests.support.world import KEY_ID, ORGANIZATION_ID, Context, Table, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SECONDS = 300
"""The time limit of a run, by the template."""


class Notice(NamedTuple):
    """A notice in an audit log.

    Attributes:
        expires_at: when the key expires, by the notice.
        days: before the expiry; 0 for `api_key.expired`.
        given_at: when the record was made.
    """

    key_id: str
    expires_at: str
    days: int
    given_at: str


@dataclass(frozen=True, slots=True)
class Announcements:
    """announce_expirations, called as its schedule calls it."""

    handler: Callable[..., Any]
    world: World

    @property
    def table(self) -> Table:
        """The table of the function."""
        return self.world.table

    def __call__(self) -> dict[str, int]:
        """Run the function and return its outcomes, without those counted zero."""
        answer: dict[str, int] = self.handler(SCHEDULED, self.world.context)
        assert {"expiring", "expired", "forgotten", "unfinished"} == answer.keys()
        return {name: count for name, count in answer.items() if count}

    def with_time_left(self, milliseconds: int) -> Announcements:
        """Return the same function, with less time left."""
        return replace(self, world=replace(self.world, context=Context(remaining_milliseconds=milliseconds)))

    def expire(
        self,
        at: str,
        key_id: str = KEY_ID,
        organization_id: str = ORGANIZATION_ID,
        *,
        noticed: int | None = None,
        **attributes: object,
    ) -> None:
        """Write a key that expires, as a request does."""
        self.table.put_key(key_id, organization_id, expires_at=at, **attributes)
        given = {} if noticed is None else {"noticed": noticed}
        self.table.put(pk="EXPIRIES", sk=f"{at}#{organization_id}#{key_id}", **given)

    def expiries(self) -> dict[str, int | None]:
        """Return what was noticed of each expiry, by its sort key."""
        return expiries(self.table)

    def notices(self) -> list[Notice]:
        """Return all notices, those of an organization in the order of their records."""
        return notices(self.table.items())


def expiries(table: Table) -> dict[str, int | None]:
    """Return what was noticed of each expiry in a table, by its sort key."""
    items = [item for item in table.items() if item["pk"] == "EXPIRIES"]
    return {item["sk"]: int(item["noticed"]) if "noticed" in item else None for item in items}


def expiries_of_keys(table: Table) -> set[str]:
    """Return the sort keys of the expiries that the keys in a table should have."""
    return {
        "#".join((item["expires_at"], item["pk"].removeprefix("ORG#"), item["sk"].removeprefix("KEY#")))
        for item in table.items()
        if item["sk"].startswith("KEY#") and "expires_at" in item
    }


def notices(items: Iterable[Mapping[str, Any]]) -> list[Notice]:
    """Return the notices among items."""
    found = []
    for item in items:
        if item["sk"].startswith("AUDIT#") and item["event"] in {"api_key.expiring", "api_key.expired"}:
            changes = json.loads(item["changes"])
            assert {"after"} == changes.keys()
            after = changes["after"]
            assert ("days" in after) == (item["event"] == "api_key.expiring")
            found.append(Notice(item["target_id"], after["expiresAt"], after.get("days", 0), item["created_at"]))
    return found
