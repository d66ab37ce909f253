"""Structured logs without secrets."""

from __future__ import annotations

import re
import time
import traceback
from typing import TYPE_CHECKING

from keywright.cache import once

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

SERVICE = "keywright"

_SECRET_LIKE = re.compile(r"[A-Za-z0-9_\-]{40,}")
"""Key texts, parts of session tokens, peppers and digests: all longer than a UUID, without punctuation."""

_TIMESTAMP_SECONDS = "%Y-%m-%dT%H:%M:%S"
"""Timestamps are RFC 3339, in UTC, with milliseconds and a Z. Lambda reads the level of a JSON line only if the
timestamp is RFC 3339 (AWS Lambda Developer Guide, "Log-level filtering").
"""


@once
def logger() -> Logger:
    """Return the logger, which writes JSON lines to standard output for CloudWatch."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - a successful verification does not need it

    # Powertools replaces %F by the milliseconds.
    return Logger(service=SERVICE, datefmt=f"{_TIMESTAMP_SECONDS}.%FZ", utc=True, log_uncaught_exceptions=False)


def describe(error: BaseException) -> str:
    """Return the traceback of an exception and its causes, with everything that could be a secret redacted."""
    return _SECRET_LIKE.sub("[redacted]", "".join(traceback.format_exception(error)))


def timestamp(seconds: float) -> str:
    """Write a time as the logger does.

    Args:
        seconds: since the Unix epoch.
    """
    return f"{time.strftime(_TIMESTAMP_SECONDS, time.gmtime(seconds))}.{int(seconds % 1 * 1000):03}Z"
