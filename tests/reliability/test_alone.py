"""Every operation under every fault: once at each of its requests, and at every request from there on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reliability import figures, wire
from tests.reliability.operations import (
    NAMES,
    OPERATIONS,
    Operation,
    assert_all_or_nothing,
    assert_consistent,
    assert_there,
)

if TYPE_CHECKING:
    from local.template import Stack
    from tests.lifecycle.service import Answer
    from tests.reliability.operations import Partition, Scene
    from tests.reliability.simulated import SimulatedTime

ELSEWHERE = {"get_openapi", "get_reference", "authorize_session", "purge_organizations"}
"""Three functions send no request to DynamoDB; test_other_ways_in.py covers the purge."""
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"

EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
EVERY_REQUEST = pytest.mark.parametrize(
    "place",
    [
        pytest.param((operation, position), id=f"{operation.name}-request {position + 1}")
        for operation in OPERATIONS
        for position in range(operation.requests)
    ],
)
"""An operation, and the number of its requests before the fault."""


def test_every_function_is_among_the_operations(stack: Stack) -> None:
    """Every function is an operation or is tested elsewhere."""
    functions = {function.directory.name for function in stack.functions.values()}

    assert functions - ELSEWHERE == {name for name in NAMES if not name.startswith("operator ")}


@EVERY_OPERATION
def test_the_operations_are_as_described(scene: Scene, operation: Operation) -> None:
    """Without faults each operation succeeds with the declared number of requests and the declared audit record."""
    operation.prepare(scene)
    before = scene.partition()
    with wire.injected(scene.proxy) as requests:
        answer = operation.ask(scene, KEY)

    assert 200 == answer.status
    assert operation.requests == len(requests)
    is_done = assert_all_or_nothing(operation, before, scene.partition(), has_key=True)
    assert (operation.event is not None) == is_done
    assert_there(operation, answer, scene.partition())


@EVERY_REQUEST
@pytest.mark.parametrize("fault", wire.FAULTS.values(), ids=wire.FAULTS)
def test_a_single_fault_is_absorbed(
    scene: Scene, time: SimulatedTime, limit_seconds: int, place: tuple[Operation, int], fault: wire.Fault
) -> None:
    """A single fault is retried: the answer is a success, the change is done once, and a repeat finds it."""
    operation, position = place
    before, answer = asked(operation, scene, time, limit_seconds, *[None] * position, fault)

    after = scene.partition()
    assert 200 == answer.status
    is_done = assert_all_or_nothing(operation, before, after, has_key=True)
    assert (operation.event is not None) == is_done
    assert_there(operation, answer, after)
    assert_repeated(scene, operation, answer, before)


@EVERY_REQUEST
@pytest.mark.parametrize("fault", wire.LASTING.values(), ids=wire.LASTING)
def test_a_lasting_fault_is_answered_in_time(
    scene: Scene, time: SimulatedTime, limit_seconds: int, place: tuple[Operation, int], fault: wire.Fault
) -> None:
    """A lasting fault is a 503 within the time limit; all or nothing is done, and after a repeat it is done once."""
    operation, position = place
    before, answer = asked(operation, scene, time, limit_seconds, *[None] * position, *[fault] * 100)

    assert 503 == answer.status
    assert "SERVICE_UNAVAILABLE" == answer.code
    assert "1" == answer.headers["retry-after"]
    assert_all_or_nothing(operation, before, scene.partition(), has_key=True)
    assert_repeated(scene, operation, answer, before)


@EVERY_OPERATION
@pytest.mark.parametrize("fault", wire.HARMLESS.values(), ids=wire.HARMLESS)
def test_harmless_faults_may_last(
    scene: Scene, time: SimulatedTime, limit_seconds: int, operation: Operation, fault: wire.Fault
) -> None:
    """With every response late or every request doubled, the operation succeeds in time, once."""
    before, answer = asked(operation, scene, time, limit_seconds, *[fault] * 100)

    assert 200 == answer.status
    assert_all_or_nothing(operation, before, scene.partition(), has_key=True)
    assert_repeated(scene, operation, answer, before)


def asked(
    operation: Operation, scene: Scene, time: SimulatedTime, limit_seconds: int, *script: wire.Fault | None
) -> tuple[Partition, Answer]:
    """Run an operation under faults and check its time limit; return the items before it, and the answer."""
    operation.prepare(scene)
    before, started, inflicted = scene.partition(), time.monotonic(), scene.proxy.faults
    with wire.injected(scene.proxy, *script):
        answer = operation.ask(scene, KEY)
    assert scene.proxy.faults > inflicted
    assert time.monotonic() - started < limit_seconds or not operation.has_deadline
    figures.add(operations=1)
    return before, answer


def assert_repeated(scene: Scene, operation: Operation, answer: Answer, before: Partition) -> None:
    """Repeat a request without faults and check that it is done once in all, and that the answer matches the table."""
    figures.add(operations=1)
    was_done = assert_all_or_nothing(operation, before, scene.partition(), has_key=True)
    between = scene.partition()
    repeated = operation.ask(scene, KEY)
    after = scene.partition()
    assert (operation.repeat_status if was_done else 200) == repeated.status
    if operation.is_repeatable:
        assert was_done == repeated.is_replayed
        assert was_done == (between == after)
        if answer.status == 200:
            assert answer.body == repeated.body
        assert assert_all_or_nothing(operation, before, after, has_key=True)
        assert_there(operation, repeated, after)
    elif repeated.status == 200 and not (was_done and operation.is_idempotent):
        assert (operation.event is not None) == assert_all_or_nothing(operation, between, after, has_key=False)
        if operation.event is None and answer.status == 200:
            assert answer.body == repeated.body
    else:
        assert between == after
    assert_consistent(after)
