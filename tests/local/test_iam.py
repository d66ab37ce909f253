"""Requests to the emulated services need the same permissions as on AWS, and are denied with the same errors."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local import backend
from local.iam import NONE, Iam
from local.permissions import Permission, Statement, UnknownOperationError, is_allowed, required_permissions
from local.template import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.template import Stack

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

ACCOUNT = "us-east-1:123456789012"
TABLE = f"arn:aws:dynamodb:{ACCOUNT}:table"
SECRET = f"arn:aws:secretsmanager:{ACCOUNT}:secret"
QUEUE = f"arn:aws:sqs:{ACCOUNT}"
BUS = f"arn:aws:events:{ACCOUNT}:event-bus"
KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}


@pytest.mark.parametrize(
    ("target", "content", "expected"),
    [
        *(
            (f"DynamoDB_20120810.{name}", {"TableName": "a"}, [(f"dynamodb:{name}", f"{TABLE}/a")])
            for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
        ),
        ("DynamoDB_20120810.Query", {"TableName": "a", "IndexName": "i"}, [("dynamodb:Query", f"{TABLE}/a/index/i")]),
        ("DynamoDB_20120810.GetItem", {"TableName": f"{TABLE}/a"}, [("dynamodb:GetItem", f"{TABLE}/a")]),
        (
            "DynamoDB_20120810.BatchGetItem",
            {"RequestItems": {"a": {}, "b": {}}},
            [("dynamodb:BatchGetItem", f"{TABLE}/a"), ("dynamodb:BatchGetItem", f"{TABLE}/b")],
        ),
        (
            "DynamoDB_20120810.BatchWriteItem",
            {"RequestItems": {"a": []}},
            [("dynamodb:BatchWriteItem", f"{TABLE}/a")],
        ),
        (
            "DynamoDB_20120810.TransactWriteItems",
            {
                "TransactItems": [
                    {"ConditionCheck": {"TableName": "a"}},
                    {"Put": {"TableName": "a"}},
                    {"Update": {"TableName": "b"}},
                    {"Delete": {"TableName": "a"}},
                ]
            },
            [
                ("dynamodb:ConditionCheckItem", f"{TABLE}/a"),
                ("dynamodb:PutItem", f"{TABLE}/a"),
                ("dynamodb:UpdateItem", f"{TABLE}/b"),
                ("dynamodb:DeleteItem", f"{TABLE}/a"),
            ],
        ),
        (
            "DynamoDB_20120810.TransactGetItems",
            {"TransactItems": [{"Get": {"TableName": "a"}}]},
            [("dynamodb:GetItem", f"{TABLE}/a")],
        ),
        ("secretsmanager.GetSecretValue", {"SecretId": "s"}, [("secretsmanager:GetSecretValue", f"{SECRET}:s")]),
        (
            "secretsmanager.GetSecretValue",
            {"SecretId": f"{SECRET}:s-AbC123"},
            [("secretsmanager:GetSecretValue", f"{SECRET}:s")],
        ),
        (
            "AmazonSQS.SendMessage",
            {"QueueUrl": "http://127.0.0.1:5/123456789012/q"},
            [("sqs:SendMessage", f"{QUEUE}:q")],
        ),
        (
            "AmazonSQS.DeleteMessageBatch",
            {"QueueUrl": "http://127.0.0.1:5/210987654321/q"},
            [("sqs:DeleteMessage", "arn:aws:sqs:us-east-1:210987654321:q")],
        ),
        ("AmazonSQS.ReceiveMessage", {"QueueUrl": "q"}, [("sqs:ReceiveMessage", f"{QUEUE}:q")]),
        (
            "AWSEvents.PutEvents",
            {"Entries": [{"EventBusName": "b"}, {"EventBusName": f"{BUS}/c"}, {}]},
            [("events:PutEvents", f"{BUS}/{name}") for name in ("b", "c", "default")],
        ),
        (
            "DynamoDBStreams_20120810.ListStreams",
            {"TableName": "a"},
            [("dynamodb:ListStreams", f"{TABLE}/a/stream/*")],
        ),
        (
            "DynamoDBStreams_20120810.DescribeStream",
            {"StreamArn": f"{TABLE}/a/stream/2026-01-01T00:00:00.000"},
            [("dynamodb:DescribeStream", f"{TABLE}/a/stream/local")],
        ),
        (
            "DynamoDBStreams_20120810.GetRecords",
            {"ShardIterator": f"{TABLE}/a/stream/2026-01-01T00:00:00.000|1|AAAA"},
            [("dynamodb:GetRecords", f"{TABLE}/a/stream/local")],
        ),
    ],
)
def test_required_permissions(target: str, content: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Each part of a transaction and each table of a batch needs its own permission."""
    assert [Permission(*pair) for pair in expected] == required_permissions(target, content)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "DynamoDB_20120810.ExecuteStatement",
        "DynamoDB_20120810.DeleteTable",
        "secretsmanager.DeleteSecret",
        "AmazonSQS.PurgeQueue",
        "AWSEvents.PutRule",
        "Logs_20140328.PutLogEvents",
    ],
)
def test_unknown_operation(target: str) -> None:
    """No role allows an operation whose permissions are unknown, not even one that allows everything."""
    with pytest.raises(UnknownOperationError):
        required_permissions(target, {})


