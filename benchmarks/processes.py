"""Runs a part of the benchmarks in new processes: parts set the environment, and replace functions of the service."""

from __future__ import annotations

import importlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

from benchmarks import report

if TYPE_CHECKING:
    from benchmarks.measuring import Effort
    from benchmarks.report import Section


def measure(name: str, effort: Effort, runs: int) -> tuple[Section, ...]:
    """Measure a part; return its sections, or the median run of its only one."""
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        measured = [processes.submit(_run, name, effort).result() for _ in range(runs)]
    return measured[0] if runs == 1 else (report.median_run([section for (section,) in measured]),)


def _run(name: str, effort: Effort) -> tuple[Section, ...]:
    result: Section | tuple[Section, ...] = importlib.import_module(f"benchmarks.{name}").run(effort)
    return result if isinstance(result, tuple) else (result,)
