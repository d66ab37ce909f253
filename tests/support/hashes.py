"""Stored hashes of keys, recomputed: with the reference implementation of Argon2id, or as HMAC."""

from __future__ import annotations

import base64
import hmac

import argon2

from keywright.store import pepper
from tests.support.sample_keys import key_parts

_hasher = argon2.PasswordHasher()


def is_hash_of(stored: str, text: str) -> bool:
    """Return whether a stored hash is that of the text of a key."""
    keys = pepper.keyring().current
    digest = hmac.digest(keys.hash_key, key_parts(text).payload, "sha256")
    scheme, _, hash_ = stored[1:].partition("$")
    if scheme == "hmac-sha256":
        return base64.b64decode(hash_ + "=") == hmac.digest(keys.hmac_hash_key, digest, "sha256")
    try:
        return _hasher.verify(stored, digest)
    except argon2.exceptions.VerifyMismatchError:
        return False
