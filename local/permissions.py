"""The IAM permissions that requests to AWS need, and the statements that grant them.

Sources: Service Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB", "... for AWS
Secrets Manager", "... for Amazon SQS", "... for Amazon EventBridge", "... for Amazon S3"; Amazon DynamoDB Developer
Guide, "Using IAM with DynamoDB transactions", "Using identity-based policies (IAM policies) with Amazon DynamoDB"
(streams), "Using IAM policy conditions for fine-grained access control" (leading keys); IAM User Guide, "Policy
evaluation logic", "IAM JSON policy elements: Action" and "... Resource".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from local.intrinsics import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DYNAMODB = "dynamodb"
SECRETS_MANAGER = "secretsmanager"
SQS = "sqs"
EVENTBRIDGE = "events"
S3 = "s3"

_SERVICES = {
    "DynamoDB_20120810": DYNAMODB,
    "DynamoDBStreams_20120810": DYNAMODB,
    "secretsmanager": SECRETS_MANAGER,
    "AmazonSQS": SQS,
    "AWSEvents": EVENTBRIDGE,
}
"""Services by the prefix of the header X-Amz-Target."""
_ON_ONE_TABLE = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"})
_ON_SEVERAL_TABLES = frozenset({"BatchGetItem", "BatchWriteItem"})
_TRANSACTIONS = frozenset({"TransactGetItems", "TransactWriteItems"})
_PARTS_OF_TRANSACTIONS = {
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_ON_ONE_SECRET = frozenset({"GetSecretValue", "DescribeSecret", "PutSecretValue"})
_ON_ONE_QUEUE = {
    "SendMessage": "SendMessage",
    "SendMessageBatch": "SendMessage",
    "ReceiveMessage": "ReceiveMessage",
    "DeleteMessage": "DeleteMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "GetQueueAttributes": "GetQueueAttributes",
    "ChangeMessageVisibility": "ChangeMessageVisibility",
}
_ON_ONE_STREAM = {"DescribeStream": "StreamArn", "GetShardIterator": "StreamArn", "GetRecords": "ShardIterator"}
"""The parameter that begins with the ARN of the stream."""
STREAMS = "/stream/"
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
"""The suffix that Secrets Manager appends to the name in a secret's ARN."""


@dataclass(frozen=True, slots=True)
class Permission:
    """An action on a resource, such as `dynamodb:PutItem` on the ARN of a table.

    Attributes:
        leading_keys: partition keys that a request for one item of a table names.
    """

    action: str
    resource: str
    leading_keys: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def service(self) -> str:
        """Service prefix of the action."""
        return self.action.partition(":")[0]


