"""A clock that only tests advance."""

from __future__ import annotations


class SteppedClock:
    """A clock that stands still until it is advanced; it replaces the `time` module."""

    def __init__(self) -> None:
        self.milliseconds = 1_780_000_000_123

    def time_ns(self) -> int:
        """Return nanoseconds since the Unix epoch."""
        return self.milliseconds * 1_000_000 + 456_789  # a fraction that no answer shows

    def time(self) -> float:
        """Return seconds since the Unix epoch."""
        return self.milliseconds / 1000

    def advance(self, *, seconds: float) -> None:
        """Advance the clock."""
        self.milliseconds += round(seconds * 1000)
