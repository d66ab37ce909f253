"""Every event in the real runtime: a separate process with the built layer and no other code of this project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local.changes import UNTOUCHED, written
from tests.support.cases import CASES, MESSAGES
from tests.support.matchers import differences
from tests.support.replay import items
from tests.support.world import Context

if TYPE_CHECKING:
    from local.cases import Case
    from local.object_store import ObjectStore
    from tests.runtime.deployments import Deployments
    from tests.support.event_bus import EventBus


@pytest.mark.parametrize("case", CASES, ids=str)
def test_replay(case: Case, deployments: Deployments) -> None:
    """GIVEN a case's seed WHEN Lambda's runtime invokes the function THEN answer and writes are as expected."""
    deployed = deployments.of(case)
    deployed.prepare(case)
    before = items(deployed.world)

    outcome = deployed.replay(case)

    assert [] == differences({**UNTOUCHED, **case.expected}, {**outcome, **written(before, items(deployed.world))})


@pytest.mark.parametrize("case", MESSAGES, ids=str)
def test_replay_of_messages_and_ticks(
    case: Case, deployments: Deployments, all_buses: EventBus, all_objects: ObjectStore
) -> None:
    """GIVEN a case's seed WHEN the function gets messages or a tick THEN outcome and writes are as expected."""
    deployed = deployments.of(case)
    deployed.prepare(case)
    before = items(deployed.world)
    all_buses.reset()
    all_objects.reset()
    all_objects.seed(case.seed.get("archive", []))

    outcome = deployed.replay(case)

    # Without an id of API Gateway, the audit record has the invocation's id.
    expected = json.loads(json.dumps(case.expected).replace(Context().aws_request_id, "<any string>"))
    assert [] == differences(
        {**UNTOUCHED, "put_aside": [], "published": [], "archived": [], **expected},
        {
            **outcome,
            **written(before, items(deployed.world)),
            "put_aside": deployed.put_aside(case),
            "published": all_buses.delivered,
            "archived": all_objects.lines[len(case.seed.get("archive", [])) :],
        },
    )
