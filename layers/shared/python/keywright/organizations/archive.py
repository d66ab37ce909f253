"""Archiving audit records: each batch of the table's stream becomes an object that names the digest of the one before.

An object is written only where there is none: of invocations that write the same number at once, one succeeds, and the
others continue after its object. So the chain never forks. The head in the table is moved afterwards; it saves looking
for the last object, is compared with it, and is behind if an invocation is killed. A batch that comes again is archived
again, with the same digests.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from keywright import clock, deadline
from keywright.clock import rfc3339
from keywright.errors import ServiceError
from keywright.log import describe, logger
from keywright.organizations.publish import event_of
from keywright.settings import archive_settings
from keywright.store import archive, audit, layout
from keywright.store.archive import UNREADABLE, Head, Header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright.api.lambda_types import BatchAnswer, LambdaContext, StreamEvent, StreamRecord
    from keywright.store.archive import Found
    from keywright.store.layout import Item

STREAM, FILE = "stream", "file"
"""Sources of records: the mapping, or an operator who invokes the function."""
LONGEST_WALK = 20
"""Objects that are read one after the other, before the last one is looked for: more than there are shards."""
_TTL = re.compile(r"[0-9]{1,18}")


def archive_records(event: StreamEvent, context: LambdaContext) -> BatchAnswer:
    """Archive a batch in one object; the answer names its first record if that failed, and Lambda sends it again."""
    about: dict[str, object] = {"operation": "archive_records", "request_id": context.aws_request_id}
    records = event["Records"]
    if not records:
        return {"batchItemFailures": []}
    try:
        with deadline.within(context.get_remaining_time_in_millis()):
            head = _append(records)
    except ServiceError as error:
        logger().warning("records come again", extra={**about, "reason": error.reason or error.error.code})
        return {"batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]}
    logger().info(
        "archive", extra={**about, "outcome": f"archived {len(records)} in {archive.object_key(head.number)}"}
    )
    return {"batchItemFailures": []}


def _append(records: Sequence[StreamRecord]) -> Head:
    """Write the next object of the chain, and return the head that it is."""
    bucket = archive_settings().audit_archive_bucket
    source = STREAM if all(record.get("eventSource") == "aws:dynamodb" for record in records) else FILE
    lines = [_line(record) for record in records]
    head, taken = archive.head(bucket), 0
    is_right = _is_there(head)
    replaced = None if is_right or not head.number else f"{head.number}:{head.digest}"
    move_head = archive.move_head if is_right else archive.correct_head
    if not is_right:
        head = _find_last(head)
    while True:
        number = head.number + 1
        body = archive.compose(Header(number, head.digest, rfc3339(clock.now()), source, replaced), lines)
        if archive.write(number, body):
            head = head.followed_by(body)
            move_head(bucket, head)
            return head
        found = archive.read(number)
        if found is None:  # it was deleted meanwhile
            continue
        is_written = found.body == body  # by an attempt whose answer was lost
        if not is_written:
            _check_next(head, found)
        head = Head(number, found.digest)
        if is_written or is_right:  # a false head stays until an object names it
            move_head(bucket, head)
        if is_written:
            return head
        taken += 1
        if taken % LONGEST_WALK == 0:
            head = archive.find_last()


def _is_there(head: Head) -> bool:
    """Return whether the bucket has the object of a head.

    Whoever can write to the table can set the head. A false one would leave numbers out, or name no object.
    """
    found = archive.read(head.number) if head.number else None
    return found is not None and found.digest in {head.digest, UNREADABLE}


def _find_last(head: Head) -> Head:
    """Return the last object of the bucket, instead of a head that names none."""
    last = archive.find_last()
    if last != head:
        about = {"object": archive.object_key(last.number)}
        logger().error("the head in the table is not of the archive", extra=about)
    return last


def _check_next(head: Head, found: Found) -> None:
    """Log an error if an object does not continue the chain.

    The chain goes on after it, with its digest: an object that was put there does not stop the archive, and
    `audit verify` names it.
    """
    header = archive.parse_header(found.body or b"")
    if header is None or (header.number, header.previous) != (head.number + 1, head.digest):
        logger().error("an object is not of the archive", extra={"object": archive.object_key(head.number + 1)})


def _line(record: StreamRecord) -> str:
    item = record["dynamodb"]["NewImage"]
    line = {**_shown(item), "digest": audit.digest(item)}
    ttl = item.get("ttl", {}).get("N")
    if ttl is not None and _TTL.fullmatch(ttl):
        line["ttl"] = ttl
    stored_at = record["dynamodb"].get("ApproximateCreationDateTime")
    if stored_at is not None:
        line["storedAt"] = rfc3339(datetime.fromtimestamp(int(stored_at), UTC))
    return json.dumps(line)


def _shown(item: Item) -> dict[str, object]:
    """Return a record as its event has it; its item, if it was written by hand and cannot be read."""
    try:
        detail: dict[str, object] = json.loads(event_of(item).detail)
    except Exception as error:  # noqa: BLE001 - it must not hold up the records after it
        organization_id, record_id = layout.archived_as(item)
        logger().error("record not readable", extra={"operation": "archive_records", "details": describe(error)})
        return {"organizationId": organization_id, "id": record_id, "item": item}
    return detail
