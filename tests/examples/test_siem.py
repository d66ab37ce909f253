"""The function of examples/siem: every event becomes one of OCSF, and nothing is lost."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from tests.support.published_events import SCHEMAS
from tests.support.recipes import EVENTS, hostile, load, recipe

if TYPE_CHECKING:
    from collections.abc import Iterable

ocsf = load("siem", "ocsf")
SCHEMA = OcsfJsonSchemaEmbedded(get_ocsf_schema(ocsf.VERSION))
MEBIBYTE = 1_048_576
LONGEST_ANSWER = 6_000_000
"""Amazon Data Firehose Developer Guide, "Understand data transformation flow": of a synchronous invocation."""

ALL = [event for events in EVENTS.values() for event in events]
CLASS_NAMES = {
    "account_change": {"member.suspended", "member.reinstated"},
    "detection_finding": {"api_key.leak_reported", "api_key.retired_secret_used"},
    "group_management": {"member.added", "member.removed"},
    "user_access": {"member.role_changed"},
}


@cache
def validator(class_uid: int, *profiles: str) -> jsonschema.Draft202012Validator:
    """Return the validator of a class of OCSF with profiles."""
    name = SCHEMA.lookup_class_name_from_uid(class_uid)
    return jsonschema.Draft202012Validator(SCHEMA.get_class_schema(class_name=name, profiles=list(profiles)))


def problems(event: dict[str, Any]) -> list[str]:
    """Return what OCSF does not allow in an event."""
    schema = validator(event["class_uid"], *event["metadata"].get("profiles", []))
    found = [f"{error.json_path}: {error.message}" for error in schema.iter_errors(event)]
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        found.append("type_uid")
    return found


def records(events: Iterable[object]) -> list[dict[str, str]]:
    """Return records as Firehose sends them to the function. Bytes are sent as they are, other values as JSON."""
    contents = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    return [
        {"recordId": f"4963{number:052}", "data": base64.b64encode(content).decode()}
        for number, content in enumerate(contents)
    ]


def transformed(events: Iterable[object]) -> list[dict[str, Any]]:
    """Run the function on events; check the form of its answer, and return what it made of them."""
    sent = records(events)
    answer = ocsf.handler({"invocationId": "x", "deliveryStreamArn": "x", "region": "x", "records": sent}, None)
    assert [record["recordId"] for record in sent] == [record["recordId"] for record in answer["records"]]
    assert all({"recordId", "result", "data"} == record.keys() for record in answer["records"])
    assert {"Ok"} == {record["result"] for record in answer["records"]}
    lines = [base64.b64decode(record["data"], validate=True) for record in answer["records"]]
    assert all(line.endswith(b"\n") for line in lines)
    assert all(line.count(b"\n") == 1 for line in lines)
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_of_each_kind_is_valid_in_ocsf(kind: str) -> None:
    """Each event of a kind becomes a valid event of the kind's class, not a base event."""
    made = transformed(EVENTS[kind])

    assert [] == [problem for event in made for problem in problems(event)]
    assert ocsf.BASE_EVENT not in {event["class_uid"] for event in made}
    assert {kind} == {event["metadata"]["event_code"] for event in made}


@pytest.mark.deep
@pytest.mark.parametrize("kind", SCHEMAS)
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_any_event_that_a_schema_describes_is_valid(kind: str, data: st.DataObject) -> None:
    """GIVEN any event that the published schema of a kind describes THEN it is valid in OCSF, and no base event."""
    event: Any = data.draw(from_schema(SCHEMAS[kind]))
    address = data.draw(st.none() | st.ip_addresses().map(str))
    detail = event["detail"] | {"sourceIp": address}

    (made,) = transformed([event | {"detail": _with_addresses(detail, address)}])

    assert [] == problems(made)
    assert ocsf.BASE_EVENT != made["class_uid"]


