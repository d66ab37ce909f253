"""The memory of a running service, by the system (Linux: proc(5))."""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_GROWTH = 1.10
"""Limit for the last quarter of a run relative to the second: memory per connection and key is allocated by then."""
_MEGABYTE = 1 << 20


def resident_megabytes(process_id: int) -> float:
    """Return the resident memory of a process in megabytes."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE


def has_grown(megabytes: Sequence[float], seconds: int) -> bool:
    """Return whether memory grew under constant load.

    Args:
        megabytes: measurements, one for each second.
        seconds: duration of the load; later measurements do not count.
    """
    during = megabytes[:seconds]
    quarter = max(1, len(during) // 4)
    return statistics.median(during[-quarter:]) > MOST_GROWTH * statistics.median(during[quarter : 2 * quarter])
