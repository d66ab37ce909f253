"""Runs the benchmarks: each part in a separate process, with results in benchmarks/report.json."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING

from benchmarks import report
from benchmarks.budgets import missed
from benchmarks.measuring import FULL, QUICK
from benchmarks.processes import measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.report import Section

PARTS = (
    *("counts", "hot_path", "cold_start", "cost", "growth", "comparison", "limits", "simulation", "clients"),
    *("memory", "freeze", "population", "partition"),
)
RUNS = {"hot_path": 3, "cold_start": 3}
"""Parts whose ratios have budgets run more than once, each time in a new process; the median run is judged."""


def main(parts: Sequence[str]) -> int:
    """Run the named parts or all.

    Returns:
        0; 1 if a budget was missed or something could not be measured; 2 for an unknown part.
    """
    unknown = [name for name in parts if name not in PARTS]
    if unknown:
        print(f"Unknown: {', '.join(unknown)}. The parts are {', '.join(PARTS)}.")
        return 2
    effort = QUICK if os.environ.get("QUICK") else FULL
    measured: list[Section] = []
    problems: list[str] = []
    for name in parts or PARTS:
        try:
            sections = measure(name, effort, RUNS.get(name, 1))
        except Exception as error:  # noqa: BLE001 - the other parts can still be measured
            traceback.print_exc()
            problems.append(f"{name} failed: {error}")
            continue
        for section in sections:
            report.show(section)
            if section.samples:
                report.write_samples(report.SAMPLES, section)
        # A quick run must not end up in the documentation.
        report.write_report(report.QUICK_REPORT if effort.is_quick else report.REPORT, sections)
        measured += sections
    budgets = [budget for section in measured for budget in section.budgets]
    report.show_budgets(budgets)
    problems += [f"{section.name}, not measured: {failure}" for section in measured for failure in section.failures]
    problems += [f"missed: {budget.limit.title}" for budget in missed(budgets, is_quick=effort.is_quick)]
    for problem in problems:
        print(f"\n{problem}")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