class UnknownOperationError(Exception):
    """The permissions of an operation are not known."""

    def __init__(self, permission: Permission) -> None:
        super().__init__(permission.action)
        self.permission = permission


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a policy.

    Attributes:
        effect: Allow or Deny.
        actions: actions, with the wildcards `*` and `?`.
        resources: ARNs, with the same wildcards.
        leading_keys: the only partition keys that it applies to; None for all.
    """

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    leading_keys: frozenset[str] | None = None

    def covers(self, permission: Permission) -> bool:
        """Return whether the statement applies to a permission."""
        if self.leading_keys is not None and not permission.leading_keys <= self.leading_keys:
            return False
        # Actions are case-insensitive, resources are not.
        return any(_fits(action.lower(), permission.action.lower()) for action in self.actions) and any(
            _fits(resource, permission.resource) for resource in self.resources
        )


def is_allowed(permission: Permission, statements: Iterable[Statement]) -> bool:
    """Return whether a statement allows the permission and none denies it."""
    return {statement.effect for statement in statements if statement.covers(permission)} == {"Allow"}


def service_of(target: str) -> str | None:
    """Return the service that an X-Amz-Target names; None for an unknown one."""
    return _SERVICES.get(target.partition(".")[0])


def required_permissions(target: str, content: Mapping[str, Any]) -> list[Permission]:
    """Return all permissions that a request needs.

    Args:
        target: the header X-Amz-Target, such as DynamoDB_20120810.GetItem.
        content: the request body.

    Raises:
        UnknownOperationError: this module does not know the operation.
    """
    prefix, _, operation = target.partition(".")
    match service_of(target):
        case "dynamodb":
            return _of_dynamodb(operation, content)
        case "secretsmanager" if operation in _ON_ONE_SECRET:
            return [
                Permission(f"secretsmanager:{operation}", resource_arn(SECRETS_MANAGER, str(content.get("SecretId"))))
            ]
        case "sqs" if operation in _ON_ONE_QUEUE:
            return [Permission(f"sqs:{_ON_ONE_QUEUE[operation]}", resource_arn(SQS, str(content.get("QueueUrl"))))]
        case "events" if operation == "PutEvents":
            buses = [str(entry.get("EventBusName", "default")) for entry in content.get("Entries", [])]
            return [Permission("events:PutEvents", resource_arn(EVENTBRIDGE, bus)) for bus in buses]
    raise UnknownOperationError(Permission(f"{_SERVICES.get(prefix, prefix)}:{operation}", "*"))


def on_object(method: str, path: str) -> Permission:
    """Return the permission that a request to S3 needs, with the bucket in its path."""
    bucket, _, key = path.lstrip("/").partition("/")
    if not key:
        return Permission("s3:ListBucket", f"arn:aws:s3:::{bucket}")
    action = {"GET": "s3:GetObject", "PUT": "s3:PutObject"}.get(method, f"s3:{method}")
    return Permission(action, f"arn:aws:s3:::{path.lstrip('/')}")


def _of_dynamodb(operation: str, content: Mapping[str, Any]) -> list[Permission]:
    if operation in _ON_ONE_TABLE:
        return [_on_table(operation, content)]
    if operation in _ON_SEVERAL_TABLES:
        return [_on_table(operation, {"TableName": table}) for table in content.get("RequestItems", {})]
    if operation in _TRANSACTIONS:
        return [
            _on_table(_PARTS_OF_TRANSACTIONS.get(kind, kind), part)
            for parts in content.get("TransactItems", [])
            for kind, part in parts.items()
        ]
    if operation in _ON_ONE_STREAM:
        stream = str(content.get(_ON_ONE_STREAM[operation])).partition("|")[0]
        return [Permission(f"dynamodb:{operation}", _any_stream(stream))]
    if operation == "ListStreams":
        table = resource_arn(DYNAMODB, str(content.get("TableName")))
        # As SAM's policy template "DynamoDBStreamReadPolicy" grants it: for all streams that the table has had.
        return [Permission("dynamodb:ListStreams", f"{table}{STREAMS}*")]
    raise UnknownOperationError(Permission(f"dynamodb:{operation}", "*"))


def _any_stream(stream: str) -> str:
    """Return the ARN of a table's stream without the time at which it was turned on: a table has one at a time."""
    return f"{stream.partition(STREAMS)[0]}{STREAMS}local"


def _on_table(action: str, part: Mapping[str, Any]) -> Permission:
    table, index = resource_arn(DYNAMODB, str(part.get("TableName"))), part.get("IndexName")
    partition_key = {**part.get("Key", {}), **part.get("Item", {})}.get("pk", {}).get("S")
    return Permission(
        f"dynamodb:{action}",
        f"{table}/index/{index}" if index else table,
        frozenset() if partition_key is None else frozenset({partition_key}),
    )


def resource_arn(service: str, reference: str) -> str:
    """Return the ARN of a resource that a request refers to.

    The ARN of a secret is returned without the suffix that Secrets Manager appends to its name.

    Args:
        service: the service that owns the resource.
        reference: an ARN, the name of a table, secret or event bus, or the URL or name of a queue.
    """
    if reference.startswith("arn:"):
        return _SUFFIX.sub("", reference) if service == SECRETS_MANAGER else reference
    match service:
        case "dynamodb":
            resource = f"table/{reference}"
        case "secretsmanager":
            resource = f"secret:{reference}"
        case "events":
            resource = f"event-bus/{reference}"
        case _:
            account_id, _, name = reference.rpartition("/")
            return f"arn:aws:sqs:{REGION}:{account_id.rpartition('/')[2] or ACCOUNT_ID}:{name}"
    return f"arn:aws:{service}:{REGION}:{ACCOUNT_ID}:{resource}"


def _fits(pattern: str, text: str) -> bool:
    return pattern == text or (("*" in pattern or "?" in pattern) and _expression(pattern).fullmatch(text) is not None)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
