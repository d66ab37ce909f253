"""What callers were told, and what is there: the two have to agree, item by item and record by record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.lifecycle.service import audit_record, audited, replayed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(slots=True)
class Key:
    """A key, as its one caller knows it.

    Attributes:
        id: of the key.
        text: that works now; empty once it is deleted.
        name: that it was given last.
        enabled: whether it was left enabled.
        generation: rotations that were answered with 200.
        uses: verifications that were answered with VALID.
        unanswered_uses: those that were not answered, which may count or not.
    """

    id: str
    text: str
    name: str
    enabled: bool = True
    generation: int = 0
    uses: int = 0
    unanswered_uses: int = 0

    @property
    def is_deleted(self) -> bool:
        """Whether a deletion was answered with 200."""
        return not self.text

    @property
    def code(self) -> str:
        """What a verification of its text has to say."""
        return "VALID" if self.enabled else "DISABLED"


@dataclass(slots=True)
class Books:
    """One organization's changes, as its callers were told.

    Attributes:
        keys: all that were made, the deleted ones included.
        changes: how many of each event were answered with 200.
        names: every name that a key was changed to.
    """

    keys: dict[str, Key] = field(default_factory=dict)
    changes: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)


def violations(books: Books, partition: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Compare what was told with all that the table has of an organization; one line for each that does not agree.

    Args:
        books: of the organization.
        partition: its items by sort key, in their order.
    """
    items = {sort_key.removeprefix("KEY#"): item for sort_key, item in partition.items() if sort_key.startswith("KEY#")}
    log = [audit_record(item) for sort_key, item in partition.items() if sort_key.startswith("AUDIT#")]
    log = [record for record in log if record["targetType"] == "api_key"]
    found = list(_keys(books, items))
    found += _records(books, log)
    found += _uses(books, partition)
    try:
        told = replayed(log)
    except (AssertionError, KeyError) as error:
        return [*found, f"the audit log cannot be replayed: {error!r}"]
    there = {key_id: audited(item) for key_id, item in items.items()}
    return found if told == there else [*found, "the audit log, replayed, is not what the table has"]


def _keys(books: Books, items: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for key_id in items.keys() - books.keys.keys():
        yield f"key {key_id} is there, and nobody was told of it"
    for key in books.keys.values():
        item = items.get(key.id)
        if (item is None) != key.is_deleted:
            yield f"key {key.id} {'was deleted, and is there' if key.is_deleted else 'was made, and is not there'}"
        elif item is not None:
            told = (key.name, key.enabled, key.generation)
            there = (item["name"], item["enabled"], int(item["generation"]))
            if told != there:
                yield f"key {key.id}: its caller was told {told}, and {there} is there"


def _records(books: Books, log: list[dict[str, Any]]) -> Iterable[str]:
    recorded = Counter(record["event"] for record in log)
    for event in sorted(recorded.keys() | books.changes.keys()):
        if recorded[event] != books.changes[event]:
            yield f"{event}: {books.changes[event]} were answered with 200, and {recorded[event]} are in the audit log"
    names = Counter(
        record["changes"]["after"]["name"]
        for record in log
        if record["event"] == "api_key.updated" and "name" in record["changes"]["after"]
    )
    for name in sorted(names.keys() | set(books.names)):
        if names[name] != 1:
            yield f"the name {name!r} was given once, and is in the audit log {names[name]} times"


def _uses(books: Books, partition: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for key in books.keys.values():
        item = partition.get(f"USAGE#{key.id}")
        counted = 0 if item is None else int(item["request_count"])
        if key.is_deleted and item is not None:
            yield f"key {key.id} was deleted, and its uses are there"
        elif not key.is_deleted and not key.uses <= counted <= key.uses + key.unanswered_uses:
            yield f"key {key.id}: {counted} uses are counted, of {key.uses} (and {key.unanswered_uses} unanswered)"
