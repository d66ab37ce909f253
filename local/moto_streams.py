"""Makes moto's streams of tables exact, and small.

In moto, what a canceled transaction would have written stays in the stream, a stream keeps every record and every
position, and each record asks moto's Lambda for event source mappings. With this patch a canceled transaction leaves
nothing, and a stream keeps its latest records. A forgotten position is an expired iterator, as it is on AWS after 15
minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import StreamRecord, StreamShard
from moto.dynamodbstreams.models import DynamoDBStreamsBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from moto.dynamodb.models.dynamo_type import Item

    Transact = Callable[[DynamoDBBackend, list[dict[str, Any]]], None]
    GetRecords = Callable[[DynamoDBStreamsBackend, str, int], dict[str, Any]]

KEPT_RECORDS = 10_000
KEPT_ITERATORS = 1_000
_MARK = "_is_exact"


def make_streams_exact() -> None:
    """Patch moto in this process. Further calls do nothing."""
    if not hasattr(StreamShard.add, _MARK):
        setattr(_add, _MARK, True)
        StreamShard.add = _add  # type: ignore[method-assign,assignment]
        DynamoDBBackend.transact_write_items = _exact(DynamoDBBackend.transact_write_items)  # type: ignore[method-assign,assignment]
        DynamoDBStreamsBackend.get_records = _forgetting(DynamoDBStreamsBackend.get_records)  # type: ignore[method-assign,assignment]


def _add(shard: StreamShard, old: Item | None, new: Item | None) -> None:
    names = {(True, False): "INSERT", (False, False): "MODIFY", (False, True): "REMOVE"}
    specification = shard.table.stream_specification or {}
    shard.items.append(
        StreamRecord(
            shard.table, specification["StreamViewType"], names[old is None, new is None], old, new, _next_number(shard)
        )
    )
    surplus = len(shard.items) - KEPT_RECORDS
    if surplus > 0:
        del shard.items[:surplus]
        shard.starting_sequence_number += surplus


def _next_number(shard: StreamShard) -> int:
    return shard.starting_sequence_number + len(shard.items)


def _exact(transact: Transact) -> Transact:
    def transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        shards = [table.stream_shard for table in backend.tables.values() if table.stream_shard is not None]
        ends = [_next_number(shard) for shard in shards]
        try:
            transact(backend, transact_items)
        except Exception:
            for shard, end in zip(shards, ends, strict=True):
                del shard.items[end - shard.starting_sequence_number :]
            raise

    return transact_write_items


def _forgetting(get_records: GetRecords) -> GetRecords:
    def forgetting(backend: DynamoDBStreamsBackend, iterator_arn: str, limit: int) -> dict[str, Any]:
        if iterator_arn not in backend.shard_iterators:
            raise JsonRESTError("ExpiredIteratorException", "Iterator expired")
        answer = get_records(backend, iterator_arn, limit)
        while len(backend.shard_iterators) > KEPT_ITERATORS:
            del backend.shard_iterators[next(iter(backend.shard_iterators))]
        return answer

    return forgetting
