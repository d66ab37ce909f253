"""The log line of reports of leaks, which also carries their metric (CloudWatch embedded metric format)."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from keywright.domain.leak import LeakOutcome
from keywright.log import SERVICE, directive, metrics_namespace, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keywright.domain.leak import LeakSource


def write(source: LeakSource, outcomes: Iterable[LeakOutcome]) -> None:
    """Write a line with the number of texts for each outcome to standard output; none without texts."""
    counts, now = Counter(outcomes), time.time()
    if not counts:
        return
    line = {
        "level": "WARNING" if counts[LeakOutcome.REPORTED] else "INFO",
        "message": "leak report",
        "timestamp": timestamp(now),
        "service": SERVICE,
        "source": source.value,
        "outcomes": dict(counts),
        "stack": os.environ.get("STACK_NAME", ""),
        "LeakedKeys": counts[LeakOutcome.REPORTED],
        "_aws": {
            "Timestamp": int(now * 1000),
            "CloudWatchMetrics": [directive(["stack"], ["LeakedKeys"], metrics_namespace())],
        },
    }
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
