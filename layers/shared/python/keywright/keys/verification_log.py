"""The log line of a verification, which also carries its metrics (CloudWatch embedded metric format).

One line holds both, because a service that verifies a million keys pays for each line a million times.
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from keywright.domain.key_text import NotIssuedHere
from keywright.keys.outcome import ROTATED_OUT
from keywright.log import SERVICE, directive, metrics_namespace, timestamp

if TYPE_CHECKING:
    from keywright.keys.outcome import UndecidedKey, Verification

_ENCODER = json.JSONEncoder(separators=(",", ":"))
_REMEMBERED_DIRECTIVES = 64
"""More than the sets of metrics that occur."""


class Measurements:
    """Cost of one verification.

    Attributes:
        read_seconds: time of all reads together; None without a read.
        hash_seconds: time of all Argon2id hashes together; None without one.
        hashes: number of Argon2id hashes. An HMAC takes microseconds, and is not counted.
        limiter_failures: 1 if a rate limit could not be asked, and so admitted.
    """

    def __init__(self) -> None:
        self.total_seconds = 0.0
        self.read_seconds: float | None = None
        self.hash_seconds: float | None = None
        self.hashes = 0
        self.is_match_remembered = False
        self.limiter_failures = 0


def write(verification: Verification | UndecidedKey, measured: Measurements) -> None:
    """Write the line of a verification to standard output.

    The line has the form of the logger's. The logger itself would cost more than the rest of a refusal.
    """
    reason, now = verification.reason, time.time()
    metrics: dict[str, float] = {
        "VerificationLatency": _milliseconds(measured.total_seconds),
        "Hashes": measured.hashes,
        "RememberedMatches": int(measured.is_match_remembered),
        "ForgedKeys": int(reason in {NotIssuedHere.FORGED, NotIssuedHere.UNKNOWN_PEPPER_VERSION}),
        "UnknownPepperVersions": int(reason == NotIssuedHere.UNKNOWN_PEPPER_VERSION),
    }
    if measured.read_seconds is not None:
        metrics["ReadLatency"] = _milliseconds(measured.read_seconds)
    if measured.hash_seconds is not None:
        metrics["HashLatency"] = _milliseconds(measured.hash_seconds)
    if measured.limiter_failures:
        metrics["LimiterFailures"] = measured.limiter_failures
    if reason == ROTATED_OUT:
        metrics["RetiredSecrets"] = 1
    line = {
        "level": "INFO",
        "message": "verification",
        "timestamp": timestamp(now),
        "service": SERVICE,
        **verification.logged(),
        "stack": os.environ.get("STACK_NAME", ""),
        "Verifications": 1,
        **metrics,
    }
    directives = _directives(tuple(metrics), metrics_namespace())
    text = _ENCODER.encode(line)
    sys.stdout.write(f'{text[:-1]},"_aws":{{"Timestamp":{int(now * 1000)},"CloudWatchMetrics":{directives}}}}}\n')


@lru_cache(_REMEMBERED_DIRECTIVES)
def _directives(names: tuple[str, ...], namespace: str) -> str:
    """Return the directives of a line with these metrics, as JSON: to encode them takes longer than all the rest."""
    both = [directive(["stack", "code"], ["Verifications"], namespace), directive(["stack"], names, namespace)]
    return _ENCODER.encode(both)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
