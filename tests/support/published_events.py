"""Events of audit records, validated against their published schemas."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import jsonschema
from boto3.dynamodb.types import TypeSerializer

from keywright.domain.principals import ActorType
from keywright.organizations import publish
from keywright.store import event_bus
from tests.support.depth import FULL
from tools.event_schemas import EVENTS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from keywright.store.event_bus import OutgoingEvent
    from keywright.store.layout import Item

_write = TypeSerializer().serialize

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
    """Check that each audit record among the items of a table becomes an event, at full depth one as its schema says.

    Args:
        items: as DynamoDB has them.
    """
    for item in items:
        if item["sk"]["S"].startswith("AUDIT#"):
            event = publish.event_of(item)
            assert [] == (_problems(_delivered(event)) if FULL else [])
