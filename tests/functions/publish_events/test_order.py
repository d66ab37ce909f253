"""With any refusals of EventBridge: Lambda goes on until all is done, and every organization is in order."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keywright.aws import retries
from keywright.store.event_bus import REQUEST_BYTES, REQUEST_EVENTS
from tests.support import faults
from tests.support.event_bus import entry_bytes
from tests.support.table_stream import stream_record
from tests.support.world import audit_item, nth_id

if TYPE_CHECKING:
    from tests.support.event_bus import EventBus
    from tests.support.table_stream import Publisher, Record

ORGANIZATIONS = [str(uuid.UUID(int=number, version=4)) for number in range(12)]
SIZES = [0, 0, 0, 1_000, 60_000, 110_000, 220_000]
CODES = [None, "ThrottlingException", "InternalFailure"]
FAULTS: dict[str, faults.Fault | None] = {
    "none": None,
    "throttled": faults.error("ThrottlingException"),
    "denied": faults.error("AccessDeniedException"),
    "down": faults.refused,
    "lost answer": faults.lost_answer,
    "proxy": faults.answer(200, {"Entries": []}),
}

batches = st.lists(st.tuples(st.sampled_from(ORGANIZATIONS), st.sampled_from(SIZES)), max_size=40)
refusals = st.lists(st.sampled_from(CODES), max_size=120)
failures = st.lists(st.sampled_from(sorted(FAULTS)), max_size=40)


def records(batch: list[tuple[str, int]]) -> list[Record]:
    """Return the records of a batch, with ids that sort by their place."""
    return [
        stream_record(
            audit_item(nth_id(number), organization, changes=json.dumps({"after": {"name": "n" * size}})), number
        )
        for number, (organization, size) in enumerate(batch)
    ]


def check_requests(bus: EventBus) -> None:
    """Check that each request is one that EventBridge takes, without two records of one organization."""
    for entries in bus.requests:
        organizations = [json.loads(entry["Detail"])["organizationId"] for entry in entries]
        assert len(entries) <= REQUEST_EVENTS
        assert len(organizations) == len(set(organizations))
        assert len(entries) == 1 or sum(map(entry_bytes, entries)) <= REQUEST_BYTES


def check_order(bus: EventBus, batch: list[tuple[str, int]]) -> None:
    """Check that exactly the batch was published, each organization's records in the order of the stream."""
    first = list(dict.fromkeys((detail["organizationId"], detail["id"]) for detail in bus.details))
    for organization in {organization for organization, _ in batch}:
        assert [nth_id(number) for number, (each, _) in enumerate(batch) if each == organization] == [
            record_id for each, record_id in first if each == organization
        ]
    assert len(batch) == len(first)


@given(batch=batches, refused=refusals, failing=failures)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_everything_is_published_in_order(
    publisher: Publisher, batch: list[tuple[str, int]], refused: list[str | None], failing: list[str]
) -> None:
    """GIVEN any batch and any refusals WHEN Lambda goes on until all is done THEN the bus has all, in order."""
    publisher.bus.reset()
    remaining = iter(refused)
    publisher.bus.refuse = lambda _: next(remaining, None)

    with faults.intercepted(retries.event_buses(), faults.scripted(*[FAULTS[name] for name in failing])):
        publisher.deliver(records(batch))

    check_requests(publisher.bus)
    check_order(publisher.bus, batch)


@given(batch=batches)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_without_refusals_each_record_is_published_once(publisher: Publisher, batch: list[tuple[str, int]]) -> None:
    """GIVEN any batch WHEN nothing fails THEN one invocation publishes each record once."""
    publisher.bus.reset()

    assert publisher(*records(batch)) is None

    assert [nth_id(number) for number in range(len(batch))] == sorted(publisher.bus.ids)
    check_requests(publisher.bus)
    check_order(publisher.bus, batch)


@pytest.mark.parametrize("chance", range(3))
def test_a_shuffled_batch_is_published_in_its_order(publisher: Publisher, chance: int) -> None:
    """GIVEN records whose ids are not in the order of the stream THEN the order of the stream counts."""
    batch = records([(ORGANIZATIONS[number % 3], 0) for number in range(30)])
    order = sorted(range(30), key=lambda number: hash((number * 7919 + chance) % 31))

    assert publisher(*[batch[number] for number in order]) is None

    for organization in range(3):
        assert [nth_id(number) for number in order if number % 3 == organization] == [
            detail["id"] for detail in publisher.bus.details if detail["organizationId"] == ORGANIZATIONS[organization]
        ]
