"""New secrets: random in every byte, and in no repr."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from keywright.domain import key_text, keyring
from keywright.keys import secret

if TYPE_CHECKING:
    from keywright.keys.secret import NewSecret

KEYRING = keyring.Keyring(1, {1: keyring.derive(b"p" * 64)})
KEYS = 300
"""Enough for about 177 of the 256 values of a random byte."""

pytestmark = pytest.mark.usefixtures("environment")


def draw() -> NewSecret:
    """Draw a secret, always for the same key."""
    return secret.draw(KEYRING, UUID(int=1), UUID(int=2), generation=0)


def secret_of(text: str) -> bytes:
    """Return the secret in the text of a key."""
    parts = key_text.decode(text, "kk_", KEYRING.tag_key)
    assert isinstance(parts, key_text.KeyParts)
    return parts.payload[36:]


@pytest.fixture
def drawn() -> list[bytes]:
    """The secrets of 300 keys."""
    return [secret_of(draw().text) for _ in range(KEYS)]


def test_a_secret_has_176_bits(drawn: list[bytes]) -> None:
    """The texts hold 22 bytes of secret each, as documented."""
    assert {176} == {8 * len(one) for one in drawn}


def test_every_byte_of_a_secret_is_random(drawn: list[bytes]) -> None:
    """GIVEN 300 keys THEN each position of the secret takes over 100 values."""
    values = [len({one[position] for one in drawn}) for position in range(22)]

    assert min(values) > 100


def test_no_byte_of_a_secret_follows_from_another(drawn: list[bytes]) -> None:
    """GIVEN 300 keys THEN the difference of any two positions takes over 100 values too."""
    differences = {
        (first, second): len({one[first] ^ one[second] for one in drawn})
        for first in range(22)
        for second in range(first)
    }

    assert math.comb(22, 2) == len(differences)
    assert min(differences.values()) > 100


def test_no_secret_is_drawn_twice(drawn: list[bytes]) -> None:
    """All of 300 keys have different secrets, for the same ids and generation."""
    assert KEYS == len(set(drawn))


def test_repr_shows_neither_text_nor_hash() -> None:
    """A new secret in a log or an exception shows its hint only."""
    drawn = draw()

    assert f"NewSecret(hint={drawn.hint!r})" == repr(drawn)
