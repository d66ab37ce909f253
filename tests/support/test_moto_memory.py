"""Tables and peppers copied in moto's memory are like those created through the API; so are items written there."""

from __future__ import annotations

import json
import re
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local import backend
from local.template import Resource
from tests.support import moto_memory
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from local.template import Stack
    from tests.support.world import Table, World

EVERY_TYPE: dict[str, Any] = {
    "text": "ü",
    "number": Decimal("-1.5"),
    "bytes": b"\x00\xff",
    "true": True,
    "null": None,
    "list": ["a", Decimal(1), b"b", ["c"]],
    "map": {"a": {"b": b"c"}},
    "texts": {"a", "b"},
    "numbers": {Decimal(1), Decimal(2)},
}


@pytest.fixture
def copied(world: World) -> str:
    """Return the name of a table and a pepper that were copied."""
    return world.table.name


@pytest.fixture
def created(world: World, stack: Stack) -> Iterator[str]:
    """Return the name of a table and a pepper that were created through the API."""
    name = f"created-{uuid.uuid4()}"
    assert world.table.name != name
    backend.create_table(Resource(name, moto_memory.without_stream(stack.tables[0].properties)))
    backend.create_secret(Resource(name, stack.secrets[0].properties))
    yield name
    moto_memory.forget(name)


@pytest.fixture
def over_http(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Table], Any]], Any]:
    """Call a function with a table whose items are read and written over HTTP."""

    def call(function: Callable[[Table], Any]) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(moto_memory, "has_table", lambda _: False)
            return function(world.table)

    return call


def without_names(answer: dict[str, Any], name: str) -> str:
    """Return an answer as text, without what differs from resource to resource: name, ids and times."""
    del answer["ResponseMetadata"]
    text = json.dumps(answer, default=lambda _: "time", sort_keys=True).replace(name, "NAME")
    text = re.sub(r"NAME-[A-Za-z]{6}\b", "NAME-suffix", text)
    return re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "version", text)


def pepper(name: str) -> dict[str, Any]:
    """Return the content of a pepper."""
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=name)
    content: dict[str, Any] = json.loads(secret["SecretString"])
    return content


@pytest.mark.parametrize(
    "describe",
    ["describe_table", "describe_time_to_live", "describe_continuous_backups"],
)
def test_a_copied_table_is_described_like_a_created_one(copied: str, created: str, describe: str) -> None:
    """Keys, indexes, protection, time to live and point-in-time recovery are those of a created table."""
    call = getattr(boto3.client("dynamodb"), describe)

    assert without_names(call(TableName=created), created) == without_names(call(TableName=copied), copied)


@pytest.mark.parametrize("describe", ["describe_secret", "list_secret_version_ids"])
def test_a_copied_pepper_is_described_like_a_created_one(copied: str, created: str, describe: str) -> None:
    """Description, stages and versions are those of a created secret."""
    call = getattr(boto3.client("secretsmanager"), describe)

    assert without_names(call(SecretId=created), created) == without_names(call(SecretId=copied), copied)


def test_a_copied_pepper_has_the_form_of_a_created_one(copied: str, created: str) -> None:
    """The value has the same version, and as many random letters and digits."""
    original, copy = pepper(created), pepper(copied)

    assert original.keys() == copy.keys()
    assert original["current"] == copy["current"]
    assert len(original["1"]) == len(copy["1"])
    assert original["1"].isalnum()
    assert copy["1"].isalnum()


def test_each_copy_has_a_pepper_of_its_own(copied: str, new_table: Callable[[], Table]) -> None:
    """No two tests share a pepper."""
    assert pepper(copied)["1"] != pepper(new_table().name)["1"]


def test_copies_share_nothing(world: World, new_table: Callable[[], Table]) -> None:
    """Items and properties of one copy are not those of the next."""
    world.table.put_organization()
    disabled: Any = {"Enabled": False, "AttributeName": "ttl"}
    world.table.client.update_time_to_live(TableName=world.table.name, TimeToLiveSpecification=disabled)

    table = new_table()

    expiry = table.client.describe_time_to_live(TableName=table.name)["TimeToLiveDescription"]
    assert "ENABLED" == expiry["TimeToLiveStatus"]
    assert [] == table.items()


@pytest.mark.parametrize("operation", ["put_item", "transact_write_items"])
def test_a_condition_fails_alike(world: World, created: str, operation: str) -> None:
    """A failed condition is answered alike on a copied and a created table, and changes nothing."""
    client = world.table.client
    item = {"pk": {"S": "ORG#1"}, "sk": {"S": "ORG"}}

    def refusal(name: str) -> tuple[object, list[Any]]:
        client.put_item(TableName=name, Item=item)
        with pytest.raises(ClientError) as caught:
            put_if_new(client, operation, name, item)
        return caught.value.response["Error"], client.scan(TableName=name)["Items"]

    assert refusal(created) == refusal(world.table.name)


def put_if_new(client: DynamoDBClient, operation: str, name: str, item: dict[str, Any]) -> None:
    """Put an item if there is none with its key, and another one in the same transaction."""
    put: Any = {"TableName": name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
    if operation == "put_item":
        client.put_item(**put)
    else:
        another: Any = {"TableName": name, "Item": {**item, "sk": {"S": "another"}}}
        client.transact_write_items(TransactItems=[{"Put": another}, {"Put": put}])


def test_items_are_written_as_through_the_api(world: World, over_http: Callable[[Callable[[Table], Any]], Any]) -> None:
    """An attribute of any type is the same, written in memory and through the API."""
    world.table.put(pk="ORG#1", sk="a", **EVERY_TYPE)
    over_http(lambda table: table.put(pk="ORG#1", sk="b", **EVERY_TYPE))

    in_memory, through_the_api = world.table.client.scan(TableName=world.table.name)["Items"]

    assert {**through_the_api, "sk": {"S": "a"}} == in_memory


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda table: table.items(), id="items"),
        pytest.param(lambda table: table.item("b"), id="item"),
        pytest.param(lambda table: table.partition(), id="partition"),
        pytest.param(lambda table: list(table.partition()), id="order of a partition"),
    ],
)
def test_items_are_read_as_through_the_api(
    world: World, over_http: Callable[[Callable[[Table], Any]], Any], read: Callable[[Table], Any]
) -> None:
    """Reading the table, a partition and an item in memory returns the same values as through the API."""
    for sort_key in ("b", "a"):
        world.table.put(pk=f"ORG#{ORGANIZATION_ID}", sk=sort_key, **EVERY_TYPE)
    world.table.put(pk=f"ORG#{OTHER_ORGANIZATION_ID}", sk="c")

    assert over_http(read) == read(world.table)


def test_a_forgotten_table_does_not_exist(copied: str) -> None:
    """After a test, its table and its pepper are gone."""
    moto_memory.forget(copied)

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        boto3.client("dynamodb").describe_table(TableName=copied)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        boto3.client("secretsmanager").describe_secret(SecretId=copied)
