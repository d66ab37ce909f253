"""Comparing the audit log in the table with its archive: any record that was changed, removed or added is named.

The archive is read first, then the table: a record that is written meanwhile is new, and none seems to be removed. In
memory are the ids and digests of all records, not the records (docs/archive.md has figures).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from struct import Struct
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from keywright import clock
from keywright.clock import rfc3339
from keywright.domain.audit_event import AuditEvent
from keywright.organizations.archive import FILE, STREAM
from keywright.organizations.publish import event_of
from keywright.store import archive, audit, layout, table
from keywright.store.archive import PREFIX, Head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from keywright.store.archive import Header
    from keywright.store.layout import Item

TABLE = "table"
KEPT_BY_THE_STREAM = timedelta(hours=24)
"""Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams": what is older is never archived."""
CLOCK_MARGIN = timedelta(minutes=15)
"""Longer than any request takes, and than clocks of AWS differ."""

_KEY = re.compile(rf"{PREFIX}([0-9]{{12}})\.jsonl")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{1,18}")
_PACKED = Struct(">QQ32s")
"""Number of the object, end of the retention (0: none), digest of the item."""
_DELETIONS = {AuditEvent.ORGANIZATION_DELETION_REQUESTED, AuditEvent.ORGANIZATION_DELETION_CANCELED}
_IDS_BYTES = 32
_NOT_OF_THE_EVENT = {"digest", "ttl", "storedAt"}

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object of the bucket.

    Attributes:
        written_at: by the clock of S3.
        versions: how many there are, delete markers included.
        is_deleted: whether the latest is a delete marker.
    """

    key: str
    written_at: datetime
    versions: int = 1
    is_deleted: bool = False


class Bucket(Protocol):
    """The bucket of an archive."""

    @property
    def name(self) -> str:
        """Its name."""

    def objects(self, prefix: str) -> Iterator[ListedObject]:
        """Yield all objects whose keys begin so, in the order of their keys."""

    def read(self, keys: Iterable[str]) -> Iterator[bytes]:
        """Yield the bytes of objects, in order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written.

    Attributes:
        what: "changed", "removed", "added", "missing", "unreadable", "foreign" or "head".
        place: "table", or the key of an object of the archive.
        text: says what is wrong.
        organization_id, record_id, event, created_at: of the record, if it is about one.
    """

    what: str
    place: str
    text: str
    organization_id: str | None = None
    record_id: str | None = None
    event: str | None = None
    created_at: str | None = None


@dataclass(slots=True)
class Report:
    """Result of a check.

    Attributes:
        head: last object of the archive, to be kept elsewhere and passed as `expected` later.
        objects: that were read.
        archived: different records in the archive.
        same: records that are the same in table and archive.
        expired: archived records whose retention is over, not in the table.
        purged: archived records of deleted organizations, not in the table, by the id of the organization.
        pending: records of the table that are not archived yet.
        older: records of the table that were written before the archive began.
        by_hand: archived records that did not come from the stream.
        behind: objects after the one that the table names as the last.
    """

    head: Head = field(default_factory=Head)
    findings: list[Finding] = field(default_factory=list)
    objects: int = 0
    archived: int = 0
    same: int = 0
    expired: int = 0
    purged: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    older: int = 0
    by_hand: int = 0
    behind: int = 0


def verify(bucket: Bucket, expected: Head | None, on_progress: Callable[[int], object]) -> Report:
    """Read the whole archive and the whole table, and return what does not agree.

    Args:
        bucket: of the archive.
        expected: a head that was noted earlier; None for none.
        on_progress: called with the number of records that were read since the last call.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    check = _Check(bucket, on_progress)
    head = archive.head(bucket.name)
    check.read_archive(head, expected)
    check.compare_table()
    check.explain_missing()
    return check.report


