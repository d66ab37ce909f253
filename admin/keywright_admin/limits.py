"""Limits as operators type and read them: 100/1s, 600/60s,burst=20, 10000/month, none."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import typer

from keywright.domain.limits import HIGHEST_LIMIT, HIGHEST_QUOTA, LONGEST_WINDOW_SECONDS, Period, Quota, RateLimit
from keywright.domain.organization_state import usage_plan_key_hint
from keywright.organizations.events import USAGE_PLAN_KEY
from keywright_admin import terminal
from keywright_admin.failures import UsageError

NONE = "none"
STANDARD_INPUT = "-"

_RATE_LIMIT = re.compile(r"([0-9]{1,9})/([0-9]{1,9})([smh])(?:,burst=([0-9]{1,9}))?")
_QUOTA = re.compile(rf"([0-9]{{1,15}})/({'|'.join(Period)})")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class NewSetting:
    """A setting of an organization that an operator changes.

    Attributes:
        stored: the new text in the table; None clears the setting.
        shown: the new value, as it is printed.
    """

    stored: str | None = field(repr=False)
    shown: str


CLEARED = NewSetting(None, NONE)


def parse_rate_limit(text: str) -> NewSetting:
    """Parse a rate limit, or `none`.

    Raises:
        BadParameter: the text is neither, or a number is out of its range.
    """
    if text == NONE:
        return CLEARED
    match = _RATE_LIMIT.fullmatch(text)
    if match:
        limit, window = int(match[1]), int(match[2]) * _UNIT_SECONDS[match[3]]
        rate = RateLimit(limit, window, int(match[4] or limit))
        if 1 <= rate.burst <= limit <= HIGHEST_LIMIT and 1 <= window <= LONGEST_WINDOW_SECONDS:
            return NewSetting(rate.stored(), rate_limit_text(rate))
    raise typer.BadParameter(
        f"a rate limit is 100/1s, 600/15m or 600/60s,burst=20: 1 to {HIGHEST_LIMIT} uses in 1s to 1h, "
        "of which at most `burst` at once; none removes it"
    )


def parse_quota(text: str) -> NewSetting:
    """Parse a quota, or `none`.

    Raises:
        BadParameter: the text is neither, or the number is out of its range.
    """
    if text == NONE:
        return CLEARED
    match = _QUOTA.fullmatch(text)
    if match and 1 <= int(match[1]) <= HIGHEST_QUOTA:
        quota = Quota(int(match[1]), Period(match[2]))
        return NewSetting(quota.stored(), quota_text(quota))
    raise typer.BadParameter(
        f"a quota is 10000/month: 1 to {HIGHEST_QUOTA} uses a day, week or month, or in total; none removes it"
    )


def parse_usage_plan_key(text: str) -> str:
    """Parse where a usage plan key is read from: standard input, or `none` to remove it.

    Raises:
        BadParameter: it is the key itself. The message does not repeat it.
    """
    if text not in {NONE, STANDARD_INPUT}:
        raise typer.BadParameter(
            "pass - and the value on standard input, not as an argument, which other users and your history see; "
            "none removes it"
        )
    return text


def read_usage_plan_key(source: str) -> NewSetting:
    """Read a usage plan key.

    Args:
        source: as `parse_usage_plan_key` returns it.

    Raises:
        UsageError: standard input has no such value.
    """
    if source == NONE:
        return CLEARED
    value = terminal.read_secret("Usage plan key: ")
    if not USAGE_PLAN_KEY.fullmatch(value):
        raise UsageError(
            "standard input must have the value of an API key of API Gateway: 20 to 128 printable ASCII characters, "
            "without spaces"
        )
    return NewSetting(value, usage_plan_key_hint(value) or NONE)


def rate_limit_text(rate: RateLimit) -> str:
    """Return a rate limit as it is typed."""
    burst = "" if rate.burst == rate.limit else f",burst={rate.burst}"
    return f"{rate.limit}/{rate.window_seconds}s{burst}"


def quota_text(quota: Quota) -> str:
    """Return a quota as it is typed."""
    return f"{quota.limit}/{quota.period.value}"
