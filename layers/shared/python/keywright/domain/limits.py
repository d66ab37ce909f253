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
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from keywright.immutable import immutable

if TYPE_CHECKING:
    from uuid import UUID

SECOND = 1_000_000_000
"""In nanoseconds, the unit of all times here."""

HIGHEST_LIMIT = 10_000
LONGEST_WINDOW_SECONDS = 3_600
HIGHEST_QUOTA = 10**12
HIGHEST_COST = 10**6

_CLAIMED_AHEAD_ABOVE = 100
"""Uses a second. A partition takes 1,000 write units a second (DynamoDB Developer Guide, "Best practices for designing
and using partition keys effectively"). Far below that, claiming ahead is not needed."""
_CLAIMED_AHEAD_FROM_BURST = 100
"""From here on, the part of a burst below is two uses or more."""
_LATENESS_PARTS = 50
"""A claim is spent within this part of the time that a whole burst takes to come back: 2 %."""

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REMEMBERED_PERIODS = 16
"""Today's, tomorrow's and those in which they end, of each kind."""
_REMEMBERED_TEXTS = 2_000
"""Limits that were read, parsed: many keys have the same, and each verification reads them."""


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
        return _calendar_period(self, now // (86_400 * SECOND))


@immutable
class CalendarPeriod:
    """One day, week or month, or all of time.

    Attributes:
        name: as stored. Names of one kind of period sort by time.
        ends_at: None if it never ends.
    """

    name: str
    ends_at: int | None


@lru_cache(maxsize=_REMEMBERED_PERIODS)
def _calendar_period(period: Period, days: int) -> CalendarPeriod:
    """Return the period of the day that begins so many days after 1970 began."""
    if period is Period.TOTAL:
        return CalendarPeriod(period.value, None)
    midnight = _EPOCH + days * _DAY
    match period:
        case Period.WEEK:
            start = midnight - timedelta(days=midnight.weekday())
            end = start + 7 * _DAY
        case Period.MONTH:
            start = midnight.replace(day=1)
            end = (start + 31 * _DAY).replace(day=1)
        case _:
            start, end = midnight, midnight + _DAY
    return CalendarPeriod(f"{period.value} {start:%Y-%m-%d}", int(end.timestamp()) * SECOND)


@immutable
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

    @property
    def lateness(self) -> int:
        """How long after its claim a use may be spent if uses are claimed ahead; 0 for rates that gain nothing."""
        is_fast = self.limit > _CLAIMED_AHEAD_ABOVE * self.window_seconds
        return (
            self.burst * self.interval // _LATENESS_PARTS if is_fast and self.burst >= _CLAIMED_AHEAD_FROM_BURST else 0
        )

    def as_json(self) -> dict[str, int]:
        """Return the rate as the API shows it."""
        return {"limit": self.limit, "windowSeconds": self.window_seconds, "burst": self.burst}

    def stored(self) -> str:
        """Return the text of the rate in the table."""
        return json.dumps(self.as_json(), separators=(",", ":"))

    @classmethod
    @lru_cache(maxsize=_REMEMBERED_TEXTS)
    def parse(cls, text: str) -> RateLimit:
        """Parse what `stored` wrote."""
        fields = json.loads(text)
        return cls(fields["limit"], fields["windowSeconds"], fields["burst"])


@immutable
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
    @lru_cache(maxsize=_REMEMBERED_TEXTS)
    def parse(cls, text: str) -> Quota:
        """Parse what `stored` wrote."""
        fields = json.loads(text)
        return cls(fields["limit"], Period(fields["period"]))


@immutable
class Limits:
    """The limits of one key or organization: a rate, a quota or both.

    Attributes:
        holder_id: of the key or organization.
        of: whose they are, for answers and logs.
        read_at: a time before they were read, in nanoseconds since 1970.
    """

    holder_id: UUID
    of: str
    rate: RateLimit | None = None
    quota: Quota | None = None
    read_at: int = 0

    @property
    def lateness(self) -> int:
        """How long after its claim a use may be spent; 0 if each use is claimed for itself, as those of a quota are."""
        return self.rate.lateness if self.rate is not None and self.quota is None else 0

    @property
    def span(self) -> int:
        """How far `tat` may lie ahead of now: a burst, less the lateness (keys/leases.py)."""
        return self.rate.burst * self.rate.interval - self.lateness if self.rate is not None else 0
