"""What was used of limits. Each key or organization with a limit has one item, in a separate partition.

The item exists exactly as long as its holder has a limit: it is written and deleted in the transaction that gives or
takes the limit, and a use never writes a new one. So a verification that is overtaken by a deletion leaves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.immutable import immutable
from keywright.store import layout, table
from keywright.store.table import Expression, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.domain.limits import Limits
    from keywright.store.layout import Item
    from keywright.store.table import Step

ATTEMPTS = 2
"""A use whose answer was lost is spent, so the second attempt costs one admission; it never gives one."""


class LimitsGoneError(Exception):
    """The limits are not as they were read: taken, or changed, or their holder is deleted. Read the holder again."""


@immutable
class Used:
    """What was used of limits.

    Attributes:
        tat: theoretical arrival time of the next use, in nanoseconds since 1970; 0 before the first.
        interval: of one use, with which `tat` was computed, in nanoseconds.
        period: the name of the period that `used` counts; None before the first use of a quota.
        used: uses in that period.
    """

    tat: int = 0
    interval: int = 0
    period: str | None = None
    used: int = 0

    @property
    def kind(self) -> str | None:
        """The kind of that period."""
        return self.period and self.period.partition(" ")[0]


@immutable
class Part:
    """A part of a conditional change of the item: its condition, its assignments, and their values."""

    condition: str
    assignments: str
    values: Mapping[str, int | str]


def put(holder_id: UUID) -> Step:
    """Write the item of a holder that had no limit."""
    return table.put(layout.limit_key(holder_id))


def delete(holder_id: UUID) -> Step:
    """Delete the item of a holder that has no limit any more."""
    return table.delete(layout.limit_key(holder_id))


def steps(holder_id: UUID, *, had_limits: bool, has_limits: bool) -> list[Step]:
    """Return the steps of a change of a holder's limits. What was used stays, unless all limits go."""
    if had_limits == has_limits:
        return []
    return [put(holder_id) if has_limits else delete(holder_id)]


def read(limits: Limits) -> Used:
    """Read what was used, strongly consistent: 1 read unit.

    Raises:
        LimitsGoneError: there is no item.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    items = table.read_keys([layout.limit_key(limits.holder_id)])
    return _parse(limits, next(iter(items.values()), None))


def change(limits: Limits, parts: Sequence[Part], attempts: int = ATTEMPTS) -> tuple[bool, Used]:
    """Make a conditional change: 1 write unit, whether the condition holds or not.

    Args:
        limits: of the holder.
        parts: at least one.
        attempts: at most. After a lost answer, the next attempt makes the change a second time.

    Returns:
        Whether it was made, and what is used: after the change, or as it is without.

    Raises:
        LimitsGoneError: there is no item.
        ServiceError: SERVICE_UNAVAILABLE; the change may have been made.
    """
    values: dict[str, AttributeValueTypeDef] = {
        name: {"S": value} if isinstance(value, str) else {"N": str(value)}
        for part in parts
        for name, value in part.values.items()
    }
    condition = " AND ".join(["attribute_exists(pk)", *(part.condition for part in parts)])
    assignments = ", ".join(part.assignments for part in parts)
    updated = table.update_item(
        layout.limit_key(limits.holder_id), Expression(f"SET {assignments}", values), Expression(condition), attempts
    )
    return updated.is_done, _parse(limits, updated.item)


def _parse(limits: Limits, item: Item | None) -> Used:
    if item is None:
        raise LimitsGoneError(limits.of)
    return Used(
        tat=_number(item, "tat"),
        interval=_number(item, "rate_interval"),
        period=text_of(item, "quota_period"),
        used=_number(item, "quota_used"),
    )


def _number(item: Item, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0
