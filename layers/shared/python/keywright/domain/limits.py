"""Limits of keys and organizations: a rate (GCRA), and a quota for each period of the UTC calendar.

The generic cell rate algorithm (ITU-T I.371, annex A, virtual scheduling) keeps one number: the theoretical arrival
time of the next use, `tat`. Each use moves it by one interval, and a use is admitted if it then lies at most a burst of
intervals ahead of now:

    now                              now + burst * interval
     |--------|--------|--------|--------|                    interval = window / limit
              used     used     tat      free

So within any time t at most `burst + t / interval` uses are admitted. Times are whole nanoseconds since 1970, because
an interval in milliseconds would not be whole: 9,999 a second would lose a percent. The interval is rounded up, which
admits at most one use in 10^5 too few and none too many.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

SECOND = 1_000_000_000
"""In nanoseconds, the unit of all times here."""

HIGHEST_LIMIT = 10_000
LONGEST_WINDOW_SECONDS = 3_600
HIGHEST_QUOTA = 10**12
HIGHEST_COST = 10**6

_DAY = timedelta(days=1)


class Period(StrEnum):
    """How often a quota starts anew, by the UTC calendar."""

    DAY = "day"
    WEEK = "week"
    """From Monday on."""
    MONTH = "month"
    TOTAL = "total"
    """Never."""

    def containing(self, now: int) -> CalendarPeriod:
        """Return the period of a time."""
        if self is Period.TOTAL:
            return CalendarPeriod(self.value, None)
        midnight = datetime.fromtimestamp(now // SECOND, UTC).replace(hour=0, minute=0, second=0)
        match self:
            case Period.WEEK:
                start = midnight - timedelta(days=midnight.weekday())
                end = start + 7 * _DAY
            case Period.MONTH:
                start = midnight.replace(day=1)
                end = (start + 31 * _DAY).replace(day=1)
            case _:
                start, end = midnight, midnight + _DAY
        return CalendarPeriod(f"{self.value} {start:%Y-%m-%d}", int(end.timestamp()) * SECOND)


@dataclass(frozen=True, slots=True)
class CalendarPeriod:
    """One day, week or month, or all of time.

    Attributes:
        name: as stored. Names of one kind of period sort by time.
        ends_at: None if it never ends.
    """

    name: str
    ends_at: int | None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A rate.

    Attributes:
        limit: uses in a window, on average; from 1 to HIGHEST_LIMIT.
        window_seconds: from 1 to LONGEST_WINDOW_SECONDS.
        burst: uses at once, after enough rest; from 1 to `limit`.
    """

    limit: int
    window_seconds: int
    burst: int

    @property
    def interval(self) -> int:
        """The time of one use, rounded up."""
        return -(-self.window_seconds * SECOND // self.limit)

    def latest(self, now: int, cost: int) -> int:
        """Return the latest `tat` with which a use is admitted; before `now` if it never is."""
        return now + (self.burst - cost) * self.interval

    def remaining(self, now: int, tat: int) -> int:
        """Return how many uses would be admitted at once."""
        return max(0, (now + self.burst * self.interval - max(tat, now)) // self.interval)

    def as_json(self) -> dict[str, int]:
        """Return the rate as the API shows it."""
        return {"limit": self.limit, "windowSeconds": self.window_seconds, "burst": self.burst}

    def stored(self) -> str:
        """Return the text of the rate in the table."""
        return json.dumps(self.as_json(), separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> RateLimit:
        """Parse what `stored` wrote."""
        fields = json.loads(text)
        return cls(fields["limit"], fields["windowSeconds"], fields["burst"])


@dataclass(frozen=True, slots=True)
class Quota:
    """A number of uses in each period, from 1 to HIGHEST_QUOTA."""

    limit: int
    period: Period

    def as_json(self) -> dict[str, int | str]:
        """Return the quota as the API shows it."""
        return {"limit": self.limit, "period": self.period.value}

    def stored(self) -> str:
        """Return the text of the quota in the table."""
        return json.dumps(self.as_json(), separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Quota:
        """Parse what `stored` wrote."""
        fields = json.loads(text)
        return cls(fields["limit"], Period(fields["period"]))


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one key or organization: a rate, a quota or both.

    Attributes:
        holder_id: of the key or organization.
        of: whose they are, for answers and logs.
    """

    holder_id: UUID
    of: str
    rate: RateLimit | None = None
    quota: Quota | None = None
