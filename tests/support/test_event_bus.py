"""The event bus of the tests refuses what EventBridge refuses; records that cannot be published fail a test."""

from __future__ import annotations

import json
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from tests.support import published_events
from tests.support.event_bus import LARGEST_BYTES, Entry, EventBus, RequestError
from tests.support.world import audit_item, nth_id

ENTRY = {"EventBusName": "bus", "Source": "keywright", "DetailType": "api_key.created", "Detail": "{}"}


def entry(**changes: Any) -> Entry:
    """Return an entry that is taken, with these changes."""
    return {**ENTRY, **changes}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (entry(Source=""), "InvalidArgument"),
        (entry(DetailType=None), "InvalidArgument"),
        ({name: value for name, value in ENTRY.items() if name != "Detail"}, "InvalidArgument"),
        (entry(Source="aws.events"), "NotAuthorizedForSourceException"),
        (entry(EventBusName="other"), "ResourceNotFoundException"),
        (entry(Detail="{"), "MalformedDetail"),
        (entry(Detail="[]"), "MalformedDetail"),
        (entry(Detail=f'{{"n": {2**63}}}'), "MalformedDetail"),
    ],
)
def test_a_wrong_entry_is_refused_alone(wrong: Entry, code: str) -> None:
    """GIVEN a wrong entry between others THEN only that one is refused."""
    bus = EventBus({"bus"})

    answer = bus.put({"Entries": [ENTRY, wrong, ENTRY]})

    assert 1 == answer["FailedEntryCount"]
    assert [None, code, None] == [result.get("ErrorCode") for result in answer["Entries"]]
    assert [ENTRY, ENTRY] == bus.published


@pytest.mark.parametrize(
    "entries", [[], [ENTRY] * 11, [entry(Detail=json.dumps({"n": "n" * (LARGEST_BYTES // 2)}))] * 2]
)
def test_a_request_over_the_limits_is_refused(entries: list[Entry]) -> None:
    """A request has 1 to 10 entries, less than 256 KB together."""
    with pytest.raises(RequestError):
        EventBus({"bus"}).put({"Entries": entries})


def test_a_record_that_cannot_be_published_is_noticed() -> None:
    """GIVEN a record without an event WHEN the table is checked THEN the check fails."""
    write = TypeSerializer().serialize
    changes = '{"before": {"enabled": true}, "after": {"enabled": false}}'
    item = audit_item(nth_id(1), event="api_key.updated", changes=changes)
    record = {name: write(value) for name, value in item.items()}
    published_events.check([record, {"pk": write("ORG#1"), "sk": write("ORG")}])
    del record["event"]

    with pytest.raises(KeyError):
        published_events.check([record])
