"""Mutated keys: all get the same refusal, without a read or a hash.

MUTATIONS=1000000 tries 1,000,000 of them.
"""

from __future__ import annotations

import logging
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keywright.domain import key_text
from keywright.keys.outcome import Code, UnknownKey
from keywright.keys.verification import verify
from tests.support.client import REQUEST_ID
from tests.support.costs import counted
from tests.support.depth import size
from tests.support.sample_keys import PREFIX, SampleKey
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.client import Call
    from tests.support.world import Table, World

MUTATIONS = size("MUTATIONS", 3_000, full=200_000)
KEYS = (
    SampleKey(),
    SampleKey(key_id=nth_id(2), generation=1, secret="the-secret-of-another-"),
    SampleKey(organization_id=OTHER_ORGANIZATION_ID, key_id=nth_id(3), secret="that-of-a-third-one-xx"),
)
REASONS = ("malformed", "wrong checksum", "wrong tag", "unknown pepper version")
FIELDS = {"organization": (2, 18), "id": (18, 34), "generation": (34, 36), "secret": (36, 58), "tag": (58, 64)}
# Greek, Cyrillic, full-width and mathematical characters.
LOOK_ALIKES = {
    "0": "Oo\u041e\u03bf\u3007\U0001d7ce",
    "1": "lI\u0406\U0001d7cf",
    "A": "\u0410\u0391\uff21\U0001d400",
    "B": "\u0412\u0392\uff22",
    "C": "\u0421\u03f9\uff23",
    "E": "\u0415\u0395\uff25",
    "K": "\u041a\u039a\uff2b",
    "a": "\u0430\u0251\uff41",
    "c": "\u0441\u03f2\uff43",
    "e": "\u0435\uff45",
    "i": "\u0456\uff49",
    "k": "\u043a\uff4b",
    "o": "\u043e\u03bf\uff4f0",
    "p": "\u0440\uff50",
    "x": "\u0445\uff58",
    "_": "\uff3f-\u2017",
}
PREFIXES = [
    "",
    "k",
    "kk",
    "kk-",
    "KK_",
    "Kk_",
    "sk_",
    "kk__",
    "xkk_",
    " kk_",
    "kk_kk_",
    "\uff4b\uff4b_",
    "Bearer kk_",
    "\u200bkk_",
]

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def read(text: str) -> bytes:
    """Decode the 64 bytes of a key."""
    number = 0
    for character in text.removeprefix(PREFIX)[:86]:
        number = number * 62 + _ALPHABET.index(character)
    return number.to_bytes(64)


def write(content: bytes) -> str:
    """Encode 64 bytes as the text of a key, with any tag and the right checksum."""
    number, characters = int.from_bytes(content), []
    for _ in range(86):
        number, value = divmod(number, 62)
        characters.append(_ALPHABET[value])
    return checked(PREFIX + "".join(reversed(characters)))


def checked(text: str) -> str:
    """Return a text with its checksum."""
    return text + key_text.checksum(text)


def flipped(draw: random.Random, texts: list[str]) -> str:
    """Flip one or more bits of the 64 bytes."""
    content = int.from_bytes(read(draw.choice(texts)))
    for _ in range(draw.choice([1, 1, 1, 2, 3, 20])):
        content ^= 1 << draw.randrange(512)
    return write(content.to_bytes(64))


def cut(draw: random.Random, texts: list[str]) -> str:
    """Remove characters from the end, the beginning or the middle."""
    text = draw.choice(texts)
    start = draw.randrange(len(text))
    return text[:start] + text[draw.randint(start + 1, len(text)) :]


def lengthened(draw: random.Random, texts: list[str]) -> str:
    """Insert characters: of the alphabet, white space, or others."""
    text = draw.choice(texts)
    at = draw.randint(0, len(text))
    added: str = draw.choice([*_ALPHABET, " ", "\n", "\0", "=", "\u200d", "\ufeff", "é", "0" * 92])
    return text[:at] + added + text[at:]


def mistyped(draw: random.Random, texts: list[str]) -> str:
    """Replace a character, swap two neighbors, or change the case."""
    text = draw.choice(texts)
    at = draw.randrange(len(PREFIX), len(text) - 1)
    replacement: str = draw.choice(
        [draw.choice(_ALPHABET) + text[at + 1], text[at + 1] + text[at], text[at : at + 2].swapcase()]
    )
    return text[:at] + replacement + text[at + 2 :]


def crossed(draw: random.Random, texts: list[str]) -> str:
    """Replace one or more fields by those of another key."""
    one, other = draw.sample(texts, 2)
    content, donor = bytearray(read(one)), read(other)
    for name in draw.sample(sorted(FIELDS), draw.choice([1, 1, 1, 2, 3])):
        start, end = FIELDS[name]
        content[start:end] = donor[start:end]
    return write(bytes(content))


def spliced(draw: random.Random, texts: list[str]) -> str:
    """Join the beginning of one text and the end of another."""
    one, other = draw.sample(texts, 2)
    at = draw.randrange(len(PREFIX) + 1, len(one))
    return one[:at] + other[at:]


