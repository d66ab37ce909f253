"""The items of the emulated table, read from moto's memory: fast enough to compare after every step.

DynamoDB Local runs in another process, so it is queried.
"""

from __future__ import annotations

import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any, SupportsBytes, cast

from boto3.dynamodb.types import Binary

from local.backend import DYNAMODB_ENDPOINT
from local.intrinsics import REGION

if TYPE_CHECKING:
    from moto.dynamodb.models.dynamo_type import DynamoType

    from tests.support.service import Service

_ACCOUNT_ID = "123456789012"  # moto's account for unknown credentials


def partition(service: Service, organization_id: str) -> dict[str, dict[str, Any]]:
    """Read all items of an organization, ordered by sort key."""
    if DYNAMODB_ENDPOINT in os.environ:
        items = service.partition(organization_id)
        return {sort_key: {name: _native(value) for name, value in item.items()} for sort_key, item in items.items()}
    return _from_memory(service.world.table.name, organization_id)


def _from_memory(table_name: str, organization_id: str) -> dict[str, dict[str, Any]]:
    from moto.dynamodb.models import dynamodb_backends  # noqa: PLC0415 - needs the environment

    items = dynamodb_backends[_ACCOUNT_ID][REGION].tables[table_name].items
    by_sort_key = {
        item.range_key.value: {name: _plain(value) for name, value in item.attrs.items()}
        for hash_key, by_range_key in items.items()
        if hash_key.value == f"ORG#{organization_id}"
        for item in by_range_key.values()
    }
    return dict(sorted(by_sort_key.items()))


def _plain(value: DynamoType) -> Any:
    match value.type:
        case "N":
            return int(value.value)
        case "L":
            return [_plain(element) for element in value.value]
        case _:
            return value.value


def _native(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value)
    return bytes(cast("SupportsBytes", value)) if isinstance(value, Binary) else value
