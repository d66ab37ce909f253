"""Texts of keys that were issued elsewhere. Their former issuers stored a hash, or the text itself.

Such a text names no organization and no key, and has no tag. It is found by a digest of its hash, keyed with the
pepper: a table without the pepper is as useless for guessing texts as it is for keys that were issued here.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import TYPE_CHECKING

from keywright.domain.key_text import KeyParts

if TYPE_CHECKING:
    from uuid import UUID

SHORTEST = 8
LONGEST = 512
"""Characters of a text."""
LAST_CHARACTERS = 4
"""Shown of a text that is long enough, as of keys that are issued here."""
_LONG_ENOUGH = 20
"""Characters of a text of which four may be shown; API Gateway's keys have as many at least."""
_NAMING_CHARACTERS = 4

_OTHER_FORMAT = b"\x00"
"""In the place of FORMAT_VERSION: the bytes of a key that was issued here never begin with it."""


class Algorithm(StrEnum):
    """Hashes of a whole text, without salt, that other issuers store."""

    SHA256 = "sha256"
    SHA512 = "sha512"

    @property
    def hash_bytes(self) -> int:
        """The length of a hash."""
        return hashlib.new(self).digest_size


def may_be_imported(text: str) -> bool:
    """Return whether a text can be that of an imported key: printable ASCII, neither very short nor very long."""
    return SHORTEST <= len(text) <= LONGEST and text.isascii() and text.isprintable()


def hash_of(text: str, algorithm: Algorithm) -> bytes:
    """Return the hash of a text as its former issuer stored it."""
    return hashlib.new(algorithm, text.encode()).digest()


def digest_of(hash_: bytes, import_key: bytes) -> str:
    """Return the digest of a hash that names its key in the table, in hex. It cannot be computed without the pepper."""
    return hmac.digest(import_key, hash_, "sha256").hex()


def parts(pepper_version: int, organization_id: UUID, key_id: UUID, hash_: bytes) -> KeyParts:
    """Return the parts of an imported key, whose text has generation 0.

    The payload covers the ids, as that of a key that was issued here: a stored hash does not verify for another key.
    """
    generation = 0
    payload = b"".join(
        (
            _OTHER_FORMAT,
            pepper_version.to_bytes(1),
            organization_id.bytes,
            key_id.bytes,
            generation.to_bytes(2),
            hash_,
        )
    )
    return KeyParts(pepper_version, organization_id, key_id, generation, payload)


def hint(text: str | None, digest: str) -> str:
    """Return the part of an imported text that may be shown.

    Args:
        text: None if only its hash is known.
        digest: as of `digest_of`. Its first characters tell such keys apart, and disclose nothing without the pepper.
    """
    if text is None or len(text) < _LONG_ENOUGH:
        return f"imported...{digest[:_NAMING_CHARACTERS]}"
    return f"...{text[-LAST_CHARACTERS:]}"
