"""Batches of the stream: each record is published once, in order, in requests that EventBridge accepts."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from keywright.organizations import audit_log
from keywright.store.event_bus import REQUEST_BYTES
from tests.support.dead_letters import take_letters
from tests.support.event_bus import entry_bytes
from tests.support.replay import NO_SERVER
from tests.support.table_stream import stream_record
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, audit_item, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from local.iam import Decision
    from tests.support.event_bus import EventBus
    from tests.support.table_stream import Publisher, Record


def record(number: int, organization_id: str = ORGANIZATION_ID, size: int = 0) -> Record:
    """Return a record with an id that sorts by its number, and at least that many bytes of changes."""
    changes = json.dumps({"before": None, "after": {"name": "n" * size}})
    return stream_record(audit_item(nth_id(number), organization_id, changes=changes), number)


def of_many(count: int, size: int = 0) -> list[Record]:
    """Return records, each of another organization."""
    return [record(number, str(uuid.UUID(int=number, version=4)), size) for number in range(count)]


def ids_of_requests(bus: EventBus) -> list[list[str]]:
    """Return the ids of the records of each request."""
    return [[json.loads(entry["Detail"])["id"] for entry in entries] for entries in bus.requests]


def test_a_record_is_published_as_an_event(publisher: Publisher, decisions: Collection[Decision]) -> None:
    """GIVEN a new record WHEN the function gets it THEN the bus has it, as the API shows it, with its organization."""
    assert publisher(record(1)) is None

    (entry,) = publisher.bus.published
    detail = json.loads(entry.pop("Detail"))
    assert {"Source": "keywright", "DetailType": "api_key.created"} == {
        name: entry[name] for name in ("Source", "DetailType")
    }
    assert {
        "id": nth_id(1),
        "organizationId": ORGANIZATION_ID,
        "event": "api_key.created",
        "actor": {"type": "user", "id": "user_9", "name": None},
        "targetId": "01980000-0000-7000-8000-000000000001",
        "targetType": "api_key",
        "changes": {"before": None, "after": {"name": ""}},
        "sourceIp": "203.0.113.7",
        "requestId": "r-1",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "receivedAt": "2026-01-02T03:04:05.678Z",
        "reason": None,
    } == detail
    assert ["events:PutEvents"] == [each.permission.action for each in decisions if each.is_allowed]


def test_records_of_an_organization_go_out_one_after_the_other(publisher: Publisher) -> None:
    """GIVEN records of one organization THEN each has a request, in the order of the stream."""
    assert publisher(*[record(number) for number in range(4)]) is None

    assert [[nth_id(number)] for number in range(4)] == ids_of_requests(publisher.bus)


def test_records_of_several_organizations_share_requests(publisher: Publisher) -> None:
    """GIVEN records of two organizations THEN no request has two of one, and each organization's are in order."""
    organizations = [ORGANIZATION_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID]
    assert publisher(*[record(number, organization) for number, organization in enumerate(organizations)]) is None

    assert [[nth_id(0), nth_id(2)], [nth_id(1), nth_id(4)], [nth_id(3)]] == ids_of_requests(publisher.bus)


@pytest.mark.parametrize(("count", "sizes"), [(10, [10]), (11, [10, 1]), (100, [10] * 10)])
def test_a_request_has_at_most_ten_entries(publisher: Publisher, count: int, sizes: list[int]) -> None:
    """GIVEN a batch of many organizations, up to the largest THEN each request has at most ten entries."""
    assert publisher(*of_many(count)) is None

    assert sizes == [len(entries) for entries in publisher.bus.requests]
    assert [nth_id(number) for number in range(count)] == publisher.bus.ids


def test_large_records_are_divided_into_several_requests(publisher: Publisher) -> None:
    """GIVEN records of 50,000 bytes THEN each request stays within REQUEST_BYTES, and uses most of it."""
    assert publisher(*of_many(10, 50_000)) is None

    assert [3, 3, 3, 1] == [len(entries) for entries in publisher.bus.requests]
    assert all(sum(map(entry_bytes, entries)) <= REQUEST_BYTES for entries in publisher.bus.requests)


