"""Stored hashes of keys, recomputed with the reference implementation of Argon2id."""

from __future__ import annotations

import hmac

import argon2

from keywright.store import pepper
from tests.support.sample_keys import key_parts

_hasher = argon2.PasswordHasher()


def is_hash_of(stored: str, text: str) -> bool:
    """Return whether a stored hash is that of the text of a key."""
    digest = hmac.digest(pepper.keyring().current.hash_key, key_parts(text).payload, "sha256")
    try:
        return _hasher.verify(stored, digest)
    except argon2.exceptions.VerifyMismatchError:
        return False