@dataclass(slots=True)
class _Check:
    bucket: Bucket
    on_progress: Callable[[int], object]
    report: Report = field(default_factory=Report)
    archived: dict[bytes, bytes] = field(default_factory=dict)
    headers: dict[int, Header] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    """Objects that are not as they were written."""
    uncertain: set[int] = field(default_factory=set)
    """Objects that no intact object names the digest of."""
    doubtful: dict[bytes, tuple[int, Line]] = field(default_factory=dict)
    """Lines of the objects of both sets."""
    deletions: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """When the deletion of an organization was last requested or canceled, and for when it is scheduled."""
    last_received: dict[str, str] = field(default_factory=dict)
    """Of an organization's archived records."""
    _twice: list[tuple[int, Line]] = field(default_factory=list)
    is_complete: bool = True

    # ---- Archive

    def read_archive(self, head: Head, expected: Head | None) -> None:
        """Read all objects, and check that each names the digest of the one before."""
        numbers = self._list(max(head.number, expected.number if expected else 0))
        written_at = dict(numbers)
        for (number, _), body in zip(numbers, self.bucket.read(map(archive.object_key, written_at)), strict=True):
            self._read_object(number, body, written_at[number])
        self.report.objects = len(numbers)
        self.report.archived = len(self.archived)
        if numbers:
            last = numbers[-1][0]
            self.report.head = Head(last, self.digests[last])
        self._check_chain(head, expected)
        self._check_head(head, written_at)
        for number, line in self._twice:
            text = "it was written again with other content" if self._is_intact(number) else "the object was changed"
            self._add("changed", self._place(number), text, line)
        doubtful = sorted(self.changed | self.uncertain)
        for number, body in zip(doubtful, self.bucket.read(map(archive.object_key, doubtful)), strict=True):
            self.doubtful.update({_key(line): (number, line) for line in _lines(body) if line is not None})

    def _list(self, last_number: int) -> list[tuple[int, datetime]]:
        """Return numbers and times of the objects that are there, and report those that are missing or foreign."""
        numbers = []
        for each in self.bucket.objects(PREFIX):
            match = _KEY.fullmatch(each.key)
            if match is None or int(match[1]) == 0:
                self._add("foreign", each.key, "the archive has no such object")
                continue
            number = int(match[1])
            if each.is_deleted:
                self._add("removed", each.key, "the object was deleted; an earlier version may be there")
            elif each.versions > 1:
                self._add("changed", each.key, f"the object was written again: it has {each.versions} versions")
                self.changed.add(number)
            if not each.is_deleted:
                numbers.append((number, each.written_at))
        for first, end in _gaps([number for number, _ in numbers], last_number):
            self.is_complete = False
            others = f" and all up to {archive.object_key(end)} are" if end > first else " is"
            self._add("missing", archive.object_key(first), f"the object{others} not in the bucket")
        return numbers

    def _read_object(self, number: int, body: bytes, written_at: datetime) -> None:
        key = archive.object_key(number)
        self.digests[number] = hashlib.sha256(body).hexdigest()
        header = archive.parse_header(body)
        composed_at = clock.parse(header.written_at) if header else None
        if header is None or composed_at is None or header.number != number or header.source not in {STREAM, FILE}:
            self._add("unreadable", key, "its first line is no header of this object")
            self.changed.add(number)
        else:
            self.headers[number] = header
            if abs(written_at - composed_at) > CLOCK_MARGIN:
                text = f"the object was written again at {rfc3339(written_at)}: it says {header.written_at}"
                self._add("changed", key, text)
                self.changed.add(number)
        count = 0
        for position, line in enumerate(_lines(body), 2):
            if line is None:
                self._add("unreadable", key, f"its line {position} is no record")
                self.changed.add(number)
            else:
                self._read_line(number, line)
            count += 1
        self.on_progress(count)

    def _read_line(self, number: int, line: Line) -> None:
        key, retention = _key(line), line.get("ttl")
        packed = _PACKED.pack(number, int(retention) if retention else 0, bytes.fromhex(line["digest"]))
        first = self.archived.setdefault(key, packed)
        is_repeated = first is not packed
        if first[16:] != packed[16:]:
            self._twice.append((number, line))
        organization_id, received = line["organizationId"], str(line.get("receivedAt", ""))
        self.last_received[organization_id] = max(received, self.last_received.get(organization_id, ""))
        if line.get("event") in _DELETIONS and len(key) == _IDS_BYTES:
            after = (line.get("changes") or {}).get("after") or {}
            change = str(line.get("createdAt")), after.get("pendingDeletionAt")
            self.deletions[organization_id] = max(change, self.deletions.get(organization_id, ("", None)), key=_first)
        if is_repeated:  # as a batch that came again, or a record that was copied back from a restored table
            return
        if "storedAt" not in line:
            self.report.by_hand += 1
            return
        stored_at, received_at = clock.parse(str(line["storedAt"])), clock.parse(received)
        if stored_at is None or received_at is None or abs(stored_at - received_at) > CLOCK_MARGIN:
            text = f"it was written to the table at {line['storedAt']}: it says {received or 'nothing'}"
            self._add("added", TABLE, text, line)

    def _check_chain(self, head: Head, expected: Head | None) -> None:
        """Find the objects whose digest is not the one that the next object, the head, or an auditor has."""
        known = [each for each in (head, expected) if each is not None and each.number]
        links = {number: self._link(number, known) for number in self.digests}
        for number, is_right in links.items():
            after = links.get(number + 1)
            if is_right is None or (is_right is False and after is False):
                self.uncertain.add(number)
            elif is_right is False and number not in self.changed:
                named_by = "the next object" if number + 1 in self.digests else "the head in the table"
                self._add("changed", archive.object_key(number), f"its digest is not the one that {named_by} has")
            if is_right is False and after is not False:
                self.changed.add(number)
        if expected is not None and self.digests.get(expected.number) not in {None, expected.digest}:
            text = f"it is not the object with the digest {expected.digest}"
            self._add("changed", archive.object_key(expected.number), text)
            self.changed.add(expected.number)

    def _link(self, number: int, known: list[Head]) -> bool | None:
        """Return whether what follows an object agrees with it; None if nothing is known of it."""
        following = self.headers.get(number + 1)
        if following is not None:
            return following.previous == self.digests[number]
        digests = [each.digest for each in known if each.number == number]
        return self.digests[number] in digests if digests else None

    def _check_head(self, head: Head, written_at: Mapping[int, datetime]) -> None:
        """Check the head in the table, which an invocation moves after it wrote an object."""
        actual = self.digests.get(head.number)
        is_named = self.headers.get(head.number + 1)
        if actual is not None and actual != head.digest and is_named is not None and is_named.previous == actual:
            self._add("head", TABLE, f"the head has another digest than {archive.object_key(head.number)}")
        if 1 in self.headers and self.headers[1].previous is not None:
            self._add("changed", archive.object_key(1), "it names an object before the first")
            self.changed.add(1)
        later = [number for number in self.digests if number > head.number]
        self.report.behind = len(later)
        since = clock.now() - KEPT_BY_THE_STREAM
        if any(written_at[number] < since for number in later):
            self._add(
                "head", TABLE, f"the head is number {head.number}, and there are {len(later)} older objects after it"
            )

    # ---- Table

    def compare_table(self) -> None:
        """Compare each audit record of the table with its digest in the archive."""
        begun = self._begun()
        for item in audit.all_items(self.on_progress):
            key = _item_key(item)
            packed = self.archived.pop(key, None)
            if packed is None:
                self._sort_out(item, begun)
                continue
            number, _, digest = _PACKED.unpack(packed)
            if digest.hex() != audit.digest(item):
                whose = "the record" if self._is_intact(number) else "the record or its line"
                self._add("changed", self._place(number), f"{whose} is not as it was archived", _line_of(item))
            elif key in self.doubtful and not _is_rendering(self.doubtful[key][1], item):
                place = archive.object_key(self.doubtful[key][0])
                self._add("changed", place, "its line is not as it was archived", _line_of(item))
            else:
                self.report.same += 1

    def _begun(self) -> str:
        """Return when the first object was written; before that, there was no archive."""
        first = min(self.headers, default=None)
        return rfc3339(clock.now()) if first is None else self.headers[first].written_at

    def _sort_out(self, item: Item, begun: str) -> None:
        """Sort out why a record of the table is not in the archive."""
        line = _line_of(item)
        received_at, now = clock.parse(line["receivedAt"]), clock.now()
        last = clock.parse(self.last_received.get(line["organizationId"], ""))
        is_overtaken = last is not None and received_at is not None and received_at < last - CLOCK_MARGIN
        if received_at is not None and now - KEPT_BY_THE_STREAM < received_at < now + CLOCK_MARGIN and not is_overtaken:
            self.report.pending += 1
        elif received_at is not None and line["receivedAt"] < begun:
            self.report.older += 1
        elif self.changed or not self.is_complete:
            self._add("removed", PREFIX, "the record is not in the archive, of which objects were changed", line)
        else:
            self._add("added", TABLE, "the record is not in the archive: it was added, or could not be archived", line)

    # ---- What is left

    def explain_missing(self) -> None:
        """Report each archived record that is not in the table, unless its retention or its organization is over."""
        now = clock.now()
        purged = {name for name, (_, due) in self.deletions.items() if due is not None and _is_purged(name, due)}
        gone: dict[int, set[bytes]] = {}
        for key, packed in self.archived.items():
            number, retention, _ = _PACKED.unpack(packed)
            if 0 < retention <= now.timestamp():
                self.report.expired += 1
            else:
                gone.setdefault(number, set()).add(key)
        numbers = sorted(gone)
        for number, body in zip(numbers, self.bucket.read(map(archive.object_key, numbers)), strict=True):
            for line in _lines(body):
                if line is None or _key(line) not in gone[number]:
                    continue
                gone[number].discard(_key(line))  # once, if the object has it twice
                if line["organizationId"] in purged:
                    self.report.purged[line["organizationId"]] += 1
                elif self._is_intact(number):
                    self._add("removed", TABLE, f"the record is in {archive.object_key(number)} only", line)
                else:
                    self._add("added", archive.object_key(number), "the record is not in the table", line)

    def _is_intact(self, number: int) -> bool:
        return number not in self.changed and number not in self.uncertain

    def _place(self, number: int) -> str:
        return TABLE if self._is_intact(number) else archive.object_key(number)

    def _add(self, what: str, place: str, text: str, line: Line | None = None) -> None:
        fields = ("organizationId", "id", "event", "createdAt")
        record = (None,) * 4 if line is None else (_text(line.get(name)) for name in fields)
        self.report.findings.append(Finding(what, place, text, *record))


