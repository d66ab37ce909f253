"""What the text of a key says."""

from __future__ import annotations

from keywright import tokens
from keywright.store import peppers


def key_parts(text: str) -> tokens.KeyParts:
    """Read the text of a key that was issued here."""
    parts = tokens.parse(text, "kk_", peppers.keyring().tag_key)
    assert isinstance(parts, tokens.KeyParts), parts
    return parts
