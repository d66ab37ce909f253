"""`make bench`: each part in a process of its own, one table on the terminal, all of it in benchmarks/report.json."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

from benchmarks import report
from benchmarks.measuring import FULL, QUICK
from benchmarks.report import Budget
from local.options import ROOT

REPORT = ROOT / "benchmarks" / "report.json"
PARTS = ("hot_path", "cold_start", "cost", "growth", "comparison", "simulation")


def main(asked: list[str]) -> int:
    """Run the parts that are named, or all; 0 unless one could not be run."""
    unknown = [name for name in asked if name not in PARTS]
    if unknown:
        print(f"There is no part {', '.join(unknown)}; there are {', '.join(PARTS)}.")
        return 2
    effort = QUICK if os.environ.get("QUICK") else FULL
    if len(asked) == 1:
        sections = importlib.import_module(f"benchmarks.{asked[0]}").run(effort)
        for section in sections if isinstance(sections, tuple) else (sections,):
            report.show(section)
            report.write(REPORT, [section], is_quick=effort.is_quick)
        return 0
    failed = [name for name in asked or PARTS if subprocess.call([sys.executable, "-m", "benchmarks", name], cwd=ROOT)]  # noqa: S603
    found = json.loads(REPORT.read_text(encoding="utf-8"))
    report.show_budgets([Budget(entry["name"], entry["value"], entry["limit"]) for entry in found["budgets"]])
    if failed:
        print(f"\nNot run: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
