"""Hashes of keys: Argon2id over a digest keyed with the pepper, so that a stolen table alone is useless."""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import TYPE_CHECKING

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import verify_secret

if TYPE_CHECKING:
    from keywright.settings import Argon2Parameters

HASH_BYTES = 32
SALT_BYTES = 16


def keyed_digest(payload: bytes, hash_key: bytes) -> bytes:
    """Return the 32 bytes that are hashed for a key's 58 bytes. They cannot be computed without the pepper.

    They cover organization, key id and generation as well as the secret: a hash that is moved to another item does
    not verify there.
    """
    return hmac.digest(hash_key, payload, "sha256")


def hash_digest(digest: bytes, parameters: Argon2Parameters) -> str:
    """Hash a keyed digest for storage.

    Returns:
        A PHC string: algorithm, parameters, salt and hash.
    """
    return _hasher(parameters).hash(digest)


def matches(stored: str, digest: bytes) -> bool:
    """Return whether a PHC string is the hash of a keyed digest. The PHC string names the parameters.

    Raises:
        argon2.exceptions.VerificationError: there is too little memory, or `stored` is not a PHC string of Argon2id.
    """
    try:
        return verify_secret(stored.encode(), digest, Type.ID)
    except VerifyMismatchError:
        return False


def is_current(stored: str, parameters: Argon2Parameters) -> bool:
    """Return whether a PHC string has these parameters, and salt and hash of the current lengths."""
    return not _hasher(parameters).check_needs_rehash(stored)


@lru_cache(maxsize=1)
def _hasher(parameters: Argon2Parameters) -> PasswordHasher:
    return PasswordHasher(
        time_cost=parameters.iterations,
        memory_cost=parameters.memory_kib,
        parallelism=parameters.parallelism,
        hash_len=HASH_BYTES,
        salt_len=SALT_BYTES,
        type=Type.ID,
    )
