"""Budgets: their limits, and what a run answers when it misses one."""

from __future__ import annotations

import json

import pytest

from benchmarks.budgets import Budget, Limit, budgets, missed
from benchmarks.report import REPORT

MOST_ROOM = 1.25
COMMITTED = budgets(json.loads(REPORT.read_text(encoding="utf-8")))
MEASURED = [pytest.param(budget, id=budget.limit.name) for budget in COMMITTED if not budget.limit.is_count]


@pytest.mark.parametrize("budget", MEASURED)
def test_a_limit_is_close_to_what_was_measured(budget: Budget) -> None:
    """A limit of time or size is at most a quarter above what the committed run measured."""
    assert budget.limit.most <= MOST_ROOM * budget.value


@pytest.mark.parametrize("budget", COMMITTED, ids=lambda budget: budget.limit.name)
def test_the_committed_run_met_its_budgets(budget: Budget) -> None:
    """Every budget is met in the committed run."""
    assert budget.is_met


@pytest.mark.parametrize("limit", [limit for limit in Limit if not limit.is_count])
def test_a_limit_is_within_the_design(limit: Limit) -> None:
    """No limit exceeds what the design allows."""
    assert limit.design is not None
    assert limit.most <= limit.design


def test_a_count_is_judged_in_a_quick_run() -> None:
    """A quick run is too short for budgets of time: of those that it exceeds, only counts are missed."""
    count, time = Budget(Limit.WARM_REQUESTS, 2), Budget(Limit.WARM, 0.41)

    assert [count, time] == missed([count, time], is_quick=False)
    assert [count] == missed([count, time], is_quick=True)


def test_a_limit_itself_is_met() -> None:
    """A budget is met up to its limit."""
    assert [] == missed([Budget(Limit.WARM, Limit.WARM.most), Budget(Limit.WARM_REQUESTS, 1)], is_quick=False)
