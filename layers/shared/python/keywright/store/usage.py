"""How often and when a key was last used; beside the key's own item, so that use never competes with change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright.aws.client import AwsError
from keywright.aws.retries import Retryable, dynamodb, require_genuine, with_retries
from keywright.clock import rfc3339
from keywright.errors import CONFLICT, ServiceError
from keywright.settings import table_settings
from keywright.store import api_keys
from keywright.store.table import CONDITION_FAILED, Step, key

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    from keywright.store.table import Item

USAGE = "USAGE#"


@dataclass(frozen=True, slots=True)
class Usage:
    """A key's use so far.

    Attributes:
        last_used_at: RFC 3339; None if it was never used.
    """

    request_count: int = 0
    last_used_at: str | None = None


def sort_key(key_id: UUID) -> str:
    """Give the sort key of a key's usage item."""
    return f"{USAGE}{key_id}"


def parse(item: Item | None) -> Usage:
    """Read a usage item; there is none until a key was used."""
    if item is None:
        return Usage()
    return Usage(request_count=int(item["request_count"]["N"]), last_used_at=item["last_used_at"]["S"])


@dataclass(frozen=True, slots=True)
class Uses:
    """Uses of one key that are to be added to its item.

    Attributes:
        last_used_at: the time of the latest of them.
        token: names this addition, so that DynamoDB carries it out once even if it is sent twice within ten minutes.
    """

    organization_id: UUID
    key_id: UUID
    count: int
    last_used_at: datetime
    token: str


def add(uses: Uses) -> None:
    """Add uses to a key's item, provided that the key still exists: what was deleted does not come back.

    `last_used_at` never goes back; the container that writes last need not be the one that was used last.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE after one attempt; the same uses can be added again then, with their token.
    """
    if not _add(uses, is_latest=True):
        _add(uses, is_latest=False)


def _add(uses: Uses, *, is_latest: bool) -> bool:
    """Try to add uses; False if a later one has been written already, so that only the count is to be added."""
    organization_id, name = uses.organization_id, table_settings().table_name
    values: dict[str, AttributeValueTypeDef] = {":count": {"N": str(uses.count)}}
    update: TransactWriteItemTypeDef = {
        "Update": {
            "TableName": name,
            "Key": key(organization_id, sort_key(uses.key_id)),
            "UpdateExpression": "ADD request_count :count",
            "ExpressionAttributeValues": values,
        }
    }
    if is_latest:
        values[":at"] = {"S": rfc3339(uses.last_used_at)}
        update["Update"]["UpdateExpression"] += " SET last_used_at = :at"
        update["Update"]["ConditionExpression"] = "attribute_not_exists(last_used_at) OR last_used_at <= :at"
    exists: TransactWriteItemTypeDef = {
        "ConditionCheck": {
            "TableName": name,
            "Key": key(organization_id, api_keys.sort_key(uses.key_id)),
            "ConditionExpression": "attribute_exists(pk)",
        }
    }
    token = uses.token if is_latest else uses.token[::-1]  # another request, so another token

    def attempt() -> bool:
        request = {"TransactItems": [exists, update], "ClientRequestToken": token}
        try:
            require_genuine(dynamodb().call("TransactWriteItems", request))
        except AwsError as error:
            if error.code != "TransactionCanceledException":
                raise
            key_is_gone, is_later = (
                reason.get("Code") == CONDITION_FAILED for reason in error.content["CancellationReasons"]
            )
            if key_is_gone or is_later:
                return bool(key_is_gone)
            raise Retryable("the key is being changed") from None
        return True

    return with_retries(attempt, attempts=1)


def delete(organization_id: UUID, key_id: UUID) -> Step:
    """Delete a key's usage item, if there is one."""
    return Step(
        {"Delete": {"TableName": table_settings().table_name, "Key": key(organization_id, sort_key(key_id))}},
        lambda _: ServiceError(CONFLICT, reason="a step without condition was refused"),
    )
