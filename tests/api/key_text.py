"""The parts of a key's text, read without any secret."""

from __future__ import annotations

import re
import secrets
import time
import uuid

_KEY = re.compile(r"([a-z][a-z0-9_]{0,18}_)([0-9A-Za-z]{92})")
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def key_bytes(text: str) -> bytes:
    """Decode the 64 bytes of a key."""
    number = 0
    for character in _parts(text)[1][:-6]:
        number = number * 62 + _ALPHABET.index(character)
    return number.to_bytes(64)


def generation(text: str) -> int:
    """Return the generation in a key's text."""
    return int.from_bytes(key_bytes(text)[34:36])


def hint(text: str) -> str:
    """Return the hint of a key: its prefix and last four characters."""
    prefix, rest = _parts(text)
    return f"{prefix}...{rest[-4:]}"


def unused_id() -> str:
    """Return the id of no key: a UUID of version 7 of the present time."""
    return str(uuid.UUID(int=time.time_ns() // 1_000_000 << 80 | 0x7 << 76 | 0b10 << 62 | secrets.randbits(62)))


def _parts(text: str) -> tuple[str, str]:
    match = _KEY.fullmatch(text)
    assert match
    return match[1], match[2]
