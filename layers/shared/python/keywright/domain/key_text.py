"""The text of an API key: 64 bytes in base62 behind a prefix.

    kk_ + 86 characters =  1  format version       always 1
                           1  pepper version       which pepper the tag and the hash are keyed with
                          16  organization UUID
                          16  key UUID
                           2  generation           rotations so far, big-endian
                          22  secret               176 random bits
                           6  tag                  of the 58 bytes before it

The ids make verification one read by primary key; the tag makes a forged or mistyped key cost no read at all.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT_VERSION = 1
SECRET_BYTES = 22
TAG_BYTES = 6
PAYLOAD_BYTES = 58
TEXT_CHARACTERS = 86
MAX_GENERATION = 0xFFFF
HINT_CHARACTERS = 4

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_KEY_BYTES = PAYLOAD_BYTES + TAG_BYTES
_END = 1 << 8 * _KEY_BYTES


class NotIssuedHere(StrEnum):
    """Why a text is not a key of this service; for the log."""

    MALFORMED = "malformed"
    """Another prefix, length, alphabet or format: no key was ever written like this."""
    UNKNOWN_PEPPER_VERSION = "unknown pepper version"
    FORGED = "wrong tag"
    """It has the form of a key, and somebody has made it up or mistyped it."""


@dataclass(frozen=True, slots=True)
class KeyParts:
    """What a key's text says once its tag has been checked.

    Attributes:
        payload: the 58 bytes that the tag and the hash cover; secret, so never shown by repr.
    """

    pepper_version: int
    organization_id: uuid.UUID
    key_id: uuid.UUID
    generation: int
    payload: bytes = field(repr=False)


def payload(
    *, pepper_version: int, organization_id: uuid.UUID, key_id: uuid.UUID, generation: int, secret: bytes
) -> bytes:
    """Lay out the 58 bytes before the tag.

    Raises:
        ValueError: a number does not fit its field, or the secret does not have 22 bytes.
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
        raise ValueError("pepper versions fit 1 byte and generations 2") from None


def encode(prefix: str, payload: bytes, tag_key: bytes) -> str:
    """Write the text of a key: the prefix and 86 base62 characters."""
    number = int.from_bytes(payload + _tag(payload, tag_key))
    characters = []
    for _ in range(TEXT_CHARACTERS):
        number, value = divmod(number, 62)
        characters.append(_ALPHABET[value])
    return prefix + "".join(reversed(characters))


def parse(  # noqa: PLR0911 - one for each thing that can be wrong
    text: str, prefix: str, tag_key: Callable[[int], bytes | None]
) -> KeyParts | NotIssuedHere:
    """Read the text of a key and check its tag, without any input or output.

    Args:
        text: what the caller presented.
        prefix: the configured prefix; nothing else is accepted before the 86 characters.
        tag_key: gives the tag key of a pepper version, or None for a version that does not exist.

    Returns:
        The parts, or why the text was not issued here.
    """
    if len(text) != len(prefix) + TEXT_CHARACTERS or not text.startswith(prefix):
        return NotIssuedHere.MALFORMED
    number = 0
    for character in text[len(prefix) :]:
        value = _VALUES.get(character)
        if value is None:
            return NotIssuedHere.MALFORMED
        number = number * 62 + value
    if number >= _END:
        return NotIssuedHere.MALFORMED
    key = number.to_bytes(_KEY_BYTES)
    content, tag = key[:PAYLOAD_BYTES], key[PAYLOAD_BYTES:]
    if content[0] != FORMAT_VERSION:
        return NotIssuedHere.MALFORMED
    version_tag_key = tag_key(content[1])
    if version_tag_key is None:
        return NotIssuedHere.UNKNOWN_PEPPER_VERSION
    if not hmac.compare_digest(tag, _tag(content, version_tag_key)):
        return NotIssuedHere.FORGED
    return KeyParts(
        pepper_version=content[1],
        organization_id=uuid.UUID(bytes=content[2:18]),
        key_id=uuid.UUID(bytes=content[18:34]),
        generation=int.from_bytes(content[34:36]),
        payload=content,
    )


def hint(text: str, prefix: str) -> str:
    """Give what people may see of a key later: its prefix and its last four characters.

    They depend on all 64 bytes, but give no more away than 24 bits of the tag do: they are the key modulo 62**4.
    """
    return f"{prefix}...{text[-HINT_CHARACTERS:]}"


def _tag(payload: bytes, tag_key: bytes) -> bytes:
    return hmac.digest(tag_key, payload, "sha256")[:TAG_BYTES]