PUT = Permission("dynamodb:PutItem", f"{TABLE}/a")


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], False),
        ([("Allow", "dynamodb:PutItem", f"{TABLE}/a")], True),
        ([("Allow", "DynamoDB:putitem", f"{TABLE}/a")], True),
        ([("Allow", "dynamodb:*", "*")], True),
        ([("Allow", "dynamodb:Put????", f"{TABLE}/?")], True),
        ([("Allow", "dynamodb:PutItem", f"{TABLE}/A")], False),
        ([("Allow", "dynamodb:PutItem", f"{TABLE}/ab")], False),
        ([("Allow", "dynamodb:PutItem", f"{TABLE}/a/index/*")], False),
        ([("Allow", "dynamodb:GetItem", f"{TABLE}/a")], False),
        ([("Allow", "dynamodb.PutItem", f"{TABLE}/a")], False),
        ([("Allow", "*", "*"), ("Deny", "dynamodb:PutItem", "*")], False),
        ([("Deny", "dynamodb:DeleteItem", "*"), ("Allow", "dynamodb:*", f"{TABLE}/*")], True),
    ],
)
def test_policy_evaluation(statements: list[tuple[str, str, str]], *, expected: bool) -> None:
    """A permission is denied unless a statement allows it and none denies it."""
    role = [Statement(effect, (action,), (resource,)) for effect, action, resource in statements]

    assert expected == is_allowed(PUT, role)


# ---- Requests ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def iam() -> Iam:
    """Return the roles for the tests of this module."""
    return Iam()


@pytest.fixture(scope="module")
def url(iam: Iam) -> Iterator[str]:
    """Start moto and return its URL."""
    server = backend.start_moto(iam)
    yield server.url
    server.stop()


@pytest.fixture
def names(environment: pytest.MonkeyPatch, url: str, stack: Stack) -> dict[str, str]:
    """Return the environment of a container, which names a table, a secret and a queue."""
    environment.setenv("AWS_ENDPOINT_URL", url)
    name = f"keywright-{uuid.uuid4()}"
    backend.create_table(Resource(name, stack.tables[0].properties))
    backend.create_secret(Resource(name, stack.secrets[0].properties))
    queue_url = boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return {"TABLE_NAME": name, "PEPPER_SECRET_ID": name, "DEAD_LETTER_QUEUE_URL": queue_url}


@pytest.fixture
def client(iam: Iam, stack: Stack, names: dict[str, str]) -> Callable[..., Any]:
    """Return a function that makes the client of a service as a function would have it."""

    def make(service: str, function: str, *statements: Statement) -> Any:
        role = stack.functions[function]
        role = replace(role, statements=statements) if statements else role
        key = iam.assume_role(role, {**role.environment, **names})
        return boto3.client(
            service,  # type: ignore[call-overload]
            aws_access_key_id=key.access_key,
            aws_secret_access_key=key.secret_key,
        )

    return make


def denial(error: ClientError) -> tuple[int, str, str]:
    """Return the status, code and message of an error."""
    return (
        error.response["ResponseMetadata"]["HTTPStatusCode"],
        error.response["Error"]["Code"],
        error.response["Error"]["Message"],
    )


CALLER = "arn:aws:sts::123456789012:assumed-role/keywright-local-{0}Role/keywright-local-{0}"


def test_a_role_applies_to_the_resources_of_the_container(client: Callable[..., Any], names: dict[str, str]) -> None:
    """Allowed requests to the table, the secret and the queue that the environment names succeed; others do not."""
    table, secrets, queues = (client(name, "SyncOrganizations") for name in ("dynamodb", "secretsmanager", "sqs"))

    assert "Item" not in table.get_item(TableName=names["TABLE_NAME"], Key=KEY)
    assert queues.send_message(QueueUrl=names["DEAD_LETTER_QUEUE_URL"], MessageBody="m")["MessageId"]
    assert client("secretsmanager", "CreateApiKey").get_secret_value(SecretId=names["PEPPER_SECRET_ID"])["SecretString"]
    with pytest.raises(ClientError):
        secrets.get_secret_value(SecretId=names["PEPPER_SECRET_ID"])


