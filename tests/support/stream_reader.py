"""A function that reads a stream, and writes whose records must reach it."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from local import backend
from local.table_stream import TableStream
from local.template import Resource, StreamReader

if TYPE_CHECKING:
    from local.intrinsics import Json
    from local.template import Stack

SECONDS = 30


class Function:
    """A function that remembers the sort keys of its batches.

    Attributes:
        answers: of the next invocations; an exception is raised. Afterwards every invocation succeeds.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.batches: list[list[str]] = []
        self.records: list[dict[str, Any]] = []
        self.arrived = threading.Condition()

    def __call__(self, function: str, event: dict[str, Any]) -> Json:
        """Answer an invocation."""
        assert function == "Publish"
        with self.arrived:
            self.records += event["Records"]
            self.batches.append([record["dynamodb"]["Keys"]["sk"]["S"] for record in event["Records"]])
            self.arrived.notify_all()
        answer: Any = self.answers.pop(0) if self.answers else {"batchItemFailures": []}
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    @property
    def keys(self) -> list[str]:
        """The sort keys of all invocations, in their order."""
        return [key for batch in self.batches for key in batch]

    def until(self, *keys: str) -> None:
        """Wait until the function has got these keys, and no others."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.keys) >= len(keys), SECONDS)
        assert list(keys) == self.keys


def check_real_stream(stack: Stack) -> None:
    """Write items of a new table with a stream, and compare what arrives."""
    table = Resource(f"keywright-{uuid.uuid4()}", stack.tables[0].properties)
    backend.create_table(table)
    client: Any = boto3.client("dynamodb")
    reader, *_ = stack.stream_readers
    function, name = Function(), {"TableName": table.name}

    def item(sort_key: str, value: str = "1") -> dict[str, Any]:
        return {"pk": {"S": "ORG#1"}, "sk": {"S": sort_key}, "value": {"S": value}}

    client.put_item(**name, Item=item("AUDIT#0"))
    stream = TableStream(
        StreamReader("Publish", table.name, reader.batch_size, reader.patterns),
        backend.stream_arn(client, table.name),
        boto3.client("dynamodbstreams", endpoint_url=client.meta.endpoint_url),
        function,
    ).start()
    client.put_item(**name, Item=item("AUDIT#1"))
    client.transact_write_items(TransactItems=[{"Put": {**name, "Item": item(key)}} for key in ("KEY#1", "AUDIT#2")])
    client.put_item(**name, Item=item("AUDIT#1", "2"))
    client.delete_item(**name, Key={"pk": {"S": "ORG#1"}, "sk": {"S": "AUDIT#1"}})
    refused = {"Key": {"pk": {"S": "x"}, "sk": {"S": "x"}}, "ConditionExpression": "attribute_exists(pk)"}
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(
            TransactItems=[{"Put": {**name, "Item": item("AUDIT#3")}}, {"ConditionCheck": {**name, **refused}}]
        )
    for number in range(4, 30):
        client.put_item(**name, Item=item(f"AUDIT#{number:02}"))
    stream.stop()

    assert ["AUDIT#1", "AUDIT#2", *(f"AUDIT#{number:02}" for number in range(4, 30))] == function.keys
    assert item("AUDIT#1") == function.records[0]["dynamodb"]["NewImage"]
    assert {"INSERT"} == {record["eventName"] for record in function.records}
