"""The checksum catches mistakes, and proves nothing else: a text that was made up with it costs no read and no hash.

FORGED_TEXTS=1000000 tries 1,000,000 of them.
"""

from __future__ import annotations

import random
import string
import zlib
from typing import TYPE_CHECKING

import pytest

from keywright.domain import key_text
from keywright.domain.key_text import CHECKSUM_CHARACTERS, NotIssuedHere, checksum
from keywright.keys.outcome import UnknownKey
from keywright.keys.verification import verify
from keywright.store import pepper
from tests.support.costs import counted
from tests.support.depth import size
from tests.support.sample_keys import PREFIX, SampleKey

if TYPE_CHECKING:
    from tests.support.world import World

FORGED_TEXTS = size("FORGED_TEXTS", 3_000, full=200_000)
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
CHECKED = len(PREFIX) + key_text.NUMBER_CHARACTERS
"""Characters that the checksum covers."""
DIFFERENCES = {ord(one) ^ ord(other) for one in BASE62 + "_" for other in BASE62 + "_"} - {0}


@pytest.fixture
def key(world: World) -> str:
    """Return the text of a key that was issued here."""
    del world
    return SampleKey().text()


def decoded(text: str) -> object:
    """Decode a text with the right tag key."""
    return key_text.decode(text, PREFIX, pepper.keyring().tag_key)


def forged(draw: random.Random) -> str:
    """Return a text as a key has it, with any bytes behind the versions, but a tag of another pepper."""
    payload = bytes([key_text.FORMAT_VERSION, 1]) + draw.randbytes(key_text.PAYLOAD_BYTES - 2)
    return key_text.encode(PREFIX, payload, draw.randbytes(32))


def test_a_made_up_text_costs_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """GIVEN texts with the right checksum and a wrong tag THEN each is forged, without a read or a hash."""
    del world
    caplog.set_level("CRITICAL", logger="keywright")
    draw = random.Random(1)  # noqa: S311 - reproducible
    pepper.keyring()
    with counted() as costs:
        reasons = {decoded(forged(draw)) for _ in range(FORGED_TEXTS)}
        outcomes = {verify(forged(draw)) for _ in range(1_000)}

        assert ([], 0) == costs.spent()[:2]
    assert {NotIssuedHere.FORGED} == reasons
    assert {UnknownKey(NotIssuedHere.FORGED.value)} == outcomes


def test_every_single_mistake_is_caught(key: str) -> None:
    """GIVEN a key with any character of the alphabet at any place THEN it is mistyped, or not of this prefix."""
    for position, right in enumerate(key):
        for wrong in BASE62:
            if wrong != right:
                reason = decoded(key[:position] + wrong + key[position + 1 :])

                assert reason is (NotIssuedHere.MALFORMED if position < len(PREFIX) else NotIssuedHere.MISTYPED)


def test_every_two_mistakes_before_the_checksum_are_caught() -> None:
    """GIVEN any two characters of any key wrong THEN so is the checksum.

    A CRC is linear: the difference that a mistake makes to it depends on its place and on the difference of the
    characters alone. Two mistakes cancel each other only if they make the same difference. No two do.
    """
    none = zlib.crc32(bytes(CHECKED))
    made = [
        none ^ zlib.crc32(bytes(position) + bytes([difference]) + bytes(CHECKED - position - 1))
        for position in range(CHECKED)
        for difference in DIFFERENCES
    ]

    assert len(made) == len(set(made)) == CHECKED * len(DIFFERENCES)
    assert 0 not in made


def test_two_mistakes_around_the_checksum_are_caught(key: str) -> None:
    """GIVEN one mistake before the checksum of a key, and one or none in it THEN it is mistyped."""
    for position in range(len(PREFIX), CHECKED):
        for wrong in BASE62:
            if wrong != key[position]:
                right = checksum(key[:position] + wrong + key[position + 1 : CHECKED])
                unequal = sum(one != other for one, other in zip(right, key[CHECKED:], strict=True))

                assert unequal > 1


def test_every_two_mistakes_in_the_checksum_are_caught(key: str) -> None:
    """GIVEN any other six characters, such as with two mistakes THEN they are not the checksum."""
    ends = {
        key[CHECKED : CHECKED + first]
        + one
        + key[CHECKED + first + 1 : CHECKED + second]
        + other
        + key[CHECKED + second + 1 :]
        for first in range(CHECKSUM_CHARACTERS)
        for second in range(first + 1, CHECKSUM_CHARACTERS)
        for one in BASE62
        for other in BASE62
    } - {key[CHECKED:]}

    assert {NotIssuedHere.MISTYPED} == {decoded(key[:CHECKED] + end) for end in ends}


def test_swapped_neighbors_are_caught(key: str) -> None:
    """GIVEN two neighbors swapped anywhere THEN it is mistyped."""
    for position in range(len(PREFIX), len(key) - 1):
        one, other = key[position], key[position + 1]
        swapped = key[:position] + other + one + key[position + 2 :]

        assert one == other or decoded(swapped) is NotIssuedHere.MISTYPED
