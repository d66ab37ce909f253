"""Random sequences of operations under random faults: all or nothing, once, in time, and never a wrong verdict.

FAULT_SEQUENCES sets their number, drawn anew each time; the default is a few fixed ones.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keywright import clock
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys.outcome import Code
from keywright.keys.verification import verify
from keywright.store import pepper
from tests.reliability import figures, wire
from tests.reliability.operations import OPERATIONS, Operation, Scene, asks, assert_all_or_nothing
from tests.support.depth import size
from tests.support.world import OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lifecycle.service import Answer, Service
    from tests.reliability.operations import Partition
    from tests.reliability.proxy import FaultProxy
    from tests.reliability.simulated import SimulatedTime

ROTATE_AT_ONCE = Operation(
    "rotate_api_key without a period of grace",
    2,
    asks("rotate_api_key", body={"gracePeriodSeconds": 0}, has_key_id=True),
    event="api_key.rotated",
    is_repeatable=True,
)
ENABLE = Operation(
    "update_api_key to be enabled",
    2,
    asks("update_api_key", body={"enabled": True}, has_key_id=True),
    event="api_key.updated",
)
ALL = [*OPERATIONS, ROTATE_AT_ONCE, ENABLE]
PRECONDITIONS = {400, 403, 404, 409, 410}
"""The refusal of each function that cannot be done now."""

# None as often as all faults together, so that faults occur at any request.
SCRIPTS = st.lists(st.none() | st.sampled_from(sorted(wire.FAULTS)), max_size=8)


@dataclass(frozen=True, slots=True)
class Step:
    """An operation on one of the keys, with the faults of its requests."""

    operation: Operation
    key: int
    script: list[str | None]
    verified: int
    verified_script: list[str | None]


STEPS = st.lists(
    st.builds(Step, st.sampled_from(ALL), st.integers(0, 9), SCRIPTS, st.integers(0, 9), SCRIPTS),
    min_size=1,
    max_size=12,
)


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a key, with its generation."""

    key_id: str
    generation: int
    text: str

    def code(self, partition: Partition) -> Code:
        """Return the code that the table implies for the text."""
        item = partition.get(f"KEY#{self.key_id}")
        if item is None or not self._is_valid(item):
            return Code.NOT_FOUND
        if not item["enabled"]:
            return Code.DISABLED
        return Code.ORGANIZATION_FROZEN if "pending_deletion_at" in partition["ORG"] else Code.VALID

    def _is_valid(self, item: Any) -> bool:
        if self.generation == item["generation"]:
            return True
        until = item.get("previous_expires_at")
        return self.generation == item["generation"] - 1 and until is not None and clock.stored(until) > clock.now()


@settings(
    max_examples=size("FAULT_SEQUENCES", 25),
    # Fixed by default: a failure is then caused by the change under test.
    derandomize="FAULT_SEQUENCES" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_sequences(
    service: Service, proxy: FaultProxy, time: SimulatedTime, limit_seconds: int, steps: Sequence[Step]
) -> None:
    """Each step leaves a consistent table, and each verdict is that of the table, or unavailable."""
    pepper.keyring()
    service.open_organization(OTHER_ORGANIZATION_ID, user_1="admin")
    elsewhere = service.partition(OTHER_ORGANIZATION_ID)
    first = Scene.opened(service, proxy, str(uuid.uuid4()))
    texts = [Text(first.key_id, 0, first.text)]
    figures.add(sequences=1)
    for step in steps:
        about = texts[step.key % len(texts)]
        scene = replace(first, key_id=about.key_id, text=about.text)
        answer = done(step, scene, time, limit_seconds)
        if answer.status == 200 and step.operation.is_repeatable:
            key_id = answer.data["id"]
            generation = int(scene.partition()[f"KEY#{key_id}"]["generation"])
            texts.append(Text(key_id, generation, answer.data["key"]))
        presented = texts[step.verified % len(texts)]
        expected = presented.code(scene.partition())
        with wire.injected(proxy, *[wire.FAULTS[name] if name else None for name in step.verified_script]):
            assert verdict(presented.text) in {expected, None}
        figures.add(verifications=1)
    assert elsewhere == service.partition(OTHER_ORGANIZATION_ID)


def verdict(text: str) -> Code | None:
    """Verify a key; return None if the service is unavailable."""
    try:
        return verify(text).code
    except ServiceError as error:
        if error.error is not SERVICE_UNAVAILABLE:
            raise
        return None


def done(step: Step, scene: Scene, time: SimulatedTime, limit_seconds: int) -> Answer:
    """Run a step and repeat it on a 503, if repeatable; return the last answer."""
    operation, idempotency_key = step.operation, str(uuid.uuid4())
    before, started = scene.partition(), time.monotonic()
    with wire.injected(scene.proxy, *[wire.FAULTS[name] if name else None for name in step.script]):
        answer = operation.ask(scene, idempotency_key)
    figures.add(operations=1)

    after = scene.partition()
    assert time.monotonic() - started < limit_seconds or not operation.has_deadline
    assert answer.status in {200, 401, 503, *PRECONDITIONS}, answer
    was_done = assert_all_or_nothing(operation, before, after, has_key=True)
    if answer.status == 200:
        assert was_done == (operation.event is not None) or (operation.is_idempotent and not was_done)
    elif answer.status != 503:
        assert not was_done
    elif operation.is_repeatable:
        answer = operation.ask(scene, idempotency_key)
        figures.add(operations=1)
        assert 200 == answer.status or (answer.status in PRECONDITIONS and not was_done)
        assert was_done == answer.is_replayed
        assert (answer.status == 200) == assert_all_or_nothing(operation, before, scene.partition(), has_key=True)
    return answer
