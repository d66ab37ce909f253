"""Finding keys in other text, as scanners for leaked secrets do: by a regular expression, then by the checksum."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keywright.domain import key_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGINNING = "0[E-S]"
"""The characters behind the prefix, which encode the format version."""
_BEFORE = r"(?:\b|_|\\[nrt]|(?:\\u00|%)[0-9A-Fa-f]{2})"
r"""A boundary. `\n`, `\u0022` and `%3D` end in a letter or digit, and are none to `\b`."""
_AFTER = r"(?:\b|_)"


def key_pattern(prefix: str) -> str:
    """Return a regular expression of the text of a key, for scanners that have settings for what surrounds it."""
    return f"{prefix}{_BEGINNING}[0-9A-Za-z]{{{key_text.TEXT_CHARACTERS - 2}}}"


def pattern(prefix: str) -> str:
    """Return a regular expression that finds keys in text, for RE2 and Python: the key is group 1."""
    return f"{_BEFORE}({key_pattern(prefix)}){_AFTER}"


def find(text: str, prefix: str) -> Iterator[tuple[str, int]]:
    """Find what has the form of a key; return each with its position."""
    for match in re.finditer(pattern(prefix), text, re.ASCII):  # \b as in RE2
        yield match[1], match.start(1)


def is_key(text: str) -> bool:
    """Return whether a text has the checksum of a key. Only the pepper proves that it was issued."""
    return key_text.claimed(text) is not None
