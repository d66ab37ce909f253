"""Answers that are kept for a day, so that a request can be repeated without being done twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright.settings import table_settings
from keywright.store.table import Step, key

if TYPE_CHECKING:
    from datetime import datetime

    from keywright.domain.principals import Member
    from keywright.store.table import Item

IDEMPOTENCY = "IDEMPOTENCY#"
LIFETIME_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What is stored of a request and its answer.

    Attributes:
        request_digest: of the request, so that another one under the same Idempotency-Key is noticed.
        pepper_version: which pepper the answer was encrypted with.
        nonce, ciphertext: AES-256-GCM.
    """

    request_digest: bytes
    pepper_version: int
    nonce: bytes
    ciphertext: bytes


class AlreadyAnsweredError(Exception):
    """The request was answered before; here is what was kept of it."""

    def __init__(self, kept: KeptAnswer) -> None:
        super().__init__("a request with this Idempotency-Key was answered before")
        self.kept = kept


def sort_key(member: Member, idempotency_key: str) -> str:
    """Give the sort key: a digest of user and Idempotency-Key, so that neither another user nor the table has it.

    The parts are separated by a character that neither can hold at that place.
    """
    digest = hashlib.sha256(f"{member.user_id}\0{idempotency_key}".encode()).hexdigest()
    return f"{IDEMPOTENCY}{digest}"


def put(member: Member, idempotency_key: str, kept: KeptAnswer, at: datetime) -> Step:
    """Keep an answer for a day; refused with AlreadyAnsweredError if there is one under this key."""
    now = int(at.timestamp())
    return Step(
        {
            "Put": {
                "TableName": table_settings().table_name,
                "Item": {
                    **key(member.organization_id, sort_key(member, idempotency_key)),
                    "request_digest": {"B": kept.request_digest},
                    "pepper_version": {"N": str(kept.pepper_version)},
                    "nonce": {"B": kept.nonce},
                    "ciphertext": {"B": kept.ciphertext},
                    "ttl": {"N": str(now + LIFETIME_SECONDS)},
                },
                # DynamoDB deletes expired items within days, not at once.
                "ConditionExpression": "attribute_not_exists(pk) OR #ttl <= :now",
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": {":now": {"N": str(now)}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        lambda item: AlreadyAnsweredError(_parse(item or {})),
    )


def live(item: Item | None, at: datetime) -> KeptAnswer | None:
    """Read an item that may be missing or over."""
    if item is None or int(item["ttl"]["N"]) <= int(at.timestamp()):
        return None
    return _parse(item)


def _parse(item: Item) -> KeptAnswer:
    return KeptAnswer(
        request_digest=bytes(item["request_digest"]["B"]),
        pepper_version=int(item["pepper_version"]["N"]),
        nonce=bytes(item["nonce"]["B"]),
        ciphertext=bytes(item["ciphertext"]["B"]),
    )