def _is_purged(organization_id: str, due: str) -> bool:
    """Return whether the scheduled deletion of an organization is due, and was carried out within a day."""
    now, due_at = clock.now(), clock.parse(due)
    if due_at is None or due_at > now:
        return False
    return due_at > now - KEPT_BY_THE_STREAM or not table.read(UUID(organization_id), [layout.ORGANIZATION])


def _lines(body: bytes) -> Iterator[Line | None]:
    """Parse the records of an object; None for a line that is none."""
    lines = body.split(b"\n")
    for line in lines[1:-1] if lines[-1] == b"" else lines[1:]:
        yield _parsed(line)


def _parsed(text: bytes) -> Line | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match line:
        case {"organizationId": str(), "id": str(), "digest": str(digest)} if _DIGEST.fullmatch(digest):
            retention = line.get("ttl")
            is_number = retention is None or (
                isinstance(retention, str) and retention.isascii() and retention.isdigit()
            )
            return line if is_number and len(retention or "") <= 18 else None  # noqa: PLR2004 - within 64 bits
    return None


def _key(line: Line) -> bytes:
    """Return what a record is found by: 32 bytes of its ids, or a digest of what are no ids."""
    return _ids(line["organizationId"], line["id"])


def _item_key(item: Item) -> bytes:
    return _ids(*layout.archived_as(item))


