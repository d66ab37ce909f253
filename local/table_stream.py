"""The stream of a table: reads it from DynamoDB, and invokes the function that a template connects to it.

It begins with what is written after the start. Records are delivered in the order of their shard; the one that the
function names as failed, and all after it, come again. A record never becomes too old.

Sources: Amazon DynamoDB Streams API Reference; AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB" and
"Control which events Lambda sends to your function".
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from local.functions import FunctionError
from local.intrinsics import REGION, Json, TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from local.template import StreamReader

POLL_SECONDS = 0.25
"""As Lambda: four times a second."""
RETRY_SECONDS = 1.0

_LOG = logging.getLogger(__name__)


class TableStream:
    """A reader of the stream of a table.

    Args:
        reader: what the template says of it.
        client: of DynamoDB's streams.
        invoke: invokes a function, by its logical id.
    """

    def __init__(self, reader: StreamReader, client: Any, invoke: Callable[[str, dict[str, Json]], Json]) -> None:
        self._reader = reader
        self._client = client
        self._invoke = invoke
        self._arn = self._find()
        self._shards: dict[str, str | None] = {}
        self._waiting: list[dict[str, Any]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"stream of {reader.table}", daemon=True)
        self._open_shards("LATEST")

    def start(self) -> Self:
        """Start a thread that reads until `stop`."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Deliver what is written by now, in one attempt, and stop."""
        self._stopping.set()
        self._thread.join()
        self.poll()

    def poll(self) -> bool:
        """Read and deliver what is there; return whether everything was delivered."""
        self._open_shards("TRIM_HORIZON")
        for shard, iterator in self._shards.items():
            if iterator is not None:
                answer = self._client.get_records(ShardIterator=iterator)
                self._shards[shard] = answer.get("NextShardIterator")
                self._waiting += [_as_lambda_reads(record) for record in answer["Records"] if self._is_wanted(record)]
        while self._waiting:
            batch = self._waiting[: self._reader.batch_size]
            done = self._deliver(batch)
            del self._waiting[:done]
            if done < len(batch):
                return False
        return True

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                seconds = POLL_SECONDS if self.poll() else RETRY_SECONDS
            except Exception:  # noqa: BLE001 - what is written now can be read later
                _LOG.exception("the stream could not be read")
                seconds = RETRY_SECONDS
            self._stopping.wait(seconds)

    def _find(self) -> str:
        (stream,) = self._client.list_streams(TableName=self._reader.table)["Streams"]
        return str(stream["StreamArn"])

    def _open_shards(self, kind: str) -> None:
        for shard in self._client.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]:
            if shard["ShardId"] not in self._shards:
                answer = self._client.get_shard_iterator(
                    StreamArn=self._arn,
                    ShardId=shard["ShardId"],
                    ShardIteratorType=kind,
                )
                self._shards[shard["ShardId"]] = answer["ShardIterator"]

    def _is_wanted(self, record: Any) -> bool:
        patterns = self._reader.patterns
        return not patterns or any(matches(pattern, record) for pattern in patterns)

    def _deliver(self, batch: list[dict[str, Any]]) -> int:
        """Invoke the function on a batch; return how many of its records are done."""
        try:
            answer = self._invoke(self._reader.function, {"Records": list(batch)})
        except FunctionError:
            return 0
        failures: Any = answer.get("batchItemFailures") if isinstance(answer, dict) else None
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        failed = [numbers.index(item["itemIdentifier"]) for item in failures or ()]
        return min(failed, default=len(batch))


def matches(pattern: Json, value: Any) -> bool:
    """Return whether a value matches a filter pattern of values and prefixes.

    Raises:
        TemplateError: the pattern has another rule.
    """
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(matches(part, value.get(name)) for name, part in pattern.items())
    if isinstance(pattern, list):
        return any(_fits(rule, value) for rule in pattern)
    raise TemplateError(f"the local service does not support the filter {pattern!r}")


def _fits(rule: Json, value: object) -> bool:
    if not isinstance(rule, dict):
        return rule == value
    if rule.keys() != {"prefix"}:
        raise TemplateError(f"the local service does not support the filter {rule!r}")
    return isinstance(value, str) and value.startswith(str(rule["prefix"]))


def _as_lambda_reads(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as JSON: its time in seconds."""
    change = record["dynamodb"]
    time = change["ApproximateCreationDateTime"].timestamp()
    return {**record, "awsRegion": REGION, "dynamodb": {**change, "ApproximateCreationDateTime": int(time)}}
