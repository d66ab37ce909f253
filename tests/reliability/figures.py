"""What was done to the service, in numbers."""

from __future__ import annotations

from collections import Counter

_total: Counter[str] = Counter()


def add(**numbers: int) -> None:
    """Add to them."""
    _total.update(numbers)


def total() -> dict[str, int]:
    """Give all of them."""
    return dict(_total)


def line() -> str:
    """Write them."""
    return "faults: " + ", ".join(f"{number:,} {name}" for name, number in sorted(_total.items()))
