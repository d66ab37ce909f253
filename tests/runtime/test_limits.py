"""Without answers from AWS, functions report it before Lambda's time limit."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.deployments import patient
from tests.support.cases import BATCHES, CASES, TICKS
from tests.support.cloudformation import properties
from tests.support.fault_proxy import Exchange, FaultProxy, passed_on
from tests.support.network_faults import silent

if TYPE_CHECKING:
    from local.cases import Case
    from tests.runtime.deployments import Deployments

FIRST_SUCCESSES = list({case.function: case for case in reversed(CASES) if case.status == 200}.values())
"""The first success of each function."""
ASK_THE_PROVIDER = {"get_console"}
"""The functions besides the authorizer that ask the identity provider."""


@pytest.mark.xdist_group("limits")
def test_each_function_answers_in_time(deployments: Deployments) -> None:
    """GIVEN that neither AWS nor the identity provider answers WHEN a function is invoked THEN it answers in time.

    All run at once, since each uses its whole time limit.
    """
    with ExitStack() as opened:
        aws = opened.enter_context(closing(FaultProxy(deployments.aws)))
        nowhere = {"AWS_ENDPOINT_URL": aws.url, "AWS_ENDPOINT_URL_DYNAMODB": aws.url, "OIDC_ISSUER": aws.url}
        warm = [(case, opened.enter_context(deployments.warm(case, **nowhere))) for case in FIRST_SUCCESSES]

        with aws.inflicting(silent), ThreadPoolExecutor(len(warm)) as pool:
            outcomes = list(pool.map(lambda deployed: status_of(deployed[1].replay(deployed[0])), warm))

    assert [(str(case), expected(case)) for case in FIRST_SUCCESSES] == [
        (str(case), outcome) for (case, _), outcome in zip(warm, outcomes, strict=True)
    ]


def expected(case: Case) -> str:
    """Return the expected outcome: a function that asks neither answers as usual."""
    if not case.is_request:
        return "cannot tell"
    asks = case.function in ASK_THE_PROVIDER or properties(logical_id(case.function)).get("Policies")
    return "503" if asks else "200"


def logical_id(folder: str) -> str:
    """Return a function's logical id, derived from its folder."""
    return "".join(word.capitalize() for word in folder.split("_"))


def status_of(outcome: dict[str, Any]) -> str:
    """Return the status of an outcome, or `cannot tell` for an error of an authorizer."""
    match outcome:
        case {"answer": {"statusCode": status}}:
            return str(status)
        case {"error": {"message": message}} if message != "Unauthorized":
            return "cannot tell"
        case _:
            return str(outcome)


@pytest.mark.xdist_group("limits")
def test_messages_and_ticks_end_in_time(deployments: Deployments) -> None:
    """GIVEN that AWS does not answer THEN messages return to the queue, and a tick of the purge fails, in time."""
    batch = next(case for case in BATCHES if case.outcome == "followed")
    tick = next(case for case in TICKS if case.outcome == "purged")
    with ExitStack() as opened:
        aws = opened.enter_context(closing(FaultProxy(deployments.aws)))
        nowhere = {"AWS_ENDPOINT_URL": aws.url, "AWS_ENDPOINT_URL_DYNAMODB": aws.url}
        sync, purge = (opened.enter_context(deployments.running(case.function, **nowhere)) for case in (batch, tick))
        for deployed, case in ((sync, batch), (purge, tick)):
            deployed.prepare(case)
            deployed.start(case)
            deployed.prepare(case)

        with aws.inflicting(silent), ThreadPoolExecutor(2) as pool:
            synced, purged = pool.map(lambda pair: pair[0].replay(pair[1]), ((sync, batch), (purge, tick)))

    again = [{"itemIdentifier": message["messageId"]} for message in batch.event["Records"]]
    assert {"answer": {"batchItemFailures": again}} == synced
    assert {"error"} == purged.keys()


@pytest.mark.xdist_group("limits")
def test_the_limit_is_real(deployments: Deployments) -> None:
    """GIVEN a function that hangs WHEN its time limit is over THEN it is stopped, and the next invocation works.

    This shows that the tests above measure a real limit.
    """
    case = next(case for case in FIRST_SUCCESSES if case.function == "get_api_key")

    def stop(exchange: Exchange) -> None:
        os.kill(deployed.container.runtime_pid(), signal.SIGSTOP)
        passed_on(exchange)

    with (
        closing(FaultProxy(deployments.aws)) as aws,
        deployments.warm(case, **patient(aws.url, seconds=10)) as deployed,
    ):
        with aws.inflicting(stop):
            assert {"timed out"} == deployed.replay(case).keys()

        deployed.warm_up(case.function)
        assert "200" == status_of(deployed.replay(case))
