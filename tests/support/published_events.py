"""Events of audit records, validated against their published schemas."""

from __future__ import annotations

import json
import random
import uuid
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import jsonschema
from boto3.dynamodb.types import TypeSerializer

from keywright.domain.principals import ActorType
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.organizations import publish
from keywright.store import event_bus
from tests.support.depth import FULL
from tests.support.table_stream import deliver
from tests.support.world import Context
from tools.event_schemas import EVENTS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from keywright.api.lambda_types import LambdaContext, StreamEvent
    from keywright.store.event_bus import OutgoingEvent
    from keywright.store.layout import Item
    from tests.support.table_stream import Record

_write = TypeSerializer().serialize

BATCH_SIZE = 20
KILLED, THROTTLED = 0.02, 0.1
"""The chances that an event kills the function, or is not taken."""

SCHEMAS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in EVENTS_FOLDER.glob("*.json")}
_VALIDATORS = {
    kind: jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    for kind, schema in SCHEMAS.items()
}

RECORD: dict[str, Any] = {
    "pk": "ORG#5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6",
    "sk": "AUDIT#01980000-0000-7000-8000-000000000001",
    "event": "member.role_changed",
    "actor_type": "operator",
    "actor_id": "arn:aws:iam::123456789012:user/ada",
    "target_type": "member",
    "target_id": "user_1",
    "changes": '{"before": {"role": "admin"}, "after": {"role": "owner"}}',
    "created_at": "2026-03-01T12:00:00.000Z",
    "received_at": "2026-03-01T12:00:00.000Z",
}
"""The item of an audit record, as the command line writes it, with plain Python values."""


def delivered(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of an audit record's item as EventBridge delivers it.

    Args:
        item: with plain Python values.
    """
    return _delivered(publish.event_of({name: _write(value) for name, value in item.items()}))


def _delivered(event: OutgoingEvent) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": event.kind,
        "source": event_bus.SOURCE,
        "account": "123456789012",
        "time": "2026-03-01T12:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": json.loads(event.detail),
    }


def invalid_events(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line for each way in which the event of an audit record among the items is not as its schema says.

    The name of a key and of the system's job must be there: the record has it, or it is lost.
    """
    return [problem for item in items if item["sk"].startswith("AUDIT#") for problem in _problems(delivered(item))]


def _problems(event: Mapping[str, Any]) -> list[str]:
    kind, actor = event["detail-type"], event["detail"]["actor"]
    problems = [f"event {kind}: {error.json_path}: {error.message}" for error in _VALIDATORS[kind].iter_errors(event)]
    if actor["type"] in {ActorType.API_KEY, ActorType.SYSTEM} and actor["name"] is None:
        problems.append(f"event {kind}: $.detail.actor.name: the record has no name of its actor")
    return problems


def check(items: Iterable[Item]) -> None:
    """Check that the audit records among the items of a table become events.

    At full depth Lambda delivers them to the function, which is throttled and killed at random: the bus has exactly
    these records, each as its schema says, each organization's in order, and repeated ones with the same detail.

    Args:
        items: as DynamoDB has them, in the order in which they were written.
    """
    records = [item for item in items if item["sk"]["S"].startswith("AUDIT#")]
    events = [publish.event_of(item) for item in records]
    if FULL:
        assert [] == [problem for event in events for problem in _problems(_delivered(event))]
        taken = list(dict.fromkeys(_through_failures(records)))
        assert _by_organization(events) == _by_organization(taken)


def _by_organization(events: Iterable[OutgoingEvent]) -> dict[str, list[OutgoingEvent]]:
    logs: dict[str, list[OutgoingEvent]] = {}
    for event in events:
        logs.setdefault(json.loads(event.detail)["organizationId"], []).append(event)
    return logs


def _through_failures(records: Sequence[Item]) -> list[OutgoingEvent]:
    """Return what a bus takes that fails at random, in batches, every other of which is delivered twice."""
    chance = random.Random(len(records))  # noqa: S311 - the same failures in each run
    taken: list[OutgoingEvent] = []

    def put(events: Sequence[OutgoingEvent], tell: Callable[[OutgoingEvent], object]) -> None:
        refused = False
        for event in events:
            luck = chance.random()
            if luck < KILLED:
                raise RuntimeError("the function was killed")
            if luck < KILLED + THROTTLED:
                refused = True  # EventBridge takes each entry of a request or not
            else:
                taken.append(event)
                tell(event)
        if refused:
            raise ServiceError(SERVICE_UNAVAILABLE)

    def invoke(*batch: Record) -> int | None:
        answer = publish.publish(cast("StreamEvent", {"Records": batch}), cast("LambdaContext", Context()))
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        failures = [numbers.index(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]
        return min(failures, default=None)

    stream = [{"dynamodb": {"SequenceNumber": str(number), "NewImage": item}} for number, item in enumerate(records)]
    with patch.object(event_bus, "put", put):
        for first in range(0, len(stream), BATCH_SIZE):
            batch = stream[first : first + BATCH_SIZE]
            for _ in range(1 + first // BATCH_SIZE % 2):
                deliver(invoke, batch)
    return taken
