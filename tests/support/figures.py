"""The figures of a run, such as the number of faults, for docs/reliability.md: written if FIGURES names a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path


def record(suite: str, **numbers: int) -> None:
    """Write figures of a suite, if FIGURES names a folder. A figure that is written again replaces the former."""
    if folder := os.environ.get("FIGURES"):
        with (Path(folder) / f"{suite}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(numbers) + "\n")
