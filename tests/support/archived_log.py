"""An audit log and its archive in memory, which archive_records writes and `verify` compares."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from keywright import clock
from keywright.operators import archive_check
from keywright.operators.archive_check import Known, ListedObject, UnreadableObject
from keywright.organizations import archive as archiving
from keywright.store import archive, audit, purges
from keywright.store.archive import Found, Head
from tests.support.table_stream import stream_record
from tests.support.world import Context, audit_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    import pytest

    from keywright.api.lambda_types import LambdaContext, StreamEvent
    from keywright.operators.archive_check import Finding, Report
    from tests.support.table_stream import Record


@dataclass(slots=True)
class ArchivedLog:
    """The table's audit records by key, the objects of the bucket by key, the head, and when purges began."""

    name: str = "bucket"
    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    head: Head = field(default_factory=Head)
    unreadable: dict[str, str] = field(default_factory=dict)
    purges: dict[str, datetime] = field(default_factory=dict)
    reads: int = 0

    # ---- As the function sees it

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Replace the table and the bucket of this process."""
        patch.setenv("AUDIT_ARCHIVE_BUCKET", self.name)
        patch.setattr(archive, "head", lambda _: self.head)
        patch.setattr(archive, "write", self._write)
        patch.setattr(archive, "read", self._read_object)
        patch.setattr(archive, "find_last", self._find_last)
        patch.setattr(archive, "move_head", self._move_head)
        patch.setattr(archive, "correct_head", self._move_head)
        patch.setattr(audit, "all_items", self._all_items)
        patch.setattr(purges, "began_at", lambda organization_id: self.purges.get(str(organization_id)))

    def _write(self, number: int, body: bytes) -> bool:
        key = archive.object_key(number)
        self.bodies[key], self.times[key] = body, clock.now()
        return True

    def _read_object(self, number: int) -> Found | None:
        body = self.bodies.get(archive.object_key(number))
        return None if body is None else Found(hashlib.sha256(body).hexdigest(), body)

    def _find_last(self) -> Head:
        last = [key for key in sorted(self.bodies) if key not in self.deleted][-1:]
        return Head(int(last[0][6:18]), hashlib.sha256(self.bodies[last[0]]).hexdigest()) if last else Head()

    def _move_head(self, _: str, to: Head) -> None:
        self.head = to

    def _all_items(self, on_page: Callable[[int], object]) -> Iterator[dict[str, Any]]:
        on_page(len(self.items))
        yield from list(self.items.values())

    # ---- As `verify` sees it

    def objects(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects."""
        for key in sorted(self.bodies):
            if key.startswith(prefix):
                yield ListedObject(key, self.times[key], self.versions.get(key, 1), key in self.deleted)

    def read(self, keys: Iterable[str]) -> Iterator[bytes | UnreadableObject]:
        """Yield the bytes of objects."""
        for key in keys:
            self.reads += 1
            yield UnreadableObject(self.unreadable[key]) if key in self.unreadable else self.bodies[key]

    # ---- What happens

    def archive(self, *records: Record) -> None:
        """Write records to the table, and archive them as one batch of the stream."""
        for record in records:
            self.store(record)
        event = cast("StreamEvent", {"Records": list(records)})
        answer = archiving.archive_records(event, cast("LambdaContext", Context()))
        assert {"batchItemFailures": []} == answer

    def store(self, record: Record) -> None:
        """Write a record to the table only."""
        image = record["dynamodb"]["NewImage"]
        self.items[image["pk"]["S"], image["sk"]["S"]] = image

    def verify(self, expected: Head | None = None, known: Known | None = None) -> Report:
        """Compare the table with the archive."""
        return archive_check.verify(self, known or Known(expected), lambda _: None)

    def findings(self, expected: Head | None = None) -> list[Finding]:
        """Return the differences between table and archive."""
        return self.verify(expected).findings


def record_at(record_id: str, moment: datetime, organization_id: str | None = None, **attributes: Any) -> Record:
    """Return the record of the stream of an audit record that was written then."""
    at = clock.rfc3339(moment)
    organization = {} if organization_id is None else {"organization_id": organization_id}
    item = audit_item(record_id, **organization, **{"created_at": at, "received_at": at, **attributes})
    record = stream_record(item, 1)
    record["dynamodb"]["ApproximateCreationDateTime"] = int(moment.timestamp())
    return record


def lines_of(body: bytes) -> list[dict[str, Any]]:
    """Return header and records of an object."""
    return [json.loads(line) for line in body.splitlines()]


def composed(lines: list[dict[str, Any]]) -> bytes:
    """Return an object of lines, as the archive writes it."""
    return "".join(json.dumps(line) + "\n" for line in lines).encode()
