"""The text of an API key: 64 bytes in base62 between a prefix and a checksum.

    kk_ + 86 characters =  1  format version       always 1
                           1  pepper version       which pepper the tag and the hash are keyed with
                          16  organization UUID
                          16  key UUID
                           2  generation           number of rotations, big-endian
                          22  secret               176 random bits
                           6  tag                  of the 58 bytes before it
        +  6 characters =  checksum                CRC-32 of all characters before it, prefix included

With the ids, a verification reads by primary key. With the tag, a forged key costs no read at all: it is keyed with the
pepper. With the checksum, anyone can tell a key from other text without the pepper, as scanners for leaked keys do; it
is that of gzip and PNG (ISO-HDLC), written in base62 with leading zeros.
"""

from __future__ import annotations

import hmac
import uuid
import zlib
from enum import StrEnum
from typing import TYPE_CHECKING

from keywright.immutable import field, immutable

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT_VERSION = 1
SECRET_BYTES = 22
TAG_BYTES = 6
PAYLOAD_BYTES = 58
NUMBER_CHARACTERS = 86
CHECKSUM_CHARACTERS = 6
TEXT_CHARACTERS = NUMBER_CHARACTERS + CHECKSUM_CHARACTERS
"""Characters behind the prefix."""
MAX_GENERATION = 0xFFFF
HINT_CHARACTERS = 4

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_KEY_BYTES = PAYLOAD_BYTES + TAG_BYTES
_NUMBERS = 1 << 8 * _KEY_BYTES


class NotIssuedHere(StrEnum):
    """Reason why a text is not a key of this service, for the log."""

    MALFORMED = "malformed"
    """The text has another prefix, length, alphabet or format than a key."""
    MISTYPED = "wrong checksum"
    """The text has the form of a key, and one of its characters is wrong."""
    UNKNOWN_PEPPER_VERSION = "unknown pepper version"
    FORGED = "wrong tag"
    """The text has the form and the checksum of a key, and was made up."""


@immutable
class KeyParts:
    """The parts of a key's text, after its tag was checked.

    Attributes:
        payload: the 58 bytes that the tag and the hash cover. They include the secret, so repr omits them.
    """

    pepper_version: int
    organization_id: uuid.UUID
    key_id: uuid.UUID
    generation: int
    payload: bytes = field(repr=False)


def payload(
    *, pepper_version: int, organization_id: uuid.UUID, key_id: uuid.UUID, generation: int, secret: bytes
) -> bytes:
    """Return the 58 bytes before the tag.

    Raises:
        ValueError: a number does not fit into its field, or the secret has not 22 bytes.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError("the secret must have 22 bytes")
    try:
        return b"".join(
            (
                FORMAT_VERSION.to_bytes(1),
                pepper_version.to_bytes(1),
                organization_id.bytes,
                key_id.bytes,
                generation.to_bytes(2),
                secret,
            )
        )
    except OverflowError:
        raise ValueError("the pepper version must fit into 1 byte, the generation into 2") from None


def encode(prefix: str, payload: bytes, tag_key: bytes) -> str:
    """Return the text of a key: the prefix and 92 base62 characters."""
    unchecked = prefix + _base62(int.from_bytes(payload + _tag(payload, tag_key)), NUMBER_CHARACTERS)
    return unchecked + checksum(unchecked)


def checksum(text: str) -> str:
    """Return the checksum of the characters before it, all of ASCII."""
    return _base62(zlib.crc32(text.encode("ascii")), CHECKSUM_CHARACTERS)


def decode(text: str, prefix: str, tag_key: Callable[[int], bytes | None]) -> KeyParts | NotIssuedHere:
    """Decode the text of a key and check its tag. Reads nothing.

    Args:
        text: the text that the caller presented; any text.
        prefix: the configured prefix, the only one that is accepted.
        tag_key: returns the tag key of a version of the pepper, or None for a version that does not exist.

    Returns:
        The parts, or the reason why the text was not issued here.
    """
    decoded = _decoded(text, prefix)
    if isinstance(decoded, NotIssuedHere):
        return decoded
    payload, tag = decoded[:PAYLOAD_BYTES], decoded[PAYLOAD_BYTES:]
    pepper_version = payload[1]
    key = tag_key(pepper_version)
    if key is None:
        return NotIssuedHere.UNKNOWN_PEPPER_VERSION
    if not hmac.compare_digest(tag, _tag(payload, key)):
        return NotIssuedHere.FORGED
    return KeyParts(
        pepper_version=pepper_version,
        organization_id=uuid.UUID(bytes=payload[2:18]),
        key_id=uuid.UUID(bytes=payload[18:34]),
        generation=int.from_bytes(payload[34:36]),
        payload=payload,
    )


@immutable
class ClaimedKey:
    """The key that a text names. Its tag was not checked: anyone can write such a text."""

    organization_id: uuid.UUID
    key_id: uuid.UUID
    generation: int


def claimed(text: str) -> ClaimedKey | None:
    """Return the key that a text with any prefix names, without the pepper; None if it has not the form of a key."""
    prefix = text[:-TEXT_CHARACTERS]
    decoded = _decoded(text, prefix) if prefix.endswith("_") else NotIssuedHere.MALFORMED
    if isinstance(decoded, NotIssuedHere):
        return None
    return ClaimedKey(uuid.UUID(bytes=decoded[2:18]), uuid.UUID(bytes=decoded[18:34]), int.from_bytes(decoded[34:36]))


def hint(text: str, prefix: str) -> str:
    """Return the part of a key's text that may be shown later: its prefix and its last four characters.

    They are part of the checksum, so they depend on all characters, and disclose 24 bits of the 224 of secret and tag.
    """
    return f"{prefix}...{text[-HINT_CHARACTERS:]}"


def _tag(payload: bytes, tag_key: bytes) -> bytes:
    return hmac.digest(tag_key, payload, "sha256")[:TAG_BYTES]


def _decoded(text: str, prefix: str) -> bytes | NotIssuedHere:
    """Return the 64 bytes of a text, of which only the checksum and the format version are checked."""
    if not text.startswith(prefix) or len(text) != len(prefix) + TEXT_CHARACTERS or not text.isascii():
        return NotIssuedHere.MALFORMED
    if checksum(text[:-CHECKSUM_CHARACTERS]) != text[-CHECKSUM_CHARACTERS:]:
        return NotIssuedHere.MISTYPED
    decoded = _base62_bytes(text[len(prefix) : -CHECKSUM_CHARACTERS])
    return NotIssuedHere.MALFORMED if decoded is None or decoded[0] != FORMAT_VERSION else decoded


def _base62(number: int, length: int) -> str:
    """Return so many base62 characters of a number, the most significant first."""
    characters = []
    for _ in range(length):
        number, value = divmod(number, 62)
        characters.append(_ALPHABET[value])
    return "".join(reversed(characters))


def _base62_bytes(characters: str) -> bytes | None:
    """Return the 64 bytes that 86 base62 characters encode, or None if they encode none."""
    number = 0
    for character in characters:
        value = _VALUES.get(character)
        if value is None:
            return None
        number = number * 62 + value
    return number.to_bytes(_KEY_BYTES) if number < _NUMBERS else None