def looking_alike(draw: random.Random, texts: list[str]) -> str:
    """Replace one or more characters by look-alikes."""
    text = draw.choice(texts)
    places = [at for at, character in enumerate(text) if character in LOOK_ALIKES]
    changed = list(text)
    for at in draw.sample(places, draw.randint(1, min(3, len(places)))):
        changed[at] = draw.choice(LOOK_ALIKES[changed[at]])
    return "".join(changed)


def checked_again(draw: random.Random, texts: list[str]) -> str:
    """Replace characters, and the checksum by that of the others, as who makes up a key would."""
    text = mistyped(draw, [text[:-6] for text in texts])
    return checked(text)


def prefixed(draw: random.Random, texts: list[str]) -> str:
    """Replace the prefix."""
    text = draw.choice(PREFIXES) + draw.choice(texts).removeprefix(PREFIX)
    return checked(text[:-6]) if text.isascii() else text


MUTATIONS_OF_A_KEY = [flipped, cut, lengthened, mistyped, crossed, spliced, looking_alike, prefixed, checked_again]


def mutated(seed: int, texts: list[str]) -> Iterator[str]:
    """Yield mutations of these keys without end, as many of each kind."""
    draw = random.Random(seed)  # noqa: S311 - reproducible
    while True:
        for mutation in MUTATIONS_OF_A_KEY:
            text = mutation(draw, texts)
            if text not in texts:
                yield text


@pytest.fixture
def texts(world: World) -> list[str]:
    """Three valid keys of two organizations."""
    table: Table = world.table
    for organization_id in (ORGANIZATION_ID, OTHER_ORGANIZATION_ID):
        table.put_organization(organization_id)
    valid = [key.put(table) for key in KEYS]
    assert [Code.VALID] * 3 == [verify(text).code for text in valid]
    return valid


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Discard the log lines of the verifications."""
    caplog.set_level(logging.WARNING, logger="keywright")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        yield
        monkeypatch.undo()


@pytest.mark.usefixtures("quiet")
def test_every_mutated_key_is_refused(texts: list[str]) -> None:
    """A mutated key is NOT_FOUND, without a request to DynamoDB and without a hash."""
    mutations = mutated(1, texts)
    with counted() as costs:
        outcomes = {verify(next(mutations)) for _ in range(MUTATIONS)}

        assert ([], 0) == costs.spent()[:2]
    assert {UnknownKey(reason) for reason in REASONS} == outcomes


def test_all_mutated_keys_get_the_same_answer(texts: list[str], functions: Callable[[str], Call]) -> None:
    """The answer equals that for an unknown key, byte for byte."""
    call, mutations = functions("verify_api_key"), mutated(2, texts)
    unknown = call({"key": SampleKey(key_id=nth_id(9)).text()})

    answers = [call({"key": next(mutations)}) for _ in range(max(100, MUTATIONS // 100))]

    assert {
        "statusCode": 200,
        "headers": {"content-type": "application/json", "cache-control": "no-store", "x-request-id": REQUEST_ID},
        "body": '{"data":{"valid":false,"code":"NOT_FOUND"},"error":null}',
    } == unknown
    assert not [answer for answer in answers if answer != unknown]


def test_mutated_keys_with_valid_tags_are_refused(texts: list[str]) -> None:
    """Tags alone do not help without the secret: one read, and NOT_FOUND. That of an earlier text counts as its use."""
    draw = random.Random(3)  # noqa: S311 - reproducible
    keyring = SampleKey()._keys()
    with counted() as costs:
        for _ in range(MUTATIONS // 100):
            payload = bytearray(read(crossed(draw, texts))[:58])
            payload[draw.randrange(2, 58)] ^= 1 << draw.randrange(8)
            text = key_text.encode(PREFIX, bytes(payload), keyring.tag_key)
            if text in texts:  # one flipped bit can undo what was crossed
                continue

            assert isinstance(verify(text), UnknownKey)
            assert costs.spent()[0] in (["BatchGetItem"], ["BatchGetItem", "UpdateItem"])


def test_mutations_reach_every_check(texts: list[str]) -> None:
    """Mutations of each kind fail the checks of the form, the tag and the version."""
    samples: dict[str, set[str]] = {}
    draw = random.Random(4)  # noqa: S311 - reproducible
    for mutation in MUTATIONS_OF_A_KEY:
        mutants = [mutation(draw, texts) for _ in range(300)]
        samples[mutation.__name__] = {verify(text).reason for text in mutants if text not in texts}

    assert read(write(read(texts[0]))) == read(texts[0])
    assert {"wrong tag", "unknown pepper version", "malformed"} == samples["flipped"]
    assert {"malformed"} == samples["cut"] == samples["lengthened"] == samples["prefixed"]
    assert {"wrong tag"} == samples["crossed"]
    assert {"malformed", "wrong checksum"} >= samples["looking_alike"] >= {"malformed"}
    assert {"wrong checksum"} == samples["mistyped"] == samples["spliced"]
    assert "wrong tag" in samples["checked_again"]
