"""New secrets of keys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keywright.domain import key_hash, key_text
from keywright.settings import secret_settings

if TYPE_CHECKING:
    from uuid import UUID

    from keywright.domain.keyring import Keyring


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A key's text with a new secret, which is shown once, and what is stored of it."""

    text: str = field(repr=False)
    hash: str = field(repr=False)
    hint: str


def draw(keyring: Keyring, organization_id: UUID, key_id: UUID, generation: int) -> NewSecret:
    """Draw a secret, and hash it with the configured scheme under the current pepper."""
    settings, keys = secret_settings(), keyring.current
    payload = key_text.payload(
        pepper_version=keyring.current_version,
        organization_id=organization_id,
        key_id=key_id,
        generation=generation,
        secret=secrets.token_bytes(key_text.SECRET_BYTES),
    )
    text = key_text.encode(settings.key_prefix, payload, keys.tag_key)
    digest = key_hash.keyed_digest(payload, keys.hash_key)
    return NewSecret(
        text=text,
        hash=key_hash.hash_digest(digest, key_hash.configured(settings, keys)),
        hint=key_text.hint(text, settings.key_prefix),
    )
