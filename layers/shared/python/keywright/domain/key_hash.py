"""Hashes of keys: Argon2id over a digest keyed with the pepper, so that a stolen table alone is useless.

There are two schemes, both in the form of PHC strings. `$argon2id$...` is the one of keys that are issued here.
`$hmac-sha256$...` takes a microsecond, so that ten thousand keys can be imported; the first use of such a key replaces
it by Argon2id.
"""

from __future__ import annotations

import base64
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

_QUICK = "$hmac-sha256$"
_QUICK_PURPOSE = b"keywright/quick-hash/1"


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


def quick_hash(digest: bytes) -> str:
    """Hash a keyed digest for storage, without Argon2id.

    The digest is the key of an HMAC, so it cannot be computed from what is stored: like the digest itself, a guess
    needs the pepper.

    Returns:
        A PHC string: algorithm and hash.
    """
    return _QUICK + base64.b64encode(hmac.digest(digest, _QUICK_PURPOSE, "sha256")).decode().rstrip("=")


def is_quick(stored: str) -> bool:
    """Return whether a PHC string is one of `quick_hash`."""
    return stored.startswith(_QUICK)


def matches(stored: str, digest: bytes) -> bool:
    """Return whether a PHC string of either scheme is the hash of a keyed digest. It names its parameters.

    Raises:
        argon2.exceptions.VerificationError: there is too little memory, or `stored` is not a PHC string of Argon2id.
    """
    if is_quick(stored):
        return hmac.compare_digest(stored.encode(), quick_hash(digest).encode())
    try:
        return verify_secret(stored.encode(), digest, Type.ID)
    except VerifyMismatchError:
        return False


def is_current(stored: str, parameters: Argon2Parameters) -> bool:
    """Return whether a PHC string is of Argon2id with these parameters, and salt and hash of the current lengths."""
    return not is_quick(stored) and not _hasher(parameters).check_needs_rehash(stored)


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
