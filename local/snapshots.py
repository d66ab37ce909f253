"""Makes moto's transactions fast on large tables.

Before each transaction moto copies every item of the table for a rollback. With a few thousand items, this takes longer
than a client waits. With this patch the copy shares the items, and an update replaces an item instead of changing it:
the copy keeps the old one.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import TYPE_CHECKING

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Concatenate, ParamSpec

    from moto.dynamodb.models.dynamo_type import Item

    Rest = ParamSpec("Rest")
    Key = dict[str, dict[str, object]]
    UpdateItem = Callable[Concatenate[DynamoDBBackend, str, Key, Rest], Item]

_MARK = "_replaces_items"


def make_snapshots_cheap() -> None:
    """Patch moto in this process. Further calls do nothing."""
    if not hasattr(DynamoDBBackend.update_item, _MARK):
        Table.__deepcopy__ = _snapshot  # type: ignore[attr-defined]
        DynamoDBBackend.update_item = _replacing(DynamoDBBackend.update_item)  # type: ignore[method-assign,assignment]


def _snapshot(table: Table, _memo: dict[int, object]) -> Table:
    snapshot = copy.copy(table)
    snapshot.items = defaultdict(dict, {key: copy.copy(items) for key, items in table.items.items()})
    return snapshot


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
