"""Times in the format of the API."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

CLOCK_SECONDS = 300
"""Maximum difference between the clocks of the deployment and of this machine."""

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def moment(text: str) -> datetime:
    """Parse a time in a response, which must be in UTC with milliseconds."""
    assert _WRITTEN.fullmatch(text), text
    return datetime.fromisoformat(text)


def written(time: datetime) -> str:
    """Return a time in the format of responses."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_now(text: str) -> bool:
    """Return whether a time in a response is the present time, within CLOCK_SECONDS."""
    return abs(datetime.now(UTC) - moment(text)) < timedelta(seconds=CLOCK_SECONDS)


def in_the_future(**distance: float) -> str:
    """Return a time in the future."""
    return written(datetime.now(UTC) + timedelta(**distance))
