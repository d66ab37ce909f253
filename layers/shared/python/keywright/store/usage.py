"""How often, when and from where a key was used: an item beside the key's own, so that use never competes with changes.

The attribute `days` counts the uses of each of the last DAYS days (UTC): a map from days since 1970, in base 36, to
counts. It is in the same item, so that one write adds a use to all of them: with 90 counts of six digits, the item
still has less than 1 KB, which is one write unit (Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats").
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from keywright.clock import rfc3339
from keywright.domain import ip_addresses
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.immutable import immutable
from keywright.store import layout, table
from keywright.store.table import EXISTS, Expression, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.store.layout import Item, Key
    from keywright.store.table import Step

DAYS = 90
"""Days whose uses are kept, today included."""

_REMOVED_DAYS = 7
"""Days before those that every addition removes, so that a key that is used every week needs no second request."""
_EPOCH = date(1970, 1, 1).toordinal()
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def oldest_day(today: date) -> date:
    """Return the first of the DAYS days that end today."""
    return today - timedelta(days=DAYS - 1)


@immutable
class Usage:
    """A key's use so far.

    Attributes:
        last_used_at: RFC 3339; None if it was never used.
        last_used_ip: the client's address of the last use; None if it was not known.
        previous_generation: of the secret that `previous_used_at` is about.
        previous_used_at: RFC 3339, when a secret that had been rotated was last used in its grace period.
    """

    request_count: int = 0
    last_used_at: str | None = None
    last_used_ip: str | None = None
    previous_generation: int | None = None
    previous_used_at: str | None = None

    def last_use_of(self, previous_generation: int) -> str | None:
        """Return when the previous secret, which has this generation, was last used; None if it was not."""
        return self.previous_used_at if self.previous_generation == previous_generation else None


class PreviousUse(NamedTuple):
    """The last use of a secret that had been rotated, in its grace period."""

    generation: int
    at: datetime


@immutable
class Uses:
    """Uses of one key that are not written yet.

    Attributes:
        days: number of uses by day (UTC).
        last_used_at: the time of the latest of them.
        last_used_ip: the client's address of the latest, in any spelling; None if it was not known.
        previous: the last use of the previous secret; None if there was none.
    """

    organization_id: UUID
    key_id: UUID
    days: Mapping[date, int]
    last_used_at: datetime
    last_used_ip: str | None = None
    previous: PreviousUse | None = None

    @property
    def count(self) -> int:
        """The number of uses."""
        return sum(self.days.values())

    def plus(self, later: Uses) -> Uses:
        """Return these uses and those that were counted later, by a clock that may have been set back."""
        latest = later if later.last_used_at >= self.last_used_at else self
        days = {**self.days}
        for day, count in later.days.items():
            days[day] = days.get(day, 0) + count
        previous = self.previous or later.previous
        if self.previous is not None and later.previous is not None:
            previous = max(self.previous, later.previous)
        return Uses(self.organization_id, self.key_id, days, latest.last_used_at, latest.last_used_ip, previous)


def usage_of(items: Mapping[str, Item], key_id: UUID) -> Usage:
    """Parse the usage of a key; it is missing if the key was deleted between two reads.

    Args:
        items: by sort key.
        key_id: of the key.
    """
    item = items.get(layout.usage_sort_key(key_id))
    if item is None:
        return Usage()
    return Usage(
        request_count=int(item["request_count"]["N"]),
        last_used_at=text_of(item, "last_used_at"),
        last_used_ip=text_of(item, "last_used_ip"),
        previous_generation=int(item["previous_generation"]["N"]) if "previous_generation" in item else None,
        previous_used_at=text_of(item, "previous_used_at"),
    )


def days_of(items: Mapping[str, Item], key_id: UUID) -> dict[date, int]:
    """Parse the uses of a key by day (UTC), without days of no use; some may be older than DAYS. Arguments as above."""
    item = items.get(layout.usage_sort_key(key_id))
    return {} if item is None else {_day(name): int(count["N"]) for name, count in item["days"]["M"].items()}


def read_usage(organization_id: UUID, key_ids: Sequence[UUID]) -> dict[UUID, Usage]:
    """Read the usage of keys, up to 100, in one request.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    items = table.read(organization_id, [layout.usage_sort_key(key_id) for key_id in key_ids])
    return {key_id: usage_of(items, key_id) for key_id in key_ids}


def put(organization_id: UUID, key_id: UUID) -> Step:
    """Write the usage of a new key."""
    return table.put({**_key(organization_id, key_id), "request_count": {"N": "0"}, "days": {"M": {}}})


def delete(organization_id: UUID, key_id: UUID) -> Step:
    """Delete the usage of a key."""
    return table.delete(_key(organization_id, key_id))


# Two containers, and a deletion:
#
#     container A                            container B                          USAGE# item
#     ----------------------------------     --------------------------------     ----------------------------
#     use at 12:00:30                        use at 12:00:50                      count 0
#                                            add 5, is latest                     count 5, last used 12:00:50
#     add 7, is not latest: refused                                               the same
#     add 7 without the time                                                      count 12, last used 12:00:50
#                                            use at 12:02:00
#     the key and its usage are deleted                                           none
#                                            add 1: refused, dropped              none


