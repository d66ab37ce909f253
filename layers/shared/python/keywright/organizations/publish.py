"""Publishing audit records: the stream of the table brings each at least once, in the order of its shard.

A record that is published twice has the same `id` both times. A request never has two records of one organization, and
the next one is sent when all of the last were taken: however requests fail, an organization's records arrive in order
the first time. One that comes again can arrive after later ones.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from keywright import deadline
from keywright.api.schemas import PublishedAuditLog
from keywright.errors import ServiceError
from keywright.immutable import immutable
from keywright.log import describe, logger
from keywright.organizations import audit_log
from keywright.settings import event_settings
from keywright.store import audit, dead_letters, event_bus, layout
from keywright.store.event_bus import INTEGER_LIMIT, REQUEST_BYTES, REQUEST_EVENTS, OutgoingEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from keywright.api.lambda_types import BatchAnswer, LambdaContext, StreamEvent, StreamRecord
    from keywright.store.audit import AuditRecord
    from keywright.store.layout import Item


@immutable
class _Place:
    """An event and its place in the batch.

    Attributes:
        sequence_number: of its shard.
        organization_id: whose log has the record.
    """

    sequence_number: str
    organization_id: UUID
    event: OutgoingEvent


@immutable
class _Malformed:
    """A record that cannot become an event.

    Attributes:
        letter: JSON text that names it, without its content.
    """

    sequence_number: str
    letter: str
    reason: str


def publish(event: StreamEvent, context: LambdaContext) -> BatchAnswer:
    """Publish the records of a batch; the answer names the first that was not, from which Lambda goes on.

    A record that no retry can help goes to the dead-letter queue at once, so that it does not hold up its shard.
    """
    about: dict[str, object] = {"operation": "publish_events", "request_id": context.aws_request_id}
    parsed = [_parsed(record, about) for record in event["Records"]]
    places = [each for each in parsed if isinstance(each, _Place)]
    published: set[OutgoingEvent] = set()
    failed: str | None = None
    with deadline.within(context.get_remaining_time_in_millis()):
        try:
            for request in _requests(places):
                event_bus.put([place.event for place in request], published.add)
        except ServiceError as error:
            failed = next(place.sequence_number for place in places if place.event not in published)
            logger().warning("records come again", extra={**about, "reason": error.reason or error.error.code})
        failed = _put_aside_before(failed, parsed, about)
    logger().info("events", extra={**about, "outcome": f"published {len(published)} of {len(parsed)}"})
    return {"batchItemFailures": [] if failed is None else [{"itemIdentifier": failed}]}


def event_of(item: Item) -> OutgoingEvent:
    """Return the event of an audit record's item."""
    return _event(layout.organization_id_of(item), audit.parse_audit_record(item))


def _event(organization_id: UUID, record: AuditRecord) -> OutgoingEvent:
    shown = audit_log.shown(record)
    fields = {**dict(shown), "changes": _in_64_bits(shown.changes)}
    published = PublishedAuditLog(**fields, organization_id=str(organization_id))
    return OutgoingEvent(shown.event, published.model_dump_json(by_alias=True, ensure_ascii=True))


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


def _parsed(record: StreamRecord, about: Mapping[str, object]) -> _Place | _Malformed:
    change = record["dynamodb"]
    item, number = change["NewImage"], change["SequenceNumber"]
    try:
        organization_id, stored = layout.organization_id_of(item), audit.parse_audit_record(item)
    except (KeyError, TypeError, ValueError) as error:
        logger().error("record put aside", extra={**about, "details": describe(error)})
        letter = {**layout.key_of(item), "sequenceNumber": number}
        return _Malformed(number, json.dumps(letter), f"not an audit record: {type(error).__name__}")
    # Outside of the try: a mistake in this version fails the invocation, and nothing is set aside for six hours.
    return _Place(number, organization_id, _event(organization_id, stored))


def _put_aside_before(
    failed: str | None, parsed: Iterable[_Place | _Malformed], about: dict[str, object]
) -> str | None:
    """Put aside the malformed records before the first that failed; return from which record Lambda goes on."""
    for each in parsed:
        if each.sequence_number == failed:
            break
        if isinstance(each, _Malformed):
            try:
                dead_letters.put_dead_letter(event_settings().dead_letter_queue_url, each.letter, each.reason)
            except ServiceError as error:
                logger().warning("records come again", extra={**about, "reason": error.reason or error.error.code})
                return each.sequence_number
    return failed


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
