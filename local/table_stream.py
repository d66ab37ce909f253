"""The stream of a table: reads it from DynamoDB, and invokes the function that a template connects to it.

It begins with what is written after the start. Records are delivered in the order of their shard, and those of a shard
after all of its parent; the one that the function names as failed, and all after it, come again. A record never becomes
too old.

Sources: Amazon DynamoDB Streams API Reference; Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB
Streams"; AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB" and "Configuring partial batch response
with DynamoDB and Lambda".
"""

from __future__ import annotations

import base64
import json
import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local import filters
from local.functions import FunctionError
from local.intrinsics import REGION, Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from local.template import StreamReader

POLL_SECONDS = 0.25
"""As Lambda: four times a second."""
RETRY_SECONDS = 1.0

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Shard:
    """A shard that is read.

    Attributes:
        beginning: type of the iterator that it was opened with.
        iterator: of the next records.
        last: sequence number of the last record that was read.
    """

    id: str
    beginning: str
    iterator: str
    last: str | None = None


class TableStream:
    """A reader of the stream of a table.

    Args:
        reader: what the template says of it.
        arn: of the stream.
        client: of DynamoDB's streams.
        invoke: invokes a function, by its logical id.
    """

    def __init__(
        self, reader: StreamReader, arn: str, client: Any, invoke: Callable[[str, dict[str, Json]], Json]
    ) -> None:
        self._reader = reader
        self._arn = arn
        self._client = client
        self._invoke = invoke
        self._shards: dict[str, _Shard] = {}
        self._opened: set[str] = set()
        self._ended: set[str] = set()
        self._waiting: list[dict[str, Json]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"stream of {reader.table}", daemon=True)
        for shard in self._described():
            self._open(shard["ShardId"], "LATEST")

    def start(self) -> Self:
        """Start a thread that reads until `stop`."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Deliver what is written by now, in one attempt, and stop."""
        self._stopping.set()
        self._thread.join()
        self._attempt()

    def poll(self) -> bool:
        """Read and deliver until nothing more is there; return whether everything was delivered.

        Reading goes on while a record fails: the stream forgets old records.
        """
        while self._read():
            if not self._deliver_waiting():
                return False
        return self._deliver_waiting()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(POLL_SECONDS if self._attempt() else RETRY_SECONDS)

    def _attempt(self) -> bool:
        try:
            return self.poll()
        except (BotoCoreError, ClientError):  # such as a DynamoDB Local that has ended
            _LOG.exception("the stream could not be read")
            return False

    def _read(self) -> bool:
        """Read once from each shard; return whether there was anything."""
        if self._ended:
            self._open_children()
        is_anything = False
        for shard in list(self._shards.values()):
            answer = self._records(shard)
            records = answer["Records"]
            if records:
                is_anything = True
                shard.last = records[-1]["dynamodb"]["SequenceNumber"]
                self._waiting += [_as_lambda_reads(record) for record in records if self._is_wanted(record)]
            following = answer.get("NextShardIterator")
            if following is None:
                is_anything = True  # in its children
                self._ended.add(shard.id)
                del self._shards[shard.id]
            else:
                shard.iterator = following
        return is_anything

    def _records(self, shard: _Shard) -> Any:
        try:
            return self._client.get_records(ShardIterator=shard.iterator)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExpiredIteratorException":  # after 15 minutes: the machine has slept
                raise
        shard.iterator = self._iterator(shard)
        return self._client.get_records(ShardIterator=shard.iterator)

    def _iterator(self, shard: _Shard) -> str:
        place = (
            {"ShardIteratorType": shard.beginning}
            if shard.last is None
            else {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": shard.last}
        )
        answer = self._client.get_shard_iterator(StreamArn=self._arn, ShardId=shard.id, **place)
        return str(answer["ShardIterator"])

    def _open(self, shard_id: str, beginning: str) -> None:
        shard = _Shard(shard_id, beginning, "")
        shard.iterator = self._iterator(shard)
        self._shards[shard_id] = shard
        self._opened.add(shard_id)

    def _open_children(self) -> None:
        """Open the shards that follow ended ones. They may appear later."""
        for shard in self._described():
            parent = shard.get("ParentShardId")
            if parent in self._shards:
                continue
            if shard["ShardId"] not in self._opened:
                self._open(shard["ShardId"], "TRIM_HORIZON")
            self._ended.discard(parent)

    def _described(self) -> Iterator[Any]:
        """Yield every shard of the stream."""
        begin: dict[str, str] = {}
        while True:
            answer = self._client.describe_stream(StreamArn=self._arn, **begin)["StreamDescription"]
            yield from answer["Shards"]
            last = answer.get("LastEvaluatedShardId")
            if last is None:
                return
            begin = {"ExclusiveStartShardId": last}

    def _is_wanted(self, record: object) -> bool:
        patterns = self._reader.patterns
        return not patterns or any(filters.matches(pattern, record) for pattern in patterns)

    def _deliver_waiting(self) -> bool:
        while self._waiting:
            batch = self._waiting[: self._reader.batch_size]
            done = self._deliver(batch)
            del self._waiting[:done]
            if done < len(batch):
                return False
        return True

    def _deliver(self, batch: list[dict[str, Any]]) -> int:
        """Invoke the function on a batch; return how many of its records are done."""
        try:
            answer = self._invoke(self._reader.function, {"Records": list(batch)})
        except FunctionError:
            return 0
        failures: Any = answer.get("batchItemFailures") if isinstance(answer, dict) else None
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        try:
            return min((numbers.index(failure["itemIdentifier"]) for failure in failures or ()), default=len(batch))
        except (KeyError, TypeError, ValueError):  # names no record of the batch: all of it has failed
            _LOG.error("%s does not name a record of the batch: %s", self._reader.function, answer)
            return 0


def _as_lambda_reads(record: Mapping[str, Any]) -> dict[str, Json]:
    """Return a record as JSON: a time in seconds, and bytes in base64."""
    read: dict[str, Json] = json.loads(json.dumps({**record, "awsRegion": REGION}, default=_as_json))
    return read


def _as_json(value: object) -> Json:
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)
