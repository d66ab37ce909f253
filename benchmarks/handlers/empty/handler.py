"""A function that does nothing: what Lambda's own runtime takes."""

from __future__ import annotations


def handler(_event: object, _context: object) -> dict[str, str]:
    """Answer."""
    return {}
