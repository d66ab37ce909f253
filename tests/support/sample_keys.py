"""Parts of a key's text, and sample keys with known secrets."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from argon2.low_level import Type, hash_secret

from keywright.domain import argon2id, key_hash, key_text
from keywright.settings import Argon2Parameters
from keywright.store import pepper
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from keywright.domain.keyring import PepperKeys
    from tests.support.world import Table

PREFIX = "kk_"
CHEAP = Argon2Parameters(memory_kib=8, iterations=1, parallelism=1)
"""The parameters of hashes in tests: `CHEAP_ARGON2` of tests/conftest.py."""
SALT = b"salt-for-testing"
WINDOW = 10
"""Length of a substring of a key that must appear nowhere; by chance, 10 characters of base62 never do."""
PASTED_KEY = "kk_" + "Ab3dEfGh1jKlMn0pQrStUvWxYz" * 3 + "A2b4C6d8"
"""A text like a key, for callers to paste where no key belongs."""


def key_parts(text: str) -> key_text.KeyParts:
    """Return the parts of the text of a key issued here."""
    parts = key_text.decode(text, PREFIX, pepper.keyring().tag_key)
    assert isinstance(parts, key_text.KeyParts), parts
    return parts


def secret_parts(text: str) -> set[str]:
    """Return all forms of a key's parts: substrings of its text, and its secret in hex and base64.

    The start of the text, which holds public ids, and the hint, its last four characters, are left out.
    """
    parts = key_parts(text)
    secret = parts.payload[-key_text.SECRET_BYTES :]
    beginning = len(PREFIX) + 50  # the 36 bytes of ids take at least the first 48 of 86 characters
    windows = {text[at : at + WINDOW] for at in range(beginning, len(text) - WINDOW)}
    return windows | {secret.hex(), base64.b64encode(secret).decode()[:-2], repr(secret), text}


def pasted_key_parts(text: str) -> list[str]:
    """Return the parts of PASTED_KEY that a text contains."""
    windows = (PASTED_KEY[at : at + WINDOW] for at in range(len(PASTED_KEY) - WINDOW))
    return [window for window in windows if window in text]


@dataclass(frozen=True, slots=True)
class SampleKey:
    """A key that no deployment issued; its secret says so."""

    organization_id: str = ORGANIZATION_ID
    key_id: str = KEY_ID
    generation: int = 0
    secret: str = "not-a-secret-for-tests"
    pepper_version: int = 1

    @property
    def payload(self) -> bytes:
        """Return the 58 bytes that tag and hash are computed from."""
        return key_text.payload(
            pepper_version=self.pepper_version,
            organization_id=UUID(self.organization_id),
            key_id=UUID(self.key_id),
            generation=self.generation,
            secret=self.secret.encode(),
        )

    def text(self, keys: PepperKeys | None = None, prefix: str = PREFIX) -> str:
        """Return its text, under this container's pepper by default."""
        return key_text.encode(prefix, self.payload, (keys or self._keys()).tag_key)

    def hash(self, keys: PepperKeys | None = None, parameters: Argon2Parameters = CHEAP) -> str:
        """Return its hash as stored with Argon2id; the same text each time."""
        digest = key_hash.keyed_digest(self.payload, (keys or self._keys()).hash_key)
        return hash_secret(
            digest,
            SALT,
            time_cost=parameters.iterations,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.parallelism,
            hash_len=argon2id.HASH_BYTES,
            type=Type.ID,
        ).decode()

    def hmac_hash(self, keys: PepperKeys | None = None) -> str:
        """Return its hash as stored with HMAC-SHA-256."""
        keys = keys or self._keys()
        digest = key_hash.keyed_digest(self.payload, keys.hash_key)
        return "$hmac-sha256$" + base64.b64encode(hmac.digest(keys.hmac_hash_key, digest, "sha256")).decode()[:-1]

    def put(self, table: Table, **attributes: object) -> str:
        """Write its item, an enabled key by default; return its text."""
        table.put_key(
            self.key_id, self.organization_id, **{"hash": self.hash(), "generation": self.generation} | attributes
        )
        return self.text()

    def _keys(self) -> PepperKeys:
        return pepper.keyring().versions[self.pepper_version]
