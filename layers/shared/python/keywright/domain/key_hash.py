"""How keys rest in the table: Argon2id over a keyed digest, so that a stolen table alone cannot be attacked."""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import TYPE_CHECKING

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import verify_secret

if TYPE_CHECKING:
    from keywright.settings import Argon2Parameters

HASH_BYTES = 32
SALT_BYTES = 16


def keyed_digest(payload: bytes, hash_key: bytes) -> bytes:
    """Give what is hashed of a key's 58 bytes: 32 bytes that nobody without the pepper can make.

    They cover organization, key id and generation as well as the secret: a hash that is moved to another item does
    not verify there.
    """
    return hmac.digest(hash_key, payload, "sha256")


def hash_digest(digest: bytes, parameters: Argon2Parameters) -> str:
    """Hash a keyed digest for storage.

    Returns:
        A PHC string: algorithm, parameters, salt and hash in one.
    """
    return _hasher(parameters).hash(digest)


def matches(stored: str, digest: bytes) -> bool:
    """Tell whether a PHC string was made of a keyed digest, at the price that the string itself names.

    Raises:
        argon2.exceptions.VerificationError: it cannot be told: there is too little memory, or what is stored is not
            a PHC string of Argon2id.
    """
    try:
        return verify_secret(stored.encode(), digest, Type.ID)
    except VerifyMismatchError:
        return False


def is_current(stored: str, parameters: Argon2Parameters) -> bool:
    """Tell whether a PHC string was made with these parameters."""
    found = extract_parameters(stored)
    return (found.memory_cost, found.time_cost, found.parallelism) == (
        parameters.memory_kib,
        parameters.iterations,
        parameters.parallelism,
    )


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
