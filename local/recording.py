"""Records what requests change in moto's memory, so that it is there again after a restart."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from local.intrinsics import ACCOUNT_ID, REGION
from local.permissions import DYNAMODB, SECRETS_MANAGER, service_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from moto.dynamodb.models.table import Table

    from local.store import Item, Store

_CHANGES_OF_SECRETS = frozenset({"PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage"})
_OK = "200"


def recording(application: WSGIApplication, store: Store) -> WSGIApplication:
    """Return an application that answers a write after what it has changed is in the store.

    It must get one request at a time, as moto itself (`backend.start_moto`).
    """

    def recorded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        operation = target.rpartition(".")[2]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        statuses: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            statuses.append(status)
            return start_response(status, headers, *rest)

        answer = application({**environ, "wsgi.input": io.BytesIO(body)}, start)
        if statuses and statuses[-1].startswith(_OK):
            match service_of(target):
                case service if service == DYNAMODB:
                    store.save({key: _item(*key) for key in changed_keys(operation, json.loads(body))})
                case service if service == SECRETS_MANAGER and operation in _CHANGES_OF_SECRETS:
                    _save_secret(store, json.loads(body)["SecretId"])
        return answer

    return recorded


def restore_items(store: Store, table_name: str) -> None:
    """Write the items of a table, which must exist, into moto's memory."""
    table = _table(table_name)
    for item in store.items(table_name):
        table.put_item(item)


def saved_secret(store: Store, name: str) -> str | None:
    """Return the saved value of a secret, or None."""
    return store.get(f"secret {name}")


def save_secret(store: Store, name: str, value: str) -> None:
    """Save the value of a secret."""
    store.put(f"secret {name}", value)


def changed_keys(operation: str, content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield table and key of each item that a request of DynamoDB may change. A key is JSON, as DynamoDB's."""
    match operation:
        case "PutItem":
            yield _key(content["TableName"], content["Item"])
        case "UpdateItem" | "DeleteItem":
            yield _key(content["TableName"], content["Key"])
        case "TransactWriteItems":
            for part in content["TransactItems"]:
                for kind, operand in part.items():
                    if kind != "ConditionCheck":
                        yield _key(operand["TableName"], operand.get("Item") or operand["Key"])
        case "BatchWriteItem":
            for table_name, requests in content["RequestItems"].items():
                for request in requests:
                    ((_, operand),) = request.items()
                    yield _key(table_name, operand.get("Item") or operand["Key"])


def _key(table_name: str, item: Item) -> tuple[str, str]:
    table = _table(table_name)
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name is not None]
    return table_name, json.dumps([item[name] for name in names])


def _item(table_name: str, key: str) -> Item | None:
    from moto.dynamodb.models.dynamo_type import DynamoType  # noqa: PLC0415 - needs the environment

    hash_key, *range_key = (DynamoType(part) for part in json.loads(key))
    item = _table(table_name).get_item(hash_key, range_key[0] if range_key else None)
    return None if item is None else {name: value.to_regular_json() for name, value in item.attrs.items()}


def _save_secret(store: Store, secret_id: str) -> None:
    from moto.secretsmanager.models import secretsmanager_backends  # noqa: PLC0415 - needs the environment

    value = secretsmanager_backends[ACCOUNT_ID][REGION].get_secret_value(secret_id, "", "AWSCURRENT")
    save_secret(store, value["Name"], value["SecretString"])


def _table(name: str) -> Table:
    from moto.dynamodb.models import dynamodb_backends  # noqa: PLC0415 - needs the environment

    return dynamodb_backends[ACCOUNT_ID][REGION].get_table(name)
