"""The function that archives records, in the real runtime: S3 takes, hangs, and outlives a killed runtime."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.deployments import PATIENCE
from tests.support.table_stream import stream_record
from tests.support.world import audit_item, nth_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.object_store import ObjectRequest, ObjectStore
    from tests.runtime.deployments import Deployed, Deployments

pytestmark = pytest.mark.xdist_group("archive_records")


def batch(*numbers: int) -> dict[str, Any]:
    """Return records of one organization."""
    return {"Records": [stream_record(audit_item(nth_id(number)), number) for number in numbers]}


def ids(objects: ObjectStore) -> list[list[str]]:
    """Return the ids of the records of each object."""
    return [[line["id"] for line in lines] for _, *lines in objects.lines]


@contextmanager
def archiving(deployments: Deployments, objects: ObjectStore) -> Iterator[Deployed]:
    """Run the function after a first invocation, while the context is open."""
    objects.reset()
    with deployments.running("archive_records", **PATIENCE) as deployed:
        deployed.container.invoke({"Records": []})
        yield deployed


def test_batches_are_archived(deployments: Deployments, all_objects: ObjectStore) -> None:
    """GIVEN two batches WHEN the runtime invokes the function THEN each is an object of one chain."""
    with archiving(deployments, all_objects) as deployed:
        outcomes = [deployed.container.invoke(batch(*numbers)) for numbers in ((0, 1), (2,))]

    assert [{"answer": {"batchItemFailures": []}}] * 2 == outcomes
    assert [[nth_id(0), nth_id(1)], [nth_id(2)]] == ids(all_objects)
    assert [1, 2] == [lines[0]["number"] for lines in all_objects.lines]


@pytest.mark.parametrize("is_written", [False, True], ids=["before it is written", "after it is written"])
def test_killed_during_a_request(deployments: Deployments, all_objects: ObjectStore, *, is_written: bool) -> None:
    """GIVEN a runtime killed at its request to S3 WHEN the batch comes again THEN the chain has every record."""
    kills = [1]

    with archiving(deployments, all_objects) as deployed:

        def kill(_: ObjectRequest) -> tuple[int, str] | None:
            if not kills:
                return None
            kills.clear()
            os.kill(deployed.container.runtime_pid(), signal.SIGKILL)
            return 503, "SlowDown"

        if is_written:
            all_objects.after = kill
        else:
            all_objects.before = kill
        assert {"ended"} == deployed.container.invoke(batch(0, 1)).keys()
        outcome = deployed.container.invoke(batch(0, 1))

    assert {"answer": {"batchItemFailures": []}} == outcome
    assert [[nth_id(0), nth_id(1)]] * (1 + is_written) == ids(all_objects)