def add(uses: Uses) -> None:
    """Add uses to a key's usage: 1 write unit.

    `last_used_at` never goes back: the container that writes last need not be the one that was used last. The same is
    true of `previous_used_at` and its generation. What would go back is left out, with a second request. The usage of a
    deleted key does not come back.

    Days older than DAYS are removed: a few by this write, others, after the key was not used for a while, by one more.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE after one attempt. If only the answer was lost, the uses are added already.
    """
    key = _key(uses.organization_id, uses.key_id)
    is_latest, previous = True, uses.previous
    for _ in range(3):  # each refusal leaves out at least one of the two
        change, condition = _addition(uses, previous, is_latest=is_latest)
        updated = table.update_item(key, change, condition, attempts=1)
        if updated.item is None:
            return
        if updated.is_done:
            _remove_old_days(key, updated.item, uses.last_used_at)
            return
        is_latest = is_latest and _is_latest(updated.item, uses.last_used_at)
        previous = previous if previous is not None and _is_latest_previous(updated.item, previous) else None
    raise ServiceError(SERVICE_UNAVAILABLE, reason="a condition failed that holds")


def _addition(uses: Uses, previous: PreviousUse | None, *, is_latest: bool) -> tuple[Expression, Expression]:
    """Return the change of a usage, and its condition.

    Args:
        uses: to be added.
        previous: the use of the previous secret to be written, if any.
        is_latest: whether to write the time and address of the latest use.
    """
    today = _utc_day(uses.last_used_at)
    oldest = oldest_day(today)
    # ADD takes only attributes of the item itself, not of a map in it (Amazon DynamoDB API Reference, UpdateItem).
    values: dict[str, AttributeValueTypeDef] = {":count": {"N": str(uses.count)}, ":none": {"N": "0"}}
    names = {"#days": "days"}
    sets, removes, conditions = ["request_count = request_count + :count"], [], [EXISTS.text]
    for number, (day, count) in enumerate((day, count) for day, count in uses.days.items() if day >= oldest):
        names[f"#day{number}"] = day_name(day)
        values[f":day{number}"] = {"N": str(count)}
        sets.append(f"#days.#day{number} = if_not_exists(#days.#day{number}, :none) + :day{number}")
    for number in range(1, _REMOVED_DAYS + 1):
        names[f"#old{number}"] = day_name(oldest - timedelta(days=number))
        removes.append(f"#days.#old{number}")
    if is_latest:
        values[":at"] = {"S": rfc3339(uses.last_used_at)}
        sets.append("last_used_at = :at")
        conditions.append("(attribute_not_exists(last_used_at) OR last_used_at <= :at)")
        address = None if uses.last_used_ip is None else _normalized(uses.last_used_ip)
        if address is None:
            removes.append("last_used_ip")
        else:
            values[":ip"] = {"S": address}
            sets.append("last_used_ip = :ip")
    if previous is not None:
        values |= {":generation": {"N": str(previous.generation)}, ":previous_at": {"S": rfc3339(previous.at)}}
        sets.append("previous_generation = :generation, previous_used_at = :previous_at")
        conditions.append(
            "(attribute_not_exists(previous_generation) OR previous_generation < :generation"
            " OR (previous_generation = :generation AND previous_used_at <= :previous_at))"
        )
    change = Expression(f"SET {', '.join(sets)} REMOVE {', '.join(removes)}", values, names)
    return change, Expression(" AND ".join(conditions))


def _normalized(address: str) -> str | None:
    """Return the one way to write an address; None if it is none."""
    try:
        return ip_addresses.normalized(address)
    except ValueError:
        return None


def _is_latest(item: Item, at: datetime) -> bool:
    """Return whether the condition of the latest use holds."""
    return "last_used_at" not in item or item["last_used_at"]["S"] <= rfc3339(at)


def _is_latest_previous(item: Item, previous: PreviousUse) -> bool:
    """Return whether the condition of a use of the previous secret holds."""
    if "previous_generation" not in item:
        return True
    stored = int(item["previous_generation"]["N"]), item["previous_used_at"]["S"]
    return stored <= (previous.generation, rfc3339(previous.at))


def _remove_old_days(key: Key, item: Item, at: datetime) -> None:
    """Remove the days that an addition has left. A failure is ignored: the next addition tries again."""
    oldest = oldest_day(_utc_day(at))
    old = [name for name in item["days"]["M"] if _day(name) < oldest]
    if old:
        with suppress(ServiceError):
            table.update_now(key, _removal(old), EXISTS)


def _removal(days: Iterable[str]) -> Expression:
    names = {f"#day{number}": name for number, name in enumerate(days)}
    return Expression(f"REMOVE {', '.join(f'#days.{name}' for name in names)}", {}, {"#days": "days", **names})


def _utc_day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def day_name(day: date) -> str:
    """Return the name of a day in the table: days since 1970, in base 36."""
    number, name = day.toordinal() - _EPOCH, ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        name = _DIGITS[digit] + name
    return name


def _day(name: str) -> date:
    return date.fromordinal(_EPOCH + int(name, len(_DIGITS)))


def _key(organization_id: UUID, key_id: UUID) -> Key:
    return layout.in_organization(organization_id, layout.usage_sort_key(key_id))
