"""Publishing audit records: the stream of the table brings each at least once, in the order of its shard.

A record that is published twice has the same `id` both times. A request never has two records of one organization, and
the next one is sent when all of the last were taken: however requests fail, an organization's records arrive in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright import deadline
from keywright.api.schemas import PublishedAuditLog
from keywright.errors import ServiceError
from keywright.log import describe, logger
from keywright.organizations import audit_log
from keywright.store import audit, event_bus, layout
from keywright.store.event_bus import INTEGER_LIMIT, REQUEST_BYTES, REQUEST_EVENTS, OutgoingEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from keywright.api.lambda_types import BatchAnswer, LambdaContext, StreamEvent, StreamRecord
    from keywright.store.layout import Item


@dataclass(frozen=True, slots=True)
class _Place:
    """An event and its place in the batch.

    Attributes:
        sequence_number: of its shard.
        organization_id: whose log has the record.
    """

    sequence_number: str
    organization_id: UUID
    event: OutgoingEvent


def publish(event: StreamEvent, context: LambdaContext) -> BatchAnswer:
    """Publish the records of a batch; the answer names the first that was not, from which Lambda goes on."""
    about: dict[str, object] = {"operation": "publish_events", "request_id": context.aws_request_id}
    places: list[_Place] = []
    failed: str | None = None
    for record in event["Records"]:
        try:
            places.append(_place(record))
        except Exception as error:  # noqa: BLE001 - those before it are published; Lambda sets it aside
            failed = record["dynamodb"]["SequenceNumber"]
            logger().error("record not published", extra={**about, "details": describe(error)})
            break
    published: set[OutgoingEvent] = set()
    try:
        with deadline.within(context.get_remaining_time_in_millis()):
            for request in _requests(places):
                event_bus.put([place.event for place in request], published.add)
    except ServiceError as error:
        failed = next(place.sequence_number for place in places if place.event not in published)
        logger().warning("records come again", extra={**about, "reason": error.reason or error.error.code})
    logger().info("events", extra={**about, "outcome": f"published {len(published)} of {len(event['Records'])}"})
    return {"batchItemFailures": [] if failed is None else [{"itemIdentifier": failed}]}


def event_of(item: Item) -> OutgoingEvent:
    """Return the event of an audit record's item."""
    record = audit_log.shown(audit.parse_audit_record(item))
    fields = {**dict(record), "changes": _in_64_bits(record.changes)}
    published = PublishedAuditLog(**fields, organization_id=str(layout.organization_id_of(item)))
    return OutgoingEvent(record.event, published.model_dump_json(by_alias=True, ensure_ascii=True))


def _in_64_bits(value: object) -> object:
    """Return a JSON value with integers out of the range of EventBridge as doubles: metadata can have them."""
    match value:
        case dict():
            return {name: _in_64_bits(part) for name, part in value.items()}
        case list():
            return [_in_64_bits(part) for part in value]
        case int() if not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
            return float(value)
    return value


def _place(record: StreamRecord) -> _Place:
    change = record["dynamodb"]
    item = change["NewImage"]
    return _Place(change["SequenceNumber"], layout.organization_id_of(item), event_of(item))


def _requests(places: Iterable[_Place]) -> Iterator[list[_Place]]:
    """Divide a batch into requests, each without a second record of an organization."""
    rounds: list[list[_Place]] = []
    seen: dict[UUID, int] = {}
    for place in places:
        number = seen[place.organization_id] = seen.get(place.organization_id, -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(place)
    for each in rounds:
        yield from _within_limits(each)


def _within_limits(places: Iterable[_Place]) -> Iterator[list[_Place]]:
    request: list[_Place] = []
    size = 0
    for place in places:
        if request and (len(request) == REQUEST_EVENTS or size + place.event.size > REQUEST_BYTES):
            yield request
            request, size = [], 0
        request.append(place)
        size += place.event.size
    if request:
        yield request
