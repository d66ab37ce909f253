"""The memory of moto in this process: tables and secrets copied, and items read and written, without a request.

A request through boto3 takes two milliseconds of processor time, and nearly every test creates a table and a secret,
and reads the whole table more than once. tests/local/test_moto_memory.py compares each shortcut with the API.
"""

from __future__ import annotations

import copy
import json
import secrets
import string
import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from local.intrinsics import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.dynamo_type import Item
    from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend

AttributeValues = Mapping[str, Any]
"""An item as boto3's client reads and writes it: {"name": {"S": "CI"}}."""

_PEPPER_ALPHABET = string.ascii_letters + string.digits


_PUT: defaultdict[str, set[str]] = defaultdict(set)
"""The items that tests have put into each table, by their keys."""


def has_table(name: str) -> bool:
    """Return whether moto runs in this process and has the table."""
    return "local.emulated_aws" in sys.modules and name in _dynamodb().tables


def without_stream(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a table without its stream, which would cost each test time."""
    return {name: value for name, value in table.items() if name != "StreamSpecification"}


def copy_table(original: str, name: str) -> None:
    """Create an empty table like an existing one."""
    tables = _dynamodb().tables
    table = copy.copy(tables[original])
    properties = {attribute: value for attribute, value in vars(table).items() if attribute != "items"}
    vars(table).update(copy.deepcopy(properties), items=defaultdict(dict), name=name)
    table.table_arn = table.table_arn.replace(original, name)
    tables[name] = table


def copy_pepper(original: str, name: str) -> None:
    """Create a secret like an existing pepper, with another random value."""
    store = _secrets_manager().secrets
    secret = cast("FakeSecret", copy.deepcopy(store[original]))
    pepper = json.loads(secret.secret_string or "")
    pepper["1"] = "".join(secrets.choice(_PEPPER_ALPHABET) for _ in pepper["1"])
    secret.secret_string = json.dumps(pepper)
    secret.secret_id = secret.name = name
    secret.arn = secret.arn.replace(original, name)
    (version,) = secret.versions.values()
    version["secret_string"] = secret.secret_string
    store[name] = secret


def forget(name: str) -> None:
    """Delete the table and the secret of a name, if they exist: moto searches all secrets at each request."""
    _PUT.pop(name, None)
    _dynamodb().tables.pop(name, None)
    _secrets_manager().secrets.pop(name)


def put(table: str, item: AttributeValues) -> None:
    """Write an item."""
    _PUT[table].add(_key_of(item))
    with _lock():
        _dynamodb().put_item(table, dict(item))


def get(table: str, key: AttributeValues) -> AttributeValues:
    """Return an item, which must exist."""
    with _lock():
        item = _dynamodb().get_item(table, dict(key))
        assert item is not None
        return _attribute_values(item)


def items(table: str, partition_key: object = None) -> list[AttributeValues]:
    """Return all items, or those of a partition."""
    with _lock():
        partitions = _dynamodb().tables[table].items
        return [
            _attribute_values(item)
            for hash_key, partition in partitions.items()
            if partition_key is None or partition_key == hash_key.to_json()
            for item in partition.values()
        ]


def written_items(table: str) -> list[AttributeValues]:
    """Return the items whose keys no test has put: those that functions and operators wrote."""
    return [item for item in items(table) if _key_of(item) not in _PUT[table]]


def _key_of(item: AttributeValues) -> str:
    return json.dumps([item["pk"], item["sk"]])


def _attribute_values(item: Item) -> AttributeValues:
    return {name: value.to_regular_json() for name, value in item.attrs.items()}


# moto is imported late: it reads the environment, and the tests of a deployment do without it.


def _lock() -> AbstractContextManager[bool]:
    from local.emulated_aws import MEMORY  # noqa: PLC0415

    return MEMORY


def _dynamodb() -> DynamoDBBackend:
    from moto.dynamodb.models import dynamodb_backends  # noqa: PLC0415

    return dynamodb_backends[ACCOUNT_ID][REGION]


def _secrets_manager() -> SecretsManagerBackend:
    from moto.secretsmanager.models import secretsmanager_backends  # noqa: PLC0415

    return secretsmanager_backends[ACCOUNT_ID][REGION]
