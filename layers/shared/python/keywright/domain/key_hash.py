"""Hashes of keys, over a digest keyed with the pepper, so that a stolen table alone is useless.

There are two schemes, both in the form of PHC strings: `$argon2id$...` is slow, for the case that the randomness of
secrets fails; `$hmac-sha256$...` takes microseconds. The deployment chooses the scheme of new hashes (`KeyHash`); the
first use of a key with another hash replaces it. Imported keys begin with HMAC, so that ten thousand can be imported.
"""

from __future__ import annotations

import base64
import hmac
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from keywright.settings import KEY_HASH, KeyHash

if TYPE_CHECKING:
    from keywright.domain.keyring import PepperKeys
    from keywright.settings import Argon2Parameters, SecretSettings

_HMAC = f"${KeyHash.HMAC_SHA256}$"


@dataclass(frozen=True, slots=True)
class HmacSha256:
    """The scheme of HMAC-SHA-256.

    Attributes:
        key: `hmac_hash_key` of the version of the pepper that the digest is keyed with.
    """

    key: bytes = field(repr=False)

    @classmethod
    def of(cls, keys: PepperKeys) -> HmacSha256:
        """Return the scheme under a version of the pepper."""
        return cls(keys.hmac_hash_key)


Scheme: TypeAlias = "Argon2Parameters | HmacSha256"


def configured(settings: SecretSettings, keys: PepperKeys) -> Scheme:
    """Return the scheme of new hashes under a version of the pepper."""
    return HmacSha256.of(keys) if settings.key_hash is KeyHash.HMAC_SHA256 else settings.argon2


def load() -> None:
    """Load what the configured scheme needs, while a container starts.

    Otherwise the first request that hashes would wait for the import of Argon2. It reads one variable and cannot fail:
    a function with invalid settings starts too, and answers 500.
    """
    if os.environ.get(KEY_HASH) == KeyHash.ARGON2ID:
        from keywright.domain import argon2id  # noqa: F401, PLC0415 - not where hashes are made without it


def keyed_digest(payload: bytes, hash_key: bytes) -> bytes:
    """Return the 32 bytes that are hashed for a key's 58 bytes. They cannot be computed without the pepper.

    They cover organization, key id and generation as well as the secret: a hash that is moved to another item does
    not verify there.
    """
    return hmac.digest(hash_key, payload, "sha256")


def hash_digest(digest: bytes, scheme: Scheme) -> str:
    """Hash a keyed digest for storage.

    Returns:
        A PHC string: algorithm, for Argon2id parameters and salt, and hash.

    Raises:
        argon2.exceptions.HashingError: Argon2id has too little memory.
    """
    if isinstance(scheme, HmacSha256):
        return _HMAC + base64.b64encode(hmac.digest(scheme.key, digest, "sha256")).decode().rstrip("=")
    from keywright.domain import argon2id  # noqa: PLC0415 - see `load`

    return argon2id.hash_digest(digest, scheme)


def matches(stored: str, digest: bytes, keys: PepperKeys) -> bool:
    """Return whether a PHC string of either scheme is the hash of a keyed digest.

    Args:
        stored: the PHC string, which names its scheme.
        digest: as of `keyed_digest`.
        keys: the version of the pepper that the digest is keyed with.

    Raises:
        argon2.exceptions.VerificationError: there is too little memory for Argon2id, or `stored` is not a PHC string of
            either scheme.
    """
    if not is_argon2id(stored):
        return hmac.compare_digest(stored.encode(), hash_digest(digest, HmacSha256.of(keys)).encode())
    from keywright.domain import argon2id  # noqa: PLC0415 - see `load`

    return argon2id.matches(stored, digest)


def is_argon2id(stored: str) -> bool:
    """Return whether Argon2id decides about a PHC string, and not HMAC."""
    return not stored.startswith(_HMAC)


def is_current(stored: str, scheme: Scheme) -> bool:
    """Return whether a PHC string is as a new one of a scheme, with its parameters and lengths."""
    if isinstance(scheme, HmacSha256):
        return not is_argon2id(stored)
    from keywright.domain import argon2id  # noqa: PLC0415 - see `load`

    return is_argon2id(stored) and argon2id.is_current(stored, scheme)
