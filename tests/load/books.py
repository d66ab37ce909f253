"""The answers that callers got, compared with the table, item by item and record by record."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.audit_log import audit_log, key_states, replayed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


RETIRED = "api_key.retired_secret_used"
"""The one event that records no change."""


@dataclass(slots=True)
class Key:
    """A key as its only caller knows it.

    Attributes:
        id: id of the key.
        text: its current text; empty once it is deleted.
        name: its last name.
        enabled: whether it was left enabled.
        generation: number of rotations answered with 200.
        uses: number of verifications answered with VALID.
        unanswered_uses: number of verifications without an answer, which may be counted or not.
        retired_uses: number of verifications of rotated-out texts.
        unanswered_retired_uses: those without an answer.
    """

    id: str
    text: str
    name: str
    enabled: bool = True
    generation: int = 0
    uses: int = 0
    unanswered_uses: int = 0
    retired_uses: int = 0
    unanswered_retired_uses: int = 0

    @property
    def is_deleted(self) -> bool:
        """Return whether a deletion was answered with 200."""
        return not self.text

    @property
    def code(self) -> str:
        """Return the expected code of a verification."""
        return "VALID" if self.enabled else "DISABLED"


@dataclass(slots=True)
class Books:
    """One organization's changes, by the answers of its callers.

    Attributes:
        keys: all keys that were created, the deleted ones included.
        changes: number of answers with 200, by event.
        names: every name that a key was changed to.
    """

    keys: dict[str, Key] = field(default_factory=dict)
    changes: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)


def violations(books: Books, partition: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Compare the answers with all items of an organization; return one line for each difference.

    Args:
        books: changes of the organization.
        partition: its items, ordered by sort key.
    """
    items = {sort_key.removeprefix("KEY#"): item for sort_key, item in partition.items() if sort_key.startswith("KEY#")}
    log = [record for record in audit_log(partition) if record["targetType"] == "api_key"]
    lines = list(_keys(books, items))
    lines += _records(books, [record for record in log if record["event"] != RETIRED])
    lines += _uses(books, partition)
    lines += _retired_uses(books, partition, [record for record in log if record["event"] == RETIRED])
    try:
        replayed_state = replayed(log)
    except (AssertionError, KeyError) as error:
        return [*lines, f"the audit log cannot be replayed: {error!r}"]
    is_same = replayed_state == key_states(partition)
    return lines if is_same else [*lines, "the audit log, replayed, is not what the table has"]


def published(lines: Iterable[str]) -> list[str]:
    """Return the ids of the events in the output of a service with EVENTS=1."""
    return [json.loads(line.split(" ", 2)[2])["id"] for line in lines if line.startswith("published ")]


def unpublished(events: Iterable[str], records: Iterable[str]) -> list[str]:
    """Compare the ids of published events with those of audit records; return one line for each difference.

    An event may be published twice.
    """
    events, records = set(events), set(records)
    return [
        *(f"audit record {record_id} was not published" for record_id in sorted(records - events)),
        *(f"event {event_id} was published, and is no audit record" for event_id in sorted(events - records)),
    ]


def _keys(books: Books, items: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for key_id in items.keys() - books.keys.keys():
        yield f"key {key_id} exists, but no answer named it"
    for key in books.keys.values():
        item = items.get(key.id)
        if (item is None) != key.is_deleted:
            yield f"key {key.id} {'was deleted, and is there' if key.is_deleted else 'was made, and is not there'}"
        elif item is not None:
            expected = (key.name, key.enabled, key.generation)
            there = (item["name"], item["enabled"], int(item["generation"]))
            if expected != there:
                yield f"key {key.id}: expected {expected}, but the table has {there}"


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


def _retired_uses(
    books: Books, partition: Mapping[str, Mapping[str, Any]], log: Iterable[Mapping[str, Any]]
) -> Iterable[str]:
    recorded: Counter[str] = Counter()
    for record in log:
        recorded[record["targetId"]] += record["changes"]["after"]["count"]
    for key in books.keys.values():
        counted = recorded[key.id] + int(partition.get(f"USAGE#{key.id}", {}).get("retired", 0))
        most = key.retired_uses + key.unanswered_retired_uses
        if counted > most or (not key.is_deleted and counted < key.retired_uses):
            yield f"key {key.id}: {counted} uses of rotated-out texts are counted, of {key.retired_uses} to {most}"
