"""Structured logs without secrets, and the metrics in their lines (CloudWatch embedded metric format)."""

from __future__ import annotations

import json
import os
import re
import sys
import time
import traceback
from typing import TYPE_CHECKING

from keywright.cache import once

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_lambda_powertools import Logger

SERVICE = "keywright"

UNITS = {
    "Verifications": "Count",
    "Hashes": "Count",
    "RememberedMatches": "Count",
    "ForgedKeys": "Count",
    "UnknownPepperVersions": "Count",
    "VerificationLatency": "Milliseconds",
    "ReadLatency": "Milliseconds",
    "HashLatency": "Milliseconds",
    "LimiterFailures": "Count",
    "RetiredSecrets": "Count",
    "LeakedKeys": "Count",
    "FailedInvocations": "Count",
}
"""Unit of each metric. The dashboard and the alarms of template.yaml use these names."""

_SECRET_LIKE = re.compile(r"[A-Za-z0-9_\-]{40,}")
"""Key texts, parts of session tokens, peppers and digests: all longer than a UUID, without punctuation."""

_TIMESTAMP_SECONDS = "%Y-%m-%dT%H:%M:%S"
"""Timestamps are RFC 3339, in UTC, with milliseconds and a Z. Lambda reads the level of a JSON line only if the
timestamp is RFC 3339 (AWS Lambda Developer Guide, "Log-level filtering").
"""

_TRACE = "_X_AMZN_TRACE_ID"
"""Lambda's variable for the trace of an invocation, as `Root=<id>;Parent=<id>;Sampled=1`."""
_ENCODER = json.JSONEncoder(separators=(",", ":"))


@once
def logger() -> Logger:
    """Return the logger, which writes JSON lines to standard output for CloudWatch."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - few requests have a warning or an error

    # Powertools replaces %F by the milliseconds.
    return Logger(service=SERVICE, datefmt=f"{_TIMESTAMP_SECONDS}.%FZ", utc=True, log_uncaught_exceptions=False)


def write(message: str, fields: Mapping[str, object]) -> None:
    """Write a line as the logger does at level INFO, which takes a tenth of a cold start to load.

    Args:
        message: what the line is about.
        fields: the other fields, values of JSON; those that are None are left out.
    """
    line = {
        "level": "INFO",
        "message": message,
        "timestamp": timestamp(time.time()),
        "service": SERVICE,
        "xray_trace_id": os.environ.get(_TRACE, "").partition(";")[0].removeprefix("Root=") or None,
        **fields,
    }
    text = _ENCODER.encode({name: value for name, value in line.items() if value is not None})
    sys.stdout.write(f"{text}\n")


def describe(error: BaseException) -> str:
    """Return the traceback of an exception and its causes, with everything that could be a secret redacted."""
    return _SECRET_LIKE.sub("[redacted]", "".join(traceback.format_exception(error)))


def timestamp(seconds: float) -> str:
    """Write a time as the logger does.

    Args:
        seconds: since the Unix epoch.
    """
    return f"{time.strftime(_TIMESTAMP_SECONDS, time.gmtime(seconds))}.{int(seconds % 1 * 1000):03}Z"


def directive(dimensions: list[str], names: Iterable[str], namespace: str) -> dict[str, object]:
    """Return the directive that makes metrics of fields of a line.

    Args:
        dimensions: the fields that distinguish them.
        names: each of UNITS.
        namespace: that of `metrics_namespace`.
    """
    return {
        "Namespace": namespace,
        "Dimensions": [dimensions],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in names],
    }


def counted(name: str) -> dict[str, object]:
    """Return the fields of a line that count one for a metric of the stack."""
    directives = [directive(["stack"], [name], metrics_namespace())]
    return {
        "stack": os.environ.get("STACK_NAME", ""),
        name: 1,
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": directives},
    }


def metrics_namespace() -> str:
    """Return the namespace of the metrics."""
    return os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Keywright")
