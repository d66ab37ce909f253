"""The function that publishes events, in the real runtime: EventBridge takes, hangs, and outlives a killed runtime."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from local.container import STOP_SECONDS
from tests.runtime.deployments import patient
from tests.runtime.stream_batch import BATCH, FIRST, SECOND, record_id, sequence_number
from tests.support.fault_proxy import Exchange, FaultProxy
from tests.support.network_faults import genuine, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.runtime.deployments import Deployed, Deployments

SECONDS = 10
"""The time limit of the function in these tests."""


@dataclass(slots=True)
class EventBridge:
    """Takes every event.

    Attributes:
        requests: the ids of the records in each request.
        entries: all entries that were taken.
    """

    requests: list[list[str]] = field(default_factory=list)
    entries: list[dict[str, str]] = field(default_factory=list)

    def take(self, exchange: Exchange) -> None:
        """Answer PutEvents."""
        assert "PutEvents" == exchange.operation
        entries = exchange.content["Entries"]
        self.entries += entries
        self.requests.append([json.loads(entry["Detail"])["id"] for entry in entries])
        genuine({"FailedEntryCount": 0, "Entries": [{"EventId": str(index)} for index in range(len(entries))]})(
            exchange
        )


@contextmanager
def publishing(deployments: Deployments, answer: Callable[[Exchange, Deployed], None]) -> Iterator[Deployed]:
    """Run the function after a first invocation, with an EventBridge that answers so, while the context is open."""
    with (
        closing(FaultProxy(deployments.aws)) as aws,
        deployments.running("publish_events", **patient(aws.url, SECONDS)) as deployed,
    ):
        deployed.container.invoke({"Records": []})
        with aws.inflicting(lambda exchange: answer(exchange, deployed)):
            yield deployed


@pytest.mark.xdist_group("publish_events")
def test_a_batch_is_published(deployments: Deployments) -> None:
    """GIVEN records of two organizations WHEN the runtime invokes the function THEN each is an event of the bus."""
    bus = EventBridge()

    with publishing(deployments, lambda exchange, _: bus.take(exchange)) as deployed:
        outcome = deployed.container.invoke(BATCH)

    assert {"answer": {"batchItemFailures": []}} == outcome
    assert [[record_id(1), record_id(3)], [record_id(2)]] == bus.requests
    name = deployed.container.function.environment["EVENT_BUS_NAME"]
    assert {(name, "keywright", "api_key.created")} == {
        (entry["EventBusName"], entry["Source"], entry["DetailType"]) for entry in bus.entries
    }
    assert [FIRST, SECOND, FIRST] == [json.loads(entry["Detail"])["organizationId"] for entry in bus.entries]


@pytest.mark.xdist_group("publish_events")
@pytest.mark.parametrize(("taken", "named"), [(0, 1), (1, 2)], ids=["from the start", "after a request"])
def test_silence_ends_in_time(deployments: Deployments, taken: int, named: int) -> None:
    """GIVEN that EventBridge does not answer WHEN a batch comes THEN the first record is named in time."""
    bus = EventBridge()

    def answer(exchange: Exchange, _: Deployed) -> None:
        (bus.take if len(bus.requests) < taken else silent)(exchange)

    with publishing(deployments, answer) as deployed:
        outcome = deployed.container.invoke(BATCH)

    assert {"answer": {"batchItemFailures": [{"itemIdentifier": sequence_number(named)}]}} == outcome
    assert taken == len(bus.requests)


@pytest.mark.xdist_group("publish_events")
@pytest.mark.parametrize("is_taken", [False, True], ids=["before it is taken", "after it is taken"])
def test_killed_during_a_request(deployments: Deployments, *, is_taken: bool) -> None:
    """GIVEN a runtime killed at its second request WHEN the batch comes again THEN each record was published."""
    bus = EventBridge()
    kills = [2]

    def answer(exchange: Exchange, deployed: Deployed) -> None:
        if len(bus.requests) + 1 not in kills:
            return bus.take(exchange)
        kills.clear()
        if is_taken:
            bus.requests.append([json.loads(entry["Detail"])["id"] for entry in exchange.content["Entries"]])
        os.kill(deployed.container.runtime_pid(), signal.SIGKILL)
        return exchange.close()

    with publishing(deployments, answer) as deployed:
        assert {"ended"} == deployed.container.invoke(BATCH).keys()
        outcome = deployed.container.invoke(BATCH)

    assert {"answer": {"batchItemFailures": []}} == outcome
    once = [[record_id(1), record_id(3)], [record_id(2)]]
    assert [*once[: 1 + is_taken], *once] == bus.requests


@pytest.mark.xdist_group("publish_events")
def test_a_stopped_container_keeps_nothing(deployments: Deployments) -> None:
    """GIVEN a published batch WHEN Lambda stops the container THEN it ends at once, and publishes nothing more."""
    bus = EventBridge()

    with publishing(deployments, lambda exchange, _: bus.take(exchange)) as deployed:
        deployed.container.invoke(BATCH)
        published = len(bus.entries)
        start = time.monotonic()
        deployed.container.stop()

        assert time.monotonic() - start < STOP_SECONDS
        assert [3, 3] == [published, len(bus.entries)]
