"""Batches of the stream: each is one object, which names the digest of the one before."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from keywright.aws.client import AwsError
from keywright.organizations.archive import LONGEST_WALK
from keywright.store import archive, audit
from local.object_store import ObjectRequest
from tests.support import faults
from tests.support.table_stream import stream_record
from tests.support.world import ORGANIZATION_ID, audit_item, nth_id

if TYPE_CHECKING:
    from collections.abc import Collection

    from local.iam import Decision
    from tests.support.table_stream import Archiver, Record


LARGEST_PAYLOAD_BYTES = 6 * 2**20
"""AWS Lambda Developer Guide, "Lambda quotas": of an invocation."""


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the messages of the errors in the log."""
    return [each.message for each in caplog.records if each.levelname == "ERROR"]


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
    assert {"dynamodb:GetItem", "s3:ListBucket", "s3:PutObject", "dynamodb:UpdateItem"} == {
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


UNREADABLE: dict[str, tuple[int, str]] = {
    "archived": (403, "InvalidObjectState"),
    "of another KMS key": (403, "KMS.AccessDenied"),
    "of a disabled KMS key": (400, "KMS.DisabledException"),
    "of a customer's key": (400, "InvalidRequest"),
}


@pytest.mark.parametrize("refusal", UNREADABLE.values(), ids=UNREADABLE)
def test_an_object_that_cannot_be_read_does_not_stop_the_archive(
    archiver: Archiver, caplog: pytest.LogCaptureFixture, refusal: tuple[int, str]
) -> None:
    """GIVEN a next object that S3 does not let the function read THEN the header after it says so, as does the log."""
    archiver(*batch(0))
    archiver.objects.put("audit/000000000002.jsonl", b"secret")
    archiver.objects.before = lambda request: (
        refusal if (request.method, request.key) == ("GET", "audit/000000000002.jsonl") else None
    )

    assert archiver(*batch(1)) is None
    assert archiver(*batch(2)) is None

    third, fourth = (archiver.objects.bodies[f"audit/{number:012}.jsonl"] for number in (3, 4))
    assert "unreadable" == json.loads(third.splitlines()[0])["previous"]
    assert hashlib.sha256(third).hexdigest() == json.loads(fourth.splitlines()[0])["previous"]
    assert ["an object is not of the archive"] == errors(caplog)


def test_an_object_is_not_taken_for_unreadable_without_the_permission(archiver: Archiver) -> None:
    """GIVEN a role that may no longer read objects THEN the function fails, and the chain does not say so forever."""
    archiver(*batch(0))
    archiver.objects.before = lambda request: (403, "AccessDenied") if request.method == "GET" else None

    with pytest.raises(AwsError):
        archiver(*batch(1))

    assert [[nth_id(0)]] == archiver.ids


@pytest.mark.parametrize("foreign", [b"[" * 200_000, b'{"number": ' + b"9" * 5_000 + b"}"], ids=["deep", "long number"])
def test_an_object_that_no_parser_reads_does_not_stop_the_archive(archiver: Archiver, foreign: bytes) -> None:
    """GIVEN a next object that JSON parsers give up on THEN the chain continues after it."""
    archiver(*batch(0))
    archiver.objects.put("audit/000000000002.jsonl", foreign)

    assert archiver(*batch(1)) is None

    header = json.loads(archiver.objects.bodies["audit/000000000003.jsonl"].splitlines()[0])
    assert hashlib.sha256(foreign).hexdigest() == header["previous"]


def test_an_object_that_is_too_large_is_not_read(archiver: Archiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a next object that is larger than any of the archive THEN it counts as one that cannot be read."""
    monkeypatch.setattr(archive, "MAXIMUM_BYTES", 1_000)
    archiver(*batch(0))
    archiver.objects.put("audit/000000000002.jsonl", b" " * 1_001)

    assert archiver(*batch(1)) is None

    header = json.loads(archiver.objects.bodies["audit/000000000003.jsonl"].splitlines()[0])
    assert "unreadable" == header["previous"]


def test_an_object_of_the_archive_is_never_too_large(archiver: Archiver) -> None:
    """GIVEN as many bytes as Lambda sends, of the characters that JSON makes longest THEN the object can be read."""
    changes = json.dumps({"before": None, "after": {"name": "\U0001f511" * 80_000}}, ensure_ascii=False)
    records = batch(*range(20), changes=changes)
    assert len(json.dumps(records, ensure_ascii=False).encode()) > LARGEST_PAYLOAD_BYTES
    assert archiver(*records) is None

    (body,) = archiver.objects.bodies.values()
    assert len(body) < archive.MAXIMUM_BYTES


def test_an_object_that_is_deleted_meanwhile_is_written_again(archiver: Archiver) -> None:
    """GIVEN a next object that is there, and gone when it is read THEN the batch has its number."""
    archiver(*batch(0))
    archiver.objects.put("audit/000000000002.jsonl", b"no archive")

    def delete(request: ObjectRequest) -> None:
        if request == ObjectRequest("GET", "audit/000000000002.jsonl"):
            archiver.objects.put("audit/000000000002.jsonl", None)

    archiver.objects.before = delete
    assert archiver(*batch(1)) is None

    assert [[nth_id(0)], [nth_id(1)]] == archiver.ids


FALSE_HEADS: dict[str, tuple[dict[str, Any], bool]] = {
    "beyond the last object": ({"number": 1000, "digest": "a" * 64}, True),
    "of 13 digits": ({"number": 10**12, "digest": "a" * 64}, False),
    "negative": ({"number": -1, "digest": "a" * 64}, False),
    "no whole number": ({"number": Decimal("1.5"), "digest": "a" * 64}, False),
    "a text": ({"number": "2", "digest": "a" * 64}, False),
    "another digest": ({"number": 2, "digest": "a" * 64}, True),
    "no digest": ({"number": 2}, False),
    "a digest that is none": ({"number": 2, "digest": "../../"}, False),
    "unreadable, but it is not": ({"number": 2, "digest": "unreadable"}, True),
    "nothing": ({}, False),
}
"""Attributes of the head, and whether they have its form."""


@pytest.mark.parametrize(("head", "is_a_head"), FALSE_HEADS.values(), ids=FALSE_HEADS)
def test_a_false_head_is_corrected(
    archiver: Archiver, caplog: pytest.LogCaptureFixture, head: dict[str, Any], *, is_a_head: bool
) -> None:
    """GIVEN a head that names no object of the bucket THEN the chain goes on after the last, and the log says so."""
    for number in range(3):
        archiver(*batch(number))
    archiver.set_head(head)

    assert archiver(*batch(3)) is None
    assert archiver(*batch(4)) is None

    assert [[nth_id(number)] for number in range(5)] == archiver.ids
    assert 5 == archiver.head[0]
    headers = [archive.parse_header(body) for body in archiver.objects.bodies.values()]
    replaced = [header.replaced_head for header in headers if header]
    assert [None, None, None, f"{head['number']}:{head['digest']}" if is_a_head else None, None] == replaced
    assert ["the head in the table is not of the archive"] == errors(caplog)


def test_a_removed_object_is_named(archiver: Archiver) -> None:
    """GIVEN an archive whose last objects were removed WHEN batches come THEN their headers name the head that was."""
    for number in range(3):
        archiver(*batch(number))
    number, digest = archiver.head
    for removed in (2, 3):
        archiver.objects.replace(f"audit/{removed:012}.jsonl", None)
    with faults.injected(None, *[faults.timeout] * 100):  # the head is not moved
        assert archiver(*batch(3)) == 0

    assert archiver(*batch(3)) is None

    headers = [json.loads(body.splitlines()[0]) for body in archiver.objects.bodies.values()]
    assert [None, f"{number}:{digest}", f"{number}:{digest}"] == [header.get("replacedHead") for header in headers]


def test_the_last_object_is_found_behind_missing_ones(archiver: Archiver) -> None:
    """GIVEN an archive whose oldest objects are expired, and no head THEN the chain continues after the last one."""
    for number in range(5):
        archiver(*batch(number))
    for number in (1, 2, 4):
        archiver.objects.put(f"audit/{number:012}.jsonl", None)
    archiver.forget_head()

    assert archiver(*batch(5)) is None

    last, new = (archiver.objects.bodies[f"audit/{number:012}.jsonl"] for number in (5, 6))
    assert hashlib.sha256(last).hexdigest() == json.loads(new.splitlines()[0])["previous"]


def test_a_head_that_cannot_be_read_is_kept(archiver: Archiver) -> None:
    """GIVEN a last object in another storage class THEN the next one names its digest, which the table has."""
    archiver(*batch(0))
    archiver.objects.before = lambda request: (403, "InvalidObjectState") if request.method == "GET" else None

    assert archiver(*batch(1)) is None

    assert [[nth_id(0)], [nth_id(1)]] == archiver.ids


def test_a_head_that_was_set_back_costs_few_requests(archiver: Archiver) -> None:
    """GIVEN a head far behind the last object THEN the last one is looked for, and not each between read."""
    archiver(*batch(0))
    first = archiver.head
    for number in range(1, 60):
        archiver(*batch(number))
    archiver.set_head({"number": first[0], "digest": first[1]})
    archiver.objects.requests.clear()

    assert archiver(*batch(60)) is None

    assert 61 == archiver.head[0]
    assert len(archiver.objects.requests) < 2 * LONGEST_WALK + 5


def test_there_is_no_number_with_13_digits(archiver: Archiver) -> None:
    """GIVEN an object with the last number THEN the function fails, and writes none with another form of name."""
    archiver.objects.put("audit/999999999999.jsonl", b"")

    with pytest.raises(OverflowError):
        archiver(*batch(0))

    assert ["audit/999999999999.jsonl"] == list(archiver.objects.bodies)


@pytest.mark.parametrize("ttl", [Decimal("1.5"), Decimal(-1), Decimal(10**20), "1800000000", "soon", None])
def test_a_ttl_that_is_no_time_is_not_written(archiver: Archiver, ttl: object) -> None:
    """GIVEN an item with another ttl than the functions write THEN its line has none: readers expect digits."""
    assert archiver(*batch(0, ttl=ttl)) is None

    ((line,),) = archiver.lines
    assert "ttl" not in line


def test_the_log_has_no_record(archiver: Archiver, caplog: pytest.LogCaptureFixture) -> None:
    """The log says how many records are in which object, and nothing that they contain."""
    with caplog.at_level("INFO", logger="keywright"):
        archiver(*batch(0, 1))

    assert ["archived 2 in audit/000000000001.jsonl"] == [each.__dict__["outcome"] for each in caplog.records]
    assert "user_9" not in str([each.__dict__ for each in caplog.records])
