"""The JSON Schemas of published events, in docs/schemas/events; `make generate` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from keywright.api.schemas import ApiKeyDetails, PublishedAuditLog
from keywright.domain.audit_event import AuditEvent
from keywright.domain.permissions import Role
from keywright.domain.principals import ActorType
from keywright.domain.revocation_reason import RevocationReason
from keywright.store.event_bus import SOURCE
from keywright.store.expiries import NOTICE_DAYS
from openapi.schemas import schemas
from tools import readable_json

Json = dict[str, Any]

EVENTS_FOLDER = Path(__file__).parents[1] / "docs" / "schemas" / "events"

_MODELS: Json = json.loads(
    json.dumps(schemas([(ApiKeyDetails, "serialization"), (PublishedAuditLog, "serialization")])).replace(
        "#/components/schemas/", "#/$defs/"
    )
)

_NULL: Json = {"type": "null"}
_TIME: Json = {"type": "string", "format": "date-time"}
_TEXT: Json = {"type": "string"}
_ID: Json = {"type": "string", "format": "uuid"}
_ROLE: Json = {"enum": list(Role)}
_REASON: Json = {"enum": [*RevocationReason, None]}
_GENERATION: Json = {
    "type": "integer",
    "minimum": 0,
    "description": "The number of rotations before the secret was drawn.",
}


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, _NULL]}


def _object(properties: Json, optional: tuple[str, ...] = ()) -> Json:
    """Return the schema of an object with these properties and no others."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _some(properties: Json) -> Json:
    """Return the schema of an object with any of these properties."""
    return _object(properties, tuple(properties))


def _of_key(*names: str) -> Json:
    properties = {name: dict(_MODELS["ApiKeyDetails"]["properties"][name]) for name in names}
    for schema in properties.values():
        schema.pop("default", None)
    return properties


_SETTINGS = _of_key("name", "enabled", "permissions", "metadata", "expiresAt", "rateLimit", "quota", "allowedIps")
_LEAK = _of_key("leak")
_LEAK_OF_KEY: Json = {"leak": {"$ref": "#/$defs/Leak"}}
_END_OF_PREVIOUS = _of_key("previousKeyExpiresAt")
_LIMITS = _of_key("rateLimit", "quota")
_EXPIRY = _of_key("name") | {"expiresAt": _TIME}
_NOTICE: Json = {"enum": list(NOTICE_DAYS), "description": "The notice: how many days before the expiry it is due."}
_USAGE_PLAN_KEY: Json = {
    "usagePlanKey": _or_null({"type": "string", "description": "`...` and the last four characters."})
}

_CHANGES: dict[AuditEvent, tuple[Json | None, Json]] = {
    AuditEvent.API_KEY_CREATED: (_NULL, _object(_SETTINGS)),
    AuditEvent.API_KEY_UPDATED: (_some(_SETTINGS | _LEAK), _some(_SETTINGS | _LEAK)),
    AuditEvent.API_KEY_ROTATED: (
        _object({"generation": _GENERATION} | _LEAK_OF_KEY, optional=("leak",)),
        _object({"generation": _GENERATION} | _END_OF_PREVIOUS | {"leak": _NULL}, optional=("leak",)),
    ),
    AuditEvent.API_KEY_DELETED: (_object(_SETTINGS | _LEAK_OF_KEY, optional=("leak",)), _NULL),
    AuditEvent.API_KEY_LEAK_REPORTED: (
        _some(_of_key("enabled") | _LEAK | _END_OF_PREVIOUS),
        _some({"enabled": {"const": False}} | _LEAK_OF_KEY | {"previousKeyExpiresAt": _NULL}),
    ),
    AuditEvent.API_KEY_RETIRED_SECRET_USED: (
        None,
        _object(
            {
                "count": {"type": "integer", "minimum": 1, "description": "Uses since the last such event of the key."},
                "generation": _GENERATION,
                "lastUsedAt": _TIME,
                "lastUsedIp": _or_null(_TEXT),
            }
        ),
    ),
    AuditEvent.API_KEY_IMPORTED: (_NULL, _object(_SETTINGS)),
    AuditEvent.API_KEY_EXPIRING: (None, _object(_EXPIRY | {"days": _NOTICE})),
    AuditEvent.API_KEY_EXPIRED: (None, _object(_EXPIRY)),
    AuditEvent.ORGANIZATION_CREATED: (_NULL, _object({"name": _TEXT})),
    AuditEvent.ORGANIZATION_UPDATED: (
        _some({"name": _or_null(_TEXT)} | _LIMITS | _USAGE_PLAN_KEY),
        _some({"name": _TEXT} | _LIMITS | _USAGE_PLAN_KEY),
    ),
    AuditEvent.ORGANIZATION_DELETION_REQUESTED: (
        _object({"pendingDeletionAt": _NULL}),
        _object({"pendingDeletionAt": _TIME}),
    ),
    AuditEvent.ORGANIZATION_DELETION_CANCELED: (
        _object({"pendingDeletionAt": _TIME}),
        _object({"pendingDeletionAt": _NULL}),
    ),
    AuditEvent.MEMBER_ADDED: (_NULL, _object({"role": _ROLE})),
    AuditEvent.MEMBER_ROLE_CHANGED: (_object({"role": _ROLE}), _object({"role": _ROLE})),
    AuditEvent.MEMBER_SUSPENDED: (_object({"suspendedAt": _NULL}), _object({"suspendedAt": _TIME})),
    AuditEvent.MEMBER_REINSTATED: (_object({"suspendedAt": _TIME}), _object({"suspendedAt": _NULL})),
    AuditEvent.MEMBER_REMOVED: (_object({"role": _ROLE, "suspendedAt": _or_null(_TIME)}), _NULL),
}
"""`before` and `after` of each event's `changes`; without `before` if no such record has it."""

