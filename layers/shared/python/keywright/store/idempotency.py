"""Answers that are kept for 24 hours, so that a repeated request is not carried out twice."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from keywright.immutable import immutable
from keywright.store import layout
from keywright.store.table import Expression, Step, put

if TYPE_CHECKING:
    from datetime import datetime

    from keywright.domain.principals import Member
    from keywright.store.layout import Item

LIFETIME_SECONDS = 24 * 3600


@immutable
class KeptAnswer:
    """A request and its answer as stored.

    Attributes:
        request_digest: of the request, to recognize another one with the same Idempotency-Key.
        pepper_version: of the pepper that the answer was encrypted with.
        nonce, ciphertext: AES-256-GCM.
    """

    request_digest: bytes
    pepper_version: int
    nonce: bytes
    ciphertext: bytes


class AlreadyAnsweredError(Exception):
    """The request was answered before. Raised by `commit` alone; `keys.replay` turns it into the kept answer."""

    def __init__(self, kept: KeptAnswer) -> None:
        super().__init__("a request with this Idempotency-Key was answered before")
        self.kept = kept


def sort_key(member: Member, idempotency_key: str) -> str:
    """Return the sort key: a digest of user and Idempotency-Key, which the table does not hold in clear.

    The parts are separated by a character that neither can hold at that place.
    """
    return layout.idempotency_sort_key(hashlib.sha256(f"{member.user_id}\0{idempotency_key}".encode()).hexdigest())


def keep(member: Member, idempotency_key: str, kept: KeptAnswer, at: datetime) -> Step:
    """Keep an answer for 24 hours; refused with AlreadyAnsweredError if there is one under this key."""
    now = int(at.timestamp())
    item: Item = {
        **layout.in_organization(member.organization_id, sort_key(member, idempotency_key)),
        "request_digest": {"B": kept.request_digest},
        "pepper_version": {"N": str(kept.pepper_version)},
        "nonce": {"B": kept.nonce},
        "ciphertext": {"B": kept.ciphertext},
        "ttl": {"N": str(now + LIFETIME_SECONDS)},
    }
    # DynamoDB deletes expired items within days, not at once.
    is_free = Expression("attribute_not_exists(pk) OR #ttl <= :now", {":now": {"N": str(now)}}, {"#ttl": "ttl"})
    return put(item, is_free, lambda kept_item: AlreadyAnsweredError(_parse(kept_item or {})))


def live(item: Item | None, at: datetime) -> KeptAnswer | None:
    """Parse an item; None if it is missing or expired."""
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
