"""The schemas of published events.

Each replay of a case of events/ (tests/support/replay.py) and each test of the command line (tests/admin) validates the
events of the audit records that it writes.
"""

from __future__ import annotations

import json
from copy import deepcopy

import jsonschema
import pytest

from keywright.domain.audit_event import AuditEvent
from tests.support.cases import CASES, MESSAGES
from tests.support.published_events import RECORD, SCHEMAS, delivered, invalid_events


def test_each_event_has_a_schema() -> None:
    """Every kind of audit record has a schema, no other has, and each is valid JSON Schema 2020-12."""
    assert {event.value for event in AuditEvent} == SCHEMAS.keys()
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_each_event_occurs_in_a_case() -> None:
    """The cases of events/ write every kind of record, except for the one that only the command line writes."""
    written = {
        item["event"]
        for case in CASES + MESSAGES
        for item in case.expected.get("added", [])
        if item["sk"].startswith("AUDIT#")
    }

    assert {event.value for event in AuditEvent} - {AuditEvent.API_KEY_IMPORTED} == written


def test_a_record_is_valid() -> None:
    """GIVEN a record as the command line writes it THEN its event is as the schema says."""
    assert [] == invalid_events([RECORD])


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"changes": '{"before": {"role": "admin"}, "after": {"role": "king"}}'}, "$.detail.changes.after.role"),
        (
            {"changes": '{"before": {"role": "admin"}, "after": {"role": "owner", "hash": "x"}}'},
            "$.detail.changes.after",
        ),
        ({"changes": '{"before": {"role": "admin"}}'}, "$.detail.changes"),
        ({"target_type": "organization"}, "$.detail.targetType"),
        ({"actor_type": "visitor"}, "$.detail.actor.type"),
        ({"actor_type": "api_key", "actor_id": "01980000-0000-7000-8000-000000000002"}, "$.detail.actor.name"),
        ({"reason": "other"}, "$.detail.reason"),
    ],
    ids=["a value", "an unknown field", "a missing part", "the target", "the actor", "no name", "the reason"],
)
def test_a_record_that_the_schema_does_not_describe(changed: dict[str, str], place: str) -> None:
    """GIVEN a record with a field, a value or a part that its schema does not have THEN its event is invalid there."""
    (problem,) = invalid_events([RECORD | changed])

    assert problem.startswith(f"event member.role_changed: {place}: ")


def test_the_envelope_belongs_to_the_schema() -> None:
    """An event of another source or with another `detail-type` is not valid."""
    event = delivered(RECORD)
    schema = SCHEMAS["member.role_changed"]
    jsonschema.validate(event, schema)

    for name in ("source", "detail-type"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(deepcopy(event) | {name: "another"}, schema)


def test_each_field_occurs_in_a_case() -> None:
    """No schema declares a field of `changes` that no record of a case has.

    Cases have no imported keys. Records with `before` of members and of updated organizations are the command line's.
    """
    occurring = {
        (item["event"], part, name)
        for case in CASES + MESSAGES
        for item in case.expected.get("added", [])
        if item["sk"].startswith("AUDIT#")
        for part, fields in json.loads(item["changes"]).items()
        for name in fields or ()
    }
    declared = {
        (kind, part, name)
        for kind, schema in SCHEMAS.items()
        for part, fields in schema["properties"]["detail"]["properties"]["changes"]["properties"].items()
        for name in fields.get("properties", ())
        if kind != AuditEvent.API_KEY_IMPORTED
        if part == "after" or not kind.startswith(("member.", "organization.updated"))
    }

    assert set() == declared - occurring
