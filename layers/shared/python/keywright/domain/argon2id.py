"""Argon2id hashes, by the reference C implementation. It is loaded where such hashes are made or met."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import verify_secret

if TYPE_CHECKING:
    from keywright.settings import Argon2Parameters

HASH_BYTES = 32
SALT_BYTES = 16


def hash_digest(digest: bytes, parameters: Argon2Parameters) -> str:
    """Hash a keyed digest for storage.

    Returns:
        A PHC string: algorithm, parameters, salt and hash.

    Raises:
        argon2.exceptions.HashingError: there is too little memory.
    """
    return _hasher(parameters).hash(digest)


def matches(stored: str, digest: bytes) -> bool:
    """Return whether a PHC string, which names its parameters, is the hash of a keyed digest.

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
