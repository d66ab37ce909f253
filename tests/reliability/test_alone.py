"""Every operation under every fault: once at each of its requests, and at every request from there on.

GIVEN an operation and a number of its requests that go through WHEN the next one fails, or all others, THEN it was done
completely or not at all, is answered in time, and a repeat leads to it having been done once.

`make test` injects all faults into one request and a lost answer into all; `make test-all` all into all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import network_faults
from tests.support.operations import (
    NAMES,
    OPERATIONS,
    Operation,
    check_issued_key,
    check_repeat,
    run_under_faults,
    was_done,
)

if TYPE_CHECKING:
    from local.template import Stack
    from tests.support.audit_log import Partition
    from tests.support.network_faults import Fault
    from tests.support.operations import Scene
    from tests.support.service import Answer

SCHEDULED = {"announce_expirations", "purge_organizations"}
"""test_other_ways_in.py covers them."""
DOCUMENTS = {"get_console", "get_console_script", "get_openapi", "get_reference"}
ELSEWHERE = SCHEDULED | DOCUMENTS | {"archive_records", "authorize_session", "publish_events"}
"""The others send no request to DynamoDB."""
IDEMPOTENCY_KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"

ALWAYS_UNDER_ALL_FAULTS = {("create_api_key", 0)}
TYPICAL = {"lost answer"}
EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)


def at_every_request(faults: dict[str, Fault]) -> pytest.MarkDecorator:
    """Run a test for each operation, each number of requests before the fault, and each fault."""
    return pytest.mark.parametrize(
        ("operation", "position", "fault"),
        [
            pytest.param(
                operation,
                position,
                fault,
                id=f"{operation.name}-request {position + 1}-{name}",
                marks=[] if is_quick else [pytest.mark.deep],
            )
            for operation in OPERATIONS
            for position in range(operation.requests)
            for name, fault in faults.items()
            for is_quick in [
                (name in TYPICAL and position == operation.requests - 1)
                or (operation.name, position) in ALWAYS_UNDER_ALL_FAULTS
            ]
        ],
    )


def test_every_function_is_among_the_operations(stack: Stack) -> None:
    """Every function is an operation or is tested elsewhere."""
    functions = {function.directory.name for function in stack.functions.values()}

    assert functions - ELSEWHERE == {name for name in NAMES if not name.startswith("operator ")}


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.seconds], ids=lambda each: each.name)
def test_time_limits_are_those_of_the_template(stack: Stack, operation: Operation) -> None:
    """The time limit of an operation is the time-out of its function."""
    assert [operation.seconds] == [
        function.timeout_seconds for function in stack.functions.values() if function.directory.name == operation.name
    ]


@EVERY_OPERATION
def test_the_operations_are_as_described(scene: Scene, operation: Operation) -> None:
    """Without faults an operation succeeds with the declared number of requests and the declared audit record."""
    operation.prepare(scene)
    before = scene.partition()
    with network_faults.injected(scene.proxy) as requests:
        answer = operation.run(scene, IDEMPOTENCY_KEY)

    assert 200 == answer.status
    assert operation.requests == len(requests)
    assert (operation.event is not None) == was_done(operation, before, scene.partition())
    check_issued_key(operation, answer, scene.partition())


@at_every_request(network_faults.FAULTS)
def test_a_single_fault_is_absorbed(scene: Scene, operation: Operation, position: int, fault: Fault) -> None:
    """GIVEN one fault THEN the answer is a success, the change is done once, and a repeat finds it."""
    before, answer = run(scene, operation, *[None] * position, fault)

    after = scene.partition()
    assert 200 == answer.status
    assert (operation.event is not None) == was_done(operation, before, after)
    check_issued_key(operation, answer, after)
    check_repeat(scene, operation, IDEMPOTENCY_KEY, before, answer)


@at_every_request(network_faults.LASTING)
def test_a_lasting_fault_is_answered_in_time(scene: Scene, operation: Operation, position: int, fault: Fault) -> None:
    """GIVEN a fault that lasts THEN the answer is a 503 in time, all or nothing is done, and a repeat completes it."""
    before, answer = run(scene, operation, *[None] * position, *[fault] * 100)

    assert "503 SERVICE_UNAVAILABLE" == answer.refusal
    assert "1" == answer.headers["retry-after"]
    check_repeat(scene, operation, IDEMPOTENCY_KEY, before, answer)


@EVERY_OPERATION
@pytest.mark.parametrize("fault", network_faults.HARMLESS.values(), ids=network_faults.HARMLESS)
def test_harmless_faults_may_last(scene: Scene, operation: Operation, fault: Fault) -> None:
    """GIVEN that every response is late or every request is doubled THEN the operation succeeds in time, once."""
    before, answer = run(scene, operation, *[fault] * 100)

    assert 200 == answer.status
    check_repeat(scene, operation, IDEMPOTENCY_KEY, before, answer)


def run(scene: Scene, operation: Operation, *script: Fault | None) -> tuple[Partition, Answer]:
    """Prepare an operation and run it with at least one fault; return the items before it, and the answer."""
    operation.prepare(scene)
    before, injected = scene.partition(), scene.proxy.faults
    answer = run_under_faults(scene, operation, IDEMPOTENCY_KEY, *script)
    assert scene.proxy.faults > injected
    return before, answer
