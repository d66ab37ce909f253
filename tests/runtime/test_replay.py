"""Every event, in the real runtime: a process of its own, the built layer, and nothing of this project beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests import test_messages
from tests.test_events import CASES, UNTOUCHED, Case, differences, items, written
from tests.world import Context

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


@pytest.mark.parametrize("case", test_messages.CASES, ids=str)
def test_replay_of_what_nobody_waits_for(case: Case, deployments: Deployments) -> None:
    """GIVEN the seed WHEN the function gets messages of a queue, or a tick THEN what is expected comes of it."""
    deployed = deployments.of(case)
    deployed.prepare(case)
    before = items(deployed.world)

    outcome = deployed.replay(case)

    # Where API Gateway gives a request no id, the audit record has the one of the invocation.
    expected = json.loads(json.dumps(case.expected).replace(Context().aws_request_id, "<any string>"))
    assert [] == differences(
        {**UNTOUCHED, "put_aside": [], **expected},
        {**outcome, **written(before, items(deployed.world)), "put_aside": deployed.put_aside(case)},
    )
