"""The backend in moto: tables, secrets, atomic transactions, and isolation from AWS."""

from __future__ import annotations

import concurrent.futures
import copy
import json
import os
import uuid
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import dynamodb_backends

from local import backend
from local.iam import Iam
from local.template import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from local.template import Stack

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Start moto and return its URL."""
    server = backend.start_moto(Iam())
    yield server.url
    server.stop()


@pytest.fixture
def resources(
    url: str, monkeypatch: pytest.MonkeyPatch, read: Callable[..., Stack]
) -> tuple[DynamoDBClient, Resource, Resource]:
    """Return a client, and the table and the secret of the template under unique names."""
    isolated = dict(os.environ)
    backend.isolate(isolated)
    for name in os.environ.keys() - isolated.keys():
        monkeypatch.delenv(name)
    for name, value in isolated.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    stack = read()
    table = Resource(str(uuid.uuid4()), stack.tables[0].properties)
    secret = Resource(str(uuid.uuid4()), stack.secrets[0].properties)
    backend.create_table(table)
    return boto3.client("dynamodb"), table, secret


Resources = tuple["DynamoDBClient", Resource, Resource]


def put(table: Resource, sort_key: str) -> TransactWriteItemTypeDef:
    """Return a put of a transaction."""
    return {"Put": {"TableName": table.name, "Item": {"pk": {"S": "p"}, "sk": {"S": sort_key}}}}


def increment(table: Resource) -> TransactWriteItemTypeDef:
    """Return an update of a transaction."""
    return {
        "Update": {
            "TableName": table.name,
            "Key": {"pk": {"S": "p"}, "sk": {"S": "counter"}},
            "UpdateExpression": "ADD amount :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }


def refused(table: Resource) -> TransactWriteItemTypeDef:
    """Return a condition check that fails."""
    return {
        "ConditionCheck": {
            "TableName": table.name,
            "Key": {"pk": {"S": "p"}, "sk": {"S": "nothing"}},
            "ConditionExpression": "attribute_exists(pk)",
        }
    }


def test_table_has_the_keys_of_the_template(resources: Resources) -> None:
    """The table has the key schema of the template."""
    client, table, _ = resources
    schema = client.describe_table(TableName=table.name)["Table"]["KeySchema"]

    assert [("pk", "HASH"), ("sk", "RANGE")] == [(key["AttributeName"], key["KeyType"]) for key in schema]


def test_table_expires_items_as_the_template_says(resources: Resources) -> None:
    """The table has the time-to-live attribute of the template."""
    client, table, _ = resources

    assert "ttl" == client.describe_time_to_live(TableName=table.name)["TimeToLiveDescription"].get("AttributeName")


def test_table_has_the_stream_of_the_template(resources: Resources) -> None:
    """A table with a view type has a stream, as CloudFormation creates it; another has none, and the error says so."""
    client, table, _ = resources
    streamed = Resource(str(uuid.uuid4()), {**table.properties, "StreamSpecification": {"StreamViewType": "NEW_IMAGE"}})
    backend.create_table(streamed)
    specification = client.describe_table(TableName=streamed.name)["Table"]["StreamSpecification"]

    assert {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"} == specification
    assert f":table/{streamed.name}/stream/" in backend.stream_arn(client, streamed.name)
    with pytest.raises(backend.BackendError, match=f"the table {table.name} has no stream"):
        backend.stream_arn(client, table.name)


def test_table_that_exists_is_kept(resources: Resources) -> None:
    """An existing table, as in a DynamoDB that outlives the service, keeps its items."""
    client, table, _ = resources
    client.transact_write_items(TransactItems=[put(table, "a")])
    backend.create_table(table)

    assert 1 == client.scan(TableName=table.name)["Count"]


def test_secret_is_generated_as_the_template_says(resources: Resources) -> None:
    """The secret is the JSON of the template with a generated password."""
    _, _, secret = resources
    backend.create_secret(secret)
    value = json.loads(boto3.client("secretsmanager").get_secret_value(SecretId=secret.name)["SecretString"])

    assert 1 == value["current"]
    assert 40 == len(value["1"])
    assert value["1"].isalnum()


def test_failed_transaction_is_rolled_back(resources: Resources) -> None:
    """After a failed transaction, updated items are unchanged and new items do not exist."""
    client, table, _ = resources
    client.transact_write_items(TransactItems=[increment(table)])
    before = client.scan(TableName=table.name)["Items"]
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        client.transact_write_items(TransactItems=[increment(table), put(table, "b"), refused(table)])

    assert before == client.scan(TableName=table.name)["Items"]


def test_transactions_do_not_copy_items(resources: Resources) -> None:
    """The snapshot before a transaction shares its items with the table, so that large tables stay fast."""
    client, table, _ = resources
    client.transact_write_items(TransactItems=[put(table, "a")])
    original = dynamodb_backends["123456789012"]["us-east-1"].tables[table.name]
    (items,), (copied,) = original.items.values(), copy.deepcopy(original).items.values()

    assert items is not copied
    assert all(copied[key] is item for key, item in items.items())


def test_transactions_do_not_copy_other_partitions(resources: Resources) -> None:
    """After a failed transaction, the partitions that it named are copies; all others are the same objects."""
    client, table, _ = resources
    client.put_item(TableName=table.name, Item={"pk": {"S": "other"}, "sk": {"S": "a"}})
    client.transact_write_items(TransactItems=[put(table, "a")])
    tables = dynamodb_backends["123456789012"]["us-east-1"].tables
    before = {key.value: items for key, items in tables[table.name].items.items()}
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        client.transact_write_items(TransactItems=[put(table, "b"), refused(table)])

    after = {key.value: items for key, items in tables[table.name].items.items()}
    assert before.keys() == after.keys()
    assert {"other"} == {key for key, items in after.items() if items is before[key]}


def test_concurrent_transactions_are_atomic(resources: Resources) -> None:
    """Concurrent transactions lose no writes."""
    client, table, _ = resources

    def write(number: int) -> None:
        client.transact_write_items(TransactItems=[increment(table), put(table, f"item-{number}")])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    counter = client.get_item(TableName=table.name, Key={"pk": {"S": "p"}, "sk": {"S": "counter"}})["Item"]

    assert "40" == counter["amount"].get("N")
    assert 41 == client.scan(TableName=table.name)["Count"]


def test_isolation_from_aws() -> None:
    """All AWS settings of the user are removed, except the DynamoDB endpoint."""
    environment = {
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ACCESS_KEY_ID": "real",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_ENDPOINT_URL_SECRETSMANAGER": "https://example.com",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000",
        "HOME": "/home/ada",
    }
    backend.isolate(environment)

    assert {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000",
        "HOME": "/home/ada",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    } == environment
