"""The IAM permissions that a request to DynamoDB, Secrets Manager or SQS takes, and the statements that grant them.

Sources: Service Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB", "... for AWS
Secrets Manager", "... for Amazon SQS"; Amazon DynamoDB Developer Guide, "Using IAM with DynamoDB transactions"; IAM
User Guide, "Policy evaluation logic", "IAM JSON policy elements: Action" and "... Resource".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from local.intrinsics import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DYNAMODB = "dynamodb"
SECRETS_MANAGER = "secretsmanager"
SQS = "sqs"

_SERVICES = {"DynamoDB_20120810": DYNAMODB, "secretsmanager": SECRETS_MANAGER, "AmazonSQS": SQS}
"""By the prefix of the header X-Amz-Target."""
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
}
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
"""Secrets Manager adds it to the name in a secret's ARN."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One action on one resource: `dynamodb:PutItem` on the ARN of a table."""

    action: str
    resource: str

    @property
    def service(self) -> str:
        """The service's name in the action."""
        return self.action.partition(":")[0]


class UnknownOperationError(Exception):
    """No permission is known for the operation."""

    def __init__(self, permission: Permission) -> None:
        super().__init__(permission.action)
        self.permission = permission


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a policy: an effect on every one of the actions on every one of the resources.

    Attributes:
        effect: Allow or Deny.
        actions: with `*` and `?` as wildcards.
        resources: ARNs, with the same wildcards.
    """

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def covers(self, permission: Permission) -> bool:
        """Return whether the statement speaks of the permission."""
        # Actions are not case-sensitive, resources are.
        return any(_fits(action.lower(), permission.action.lower()) for action in self.actions) and any(
            _fits(resource, permission.resource) for resource in self.resources
        )


def is_allowed(permission: Permission, statements: Iterable[Statement]) -> bool:
    """Return whether some statement allows the permission and none denies it."""
    return {statement.effect for statement in statements if statement.covers(permission)} == {"Allow"}


def needed(target: str, content: Mapping[str, Any]) -> list[Permission]:
    """Return the permissions that a request takes, all of them.

    Args:
        target: the header X-Amz-Target, as DynamoDB_20120810.GetItem.
        content: the body.

    Raises:
        UnknownOperationError: the operation is none of those that this module knows.
    """
    prefix, _, operation = target.partition(".")
    match _SERVICES.get(prefix):
        case "dynamodb":
            return _needed_of_dynamodb(operation, content)
        case "secretsmanager" if operation in _ON_ONE_SECRET:
            return [Permission(f"secretsmanager:{operation}", arn(SECRETS_MANAGER, str(content.get("SecretId"))))]
        case "sqs" if operation in _ON_ONE_QUEUE:
            return [Permission(f"sqs:{_ON_ONE_QUEUE[operation]}", arn(SQS, str(content.get("QueueUrl"))))]
    raise UnknownOperationError(Permission(f"{_SERVICES.get(prefix, prefix)}:{operation}", "*"))


def _needed_of_dynamodb(operation: str, content: Mapping[str, Any]) -> list[Permission]:
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
    raise UnknownOperationError(Permission(f"dynamodb:{operation}", "*"))


def _on_table(action: str, part: Mapping[str, Any]) -> Permission:
    table, index = arn(DYNAMODB, str(part.get("TableName"))), part.get("IndexName")
    return Permission(f"dynamodb:{action}", f"{table}/index/{index}" if index else table)


def arn(service: str, reference: str) -> str:
    """Return the ARN of a resource that a request refers to.

    Args:
        service: whose resource it is.
        reference: an ARN; the name of a table or secret; the address or name of a queue. Of a secret's ARN, with or
            without the suffix that Secrets Manager has added to the name, the result has none.
    """
    if reference.startswith("arn:"):
        return _SUFFIX.sub("", reference) if service == SECRETS_MANAGER else reference
    match service:
        case "dynamodb":
            resource = f"table/{reference}"
        case "secretsmanager":
            resource = f"secret:{reference}"
        case _:
            account_id, _, name = reference.rpartition("/")
            return f"arn:aws:sqs:{REGION}:{account_id.rpartition('/')[2] or ACCOUNT_ID}:{name}"
    return f"arn:aws:{service}:{REGION}:{ACCOUNT_ID}:{resource}"


def _fits(pattern: str, text: str) -> bool:
    return pattern == text or (("*" in pattern or "?" in pattern) and _expression(pattern).fullmatch(text) is not None)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
