"""How often and when a key was last used; beside the key's own item, so that use never competes with change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright.errors import CONFLICT, ServiceError
from keywright.settings import table_settings
from keywright.store.table import Step, key

if TYPE_CHECKING:
    from uuid import UUID

    from keywright.store.table import Item

USAGE = "USAGE#"


@dataclass(frozen=True, slots=True)
class Usage:
    """A key's use so far.

    Attributes:
        last_used_at: RFC 3339; None if it was never used.
    """

    request_count: int = 0
    last_used_at: str | None = None


def sort_key(key_id: UUID) -> str:
    """Give the sort key of a key's usage item."""
    return f"{USAGE}{key_id}"


def parse(item: Item | None) -> Usage:
    """Read a usage item; there is none until a key was used."""
    if item is None:
        return Usage()
    return Usage(request_count=int(item["request_count"]["N"]), last_used_at=item["last_used_at"]["S"])


def delete(organization_id: UUID, key_id: UUID) -> Step:
    """Delete a key's usage item, if there is one."""
    return Step(
        {"Delete": {"TableName": table_settings().table_name, "Key": key(organization_id, sort_key(key_id))}},
        lambda _: ServiceError(CONFLICT, reason="a step without condition was refused"),
    )