def _with_addresses(detail: dict[str, Any], address: str | None) -> dict[str, Any]:
    after = detail["changes"]["after"]
    if after is None or "lastUsedIp" not in after:
        return detail
    return detail | {"changes": detail["changes"] | {"after": after | {"lastUsedIp": address}}}


def test_every_kind_has_its_class() -> None:
    """Changes of keys and organizations are changes of entities; members and findings have other classes."""
    classes = {kind: SCHEMA.lookup_class_name_from_uid(ocsf.CLASSES[kind][0]) for kind in EVENTS}
    others = {kind: name for name, kinds in CLASS_NAMES.items() for kind in kinds}

    assert {kind: others.get(kind, "entity_management") for kind in EVENTS} == classes


def test_an_activity_is_one_of_its_class() -> None:
    """Every activity of the table exists in the schema of its class, those of events of later versions too."""
    made = {kind: (class_uid, activity) for kind, (class_uid, activity) in ocsf.CLASSES.items()}
    schemas: dict[int, Any] = {class_uid: validator(class_uid).schema for class_uid, _ in made.values()}
    activities = {uid: schema["properties"]["activity_id"]["enum"] for uid, schema in schemas.items()}

    assert [] == [kind for kind, (class_uid, activity) in made.items() if activity not in activities[class_uid]]


def test_nothing_of_an_event_is_lost() -> None:
    """Each value of an event's detail is in the event of OCSF: in an attribute, or under its name in `unmapped`."""
    for event, made in zip(ALL, transformed(ALL), strict=True):
        detail, unmapped = event["detail"], made["unmapped"]
        assert {"changes", "reason"} == unmapped.keys() & detail.keys()
        assert unmapped == {name: detail[name] for name in unmapped}
        for name in ("id", "targetId", "organizationId", "createdAt", "sourceIp", "requestId", "event"):
            assert detail[name] is None or json.dumps(detail[name]) in json.dumps(made), name
        assert json.dumps(detail["actor"]["id"]) in json.dumps(made)
        assert json.dumps(detail["actor"]["type"]) in json.dumps(made)


def test_the_times_of_an_event() -> None:
    """`time` is when it happened, in milliseconds; `logged_time` is when the record was written."""
    (event, *_) = EVENTS["api_key.deleted"]
    times = {"createdAt": "2026-03-01T12:00:00.123Z", "receivedAt": "2026-03-01T13:00:00.004Z"}

    (made,) = transformed([event | {"detail": event["detail"] | times}])

    assert 1772366400123 == made["time"]
    assert 1772370000004 == made["metadata"]["logged_time"]


def test_a_leak_is_a_finding_of_high_severity() -> None:
    """A reported leak is an alert about the key, with the address of the report."""
    (event, *_) = EVENTS["api_key.leak_reported"]

    (made,) = transformed([event])

    assert made["is_alert"]
    assert 4 == made["severity_id"]
    assert [{"uid": event["detail"]["targetId"], "type": "api_key"}] == made["resources"]
    assert event["detail"]["sourceIp"] == made["evidences"][0]["src_endpoint"]["ip"]


@pytest.mark.parametrize("kind", ["api_key.borrowed", "", "member.added.again"])
def test_an_unknown_kind_is_a_base_event(kind: str) -> None:
    """GIVEN an event of a later version THEN it becomes a valid base event with the whole detail."""
    (event, *_) = EVENTS["api_key.created"]
    detail = event["detail"] | {"event": kind, "new": [1]}

    (made,) = transformed([event | {"detail-type": kind, "detail": detail}])

    assert [] == problems(made)
    assert ocsf.BASE_EVENT == made["class_uid"]
    assert kind == made["activity_name"]
    assert detail == made["unmapped"]


def test_a_new_field_is_kept() -> None:
    """GIVEN a field of a later version in an event of a known kind THEN `unmapped` has it."""
    (event, *_) = EVENTS["api_key.created"]

    (made,) = transformed([event | {"detail": event["detail"] | {"new": [1]}}])

    assert [] == problems(made)
    assert [1] == made["unmapped"]["new"]


