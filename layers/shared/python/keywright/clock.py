"""Times in the form that Keywright writes: RFC 3339 in UTC with milliseconds, so that texts sort like times."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)


def now() -> datetime:
    """Return the current time, in UTC, to the microsecond."""
    microseconds = time.time_ns() // 1000
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC) + timedelta(microseconds=microseconds % 1_000_000)


def now_ns() -> int:
    """Return the current time in whole nanoseconds since 1970, to the microsecond."""
    return (now() - _EPOCH) // _MICROSECOND * 1000


def after(moment: datetime) -> datetime:
    """Return the current time, or a millisecond after another time if that is later.

    So successive changes of an item have increasing times, even if the clocks of two machines differ.
    """
    return max(now(), moment + _MILLISECOND)


def rfc3339(moment: datetime) -> str:
    """Write a time as `2026-01-31T12:34:56.789Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime | None:
    """Parse a time of RFC 3339, section 5.6, cut to milliseconds. Return None for any other text.

    `datetime.fromisoformat` alone would also accept week dates, times without a zone and more.
    """
    if not _RFC3339.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def stored(text: str) -> datetime:
    """Parse a time that `rfc3339` wrote."""
    return datetime.fromisoformat(text)