def test_dynamodb_denies_as_on_aws(client: Callable[..., Any], names: dict[str, str]) -> None:
    """The message names the first missing action, and the transaction writes nothing."""
    transaction = [
        {"Put": {"TableName": names["TABLE_NAME"], "Item": KEY}},
        {"Delete": {"TableName": names["TABLE_NAME"], "Key": {**KEY, "sk": {"S": "t"}}}},
    ]

    with pytest.raises(ClientError) as caught:
        client("dynamodb", "CreateApiKey").transact_write_items(TransactItems=transaction)

    assert (
        400,
        "AccessDeniedException",
        (
            f"User: {CALLER.format('CreateApiKey')} is not authorized to perform: dynamodb:DeleteItem on resource: "
            f"{TABLE}/{names['TABLE_NAME']} because no identity-based policy allows the dynamodb:DeleteItem action"
        ),
    ) == denial(caught.value)
    assert 0 == boto3.client("dynamodb").scan(TableName=names["TABLE_NAME"])["Count"]


def test_other_resources_are_denied(client: Callable[..., Any], names: dict[str, str]) -> None:
    """Resources of the same account are denied, even if their names begin or end like the stack's own."""
    name = names["TABLE_NAME"]
    requests: list[Callable[[], object]] = [
        *(
            lambda other=other: client("dynamodb", "SyncOrganizations").get_item(TableName=other, Key=KEY)
            for other in (f"{name}-2", f"2-{name}", "keywright-local-Table")
        ),
        lambda: client("secretsmanager", "CreateApiKey").get_secret_value(SecretId=f"{name}-2"),
        lambda: client("sqs", "SyncOrganizations").send_message(
            QueueUrl=f"{names['DEAD_LETTER_QUEUE_URL']}-2", MessageBody="m"
        ),
    ]

    for send in requests:
        with pytest.raises(ClientError, match="is not authorized to perform"):
            send()


def test_secrets_manager_and_sqs_deny_as_on_aws(client: Callable[..., Any], names: dict[str, str]) -> None:
    """A denial of Secrets Manager or SQS has the status, code and message of the service."""
    with pytest.raises(ClientError) as secret:
        client("secretsmanager", "GetApiKey").get_secret_value(SecretId=names["PEPPER_SECRET_ID"])
    with pytest.raises(ClientError) as queue:
        client("sqs", "GetApiKey").send_message(QueueUrl=names["DEAD_LETTER_QUEUE_URL"], MessageBody="m")

    assert (400, "AccessDeniedException") == denial(secret.value)[:2]
    assert "perform: secretsmanager:GetSecretValue on resource: " in denial(secret.value)[2]
    assert (403, "AccessDenied") == denial(queue.value)[:2]
    assert "perform: sqs:sendmessage on resource: " in denial(queue.value)[2]


def test_eventbridge_denies_as_on_aws(client: Callable[..., Any], stack: Stack) -> None:
    """Only the publisher may put events, and only on the bus of the stack; a denial is EventBridge's."""
    entry = {"Source": "keywright", "DetailType": "d", "Detail": "{}"}
    bus = stack.functions["PublishEvents"].environment["EVENT_BUS_NAME"]
    publisher = client("events", "PublishEvents")

    for denied, name in ((client("events", "GetApiKey"), bus), (publisher, "default")):
        with pytest.raises(ClientError) as caught:
            denied.put_events(Entries=[{**entry, "EventBusName": name}])

        assert (400, "AccessDeniedException") == denial(caught.value)[:2]
        assert f"perform: events:PutEvents on resource: {BUS}/{name} because" in denial(caught.value)[2]
    with pytest.raises(ClientError) as allowed:
        publisher.put_events(Entries=[{**entry, "EventBusName": bus}])

    assert "not authorized" not in str(allowed.value)  # there is no bus behind the roles here


def test_s3_denies_as_on_aws(client: Callable[..., Any], stack: Stack) -> None:
    """Only the archive's function may write and read objects, and only below its prefix; a denial is S3's."""
    bucket = stack.functions["ArchiveRecords"].environment["AUDIT_ARCHIVE_BUCKET"]
    archive = client("s3", "ArchiveRecords")

    for denied, key in ((client("s3", "GetApiKey"), "audit/1"), (archive, "other/1")):
        for request in (denied.get_object, denied.put_object, denied.delete_object):
            with pytest.raises(ClientError) as caught:
                request(Bucket=bucket, Key=key)

            assert (403, "AccessDenied") == denial(caught.value)[:2]
    with pytest.raises(ClientError, match="AccessDenied"):
        archive.delete_object(Bucket=bucket, Key="audit/1")
    with pytest.raises(ClientError) as allowed:
        archive.get_object(Bucket=bucket, Key="audit/1")

    assert "AccessDenied" not in str(allowed.value)  # there is no bucket behind the roles here