def _ids(organization_id: str, record_id: str) -> bytes:
    try:
        ids = UUID(organization_id), UUID(record_id)
    except ValueError:
        ids = None
    if ids is None or (organization_id, record_id) != (str(ids[0]), str(ids[1])):
        return hashlib.sha512(json.dumps([organization_id, record_id]).encode()).digest()
    return ids[0].bytes + ids[1].bytes


def _line_of(item: Item) -> Line:
    """Return what a finding says of an item, even if it is no audit record."""
    organization_id, record_id = layout.archived_as(item)
    names = {"event": "event", "createdAt": "created_at", "receivedAt": "received_at"}
    fields = {name: str(item.get(attribute, {}).get("S", "")) for name, attribute in names.items()}
    return {"organizationId": organization_id, "id": record_id, **fields}


def _is_rendering(line: Line, item: Item) -> bool:
    """Return whether a line shows an item, as this version does."""
    try:
        shown = json.loads(event_of(item).detail)
    except Exception:  # noqa: BLE001 - an item that was written by hand
        shown = {"item": item}
    told = {name: value for name, value in line.items() if name not in _NOT_OF_THE_EVENT}
    return shown.items() <= told.items() and line.get("ttl") == item.get("ttl", {}).get("N")


def _gaps(numbers: list[int], last: int) -> Iterator[tuple[int, int]]:
    """Return the first and the last of each run of numbers that are missing, from 1 to the last."""
    before = 0
    for number in (*numbers, max([last, *numbers]) + 1):
        if number > before + 1:
            yield before + 1, number - 1
        before = number


def _first(change: tuple[str, str | None]) -> str:
    return change[0]


def _text(value: object) -> str | None:
    return None if value in {None, ""} else str(value)
