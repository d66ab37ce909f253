"""A runtime killed during an invocation: the table holds the whole change or none of it."""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from local.changes import UNTOUCHED, written
from tests.runtime.deployments import patient
from tests.support.cases import CASES, MESSAGES
from tests.support.fault_proxy import Exchange, FaultProxy, passed_on
from tests.support.matchers import differences
from tests.support.replay import items
from tests.support.world import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cases import Case
    from local.changes import Item, Key
    from tests.runtime.deployments import Deployed, Deployments

WRITES = {"TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}
CHANGES = [
    case
    for case in CASES
    if case.status == 200 and any(case.expected.get(name) for name in UNTOUCHED) and not case.seed.get("environment")
]
FIRST_CHANGES = list({case.function: case for case in reversed(CHANGES)}.values())
"""The first success of each function that writes."""
UNATTENDED = list(
    {
        case.function: case
        for case in MESSAGES
        if case.outcome in {"followed", "purged"} and not case.seed.get("environment")
    }.values()
)
"""A message that is applied, and a purge of an organization that is due."""
REPEATABLE = [case for case in CHANGES if case.name == "200_idempotency_key"]


@contextmanager
def killed(case: Case, deployments: Deployments, *, is_sent: bool) -> Iterator[tuple[Deployed, dict[Key, Item]]]:
    """Run the function of a case, and kill its runtime at its first write; yield it, and the items before.

    Args:
        case: the case.
        deployments: the starter of containers.
        is_sent: whether the write takes effect, and the runtime dies before its response arrives.
    """

    def kill(exchange: Exchange) -> None:
        if exchange.operation not in WRITES:
            return passed_on(exchange)
        if is_sent:
            exchange.forward()
        os.kill(deployed.container.runtime_pid(), signal.SIGKILL)
        return exchange.close()

    with (
        closing(FaultProxy(deployments.aws)) as aws,
        deployments.running(case.function, case.seed.get("pepper"), **patient(aws.url)) as deployed,
    ):
        deployed.prepare(case)
        before = items(deployed.world)
        with aws.inflicting(kill):
            assert {"ended"} == deployed.replay(case).keys()
        yield deployed, before


def expected_writes(case: Case) -> dict[str, Any]:
    """Return the changes of the table that a case expects."""
    return {name: case.expected.get(name, nothing) for name, nothing in UNTOUCHED.items()}


@pytest.mark.parametrize("case", FIRST_CHANGES, ids=str)
def test_killed_before_the_write(case: Case, deployments: Deployments) -> None:
    """GIVEN a runtime killed before its write is sent WHEN the request is repeated THEN it is done once, completely."""
    with killed(case, deployments, is_sent=False) as (deployed, before):
        assert before == items(deployed.world)

        outcome = deployed.replay(case)

        assert [] == differences({**UNTOUCHED, **case.expected}, {**outcome, **written(before, items(deployed.world))})


@pytest.mark.parametrize("case", FIRST_CHANGES, ids=str)
def test_killed_after_the_write(case: Case, deployments: Deployments) -> None:
    """GIVEN a runtime killed before its write is answered WHEN the request is repeated THEN there is one change."""
    with killed(case, deployments, is_sent=True) as (deployed, before):
        assert [] == differences(expected_writes(case), written(before, items(deployed.world)))

        answer = deployed.replay(case)["answer"]

        assert answer.get("statusCode", 200) < 500  # an authorizer answers without a status


@pytest.mark.parametrize("case", REPEATABLE, ids=str)
def test_killed_after_the_write_and_repeated(case: Case, deployments: Deployments) -> None:
    """GIVEN a runtime killed after its write WHEN its Idempotency-Key is repeated THEN the first answer comes."""
    with killed(case, deployments, is_sent=True) as (deployed, before):
        answer = deployed.replay(case)["answer"]

        assert 200 == answer["statusCode"]
        assert "true" == answer["headers"]["idempotent-replayed"]
        outcome = {"body": answer["body"], **written(before, items(deployed.world))}
        assert [] == differences({"body": case.expected["answer"]["body"], **expected_writes(case)}, outcome)


@pytest.mark.parametrize("is_sent", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("case", UNATTENDED, ids=str)
def test_killed_during_a_message_or_tick(case: Case, deployments: Deployments, *, is_sent: bool) -> None:
    """GIVEN a runtime killed at a write of an event WHEN the event is delivered again THEN the result is the same."""
    with killed(case, deployments, is_sent=is_sent) as (deployed, before):
        assert "answer" in deployed.replay(case)

        expected = json.loads(json.dumps(expected_writes(case)).replace(Context().aws_request_id, "<any string>"))
        assert [] == differences(expected, written(before, items(deployed.world)))
