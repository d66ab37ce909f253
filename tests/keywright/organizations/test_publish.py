"""The event of an audit record."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from keywright.api.fields import METADATA_BYTES, METADATA_STRING_CHARACTERS, NAME_CHARACTERS
from keywright.domain.audit_event import AuditEvent
from keywright.organizations.publish import event_of
from keywright.store.event_bus import REQUEST_BYTES, SOURCE, OutgoingEvent
from tests.support.event_bus import LARGEST_INTEGER, EventBus, entry_bytes
from tests.support.world import ORGANIZATION_ID, audit_item, nth_id

_write = TypeSerializer().serialize


def event(**attributes: Any) -> OutgoingEvent:
    """Return the event of a record with these attributes."""
    item = audit_item(nth_id(1), **attributes)
    return event_of({name: _write(value) for name, value in item.items()})


def changes(metadata: dict[str, Any], name: str = "CI") -> str:
    """Return the changes of a record, as the table has them."""
    after = {"name": name, "metadata": metadata}
    return json.dumps({"before": after, "after": after}, ensure_ascii=False)


def taken(event: OutgoingEvent) -> bool:
    """Return whether EventBridge takes an event."""
    entry = {"EventBusName": "bus", "Source": SOURCE, "DetailType": event.kind, "Detail": event.detail}
    return "EventId" in EventBus({"bus"}).put({"Entries": [entry]})["Entries"][0]


@pytest.mark.parametrize("kind", AuditEvent)
def test_the_detail_type_is_the_records_event(kind: AuditEvent) -> None:
    """Each event of the audit log is the detail-type of its events, so that rules can select it."""
    published = event(event=kind.value)

    assert kind.value == published.kind == json.loads(published.detail)["event"]
    assert ORGANIZATION_ID == json.loads(published.detail)["organizationId"]


def test_a_record_without_a_request_has_null() -> None:
    """A record that no request has led to has no address and no request id."""
    item = audit_item(nth_id(1))
    del item["source_ip"], item["request_id"]
    detail = json.loads(event_of({name: _write(value) for name, value in item.items()}).detail)

    assert detail["sourceIp"] is None
    assert detail["requestId"] is None


def test_the_detail_is_ascii_and_keeps_every_character() -> None:
    """Every character arrives, and the size of an event is the number of its characters."""
    published = event(changes=changes({"größe": "12 µm \N{GRINNING FACE}\x7f"}))

    assert published.detail.isascii()
    assert {"größe": "12 µm \N{GRINNING FACE}\x7f"} == json.loads(published.detail)["changes"]["after"]["metadata"]


@pytest.mark.parametrize("character", ["a", "ä", "\u20ac", "\N{GRINNING FACE}", '"', "\x01", "\x7f"])
def test_the_largest_record_fits_into_a_request(character: str) -> None:
    """GIVEN names and metadata at their limits, before and after a change THEN the event fits into one request."""
    text = character * METADATA_STRING_CHARACTERS
    size = len(json.dumps({"00": text}, ensure_ascii=False).encode())
    metadata = {f"{number:02}": text for number in range(METADATA_BYTES // size)}
    published = event(changes=changes(metadata, character * NAME_CHARACTERS))

    assert published.size <= REQUEST_BYTES
    assert taken(published)


def test_the_size_of_an_event_is_not_less_than_its_entry() -> None:
    """The size by which requests are divided is at least what EventBridge counts."""
    published = event(changes=changes({"plan": "ü" * 100}))

    assert published.size >= entry_bytes({"Source": SOURCE, "DetailType": published.kind, "Detail": published.detail})


@pytest.mark.parametrize("number", [LARGEST_INTEGER, -LARGEST_INTEGER - 1, 9007199254740993, 0, 1.5, True])
def test_numbers_that_eventbridge_takes_are_kept(number: float) -> None:
    """Integers of 64 bits are exact."""
    published = event(changes=changes({"n": number}))

    assert number == json.loads(published.detail)["changes"]["after"]["metadata"]["n"]
    assert taken(published)


@pytest.mark.parametrize("number", [LARGEST_INTEGER + 1, -LARGEST_INTEGER - 2, 10**300])
def test_an_integer_of_more_than_64_bits_is_published_as_a_double(number: int) -> None:
    """GIVEN metadata with an integer that EventBridge refuses THEN the event has the nearest double, and is taken.

    A record that is refused for good would keep back all later ones of its shard.
    """
    published = event(changes=changes({"n": number}))

    assert math.isclose(number, json.loads(published.detail)["changes"]["after"]["metadata"]["n"])
    assert taken(published)
