"""Counts of requests, faults and violations."""

from __future__ import annotations

from collections import Counter

_total: Counter[str] = Counter()


def add(**numbers: int) -> None:
    """Add to the counts."""
    _total.update(numbers)


def total() -> dict[str, int]:
    """Return all counts."""
    return dict(_total)


def line() -> str:
    """Return the counts as one line."""
    return "faults: " + ", ".join(f"{number:,} {name}" for name, number in sorted(_total.items()))
