"""Structured logs that can be searched, and in which no secret can be found."""

from __future__ import annotations

import json
import os
import re
import sys
import time
import traceback
from typing import TYPE_CHECKING

from keywright.cache import once
from keywright.domain.key_text import NotIssuedHere

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_lambda_powertools import Logger

    from keywright.keys.verification import Measurements, Verification

_SECRET_LIKE = re.compile(r"[A-Za-z0-9_\-]{40,}")
"""Key texts, parts of session tokens, peppers and digests are all longer than a UUID and without punctuation."""

_SERVICE = "keywright"

_TIMESTAMP_SECONDS = "%Y-%m-%dT%H:%M:%S"
"""Timestamps are of RFC 3339, in UTC, with milliseconds and a Z. Lambda reads a JSON line's level only if its timestamp
is of RFC 3339 (AWS Lambda Developer Guide, "Log-level filtering").
"""

UNITS = {
    "Verifications": "Count",
    "Hashes": "Count",
    "RememberedMatches": "Count",
    "ForgedKeys": "Count",
    "UnknownPepperVersions": "Count",
    "VerificationLatency": "Milliseconds",
    "ReadLatency": "Milliseconds",
    "HashLatency": "Milliseconds",
}
"""The metrics of verification, by their names: what the dashboard and the alarms of template.yaml look at."""


@once
def logger() -> Logger:
    """Give the one logger: JSON lines on standard output, as CloudWatch takes them."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - a verification that succeeds does without

    # Powertools puts the milliseconds in the place of its %F.
    return Logger(service=_SERVICE, datefmt=f"{_TIMESTAMP_SECONDS}.%FZ", utc=True, log_uncaught_exceptions=False)


def describe(error: BaseException) -> str:
    """Write out an exception with its causes for the log, everything that could be a secret taken out."""
    return _SECRET_LIKE.sub("[redacted]", "".join(traceback.format_exception(error)))


def verified(verification: Verification, measured: Measurements) -> None:
    """Log a verification, in one line that is also its metrics (CloudWatch's embedded metric format).

    One line, because a service that verifies a million keys pays for every line a million times.
    """
    key, reason, now = verification.key, verification.reason, time.time()
    values: dict[str, float] = {
        "VerificationLatency": _milliseconds(measured.total_seconds),
        "Hashes": measured.hashes,
        "RememberedMatches": int(measured.is_match_remembered),
        "ForgedKeys": int(reason in {NotIssuedHere.FORGED, NotIssuedHere.UNKNOWN_PEPPER_VERSION}),
        "UnknownPepperVersions": int(reason == NotIssuedHere.UNKNOWN_PEPPER_VERSION),
    }
    if measured.read_seconds is not None:
        values["ReadLatency"] = _milliseconds(measured.read_seconds)
    if measured.hash_seconds is not None:
        values["HashLatency"] = _milliseconds(measured.hash_seconds)
    line = {
        "level": "INFO",
        "message": "verification",
        "timestamp": f"{time.strftime(_TIMESTAMP_SECONDS, time.gmtime(now))}.{int(now % 1 * 1000):03}Z",
        "service": _SERVICE,
        "code": verification.code,
        "reason": reason,
        "organization_id": key and str(key.organization_id),
        "api_key_id": key and str(key.key_id),
        "stack": os.environ.get("STACK_NAME", ""),
        "Verifications": 1,
        **values,
        "_aws": {
            "Timestamp": int(now * 1000),
            "CloudWatchMetrics": [
                _directive(["stack", "code"], ["Verifications"]),
                _directive(["stack"], values),
            ],
        },
    }
    # In the logger's form, but without the logger: it would cost more than all the rest of a refusal.
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")


def _directive(dimensions: list[str], names: Iterable[str]) -> dict[str, object]:
    return {
        "Namespace": os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Keywright"),
        "Dimensions": [dimensions],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in names],
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