STRANGE: list[Any] = [
    {},
    [],
    None,
    1,
    "text",
    {"detail-type": "api_key.created"},
    {"detail-type": ["api_key.created"], "detail": {}},
    {"detail-type": "api_key.created", "detail": []},
]


@pytest.mark.parametrize("event", STRANGE, ids=json.dumps)
def test_json_of_another_form_is_kept_as_it_is(event: object) -> None:
    """GIVEN JSON that is no event of Keywright THEN it becomes a valid base event of unknown severity with its text."""
    (made,) = transformed([event])

    assert [] == problems(made)
    assert ocsf.BASE_EVENT == made["class_uid"]
    assert 0 == made["severity_id"]
    assert event == json.loads(made["raw_data"])


@pytest.mark.parametrize("name", ["changes", "createdAt", "actor", "targetId", "receivedAt", "sourceIp"])
@pytest.mark.parametrize("value", [None, 1, "x", [], {}], ids=json.dumps)
def test_a_field_of_another_type_loses_nothing(name: str, value: object) -> None:
    """GIVEN an event with a field of another type THEN the function succeeds, and the result has the value."""
    (event, *_) = EVENTS["member.role_changed"]
    strange = event | {"detail": event["detail"] | {name: value}}

    (made,) = transformed([strange])

    if "raw_data" in made:
        assert strange == json.loads(made["raw_data"])
    elif value:
        assert json.dumps(value) in json.dumps(made)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"{'a': 1}"], ids=["", "{", "ff", "[[", "'"])
def test_a_record_that_is_not_json_goes_to_the_errors(content: bytes) -> None:
    """GIVEN a record that is not JSON THEN it alone has failed, and keeps its data."""
    sent = records([ALL[0], content, ALL[1]])

    answer = ocsf.handler({"records": sent}, None)["records"]

    assert ["Ok", "ProcessingFailed", "Ok"] == [record["result"] for record in answer]
    assert sent[1]["data"] == answer[1]["data"]


@pytest.mark.parametrize("value", ['"', "\n", "\u2028", "\x00", "\x7f", "😀", "\ud800", "ÿ"], ids=ascii)
def test_any_text_is_one_line(value: str) -> None:
    """GIVEN hostile names, metadata and ids of users THEN each event is one line of valid JSON with them."""
    events = [hostile(event, value) for event in ALL]

    made = transformed(events)

    assert [event["detail"]["changes"] for event in events] == [event["unmapped"]["changes"] for event in made]


def answer_bytes(content: bytes, buffer_bytes: int) -> int:
    """Return the size of the answer to as many copies of a record as Firehose puts into one invocation."""
    (record,) = records([content])
    count = buffer_bytes // len(content)
    (answer,) = ocsf.handler({"records": [record]}, None)["records"]
    return count * (len(json.dumps(answer)) + 2)


def test_an_answer_fits_into_lambda() -> None:
    """GIVEN a full buffer of events, short ones or ones with much text THEN the answer has under 6 MB."""
    stream = recipe("siem").properties("Stream")["ExtendedS3DestinationConfiguration"]
    (processor,) = stream["ProcessingConfiguration"]["Processors"]
    parameters = {each["ParameterName"]: each["ParameterValue"] for each in processor["Parameters"]}
    (event, *_) = EVENTS["api_key.created"]
    texts = [hostile(event, character * 60_000) for character in ("a", "é", "語", "😀", '"', "\x01", "\x7f")]
    contents = [json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode() for each in [*ALL, *texts]]

    buffer_bytes = round(float(parameters["BufferSizeInMBs"]) * MEBIBYTE)

    assert 0.2 * MEBIBYTE <= buffer_bytes <= 3 * MEBIBYTE
    assert max(answer_bytes(content, buffer_bytes) for content in contents) < LONGEST_ANSWER
    assert max(answer_bytes(content, MEBIBYTE) for content in contents) > LONGEST_ANSWER
