"""What verification reads and writes of a key: the hottest lines of the product, behind two functions.

Everything else in the store serves people; this serves every request that an API key makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright.aws.client import AwsError
from keywright.aws.retries import dynamodb, require_genuine, with_retries
from keywright.settings import table_settings
from keywright.store import api_keys, table
from keywright.store.organizations import ORGANIZATION

if TYPE_CHECKING:
    from uuid import UUID

    from keywright.store.api_keys import ApiKeyRecord


@dataclass(frozen=True, slots=True)
class Credential:
    """A key, and whether its organization is scheduled for deletion."""

    key: ApiKeyRecord
    is_frozen: bool


def read(organization_id: UUID, key_id: UUID) -> Credential | None:
    """Read a key and its organization, strongly consistent, in one request: two items, two read units at the most.

    Returns:
        None if there is no such key, or no such organization.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    key_name = api_keys.sort_key(key_id)
    items = table.read(organization_id, (key_name, ORGANIZATION))
    key, organization = items.get(key_name), items.get(ORGANIZATION)
    if key is None or organization is None:
        return None
    return Credential(api_keys.parse(key), "pending_deletion_at" in organization)


def upgrade_hash(key: ApiKeyRecord, hash_: str) -> bool:
    """Put another hash of the same secret in the place of the one that was read, if it is still there.

    The version of the key stays: nobody who is changing the key has to read it again because of this. If their change
    wins, it brings the old hash back, which is as good, and the next verification upgrades it. A key that was
    rotated, or is gone, is not touched.

    Returns:
        Whether it is there now.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE after one attempt.
    """
    change = {
        "TableName": table_settings().table_name,
        "Key": table.key(key.organization_id, key.sort_key),
        "UpdateExpression": "SET #hash = :new",
        "ConditionExpression": "#hash = :old",
        "ExpressionAttributeNames": {"#hash": "hash"},  # a reserved word
        "ExpressionAttributeValues": {":new": {"S": hash_}, ":old": {"S": key.hash}},
    }

    def attempt() -> bool:
        try:
            require_genuine(dynamodb().call("UpdateItem", change))
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return False
        return True

    return with_retries(attempt, attempts=1)
