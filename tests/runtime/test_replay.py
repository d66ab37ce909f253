"""Every event, in the real runtime: a process of its own, the built layer, and nothing of this project beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.test_events import CASES, UNTOUCHED, Case, differences, items, written

if TYPE_CHECKING:
    from tests.runtime.conftest import Deployments


@pytest.mark.parametrize("case", CASES, ids=str)
def test_replay(case: Case, deployments: Deployments) -> None:
    """GIVEN the seed WHEN Lambda's runtime invokes the function THEN it answers, and has written, what is expected."""
    deployed = deployments.of(case)
    deployed.prepare(case)
    before = items(deployed.world)

    outcome = deployed.replay(case)

    assert [] == differences({**UNTOUCHED, **case.expected}, {**outcome, **written(before, items(deployed.world))})
