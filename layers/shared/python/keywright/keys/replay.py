"""Repeated requests: the same Idempotency-Key and body get the same answer, secret included.

The answer is encrypted under a key that is derived from the pepper and from the Idempotency-Key, of which the table
holds only a digest: neither the table alone nor the table with the pepper reveals it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING, TypeVar

from keywright import clock
from keywright.api.envelope import Replayed
from keywright.api.schemas import Answer
from keywright.errors import IDEMPOTENCY_KEY_REUSED, SERVICE_UNAVAILABLE, ServiceError
from keywright.immutable import immutable
from keywright.store import idempotency, pepper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from pydantic import BaseModel

    from keywright.domain.keyring import Keyring
    from keywright.domain.principals import Member
    from keywright.store.idempotency import KeptAnswer
    from keywright.store.layout import Item
    from keywright.store.table import Step

NONCE_BYTES = 12  # NIST SP 800-38D, section 8.2.1

Model = TypeVar("Model", bound=Answer)


@immutable
class Repeatable:
    """A request that came with an Idempotency-Key.

    Attributes:
        operation: its name and target; another operation with the same Idempotency-Key is another request.
        body: the validated body.
    """

    member: Member
    idempotency_key: str
    operation: str
    body: BaseModel

    def keep(self, answer: Answer, keyring: Keyring, at: datetime) -> Step:
        """Return the step that keeps the answer, refused if there is one."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        plaintext = answer.model_dump_json(by_alias=True).encode()
        kept = idempotency.KeptAnswer(
            request_digest=self._request_digest(),
            pepper_version=keyring.current_version,
            nonce=nonce,
            ciphertext=self._cipher(keyring.current.idempotency_key).encrypt(nonce, plaintext, self._context()),
        )
        return idempotency.keep(self.member, self.idempotency_key, kept, at)

    def kept_among(self, items: Mapping[str, Item]) -> KeptAnswer | None:
        """Return the answer that was kept of an earlier request, if its item was read; None if there is none."""
        return idempotency.live(items.get(self.sort_key), clock.now())

    def replay(self, kept: KeptAnswer, model: type[Model], keyring: Keyring) -> Model:
        """Decrypt a kept answer.

        Raises:
            ServiceError: IDEMPOTENCY_KEY_REUSED if it is the answer of another request.
        """
        if not hmac.compare_digest(kept.request_digest, self._request_digest()):
            raise ServiceError(IDEMPOTENCY_KEY_REUSED)
        keys = keyring.versions.get(kept.pepper_version)
        if keys is None:
            raise ServiceError(SERVICE_UNAVAILABLE, reason=f"pepper version {kept.pepper_version} is unknown")
        plaintext = self._cipher(keys.idempotency_key).decrypt(kept.nonce, kept.ciphertext, self._context())
        return model.model_validate_json(plaintext)

    @property
    def sort_key(self) -> str:
        """The sort key of the kept answer."""
        return idempotency.sort_key(self.member, self.idempotency_key)

    def _request_digest(self) -> bytes:
        """Return a digest of the operation and of the fields that the caller sent.

        Without defaults: a repeat may spell them out, and it stays the same request when a deployment adds a field.
        """
        sent = self.body.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        content = json.dumps([self.operation, sent], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).digest()

    def _context(self) -> bytes:
        """Return what binds a ciphertext to its place: moved to another organization or user, it does not decrypt."""
        return f"{self.member.organization_id}/{self.sort_key}".encode()

    def _cipher(self, pepper_key: bytes) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers import aead  # noqa: PLC0415 - few requests need it

        return aead.AESGCM(hmac.digest(pepper_key, self.idempotency_key.encode(), "sha256"))


def repeatable(member: Member, idempotency_key: str | None, operation: str, body: BaseModel) -> Repeatable | None:
    """Return a request that can be repeated; None without an Idempotency-Key."""
    return None if idempotency_key is None else Repeatable(member, idempotency_key, operation, body)


# Why two requests at once issue one key:
#
#     first request                          second request                         IDEMPOTENCY# item
#     ----------------------------------     ----------------------------------     -----------------
#     draw secret A                          draw secret B
#     commit [.., keep A if there is none]                                          A
#                                            commit [.., keep B if there is none]
#                                              canceled, with the item as it is
#     answers A                              decrypts and answers A


def once(request: Repeatable | None, model: type[Model], act: Callable[[], Model | Replayed]) -> Model | Replayed:
    """Act, or replay the answer of an earlier request that the transaction has found.

    Args:
        request: None if it cannot be repeated.
        model: of the answer.
        act: commits the step of `Repeatable.keep`.

    Raises:
        ServiceError: IDEMPOTENCY_KEY_REUSED; and what `act` raises.
    """
    if request is None:
        return act()
    try:
        return act()
    except idempotency.AlreadyAnsweredError as answered:
        return Replayed(request.replay(answered.kept, model, pepper.keyring()))
