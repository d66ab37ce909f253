"""The command that runs the benchmarks: what it answers, and where results go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import __main__ as command
from benchmarks import report
from benchmarks.budgets import Budget, Limit
from benchmarks.report import Section

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.measuring import Effort

MET = Section("counts", "Title", budgets=[Budget(Limit.WARM_REQUESTS, 1), Budget(Limit.WARM, Limit.WARM.most)])
MISSED_TIME = Section("hot_path", "Title", budgets=[Budget(Limit.WARM, 0.5)])
MISSED_COUNT = Section("counts", "Title", budgets=[Budget(Limit.WARM_REQUESTS, 2)])
NOT_MEASURED = Section("growth", "Title", failures=["DynamoDB Local is not installed"])


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Return a function that runs parts with these results, into files of this test."""
    monkeypatch.setattr(report, "REPORT", tmp_path / "full.json")
    monkeypatch.setattr(report, "QUICK_REPORT", tmp_path / "quick.json")
    monkeypatch.delenv("QUICK", raising=False)

    def with_results(*results: Section | Exception) -> int:
        remaining = list(results)

        def measure(_name: str, _effort: Effort, _runs: int) -> tuple[Section, ...]:
            result = remaining.pop(0)
            if isinstance(result, Exception):
                raise result
            return (result,)

        monkeypatch.setattr(command, "measure", measure)
        return command.main(command.PARTS[: len(results)])

    return with_results


@pytest.mark.parametrize(
    ("results", "full", "quick"),
    [
        ((MET,), 0, 0),
        ((MET, MISSED_TIME), 1, 0),
        ((MISSED_COUNT, MET), 1, 1),
        ((NOT_MEASURED,), 1, 1),
        ((MET, NOT_MEASURED, MET), 1, 1),
        ((RuntimeError("no answer"), MET), 1, 1),
    ],
    ids=["met", "missed time", "missed count", "not measured", "one of three not measured", "failed"],
)
def test_the_status_says_whether_all_was_measured_and_met(
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    results: tuple[Section | Exception, ...],
    full: int,
    quick: int,
) -> None:
    """A missed budget, or a part that fails or cannot be measured, fails the run; a quick run judges no times."""
    assert full == run(*results)
    monkeypatch.setenv("QUICK", "1")
    assert quick == run(*results)


def test_a_failed_part_does_not_stop_the_others(run: Callable[..., int], tmp_path: Path) -> None:
    """GIVEN a part that fails THEN the next one is measured, and is in the report."""
    run(RuntimeError("no answer"), MET)

    assert '"counts"' in (tmp_path / "full.json").read_text()


def test_a_quick_run_is_not_documented(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """GIVEN a quick run THEN its results are not in the report that the documentation is made from."""
    monkeypatch.setenv("QUICK", "1")
    run(MET)

    assert ["quick.json"] == [path.name for path in tmp_path.iterdir()]


def test_an_unknown_part_is_refused() -> None:
    """GIVEN a name that no part has THEN nothing is measured."""
    assert 2 == command.main(["unknown"])
