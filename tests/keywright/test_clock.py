"""Times, written and parsed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import clock

MOMENTS = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)


def test_now_is_in_utc_to_the_microsecond(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is cut to microseconds, never rounded up."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_769_862_896_789_999_999)

    assert datetime(2026, 1, 31, 12, 34, 56, 789_999, UTC) == clock.now()


def test_after_an_earlier_time_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that was changed a while ago gets the current time."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)

    assert now == clock.after(now - timedelta(milliseconds=1))


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(milliseconds=1), timedelta(minutes=5)])
def test_after_is_later_than_the_other_time(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    """If the clock of the last writer was ahead, order counts more than accuracy."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)

    assert now + ahead + timedelta(milliseconds=1) == clock.after(now + ahead)


def test_times_are_written_in_utc_with_milliseconds() -> None:
    """Times of any zone, with or without fractions, are written in the same form."""
    moment = datetime(2026, 1, 31, 14, 34, 56, tzinfo=timezone(timedelta(hours=2)))

    assert "2026-01-31T12:34:56.000Z" == clock.rfc3339(moment)


@given(MOMENTS, MOMENTS)
def test_texts_sort_like_times(first: datetime, second: datetime) -> None:
    """The later of two times is the greater text: DynamoDB compares texts."""
    assert (first < second) == (clock.rfc3339(first) < clock.rfc3339(second))


@given(MOMENTS)
def test_written_times_are_parsed_again(moment: datetime) -> None:
    """The parsers of stored times and of input both invert `rfc3339`."""
    text = clock.rfc3339(moment)

    assert moment == clock.stored(text) == clock.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:34:56Z", "2026-01-31T12:34:56.000Z"),
        ("2026-01-31t12:34:56z", "2026-01-31T12:34:56.000Z"),
        ("2026-01-31T12:34:56.7Z", "2026-01-31T12:34:56.700Z"),
        ("2026-01-31T12:34:56.789999999Z", "2026-01-31T12:34:56.789Z"),
        ("2026-01-31T12:34:56+00:00", "2026-01-31T12:34:56.000Z"),
        ("2026-01-31T12:34:56-00:00", "2026-01-31T12:34:56.000Z"),
        ("2026-01-31T23:34:56-02:30", "2026-02-01T02:04:56.000Z"),
        ("2026-01-31T12:34:56+23:59", "2026-01-30T12:35:56.000Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times_of_rfc_3339_are_parsed(text: str, expected: str) -> None:
    """Any zone and either case is accepted. The time is cut to milliseconds."""
    moment = clock.parse(text)

    assert moment is not None
    assert expected == clock.rfc3339(moment)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:34Z",
        "2026-01-31T12:34:56",
        "2026-01-31 12:34:56Z",
        "20260131T123456Z",
        "2026-W05-6T12:34:56Z",
        "2026-1-31T12:34:56Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:34:61Z",
        "2026-01-31T12:34:56.Z",
        "2026-01-31T12:34:56,7Z",
        "2026-01-31T12:34:56.7890123456Z",
        "2026-01-31T12:34:56+24:00",
        "2026-01-31T12:34:56+02:60",
        "2026-01-31T12:34:56+0200",
        "2026-01-31T12:34:56+02",
        "2026-01-31T12:34:56Z\n",
        " 2026-01-31T12:34:56Z",
        "+2026-01-31T12:34:56Z",
        "10000-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "\N{FULLWIDTH DIGIT TWO}026-01-31T12:34:56Z",
        "now",
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    """Dates, times without a zone, other forms of ISO 8601 and times that do not exist are refused."""
    assert clock.parse(text) is None


@given(st.text(alphabet="0123456789-+:.TtZz ", max_size=35) | st.text())
def test_no_text_raises(text: str) -> None:
    """Any text is parsed as a time in UTC or as None, and never raises."""
    moment = clock.parse(text)

    assert moment is None or moment.tzinfo is UTC
