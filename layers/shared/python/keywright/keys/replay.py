"""Requests that can be repeated: the same Idempotency-Key and body get the same answer, secret included.

What is kept is encrypted under a key that takes both the pepper and the Idempotency-Key itself, of which the table
holds only a digest. So neither the table alone nor the table with the pepper gives an answer away.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from keywright.api.schemas import Answer
from keywright.errors import IDEMPOTENCY_KEY_REUSED, SERVICE_UNAVAILABLE, ServiceError
from keywright.store import idempotency

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from pydantic import BaseModel

    from keywright.domain.keyring import Keyring
    from keywright.domain.principals import Member
    from keywright.store.idempotency import KeptAnswer
    from keywright.store.table import Step

NONCE_BYTES = 12  # NIST SP 800-38D, section 8.2.1

Given = TypeVar("Given", bound=Answer)


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request that came with an Idempotency-Key.

    Attributes:
        operation: what is done, and to what; another operation under the same key is another request.
        body: the validated body.
    """

    member: Member
    idempotency_key: str
    operation: str
    body: BaseModel

    def keep(self, answer: Answer, keyring: Keyring, at: datetime) -> Step:
        """Give the step that keeps the answer, or finds that there is one already (AlreadyAnsweredError)."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        plaintext = answer.model_dump_json(by_alias=True).encode()
        kept = idempotency.KeptAnswer(
            request_digest=self._request_digest(),
            pepper_version=keyring.current_version,
            nonce=nonce,
            ciphertext=self._cipher(keyring.current.idempotency_key).encrypt(nonce, plaintext, self._context()),
        )
        return idempotency.put(self.member, self.idempotency_key, kept, at)

    def replay(self, kept: KeptAnswer, model: type[Given], keyring: Keyring) -> Given:
        """Read the answer that was kept.

        Raises:
            ServiceError: IDEMPOTENCY_KEY_REUSED if it answered another request.
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
        """Where the answer is kept."""
        return idempotency.sort_key(self.member, self.idempotency_key)

    def _request_digest(self) -> bytes:
        content = json.dumps([self.operation, self.body.model_dump(mode="json")], sort_keys=True)
        return hashlib.sha256(content.encode()).digest()

    def _context(self) -> bytes:
        """Bind a ciphertext to its place: moved to another organization or user, it does not decrypt."""
        return f"{self.member.organization_id}/{self.sort_key}".encode()

    def _cipher(self, pepper_key: bytes) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers import aead  # noqa: PLC0415 - few requests need it

        return aead.AESGCM(hmac.digest(pepper_key, self.idempotency_key.encode(), "sha256"))
