"""The keys derived from the pepper, one set for each of its versions."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MINIMUM_PEPPER_BYTES = 32

_EXTRACT_SALT = b"keywright/pepper"
_TAG_PURPOSE = b"keywright/tag/1"
_HASH_PURPOSE = b"keywright/hash/1"
_HMAC_HASH_PURPOSE = b"keywright/hmac-hash/1"
_IDEMPOTENCY_PURPOSE = b"keywright/idempotency/1"
_IMPORT_PURPOSE = b"keywright/import/1"


@dataclass(frozen=True, slots=True)
class PepperKeys:
    """The keys derived from one version of the pepper, 32 bytes each.

    Attributes:
        hash_key: of the digests that are hashed, under every scheme.
        hmac_hash_key: of the scheme that hashes a digest by another HMAC.
    """

    tag_key: bytes = field(repr=False)
    hash_key: bytes = field(repr=False)
    hmac_hash_key: bytes = field(repr=False)
    idempotency_key: bytes = field(repr=False)
    import_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of every version of the pepper.

    Attributes:
        current_version: the version for new keys.
    """

    current_version: int
    versions: Mapping[int, PepperKeys] = field(repr=False)

    @property
    def current(self) -> PepperKeys:
        """The keys of the version for new keys."""
        return self.versions[self.current_version]

    def tag_key(self, version: int) -> bytes | None:
        """Return the tag key of a version of the pepper, or None if there is no such version."""
        keys = self.versions.get(version)
        return keys.tag_key if keys else None


def derive(pepper: bytes) -> PepperKeys:
    """Derive the keys of a pepper by HKDF-SHA256 (RFC 5869)."""
    pseudorandom_key = hmac.digest(_EXTRACT_SALT, pepper, "sha256")
    return PepperKeys(
        tag_key=_expand(pseudorandom_key, _TAG_PURPOSE),
        hash_key=_expand(pseudorandom_key, _HASH_PURPOSE),
        hmac_hash_key=_expand(pseudorandom_key, _HMAC_HASH_PURPOSE),
        idempotency_key=_expand(pseudorandom_key, _IDEMPOTENCY_PURPOSE),
        import_key=_expand(pseudorandom_key, _IMPORT_PURPOSE),
    )


def _expand(pseudorandom_key: bytes, purpose: bytes) -> bytes:
    # 32 bytes are one block of HKDF-Expand.
    return hmac.digest(pseudorandom_key, purpose + b"\x01", "sha256")