def test_a_record_larger_than_a_request_goes_alone(publisher: Publisher) -> None:
    """GIVEN a record of more than REQUEST_BYTES between others THEN it has a request, and nothing is lost."""
    batch = [record(0), record(1, OTHER_ORGANIZATION_ID, REQUEST_BYTES), record(2, str(uuid.UUID(int=9, version=4)))]

    assert publisher(*batch) is None

    assert [[nth_id(number)] for number in range(3)] == ids_of_requests(publisher.bus)


def test_an_empty_batch_is_done(publisher: Publisher) -> None:
    """An empty batch sends no request."""
    assert publisher() is None
    assert [] == publisher.bus.requests


def test_a_batch_that_is_delivered_twice_has_the_same_ids(publisher: Publisher) -> None:
    """GIVEN a batch WHEN it is delivered again THEN the events repeat those of before, with the same details."""
    batch = of_many(15)
    publisher(*batch)
    first = list(publisher.bus.published)

    publisher(*batch)

    assert first * 2 == publisher.bus.published


def test_a_malformed_record_does_not_hold_up_the_others(
    publisher: Publisher, dead_letters: str, caplog: pytest.LogCaptureFixture
) -> None:
    """GIVEN a record without an event THEN its key is set aside without its content, and all others are published."""
    batch = of_many(4)
    del batch[2]["dynamodb"]["NewImage"]["event"]

    assert publisher(*batch) is None

    assert [nth_id(0), nth_id(1), nth_id(3)] == publisher.bus.ids
    key = {name: batch[2]["dynamodb"]["Keys"][name]["S"] for name in ("pk", "sk")}
    (letter,) = take_letters(dead_letters)
    assert {**key, "sequenceNumber": batch[2]["dynamodb"]["SequenceNumber"]} == json.loads(letter.body)
    assert "not an audit record: KeyError" == letter.reason
    assert ["record put aside"] == [each.message for each in caplog.records if each.levelname == "ERROR"]


def test_a_mistake_of_this_version_sets_nothing_aside(
    publisher: Publisher, dead_letters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a function that cannot show a record THEN the invocation fails, and Lambda tries for six hours."""

    def shown(_record: object) -> None:
        raise KeyError("a mistake")

    monkeypatch.setattr(audit_log, "shown", shown)

    with pytest.raises(KeyError):
        publisher(*of_many(2))
    assert [] == take_letters(dead_letters)


@pytest.mark.parametrize("changes", ["no JSON", "[]"])
def test_a_malformed_record_comes_again_if_it_cannot_be_set_aside(
    publisher: Publisher, setting: Callable[[str, str], None], changes: str
) -> None:
    """GIVEN a queue that does not answer THEN the malformed record is named, and nothing before it comes again."""
    batch = of_many(3)
    batch[1]["dynamodb"]["NewImage"]["changes"] = {"S": changes}
    setting("AWS_ENDPOINT_URL_SQS", NO_SERVER)

    assert publisher(*batch) == 1


def test_a_malformed_record_waits_for_those_before_it(publisher: Publisher, dead_letters: str) -> None:
    """GIVEN a refused record before a malformed one THEN that one is named, and the malformed one waits."""
    batch = of_many(3)
    del batch[2]["dynamodb"]["NewImage"]["event"]
    publisher.bus.refuse = lambda _: "ThrottlingException"

    assert publisher(*batch) == 0
    assert [] == take_letters(dead_letters)

    publisher.bus.refuse = lambda _: None
    assert publisher(*batch) is None
    assert 1 == len(take_letters(dead_letters))


def test_the_log_has_no_detail(publisher: Publisher, caplog: pytest.LogCaptureFixture) -> None:
    """The log says how many records were published, and nothing that they contain."""
    with caplog.at_level("INFO", logger="keywright"):
        publisher(*of_many(3))

    assert ["published 3 of 3"] == [each.__dict__["outcome"] for each in caplog.records]
    assert "user_9" not in str([each.__dict__ for each in caplog.records])
