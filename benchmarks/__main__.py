"""Runs the benchmarks: each part in a separate process, with results in benchmarks/report.json."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

from benchmarks import report
from benchmarks.measuring import FULL, QUICK
from local.options import ROOT

PARTS = (
    "hot_path",
    "cold_start",
    "cost",
    "growth",
    "comparison",
    "limits",
    "simulation",
    "clients",
    "population",
    "partition",
)


def main(parts: list[str]) -> int:
    """Run the named parts or all; return 0, 1 if a part failed or missed a budget, or 2 for an unknown part.

    A quick run is too short for budgets.
    """
    unknown = [name for name in parts if name not in PARTS]
    if unknown:
        print(f"Unknown: {', '.join(unknown)}. The parts are {', '.join(PARTS)}.")
        return 2
    effort = QUICK if os.environ.get("QUICK") else FULL
    if len(parts) == 1:
        result = importlib.import_module(f"benchmarks.{parts[0]}").run(effort)
        sections = result if isinstance(result, tuple) else (result,)
        for section in sections:
            report.show(section)
            report.write_report(report.REPORT, [section], is_quick=effort.is_quick)
            if section.samples:
                report.write_samples(report.SAMPLES, section)
        measured = [budget for section in sections for budget in section.budgets]
        missed = [budget.name for budget in measured if budget.verdict == "missed"]
        for name in missed:
            print(f"\nMissed: {name}")
        return int(bool(missed) and not effort.is_quick)
    failed = [name for name in parts or PARTS if subprocess.call([sys.executable, "-m", "benchmarks", name], cwd=ROOT)]  # noqa: S603
    report.show_budgets(report.budgets(json.loads(report.REPORT.read_text(encoding="utf-8"))))
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
