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
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from keywright import clock
from keywright.clock import rfc3339
from keywright.domain.audit_event import AuditEvent
from keywright.organizations.archive import FILE, STREAM
from keywright.organizations.publish import event_of
from keywright.store import archive, audit, layout, purges
from keywright.store.archive import PREFIX, Head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from keywright.store.archive import Header
    from keywright.store.layout import Item

TABLE = "table"
KEPT_BY_THE_STREAM = timedelta(hours=24)
"""Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams": what is older is never archived."""
TRIED_FOR = timedelta(hours=6)
"""MaximumRecordAgeInSeconds of the mapping: until then, a record comes again that could not be archived."""
LEAST_RETENTION = timedelta(days=1)
"""Of AuditRetentionDays."""
CLOCK_MARGIN = timedelta(minutes=15)
"""Longer than any request takes, than records are collected for, and than clocks of AWS differ."""

_KEY = re.compile(rf"{PREFIX}([0-9]{{12}})\.jsonl")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RETENTION = re.compile(r"-?[0-9]{1,18}")
_PACKED = Struct(">QQ32s")
"""Number of the object, end of the retention (0: none), digest of the item."""
_DELETIONS = {AuditEvent.ORGANIZATION_DELETION_REQUESTED, AuditEvent.ORGANIZATION_DELETION_CANCELED}
_IDS_BYTES = 32
_NOT_OF_THE_EVENT = {"digest", "ttl", "storedAt"}
_TEXTS = ("event", "createdAt", "receivedAt", "storedAt", "ttl")

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


@dataclass(frozen=True, slots=True)
class UnreadableObject:
    """An object that is there, and that S3 does not return.

    Attributes:
        reason: the error of S3.
    """

    reason: str


class Bucket(Protocol):
    """The bucket of an archive."""

    @property
    def name(self) -> str:
        """Its name."""

    def objects(self, prefix: str) -> Iterator[ListedObject]:
        """Yield all objects whose keys begin so, in the order of their keys."""

    def read(self, keys: Iterable[str]) -> Iterator[bytes | UnreadableObject]:
        """Yield the bytes of objects, in order."""


@dataclass(frozen=True, slots=True)
class Known:
    """Facts about an archive that neither table nor bucket can be trusted with.

    Attributes:
        expected: a head that was noted earlier; None for none.
        first: the object that the chain begins with, if those before it were deleted by agreement.
        is_of_stack: whether the stack writes to the bucket, or an earlier archive of it did.
    """

    expected: Head | None = None
    first: Head | None = None
    is_of_stack: bool = True

    @property
    def heads(self) -> list[Head]:
        """Return the objects whose digests are known."""
        return [each for each in (self.first, self.expected) if each is not None]

    @property
    def begin(self) -> int:
        """Return the number of the first object."""
        return 1 if self.first is None else self.first.number


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


@dataclass(frozen=True, slots=True)
class ArchivedByHand:
    """An object whose records did not come from the stream.

    Attributes:
        number: of the object.
        records: in it.
        written_at: by the clock of S3, RFC 3339.
    """

    number: int
    records: int
    written_at: str


@dataclass(slots=True)
class Report:
    """Result of a check.

    Attributes:
        head: last object of the archive, to be kept elsewhere and passed as `expected` later.
        began: when the first object was written, RFC 3339; None if it is missing or was changed.
        objects: that were read.
        archived: different records in the archive.
        same: records that are the same in table and archive.
        expired: archived records whose retention is over, not in the table.
        purged: archived records of deleted organizations, not in the table, by the id of the organization.
        pending: records of the table that are not archived yet.
        older: records of the table that were written before the archive began.
        newer: records of the table that were written after an earlier archive ended.
        by_hand: archived records that did not come from the stream.
        by_hand_objects: the objects that have them.
        behind: objects after the one that the table names as the last.
    """

    head: Head = field(default_factory=Head)
    began: str | None = None
    findings: list[Finding] = field(default_factory=list)
    objects: int = 0
    archived: int = 0
    same: int = 0
    expired: int = 0
    purged: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    older: int = 0
    newer: int = 0
    by_hand: int = 0
    by_hand_objects: list[ArchivedByHand] = field(default_factory=list)
    behind: int = 0


