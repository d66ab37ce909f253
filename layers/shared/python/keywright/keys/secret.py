"""New secrets of keys."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from keywright.domain import key_hash, key_text
from keywright.immutable import field, immutable
from keywright.settings import secret_settings

if TYPE_CHECKING:
    from uuid import UUID

    from keywright.domain.keyring import Keyring


@immutable
class NewSecret:
    """A key's text with a new secret, which is shown once, and what is stored of it."""

    text: str = field(repr=False)
    hash: str = field(repr=False)
    hint: str


def draw(keyring: Keyring, organization_id: UUID, key_id: UUID, generation: int) -> NewSecret:
    """Draw a secret, and hash it under the current pepper."""
    payload = key_text.payload(
        pepper_version=keyring.current_version,
        organization_id=organization_id,
        key_id=key_id,
        generation=generation,
        secret=secrets.token_bytes(key_text.SECRET_BYTES),
    )
    prefix = secret_settings().key_prefix
    text = key_text.encode(prefix, payload, keyring.current.tag_key)
    return NewSecret(
        text=text,
        hash=key_hash.hash_digest(key_hash.keyed_digest(payload, keyring.current.hash_key), secret_settings().argon2),
        hint=key_text.hint(text, prefix),
    )
