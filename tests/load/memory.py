"""The memory of a running service, as the system counts it (Linux: proc(5))."""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_GROWTH = 1.10
"""The last quarter of a run against the second one: what is kept per connection and key is there by then."""
_MEGABYTE = 1 << 20


def resident_megabytes(process_id: int) -> float:
    """Give how much memory a process has at the moment."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE


def has_grown(megabytes: Sequence[float], seconds: int) -> bool:
    """Tell whether memory has grown under load that stayed the same.

    Args:
        megabytes: measured second by second.
        seconds: how long the load lasted; what was measured after it does not count.
    """
    during = megabytes[:seconds]
    quarter = max(1, len(during) // 4)
    return statistics.median(during[-quarter:]) > MOST_GROWTH * statistics.median(during[quarter : 2 * quarter])
