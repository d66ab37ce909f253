"""Rates, quotas and the periods of the UTC calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.domain.limits import HIGHEST_LIMIT, LONGEST_WINDOW_SECONDS, SECOND, Limits, Period, Quota, RateLimit

rates = st.builds(
    lambda limit, window, burst: RateLimit(limit, window, min(burst, limit)),
    st.integers(1, HIGHEST_LIMIT),
    st.integers(1, LONGEST_WINDOW_SECONDS),
    st.integers(1, HIGHEST_LIMIT),
)


def at(text: str) -> int:
    """Return a time in nanoseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("period", "now", "name", "ends_at"),
    [
        (Period.DAY, "2026-12-31T23:59:59", "day 2026-12-31", "2027-01-01"),
        (Period.DAY, "2028-02-28T00:00:00", "day 2028-02-28", "2028-02-29"),
        (Period.DAY, "2028-02-29T12:00:00", "day 2028-02-29", "2028-03-01"),
        (Period.DAY, "2026-02-28T12:00:00", "day 2026-02-28", "2026-03-01"),
        (Period.WEEK, "2026-11-29T23:59:59", "week 2026-11-23", "2026-11-30"),  # a Sunday
        (Period.WEEK, "2026-11-30T00:00:00", "week 2026-11-30", "2026-12-07"),
        (Period.WEEK, "2027-01-01T00:00:00", "week 2026-12-28", "2027-01-04"),
        (Period.WEEK, "2028-03-01T00:00:00", "week 2028-02-28", "2028-03-06"),
        (Period.MONTH, "2028-02-29T23:59:59", "month 2028-02-01", "2028-03-01"),
        (Period.MONTH, "2026-02-01T00:00:00", "month 2026-02-01", "2026-03-01"),
        (Period.MONTH, "2026-01-31T00:00:00", "month 2026-01-01", "2026-02-01"),
        (Period.MONTH, "2026-12-01T00:00:00", "month 2026-12-01", "2027-01-01"),
        (Period.MONTH, "2026-04-30T00:00:00", "month 2026-04-01", "2026-05-01"),
    ],
)
def test_a_period_is_one_of_the_calendar(period: Period, now: str, name: str, ends_at: str) -> None:
    """Days, weeks from Monday on, and months in UTC, over leap days and the ends of years."""
    found = period.containing(at(now) + 999_999_999)

    assert name == found.name
    assert at(ends_at) == found.ends_at


def test_all_of_time_is_one_period() -> None:
    """A total never ends."""
    assert Period.TOTAL.containing(0) == Period.TOTAL.containing(at("2999-01-01"))
    assert Period.TOTAL.containing(0).ends_at is None


@given(st.sampled_from([Period.DAY, Period.WEEK, Period.MONTH]), st.integers(0, 4 * 10**18))
def test_periods_follow_each_other(period: Period, now: int) -> None:
    """A period contains its time, is followed by the next one at once, and its name sorts before that one's."""
    found = period.containing(now)
    assert found.ends_at is not None
    following = period.containing(found.ends_at)

    assert now < found.ends_at
    assert found == period.containing(found.ends_at - 1)
    assert found.name < following.name
    assert following.ends_at is not None
    assert found.ends_at < following.ends_at


@given(rates)
def test_an_interval_admits_no_more_than_the_rate(rate: RateLimit) -> None:
    """A window has `limit` intervals at the most, and less than one in 10^5 too few."""
    window = rate.window_seconds * SECOND

    assert rate.interval * rate.limit >= window
    assert (rate.interval * rate.limit - window) * 10**5 <= window


@given(rates)
def test_a_rate_is_stored_as_it_is(rate: RateLimit) -> None:
    """What is stored is parsed as the same rate."""
    assert rate == RateLimit.parse(rate.stored())


@given(st.integers(1, 10**12), st.sampled_from(Period))
def test_a_quota_is_stored_as_it_is(limit: int, period: Period) -> None:
    """What is stored is parsed as the same quota."""
    assert Quota(limit, period) == Quota.parse(Quota(limit, period).stored())


def test_stored_limits_are_json() -> None:
    """The texts in the table are those of the API, without spaces."""
    assert '{"limit":3,"windowSeconds":60,"burst":2}' == RateLimit(3, 60, 2).stored()
    assert '{"limit":3,"period":"week"}' == Quota(3, Period.WEEK).stored()


@pytest.mark.parametrize(
    ("rate", "lateness"),
    [
        (RateLimit(101, 1, 100), 19_801_982),
        (RateLimit(101, 1, 99), 0),  # 2 % is less than two uses
        (RateLimit(100, 1, 100), 0),
        (RateLimit(6_000, 60, 6_000), 0),
        (RateLimit(6_001, 60, 6_001), 1_200_000_046),
    ],
)
def test_fast_rates_are_claimed_ahead(rate: RateLimit, lateness: int) -> None:
    """Above a hundred uses a second, with a burst of a hundred: by 2 % of the burst, which is that much smaller."""
    limits = Limits(UUID(int=1), "key", rate)

    assert lateness == rate.lateness == limits.lateness
    assert rate.burst * rate.interval - lateness == limits.span


def test_rates_beside_a_quota_are_not_claimed_ahead() -> None:
    """What was claimed and lost would be missing in the quota."""
    limits = Limits(UUID(int=1), "key", RateLimit(1_000, 1, 1_000), Quota(1, Period.DAY))

    assert 0 == limits.lateness
    assert SECOND == limits.span
    assert 0 == Limits(UUID(int=1), "key", None, Quota(1, Period.DAY)).span
