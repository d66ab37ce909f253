"""A function that does nothing: the minimum of the Lambda runtime."""

from __future__ import annotations


def handler(_event: object, _context: object) -> dict[str, str]:
    """Return an empty answer."""
    return {}