def verify(bucket: Bucket, known: Known, on_progress: Callable[[int], object]) -> Report:
    """Read the whole archive and the whole table, and return what does not agree.

    Args:
        bucket: of the archive.
        known: about the archive.
        on_progress: called with the number of records that were read since the last call.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    check = _Check(bucket, known, on_progress)
    check.read_archive(archive.head(bucket.name))
    check.compare_table()
    check.explain_missing()
    return check.report


@dataclass(slots=True)
class _Check:
    bucket: Bucket
    known: Known
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
    last_stored: dict[str, datetime] = field(default_factory=dict)
    """By the clock of the stream, of an organization's archived records."""
    ended: datetime | None = None
    """When the last object was written, by the clock of S3."""
    is_complete: bool = True
    """Whether each object is there and can be read."""
    _twice: list[tuple[int, Line]] = field(default_factory=list)

    # ---- Archive

    def read_archive(self, head: Head) -> None:
        """Read all objects, and check that each names the digest of the one before."""
        written_at = self._list(max(each.number for each in (head, *self.known.heads)))
        for number, body in self._bodies(list(written_at)):
            self._read_object(number, body, written_at[number])
        self.report.objects = len(self.digests)
        self.report.archived = len(self.archived)
        if self.digests:
            last = max(self.digests)
            self.report.head, self.ended = Head(last, self.digests[last]), written_at[last]
        self._check_order(written_at)
        self._check_chain(head)
        self._check_head(head, written_at)
        for number, line in self._twice:
            text = "it was written again with other content" if self._is_intact(number) else "the object was changed"
            self._add("changed", self._place(number), text, line)
        for number, body in self._bodies(sorted(self.changed | self.uncertain)):
            self.doubtful.update({_key(line): (number, line) for line in _lines_of(body) if line is not None})

    def _bodies(self, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Read objects, and report those that cannot be read."""
        keys = [archive.object_key(number) for number in numbers]
        for number, key, body in zip(numbers, keys, self.bucket.read(keys), strict=True):
            if isinstance(body, UnreadableObject):
                self.is_complete = False
                self._add("unreadable", key, f"S3 does not return the object: {body.reason}")
            else:
                yield number, body

    def _list(self, last_number: int) -> dict[int, datetime]:
        """Return the times of the objects that are there, and report those that are missing or foreign."""
        written_at = {}
        for each in self.bucket.objects(PREFIX):
            match = _KEY.fullmatch(each.key)
            if match is None or int(match[1]) == 0:
                self._add("foreign", each.key, "the archive has no such object")
                continue
            number = int(match[1])
            if number < self.known.begin:
                continue
            if each.is_deleted:
                self._add("removed", each.key, "the object was deleted; an earlier version may be there")
            elif each.versions > 1:
                self._add("changed", each.key, f"the object was written again: it has {each.versions} versions")
                self.changed.add(number)
            if not each.is_deleted:
                written_at[number] = each.written_at
        for first, end in _gaps(list(written_at), self.known.begin, last_number):
            self.is_complete = False
            others = f" and all up to {archive.object_key(end)} are" if end > first else " is"
            self._add("missing", archive.object_key(first), f"the object{others} not in the bucket")
        return written_at

    def _read_object(self, number: int, body: bytes, written_at: datetime) -> None:
        key = archive.object_key(number)
        self.digests[number] = hashlib.sha256(body).hexdigest()
        header, false_time = _header(number, body), None
        composed_at = clock.parse(header.written_at) if header else None
        if header is None or composed_at is None:
            self._add("unreadable", key, "its first line is no header of this object")
            self.changed.add(number)
        else:
            self.headers[number] = header
            if header.replaced_head is not None:
                self._add("head", key, f"the head in the table was {header.replaced_head}, whose object was not there")
            if abs(written_at - composed_at) > CLOCK_MARGIN:
                false_time = f"the object was written again at {rfc3339(written_at)}: it says {header.written_at}"
        is_of_stream = number in self.headers and self.headers[number].source == STREAM
        count = 0
        for position, line in enumerate(_lines_of(body), 2):
            count += 1
            if line is None:  # which does not make the object changed: the table may have had such an item
                self._add("unreadable", key, f"its line {position} is no record")
                continue
            stored_at = _stored_at(line) if is_of_stream else None
            if stored_at is not None and not _can_have_been_read(stored_at, written_at):
                stored_at = None
            if is_of_stream and stored_at is None and false_time is None:
                text = f"when the stream did not have line {position}, of {line.get('storedAt') or 'no time'}"
                false_time = f"the object was written at {rfc3339(written_at)}, {text}"
            self._read_line(number, line, stored_at)
        if false_time is not None:
            self._add("changed", key, false_time)
            self.changed.add(number)
        if header is not None and header.source == FILE:
            self.report.by_hand_objects.append(ArchivedByHand(number, count, rfc3339(written_at)))
        self.on_progress(count)

    def _read_line(self, number: int, line: Line, stored_at: datetime | None) -> None:
        """Take in a line.

        Args:
            number: of its object.
            line: to be taken in.
            stored_at: when DynamoDB wrote the record, if the stream can have said so.
        """
        key, retention = _key(line), _retention(line)
        packed = _PACKED.pack(number, max(0, retention or 0), bytes.fromhex(line["digest"]))
        first = self.archived.setdefault(key, packed)
        is_repeated = first is not packed
        if first[16:] != packed[16:]:
            self._twice.append((number, line))
        organization_id = line["organizationId"]
        if stored_at is not None:
            self.last_stored[organization_id] = max(stored_at, self.last_stored.get(organization_id, stored_at))
        if line.get("event") in _DELETIONS and len(key) == _IDS_BYTES:
            change = line.get("createdAt") or "", _due(line)
            self.deletions[organization_id] = max(change, self.deletions.get(organization_id, ("", None)), key=_first)
        if is_repeated:  # as a batch that came again, or a record that was copied back from a restored table
            return
        if number in self.headers and self.headers[number].source == FILE:
            self.report.by_hand += 1
        if stored_at is None:
            return
        received = line.get("receivedAt") or ""
        received_at = clock.parse(received)
        if received_at is None or abs(stored_at - received_at) > CLOCK_MARGIN:
            text = f"it was written to the table at {line['storedAt']}: it says {received or 'nothing'}"
            self._add("added", TABLE, text, line)
        if retention is not None and retention < (stored_at + LEAST_RETENTION - CLOCK_MARGIN).timestamp():
            text = f"its retention ends less than a day after it was written, at {line['storedAt']}"
            self._add("added", archive.object_key(number), text, line)

    def _check_order(self, written_at: Mapping[int, datetime]) -> None:
        """Find the objects that S3 wrote after those that come after them."""
        following = datetime.max.replace(tzinfo=UTC)
        for number in sorted(written_at, reverse=True):
            if written_at[number] - following > CLOCK_MARGIN and number not in self.changed:
                text = f"it was written after the next object, at {rfc3339(written_at[number])}"
                self._add("changed", archive.object_key(number), text)
                self.changed.add(number)
            following = min(following, written_at[number])

    def _check_chain(self, head: Head) -> None:
        """Find the objects whose digest is not the one that the next object, the head, or an auditor has."""
        known = [head, *self.known.heads]
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
        for each in self.known.heads:
            if self.digests.get(each.number) not in {None, each.digest}:
                text = f"it is not the object with the digest {each.digest}"
                self._add("changed", archive.object_key(each.number), text)
                self.changed.add(each.number)

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
                self._add("changed", self._place(number), f"{whose} is not as it was archived", _described(item))
            elif key in self.doubtful and not _is_rendering(self.doubtful[key][1], item):
                place = archive.object_key(self.doubtful[key][0])
                self._add("changed", place, "its line is not as it was archived", _described(item))
            else:
                self.report.same += 1
        if self._is_empty and self.report.older:
            text = "the bucket has no objects, and the table has records of more than a day"
            self._add("missing", archive.object_key(1), text)

    @property
    def _is_empty(self) -> bool:
        return not self.digests and self.is_complete

    def _begun(self) -> datetime | None:
        """Return when the first object was written: before that, there was no archive. None if it is not known."""
        if self._is_empty:
            return clock.now()
        begin = self.known.begin
        if begin not in self.headers or begin in self.changed:
            return None
        self.report.began = self.headers[begin].written_at
        return clock.parse(self.report.began)

    def _sort_out(self, item: Item, begun: datetime | None) -> None:
        """Sort out why a record of the table is not in the archive."""
        line = _described(item)
        received_at = clock.parse(line["receivedAt"])
        if received_at is not None and self.known.is_of_stack and self._may_come(line["organizationId"], received_at):
            self.report.pending += 1
        elif received_at is not None and self._is_after_the_end(received_at):
            self.report.newer += 1
        elif received_at is not None and begun is not None and received_at < begun:
            self.report.older += 1
        elif self.changed or not self.is_complete:
            text = "the record is not in the archive, of which objects are missing, unreadable or changed"
            self._add("removed", PREFIX, text, line)
        else:
            self._add("added", TABLE, "the record is not in the archive: it was added, or could not be archived", line)

    def _may_come(self, organization_id: str, received_at: datetime) -> bool:
        """Return whether the stream may still bring a record."""
        age = clock.now() - received_at
        last = self.last_stored.get(organization_id)
        is_overtaken = last is not None and last - received_at > CLOCK_MARGIN
        return -CLOCK_MARGIN < age < (TRIED_FOR if is_overtaken else KEPT_BY_THE_STREAM)

    def _is_after_the_end(self, received_at: datetime) -> bool:
        """Return whether a record was written after an earlier archive ended."""
        return not self.known.is_of_stack and self.ended is not None and self.ended - received_at < CLOCK_MARGIN

    # ---- What is left

    def explain_missing(self) -> None:
        """Report each archived record that is not in the table, unless its retention or its organization is over."""
        now = clock.now().timestamp()
        purges_began = {name: _purge_began(name, due) for name, (_, due) in self.deletions.items() if due is not None}
        gone: dict[int, set[bytes]] = {}
        for key, packed in self.archived.items():
            number, retention, _ = _PACKED.unpack(packed)
            if 0 < retention <= now:
                self.report.expired += 1
            else:
                gone.setdefault(number, set()).add(key)
        for number, body in self._bodies(sorted(gone)):
            for line in _lines_of(body):
                if line is None or _key(line) not in gone[number]:
                    continue
                gone[number].discard(_key(line))  # once, if the object has it twice
                self._explain(number, line, purges_began.get(line["organizationId"]))

    def _explain(self, number: int, line: Line, purge_began: datetime | None) -> None:
        """Report a record that is not in the table, or count it if the purge of its organization began."""
        stored_at = _stored_at(line)
        if purge_began is not None and stored_at is not None and stored_at - purge_began > CLOCK_MARGIN:
            text = f"it was written at {line['storedAt']}, after the purge of its organization began"
            self._add("added", archive.object_key(number), text, line)
        elif purge_began is not None:
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
        self.report.findings.append(Finding(what, place, _in_unicode(text), *record))


def _purge_began(organization_id: str, due: str) -> datetime | None:
    """Return when the purge of an organization began; None if it did not, or not for this scheduled deletion."""
    due_at = clock.parse(due)
    try:
        began_at = purges.began_at(UUID(organization_id))
        if began_at is None or due_at is None or not due_at <= began_at <= clock.now() + CLOCK_MARGIN:
            return None
    except (KeyError, TypeError, ValueError):  # an item that was written by hand
        return None
    return began_at


def _header(number: int, body: bytes) -> Header | None:
    """Parse the header of an object; None if it is none of this object."""
    header = archive.parse_header(body)
    is_right = header is not None and header.number == number and header.source in {STREAM, FILE}
    return header if is_right else None


def _lines_of(body: bytes) -> Iterator[Line | None]:
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
            return line if all(isinstance(line.get(name), str | None) for name in _TEXTS) else None
    return None


def _stored_at(line: Line) -> datetime | None:
    return clock.parse(line.get("storedAt") or "")


def _can_have_been_read(stored_at: datetime, written_at: datetime) -> bool:
    """Return whether the stream had a record of that time when an object was written, by the clock of S3."""
    return -CLOCK_MARGIN <= written_at - stored_at <= KEPT_BY_THE_STREAM + CLOCK_MARGIN


def _retention(line: Line) -> int | None:
    """Return the end of a record's retention; None if DynamoDB takes none from its attribute."""
    text = line.get("ttl") or ""
    return int(text) if _RETENTION.fullmatch(text) else None


def _due(line: Line) -> str | None:
    """Return for when a deletion is scheduled, which the record of its cancellation does not say."""
    match line.get("changes"):
        case {"after": {"pendingDeletionAt": str(due)}}:
            return due
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


def _described(item: Item) -> Line:
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
    fields = {name: value for name, value in line.items() if name not in _NOT_OF_THE_EVENT}
    return shown.items() <= fields.items() and line.get("ttl") == item.get("ttl", {}).get("N")


def _gaps(numbers: list[int], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Return the first and the last of each run of numbers that are missing, from the first to the last."""
    before = first - 1
    for number in (*numbers, max([last, *numbers]) + 1):
        if number > before + 1:
            yield before + 1, number - 1
        before = number


def _first(change: tuple[str, str | None]) -> str:
    return change[0]


def _text(value: object) -> str | None:
    return None if value in {None, ""} else _in_unicode(str(value))


def _in_unicode(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can have and no output."""
    return text.encode(errors="replace").decode()
