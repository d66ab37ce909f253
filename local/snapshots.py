"""Makes moto's transactions fast on large tables.

Before each transaction moto copies every item of the table for a rollback. With a few thousand items, this takes longer
than a client waits. With this patch the copy shares the items, and those partitions that the transaction does not name.
An update replaces an item instead of changing it: the copy keeps the old one.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Concatenate, ParamSpec

    from moto.dynamodb.models.dynamo_type import Item

    Rest = ParamSpec("Rest")
    Key = dict[str, dict[str, object]]
    UpdateItem = Callable[Concatenate[DynamoDBBackend, str, Key, Rest], Item]
    Transact = Callable[[DynamoDBBackend, list[dict[str, Any]]], None]

_MARK = "_replaces_items"
_named: list[set[DynamoType]] = []
"""The partition keys that the current transaction names; moto handles one request at a time."""


def make_snapshots_cheap() -> None:
    """Patch moto in this process. Further calls do nothing."""
    if not hasattr(DynamoDBBackend.update_item, _MARK):
        Table.__deepcopy__ = _snapshot  # type: ignore[attr-defined]
        DynamoDBBackend.transact_write_items = _naming(DynamoDBBackend.transact_write_items)  # type: ignore[method-assign,assignment]
        DynamoDBBackend.update_item = _replacing(DynamoDBBackend.update_item)  # type: ignore[method-assign,assignment]


def _snapshot(table: Table, _memo: dict[int, object]) -> Table:
    snapshot = copy.copy(table)
    snapshot.items = defaultdict(dict, table.items)
    for key in _named[-1] if _named else table.items:
        if key in table.items:
            snapshot.items[key] = copy.copy(table.items[key])
    return snapshot


def _naming(transact: Transact) -> Transact:
    def transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        steps = [step for item in transact_items for step in item.values()]
        _named.append(
            {
                DynamoType(value)
                for step in steps
                if step.get("TableName") in backend.tables
                for value in [
                    step.get("Item", step.get("Key", {})).get(backend.tables[step["TableName"]].hash_key_attr)
                ]
                if value is not None
            }
        )
        try:
            transact(backend, transact_items)
        finally:
            _named.pop()

    return transact_write_items


def _replacing(update_item: UpdateItem[Rest]) -> UpdateItem[Rest]:
    def update_copy(
        backend: DynamoDBBackend, table_name: str, key: Key, /, *rest: Rest.args, **named: Rest.kwargs
    ) -> Item:
        item = backend.get_item(table_name, key)
        if item is not None:
            backend.tables[table_name].items[item.hash_key][item.range_key] = copy.deepcopy(item)
        return update_item(backend, table_name, key, *rest, **named)

    setattr(update_copy, _MARK, True)
    return update_copy
