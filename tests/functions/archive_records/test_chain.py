"""Batches of the stream: each is one object, which names the digest of the one before."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from keywright.store import audit
from tests.support.table_stream import audit_item, stream_record
from tests.support.world import ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Collection

    import pytest

    from local.iam import Decision
    from tests.support.table_stream import Archiver, Record


def batch(*numbers: int, **attributes: Any) -> list[Record]:
    """Return records of one organization, with ids that sort by their numbers."""
    return [stream_record(audit_item(nth_id(number), **attributes), number) for number in numbers]


def test_a_batch_is_an_object(archiver: Archiver, decisions: Collection[Decision]) -> None:
    """GIVEN a new record WHEN the function gets it THEN the bucket has it, with its digest and times."""
    record = stream_record(audit_item(nth_id(1), ttl=1_800_000_000), 1)
    assert archiver(record) is None

    ((line,),) = archiver.lines
    assert {
        "id": nth_id(1),
        "organizationId": ORGANIZATION_ID,
        "event": "api_key.created",
        "actor": {"type": "user", "id": "user_9", "name": None},
        "targetId": "01980000-0000-7000-8000-000000000001",
        "targetType": "api_key",
        "changes": {"before": None, "after": {"name": "CI"}},
        "sourceIp": "203.0.113.7",
        "requestId": "r-1",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "receivedAt": "2026-01-02T03:04:05.678Z",
        "reason": None,
        "digest": audit.digest(record["dynamodb"]["NewImage"]),
        "ttl": "1800000000",
        "storedAt": "2026-01-02T03:04:05.000Z",
    } == line
    assert {"dynamodb:GetItem", "s3:PutObject", "dynamodb:UpdateItem"} == {
        each.permission.action for each in decisions if each.is_allowed
    }


def test_objects_are_a_chain(archiver: Archiver) -> None:
    """GIVEN batches THEN each object names the digest of the one before, and the table has the head."""
    for numbers in ((0, 1), (2,), (3, 4, 5)):
        assert archiver(*batch(*numbers)) is None

    assert [[nth_id(0), nth_id(1)], [nth_id(2)], [nth_id(3), nth_id(4), nth_id(5)]] == archiver.ids
    last = archiver.objects.bodies["audit/000000000003.jsonl"]
    assert (3, hashlib.sha256(last).hexdigest()) == archiver.head


def test_an_empty_batch_is_no_object(archiver: Archiver) -> None:
    """An empty batch sends no request."""
    assert archiver() is None
    assert [] == archiver.objects.requests


def test_records_of_a_file_are_told_apart(archiver: Archiver) -> None:
    """GIVEN a batch of an operator, without the fields of the stream THEN the header says so."""
    (record,) = batch(1)
    by_hand = {"dynamodb": {name: record["dynamodb"][name] for name in ("SequenceNumber", "NewImage")}}
    assert archiver(by_hand) is None

    header, line = map(json.loads, archiver.objects.bodies["audit/000000000001.jsonl"].splitlines())
    assert "file" == header["source"]
    assert "storedAt" not in line


def test_a_record_that_cannot_be_read_is_archived_as_it_is(
    archiver: Archiver, caplog: pytest.LogCaptureFixture
) -> None:
    """GIVEN an item that is no audit record, between others THEN it is archived too, and holds up none."""
    records = batch(0, 1, 2)
    image = records[1]["dynamodb"]["NewImage"]
    del image["event"]
    image["changes"] = {"S": "no JSON"}
    assert archiver(*records) is None

    ((_, line, _),) = archiver.lines
    assert {"organizationId", "id", "item", "digest", "storedAt"} == line.keys()
    assert [image, audit.digest(image)] == [line["item"], line["digest"]]
    assert ["record not readable"] == [each.message for each in caplog.records if each.levelname == "ERROR"]


def test_the_head_that_is_behind_is_found(archiver: Archiver) -> None:
    """GIVEN a table that lost its head WHEN a batch comes THEN the chain continues after its last object."""
    for number in range(3):
        archiver(*batch(number))
    archiver.forget_head()

    assert archiver(*batch(3)) is None

    assert [[nth_id(number)] for number in range(4)] == archiver.ids
    assert 4 == archiver.head[0]


def test_an_object_that_was_put_there_does_not_stop_the_archive(
    archiver: Archiver, caplog: pytest.LogCaptureFixture
) -> None:
    """GIVEN a foreign object with the next number THEN the chain continues after it, and an error is logged."""
    archiver(*batch(0))
    foreign = b"no archive\n"
    archiver.objects.put("audit/000000000002.jsonl", foreign)

    assert archiver(*batch(1)) is None

    header = json.loads(archiver.objects.bodies["audit/000000000003.jsonl"].splitlines()[0])
    assert hashlib.sha256(foreign).hexdigest() == header["previous"]
    assert ["an object is not of the archive"] == [each.message for each in caplog.records if each.levelname == "ERROR"]


def test_the_log_has_no_record(archiver: Archiver, caplog: pytest.LogCaptureFixture) -> None:
    """The log says how many records are in which object, and nothing that they contain."""
    with caplog.at_level("INFO", logger="keywright"):
        archiver(*batch(0, 1))

    assert ["archived 2 in audit/000000000001.jsonl"] == [each.__dict__["outcome"] for each in caplog.records]
    assert "user_9" not in str([each.__dict__ for each in caplog.records])
