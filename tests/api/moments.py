"""Times as the service writes them, and what time it may be there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

CLOCK_SECONDS = 300
"""The maximum difference between the deployment's clock and ours."""

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def moment(text: str) -> datetime:
    """Read a time of an answer, which must be in UTC with milliseconds."""
    assert _WRITTEN.fullmatch(text), text
    return datetime.fromisoformat(text)


def written(time: datetime) -> str:
    """Write a time as answers have it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_now(text: str) -> bool:
    """Return whether a time in an answer is about now."""
    return abs(datetime.now(UTC) - moment(text)) < timedelta(seconds=CLOCK_SECONDS)


def in_the_future(**distance: float) -> str:
    """Return a time in the future."""
    return written(datetime.now(UTC) + timedelta(**distance))
