"""The streams of moto's tables: exact after canceled transactions, and bounded."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from local import backend, moto_streams
from local.iam import Iam
from local.template import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.template import Stack

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Start moto and return its URL."""
    server = backend.start_moto(Iam())
    yield server.url
    server.stop()


class Streamed:
    """A table with a stream."""

    def __init__(self, stack: Stack) -> None:
        self.name = f"keywright-{uuid.uuid4()}"
        backend.create_table(Resource(self.name, stack.tables[0].properties))
        self.client: Any = boto3.client("dynamodb")
        self.streams: Any = boto3.client("dynamodbstreams")
        self.arn = backend.stream_arn(self.client, self.name)

    def put(self, sort_key: str) -> dict[str, Any]:
        """Return a put of a transaction."""
        return {"Put": {"TableName": self.name, "Item": {"pk": {"S": "p"}, "sk": {"S": sort_key}}}}

    def write(self, *sort_keys: str) -> None:
        """Write items, one request each."""
        for key in sort_keys:
            self.client.put_item(**self.put(key)["Put"])

    def iterator(self, kind: str = "TRIM_HORIZON", **place: str) -> str:
        """Return an iterator of its only shard."""
        (shard,) = self.streams.describe_stream(StreamArn=self.arn)["StreamDescription"]["Shards"]
        answer = self.streams.get_shard_iterator(
            StreamArn=self.arn, ShardId=shard["ShardId"], ShardIteratorType=kind, **place
        )
        return str(answer["ShardIterator"])

    def records(self, iterator: str) -> tuple[list[tuple[str, int]], str]:
        """Return sort key and sequence number of each record, and the next iterator."""
        answer = self.streams.get_records(ShardIterator=iterator)
        changes = [record["dynamodb"] for record in answer["Records"]]
        return [(each["Keys"]["sk"]["S"], int(each["SequenceNumber"])) for each in changes], answer["NextShardIterator"]


@pytest.fixture
def table(environment: pytest.MonkeyPatch, url: str, stack: Stack) -> Streamed:
    """Return an empty table with a stream."""
    environment.setenv("AWS_ENDPOINT_URL", url)
    return Streamed(stack)


def test_a_canceled_transaction_leaves_nothing(table: Streamed) -> None:
    """GIVEN a transaction that is canceled after a write WHEN another follows THEN the stream has only the second."""
    key = {"pk": {"S": "p"}, "sk": {"S": "nothing"}}
    refused = {"TableName": table.name, "Key": key, "ConditionExpression": "attribute_exists(pk)"}
    table.write("a")
    with pytest.raises(table.client.exceptions.TransactionCanceledException):
        table.client.transact_write_items(TransactItems=[table.put("b"), {"ConditionCheck": refused}])
    table.client.transact_write_items(TransactItems=[table.put("c"), table.put("d")])
    records, _ = table.records(table.iterator())

    assert ["a", "c", "d"] == [key for key, _ in records]
    assert [0, 1, 2] == [number - records[0][1] for _, number in records]


def test_the_latest_records_are_kept(table: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a full stream WHEN more is written THEN the oldest are gone, and sequence numbers go on."""
    monkeypatch.setattr(moto_streams, "KEPT_RECORDS", 3)
    table.write("a")
    ((_, first),), _ = table.records(table.iterator())
    table.write("b", "c", "d", "e")
    records, _ = table.records(table.iterator())

    assert [("c", first + 2), ("d", first + 3), ("e", first + 4)] == records
    after, _ = table.records(table.iterator("AFTER_SEQUENCE_NUMBER", SequenceNumber=str(first + 3)))
    assert [("e", first + 4)] == after


def test_a_transaction_of_a_full_stream(table: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a full stream WHEN a transaction is canceled THEN the records that remain have their numbers."""
    monkeypatch.setattr(moto_streams, "KEPT_RECORDS", 3)
    table.write("a", "b", "c")
    before, following = table.records(table.iterator())
    refused = {"TableName": table.name, "Key": {"pk": {"S": "p"}, "sk": {"S": "x"}}}
    check = {"ConditionCheck": {**refused, "ConditionExpression": "attribute_exists(pk)"}}
    with pytest.raises(table.client.exceptions.TransactionCanceledException):
        table.client.transact_write_items(TransactItems=[table.put("d"), table.put("e"), check])

    assert [] == table.records(following)[0]
    table.write("f")
    assert [("f", before[-1][1] + 1)] == table.records(following)[0]


def test_iterators_are_forgotten(table: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a reader that polls for a long time THEN only the latest iterators are kept, its own among them."""
    from moto.dynamodbstreams.models import dynamodbstreams_backends  # noqa: PLC0415 - needs the environment

    monkeypatch.setattr(moto_streams, "KEPT_ITERATORS", 5)
    iterator = first = table.iterator()
    for number in range(20):
        table.write(f"{number}")
        records, iterator = table.records(iterator)
        assert [f"{number}"] == [key for key, _ in records]

    assert 5 >= len(dynamodbstreams_backends["123456789012"]["us-east-1"].shard_iterators)
    with pytest.raises(table.streams.exceptions.ExpiredIteratorException):
        table.records(first)
