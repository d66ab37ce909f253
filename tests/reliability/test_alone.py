"""Every operation under every fault, alone: once at each of its requests, and again and again from there on."""

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
"""Three ask DynamoDB nothing; the purge, which does in many requests what is never repeated by anybody, is in
test_other_ways_in.py."""
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
"""An operation, and how many requests of it go through before the fault."""


def test_every_function_is_among_the_operations(stack: Stack) -> None:
    """None is left out."""
    functions = {function.directory.name for function in stack.functions.values()}

    assert functions - ELSEWHERE == {name for name in NAMES if not name.startswith("operator ")}


@EVERY_OPERATION
def test_the_operations_are_as_described(scene: Scene, operation: Operation) -> None:
    """Without faults each succeeds, with as many requests as it says, and leaves the record that it says."""
    operation.prepare(scene)
    before = scene.partition()
    with wire.injected(scene.proxy) as requests:
        answer = operation.ask(scene, KEY)

    assert (200, operation.requests) == (answer.status, len(requests))
    is_done = assert_all_or_nothing(operation, before, scene.partition(), has_key=True)
    assert (operation.event is not None) == is_done
    assert_there(operation, answer, scene.partition())


@EVERY_REQUEST
@pytest.mark.parametrize("fault", wire.FAULTS.values(), ids=wire.FAULTS)
def test_what_happens_once_is_absorbed(
    scene: Scene, time: SimulatedTime, limit_seconds: int, place: tuple[Operation, int], fault: wire.Fault
) -> None:
    """The answer is as if nothing had been; what it says is there, once, and a repeat finds it."""
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
def test_what_lasts_is_answered_in_time(
    scene: Scene, time: SimulatedTime, limit_seconds: int, place: tuple[Operation, int], fault: wire.Fault
) -> None:
    """503 before the function's time is over; all or nothing was done; and a repeat ends with it done once."""
    operation, position = place
    before, answer = asked(operation, scene, time, limit_seconds, *[None] * position, *[fault] * 100)

    assert (503, "SERVICE_UNAVAILABLE", "1") == (answer.status, answer.code, answer.headers["retry-after"])
    assert_all_or_nothing(operation, before, scene.partition(), has_key=True)
    assert_repeated(scene, operation, answer, before)


@EVERY_OPERATION
@pytest.mark.parametrize("fault", wire.HARMLESS.values(), ids=wire.HARMLESS)
def test_what_is_harmless_may_last(
    scene: Scene, time: SimulatedTime, limit_seconds: int, operation: Operation, fault: wire.Fault
) -> None:
    """Each answer late, or each request twice: the caller gets what it asked for, in time, once."""
    before, answer = asked(operation, scene, time, limit_seconds, *[fault] * 100)

    assert 200 == answer.status
    assert_all_or_nothing(operation, before, scene.partition(), has_key=True)
    assert_repeated(scene, operation, answer, before)


def asked(
    operation: Operation, scene: Scene, time: SimulatedTime, limit_seconds: int, *script: wire.Fault | None
) -> tuple[Partition, Answer]:
    """Ask for something under faults, and see to it that the answer came in time; give what there was before, too."""
    operation.prepare(scene)
    before, started, inflicted = scene.partition(), time.monotonic(), scene.proxy.faults
    with wire.injected(scene.proxy, *script):
        answer = operation.ask(scene, KEY)
    assert scene.proxy.faults > inflicted
    assert time.monotonic() - started < limit_seconds or not operation.has_deadline
    figures.add(operations=1)
    return before, answer


def assert_repeated(scene: Scene, operation: Operation, answer: Answer, before: Partition) -> None:
    """Repeat a request without faults: it is done once in all, and what is answered now is what there is."""
    figures.add(operations=1)
    was_done = assert_all_or_nothing(operation, before, scene.partition(), has_key=True)
    between = scene.partition()
    repeated = operation.ask(scene, KEY)
    after = scene.partition()
    assert (operation.told_again if was_done else 200) == repeated.status
    if operation.is_repeatable:
        assert was_done == repeated.is_replayed
        assert was_done == (between == after)
        if answer.status == 200:
            assert answer.body == repeated.body
        assert assert_all_or_nothing(operation, before, after, has_key=True)
        assert_there(operation, repeated, after)
    elif repeated.status == 200 and not (was_done and operation.is_same_again):
        assert (operation.event is not None) == assert_all_or_nothing(operation, between, after, has_key=False)
        if operation.event is None and answer.status == 200:
            assert answer.body == repeated.body
    else:
        assert between == after
    assert_consistent(after)
