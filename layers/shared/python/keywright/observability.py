"""Structured logs that can be searched, and in which no secret can be found."""

from __future__ import annotations

import re
import traceback

from aws_lambda_powertools import Logger

from keywright.once import once

_SECRET_LIKE = re.compile(r"[A-Za-z0-9_\-]{40,}")
"""Key texts, parts of session tokens, peppers and digests are all longer than a UUID and without punctuation."""


@once
def logger() -> Logger:
    """Give the one logger: JSON lines on standard output, as CloudWatch takes them."""
    return Logger(service="keywright", log_uncaught_exceptions=False)


def describe(error: BaseException) -> str:
    """Write out an exception with its causes for the log, everything that could be a secret taken out."""
    return _SECRET_LIKE.sub("[redacted]", "".join(traceback.format_exception(error)))
