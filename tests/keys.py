"""What the text of a key says, and keys whose secret is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from argon2.low_level import Type, hash_secret

from keywright import hashing, tokens
from keywright.settings import Argon2Parameters
from keywright.store import peppers
from tests.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from keywright.hashing import PepperKeys
    from tests.world import Table

PREFIX = "kk_"
CHEAP = Argon2Parameters(memory_kib=8, iterations=1, parallelism=1)
"""What hashes cost here: `CHEAP_ARGON2` of tests/conftest.py."""
SALT = b"salt-for-testing"


def key_parts(text: str) -> tokens.KeyParts:
    """Read the text of a key that was issued here."""
    parts = tokens.parse(text, PREFIX, peppers.keyring().tag_key)
    assert isinstance(parts, tokens.KeyParts), parts
    return parts


@dataclass(frozen=True, slots=True)
class SampleKey:
    """A key of no deployment; its secret says so."""

    organization_id: str = ORGANIZATION_ID
    key_id: str = KEY_ID
    generation: int = 0
    secret: str = "not-a-secret-for-tests"
    pepper_version: int = 1

    @property
    def payload(self) -> bytes:
        """The 58 bytes that tag and hash are made of."""
        return tokens.payload(
            pepper_version=self.pepper_version,
            organization_id=UUID(self.organization_id),
            key_id=UUID(self.key_id),
            generation=self.generation,
            secret=self.secret.encode(),
        )

    def text(self, keys: PepperKeys | None = None, prefix: str = PREFIX) -> str:
        """Write its text, under the pepper of this container if no other is given."""
        return tokens.encode(prefix, self.payload, (keys or self._keys()).tag_key)

    def hash(self, keys: PepperKeys | None = None, parameters: Argon2Parameters = CHEAP) -> str:
        """Hash it as it rests in the table; the same text each time."""
        digest = hashing.keyed_digest(self.payload, (keys or self._keys()).hash_key)
        return hash_secret(
            digest,
            SALT,
            time_cost=parameters.iterations,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.parallelism,
            hash_len=hashing.HASH_BYTES,
            type=Type.ID,
        ).decode()

    def put(self, table: Table, **attributes: object) -> str:
        """Write its item, as that of an enabled key if nothing else is said; give its text."""
        table.put_key(
            self.key_id, self.organization_id, **{"hash": self.hash(), "generation": self.generation} | attributes
        )
        return self.text()

    def _keys(self) -> PepperKeys:
        return peppers.keyring().versions[self.pepper_version]
