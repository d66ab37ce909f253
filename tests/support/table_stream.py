"""The table's stream as it reaches publish_events: its records, and what Lambda does with the function's answers.

Sources: AWS Lambda Developer Guide, "Using Lambda to process records from Amazon DynamoDB Streams" and "Configuring
partial batch response with DynamoDB and Lambda"; Amazon DynamoDB Streams API Reference, "Record".
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import TypeSerializer

from local.intrinsics import mapping, text
from tests.support.cloudformation import properties
from tests.support.world import Context, World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from mypy_boto3_sqs import SQSClient

    from local.iam import AccessKey
    from local.object_store import ObjectStore
    from tests.support.event_bus import EventBus
    from tests.support.world import Table

Record = dict[str, Any]

_write = TypeSerializer().serialize
_FIRST_NUMBER = 100_000_000_000_000_000_000
"""Sequence numbers have at least 21 digits."""
MOST_INVOCATIONS = 1_000


def stream_record(item: dict[str, Any], number: int) -> Record:
    """Return the record of a new item, as Lambda reads it from the stream.

    Args:
        item: as plain Python values.
        number: its place in the shard.
    """
    image = {name: _write(value) for name, value in item.items()}
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1767323045,
            "Keys": {name: image[name] for name in ("pk", "sk")},
            "NewImage": image,
            "SequenceNumber": str(_FIRST_NUMBER + number),
            "SizeBytes": len(json.dumps(image)),
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/keywright/stream/2026-01-01T00:00:00.000",
    }


@dataclass(frozen=True, slots=True)
class Stream:
    """The stream of a table, polled as Lambda polls it: with the role of the function.

    Source: AWS Lambda Developer Guide, "Process DynamoDB records with Lambda", "Tutorial: Using AWS Lambda with Amazon
    DynamoDB streams" (permissions), "Retaining discarded records for a DynamoDB event source in Lambda".

    Attributes:
        lambda_: the client of the poller, with the credentials of the function's role.
        queues: the same, of SQS.
    """

    table: Table
    lambda_: Any
    queues: SQSClient

    @classmethod
    def turned_on(cls, table: Table, key: AccessKey) -> Stream:
        """Turn the stream of a table on; what is written before is not in it."""
        table.client.update_table(
            TableName=table.name, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        )
        role: Any = {"aws_access_key_id": key.access_key, "aws_secret_access_key": key.secret_key}
        streams = boto3.client("dynamodbstreams", endpoint_url=table.client.meta.endpoint_url, **role)
        return cls(table, streams, boto3.client("sqs", **role))

    def poll(self) -> list[dict[str, Any]]:
        """Return the items that were added, as the stream has them."""
        (stream,) = self.lambda_.list_streams(TableName=self.table.name)["Streams"]
        arn = stream["StreamArn"]
        images = []
        for shard in self.lambda_.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator = self.lambda_.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            records = self.lambda_.get_records(ShardIterator=iterator)["Records"]
            images += [record["dynamodb"]["NewImage"] for record in records if record["eventName"] == "INSERT"]
        return images

    def set_aside(self, mapping_id: str) -> None:
        """Send the place of records that are too old to the destination of the mapping."""
        self.queues.send_message(QueueUrl=dead_letters(mapping_id), MessageBody="{}")


def dead_letters(mapping_id: str) -> str:
    """Create the queue that a mapping names for records that are given up, and return its URL."""
    destination = mapping(properties(mapping_id)["DestinationConfig"], "")["OnFailure"]
    name = text(mapping(destination, "")["Destination"], "").rpartition(":")[2]
    return boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"]


def deliver(invoke: Callable[..., int | None], records: Sequence[Record]) -> int:
    """Deliver records until all are done; return the number of invocations.

    Lambda goes on at the named record, and halves a batch whose invocation fails.

    Args:
        invoke: called with the records of a batch; returns the position from which Lambda goes on, or None.
        records: of a shard.
    """
    batches = [list(records)]
    for invocations in range(MOST_INVOCATIONS):
        if not batches:
            return invocations
        batch = batches.pop(0)
        try:
            failed = invoke(*batch)
        except Exception:  # noqa: BLE001 - Lambda reports every exception
            half = (len(batch) + 1) // 2
            batches[:0] = [part for part in (batch[:half], batch[half:]) if part]
        else:
            batches[:0] = [] if failed is None else [batch[failed:]]
    raise AssertionError("the batch is never done")


@dataclass(frozen=True, slots=True)
class StreamFunction:
    """A function that reads the stream, as Lambda calls it."""

    handler: Callable[..., Any]
    world: World

    def __call__(self, *records: Record) -> int | None:
        """Deliver a batch once; return the position from which Lambda goes on, or None if all is done."""
        answer = json.loads(json.dumps(self.handler(json.loads(json.dumps({"Records": records})), self.world.context)))
        assert {"batchItemFailures"} == answer.keys()
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        named = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        assert len(named) <= 1
        return numbers.index(named[0]) if named else None

    def deliver(self, records: Sequence[Record]) -> int:
        """Deliver records until all are done; return the number of invocations."""
        return deliver(self, records)

    def with_time_left(self, milliseconds: int) -> Self:
        """Return the same function, with less time left."""
        return replace(self, world=replace(self.world, context=Context(remaining_milliseconds=milliseconds)))


@dataclass(frozen=True, slots=True)
class Publisher(StreamFunction):
    """publish_events, with its event bus."""

    bus: EventBus


@dataclass(frozen=True, slots=True)
class Archiver(StreamFunction):
    """archive_records, with its bucket."""

    objects: ObjectStore

    @property
    def lines(self) -> list[list[dict[str, Any]]]:
        """Return the records of each object, and check that the objects are one chain."""
        previous, records = None, []
        for number, (key, body) in enumerate(self.objects.bodies.items(), 1):
            header, *lines = [json.loads(line) for line in body.decode("ascii").splitlines()]
            assert f"audit/{number:012}.jsonl" == key
            assert [number, previous] == [header["number"], header["previous"]]
            previous = hashlib.sha256(body).hexdigest()
            records.append(lines)
        return records

    @property
    def ids(self) -> list[list[str]]:
        """Return the ids of the records of each object."""
        return [[line["id"] for line in lines] for lines in self.lines]

    @property
    def head(self) -> tuple[int, str | None]:
        """Return the head in the table."""
        (item,) = [item for item in self.world.table.items() if item["pk"] == "ARCHIVE"] or [{"number": 0}]
        return int(item["number"]), item.get("digest")

    def set_head(self, attributes: dict[str, Any]) -> None:
        """Write the head, as an administrator of the table."""
        table, key = self.world.table, {"pk": "ARCHIVE", "sk": self.objects.bucket}
        item = {name: _write(value) for name, value in {**key, **attributes}.items()}
        table.client.put_item(TableName=table.name, Item=item)

    def forget_head(self) -> None:
        """Delete the head from the table."""
        table = self.world.table
        table.client.delete_item(TableName=table.name, Key={"pk": {"S": "ARCHIVE"}, "sk": {"S": self.objects.bucket}})
