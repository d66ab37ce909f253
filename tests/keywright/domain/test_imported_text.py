"""Texts of keys that were issued elsewhere."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.domain import imported_text, key_text
from keywright.domain.imported_text import Algorithm

ORGANIZATION, KEY = uuid.UUID(int=1 << 127), uuid.UUID(int=1)
TEXT = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 7, False),
        ("a" * 8, True),
        ("a" * 512, True),
        ("a" * 513, False),
        ("with a space", True),
        ("with\ta tab", False),
        ("with\x00zero", False),
        ("with-\xfcmlaut", False),
        ("with-\ud800-half", False),
    ],
)
def test_texts_that_may_be_imported(text: str, expected: bool) -> None:  # noqa: FBT001 - a case
    """Printable ASCII of 8 to 512 characters: what a header can carry."""
    assert expected == imported_text.may_be_imported(text)


def test_hashes_are_those_of_other_issuers() -> None:
    """SHA-256 and SHA-512 of the whole text (FIPS 180-4, example "abc")."""
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    assert sha256 == imported_text.hash_of("abc", Algorithm.SHA256).hex()
    assert imported_text.hash_of("abc", Algorithm.SHA512).hex().startswith("ddaf35a193617abacc417349ae204131")
    assert [32, 64] == [each.hash_bytes for each in Algorithm]


@given(st.binary(min_size=32, max_size=64))
def test_a_digest_depends_on_the_pepper(hash_: bytes) -> None:
    """The digest in the table is never the hash itself, and another pepper gives another one."""
    digest = imported_text.digest_of(hash_, b"k" * 32)

    assert 64 == len(digest)
    assert hash_.hex() != digest != imported_text.digest_of(hash_, b"l" * 32)


def test_a_payload_covers_ids_and_hash() -> None:
    """Another organization, key, pepper version or text gives another payload, never one of a key issued here."""
    payloads = {
        imported_text.parts(version, organization, key, hash_).payload
        for version in (1, 2)
        for organization in (ORGANIZATION, KEY)
        for key in (ORGANIZATION, KEY)
        for hash_ in (bytes(32), bytes(64))
    }

    assert 16 == len(payloads)
    assert {0} == {payload[0] for payload in payloads}
    assert key_text.FORMAT_VERSION != 0


def test_parts_name_the_first_generation() -> None:
    """An imported text has generation 0, and repr shows no part of its hash."""
    parts = imported_text.parts(3, ORGANIZATION, KEY, b"\xab" * 32)

    assert imported_text.parts(3, ORGANIZATION, KEY, bytes(32)) != parts
    assert 3 == parts.pepper_version
    assert ORGANIZATION == parts.organization_id
    assert KEY == parts.key_id
    assert 0 == parts.generation
    assert "payload" not in repr(parts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT, "...p7dc"),
        ("a" * 16 + "wxyz", "...wxyz"),
        ("a" * 15 + "wxyz", "imported...0123"),
        ("shorties", "imported...0123"),
        (None, "imported...0123"),
    ],
)
def test_hints(text: str | None, expected: str) -> None:
    """Four characters of a text that has enough others; otherwise four of the keyed digest, which disclose nothing."""
    assert expected == imported_text.hint(text, "0123456789abcdef" * 4)