def test_a_role_can_be_limited_to_partitions(client: Callable[..., Any], names: dict[str, str]) -> None:
    """The archive's function may read and write the head, and no other item."""
    dynamodb = client("dynamodb", "ArchiveRecords")
    head, other = ({"pk": {"S": pk}, "sk": {"S": "bucket"}} for pk in ("ARCHIVE", "ORG#1"))
    change = {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "1"}}}

    dynamodb.update_item(TableName=names["TABLE_NAME"], Key=head, **change)
    assert {**head, "a": {"S": "1"}} == dynamodb.get_item(TableName=names["TABLE_NAME"], Key=head)["Item"]
    requests: list[Callable[[], object]] = [
        lambda: dynamodb.get_item(TableName=names["TABLE_NAME"], Key=other),
        lambda: dynamodb.update_item(TableName=names["TABLE_NAME"], Key=other, **change),
    ]
    for denied in requests:
        with pytest.raises(ClientError, match="AccessDeniedException"):
            denied()


def test_a_secret_by_its_arn(client: Callable[..., Any], names: dict[str, str]) -> None:
    """The suffix that Secrets Manager appends to an ARN is ignored."""
    arn = boto3.client("secretsmanager").describe_secret(SecretId=names["PEPPER_SECRET_ID"])["ARN"]

    assert client("secretsmanager", "CreateApiKey").get_secret_value(SecretId=arn)["SecretString"]


def test_an_index_is_a_resource(client: Callable[..., Any], names: dict[str, str]) -> None:
    """Access to the indexes of a table does not include the table."""
    indexes = Statement("Allow", ("dynamodb:Query",), (f"{TABLE}/keywright-local-Table/index/*",))
    query = {
        "TableName": names["TABLE_NAME"],
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "p"}},
    }
    dynamodb = client("dynamodb", "GetApiKey", indexes)

    with pytest.raises(ClientError, match="AccessDeniedException"):
        dynamodb.query(**query)
    with pytest.raises(ClientError, match="Invalid index"):  # moto's message: the request is allowed
        dynamodb.query(**query, IndexName="index")


@pytest.mark.parametrize("access_key", [NONE, "ASIA0CreateApiKey"])
@pytest.mark.usefixtures("names")
def test_a_caller_without_a_role(access_key: str) -> None:
    """An unknown access key is an invalid security token."""
    dynamodb = boto3.client("dynamodb", aws_access_key_id=access_key, aws_secret_access_key="local")

    with pytest.raises(ClientError) as caught:
        dynamodb.list_tables()

    assert (400, "UnrecognizedClientException", "The security token included in the request is invalid.") == denial(
        caught.value
    )


def test_iam_in_front_of_another_dynamodb(
    iam: Iam, url: str, client: Callable[..., Any], names: dict[str, str], environment: pytest.MonkeyPatch
) -> None:
    """The other DynamoDB, such as DynamoDB Local, sees the operator only; the roles of functions still apply."""
    guard = backend.start_guard(url, iam, 2)
    environment.setenv(backend.DYNAMODB_ENDPOINT, guard.url)
    try:
        boto3.client("dynamodb").put_item(TableName=names["TABLE_NAME"], Item=KEY)
        reader = client("dynamodb", "SyncOrganizations")

        assert KEY == reader.get_item(TableName=names["TABLE_NAME"], Key=KEY)["Item"]
        with pytest.raises(ClientError, match="AccessDeniedException"):
            client("dynamodb", "CreateApiKey").get_item(TableName=names["TABLE_NAME"], Key=KEY)
    finally:
        guard.stop()


# ---- Template ------------------------------------------------------------------------------------------------


def test_the_roles_of_a_template(read: Callable[..., Stack]) -> None:
    """Statements have resolved resources; `Ref` of a secret is its ARN."""
    policies = """
    Properties:
      Policies:
        - Statement:
            - {Sid: A, Effect: Allow, Action: dynamodb:PutItem, Resource: !GetAtt Table.Arn}
            - {Effect: Deny, Action: ['secretsmanager:*'], Resource: [!Ref Pepper, '*']}
      CodeUri: functions/say
"""
    function = read(("    Properties:\n      CodeUri: functions/say\n", policies[1:])).functions["Say"]

    assert (
        Statement("Allow", ("dynamodb:PutItem",), (f"{TABLE}/keywright-local-Table",)),
        Statement("Deny", ("secretsmanager:*",), (f"{SECRET}:keywright-local-Pepper", "*")),
    ) == function.statements
    assert () == read().functions["Echo"].statements