_REASONS: dict[AuditEvent, Json] = {
    AuditEvent.API_KEY_LEAK_REPORTED: {"const": RevocationReason.COMPROMISED},
    AuditEvent.API_KEY_UPDATED: _REASON,
    AuditEvent.API_KEY_ROTATED: _REASON,
    AuditEvent.API_KEY_DELETED: _REASON,
}
"""`reason` of the events that can have one."""


def schema_of(event: AuditEvent) -> Json:
    """Return the schema of an event as EventBridge delivers it.

    A replay of an archive adds fields to the envelope.
    """
    target_type = event.partition(".")[0]
    properties = {name: dict(schema) for name, schema in _MODELS["PublishedAuditLog"]["properties"].items()}
    for name in ("id", "organizationId"):
        properties[name]["format"] = "uuid"
    properties["event"] |= {"const": event}
    properties["targetType"] |= {"const": target_type}
    if target_type != "member":
        properties["targetId"]["format"] = "uuid"
    properties["changes"] |= _changes(event)
    properties["reason"] = _REASONS.get(event, _NULL) | {"description": properties["reason"]["description"]}
    actor = dict(_MODELS["AuditLogActor"])
    actor["properties"] = actor["properties"] | {"type": {"enum": list(ActorType)}}
    envelope: Json = {
        "version": {"const": "0"},
        "id": _ID | {"description": "EventBridge's id. An event that is published again has another: use `detail.id`."},
        "detail-type": {"const": event},
        "source": {"const": SOURCE},
        "account": {"type": "string", "description": "The AWS account of the deployment."},
        "time": _TIME | {"description": "When it was published, in seconds. See `detail.createdAt`."},
        "region": _TEXT,
        "resources": {"type": "array", "maxItems": 0},
        "detail": _object(properties),
    }
    definitions = {name: _MODELS[name] for name in ("Leak", "Quota", "RateLimit")} | {"AuditLogActor": actor}
    text = json.dumps(envelope)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": event,
        "description": "An event on the stack's event bus, as EventBridge delivers it.",
        "type": "object",
        "properties": envelope,
        "required": list(envelope),
        "$defs": {
            name: {**schema, "additionalProperties": False}
            for name, schema in sorted(definitions.items())
            if f'"#/$defs/{name}"' in text
        },
    }


def _changes(event: AuditEvent) -> Json:
    before, after = _CHANGES[event]
    if before is None:
        return _object({"after": after})
    # Records of the identity provider's events have no `before`: it would depend on the order of arrival.
    optional = () if event.startswith("api_key.") else ("before",)
    return _object({"before": before, "after": after}, optional)


def schema_text(event: AuditEvent) -> str:
    """Return the content of a schema file."""
    return readable_json.dumps(schema_of(event))
