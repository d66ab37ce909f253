"""Failures during a purge: retried, left to the next run, or reported."""

from __future__ import annotations

import itertools
import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from keywright.aws import retries
from keywright.errors import ServiceError
from keywright.organizations import purge as organization_purge
from keywright.organizations.purge import LEAST_SECONDS, PurgeFailedError
from keywright.store import purges
from keywright.store.purges import BATCH_ITEMS
from tests.support import faults
from tests.support.client import UNANSWERED, meanwhile
from tests.support.depth import mostly_deep
from tests.support.purge import NOW
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from keywright.store.purges import RemainingItem
    from tests.support.purge import Purge

STEPS = {"due": 0, "requested": 1, "by whom": 2, "begin": 3, "look": 4, "delete": 5, "look again": 6, "end": 7}
"""The requests of the purge of an organization with one batch, in order."""


def deleted(purge: Purge) -> int:
    """Return the number of deleted items in the record of the purge."""
    return sum(int(value) for name, value in purge.record().items() if name.startswith("deleted_"))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", mostly_deep([*UNANSWERED, faults.lost_answer], lambda f: f is faults.lost_answer))
def test_transient_failures_are_retried(purge: Purge, step: str, fault: faults.Fault) -> None:
    """A single failure or lost response at any request changes nothing: every item is counted once."""
    purge.fill(9)

    with faults.injected(*[None] * STEPS[step], fault):
        assert {"purged": 1} == purge()

    assert 10 == deleted(purge)
    assert [] == purge.left()


@pytest.mark.parametrize("step", STEPS)
def test_the_next_run_continues_after_a_lasting_failure(purge: Purge, step: str) -> None:
    """A later run completes a purge that stopped at any request."""
    purge.fill(9)
    throttled = faults.error("ThrottlingException")
    # After a throttled batch the run looks again before it gives up.
    attempts = 2 * retries.ATTEMPTS if step == "delete" else retries.ATTEMPTS
    with (
        faults.injected(*[None] * STEPS[step], *[throttled] * attempts),
        pytest.raises(ServiceError, match="SERVICE_UNAVAILABLE"),
    ):
        purge()

    assert {"purged": 1} == purge()
    assert 10 == deleted(purge)
    assert [] == purge.left()


@contextmanager
def throttled_above(deletions: int, fault: Callable[[int], faults.Fault]) -> Iterator[list[int]]:
    """Throttle every transaction with more deletions than a partition has write units for.

    Args:
        deletions: the largest number that passes.
        fault: the response to a transaction, by its number of operations.

    Yields:
        The number of deletions of each transaction, in the order sent.
    """
    sizes: list[int] = []

    def hook(request: AWSPreparedRequest, operation: str) -> AWSResponse | None:
        if operation != "TransactWriteItems":
            return None
        operations = json.loads(cast("bytes", request.body))["TransactItems"]
        sizes.append(sum("Delete" in operation for operation in operations))
        return fault(len(operations))(request) if sizes[-1] > deletions else None

    with faults.intercepted(retries.dynamodb(), hook):
        yield sizes


@pytest.mark.parametrize(
    "fault",
    [
        lambda _: faults.error("ThrottlingException"),
        lambda _: faults.error("ProvisionedThroughputExceededException"),
        lambda operations: faults.canceled("ThrottlingError", *["None"] * (operations - 1)),
        lambda operations: faults.canceled(*["None"] * (operations - 1), "ProvisionedThroughputExceeded"),
    ],
    ids=["request", "request, provisioned", "transaction", "transaction, provisioned"],
)
def test_a_throttled_batch_is_halved(purge: Purge, fault: Callable[[int], faults.Fault]) -> None:
    """A batch too large for its partition is halved until it passes.

    A batch of items of 45 KB needs 4,410 write units; a partition has 1,000 a second, so no attempt succeeds.
    """
    purge.fill(BATCH_ITEMS + 9)

    with throttled_above(10, fault) as sizes:
        assert {"purged": 1} == purge()

    assert BATCH_ITEMS + 10 == deleted(purge)
    assert [] == purge.left()
    # The first transaction begins the purge; the last one deletes the organization, the item of its limits and its
    # scheduled deletion.
    halves = [[size] * retries.ATTEMPTS for size in (49, 24, 12)]
    assert [0, *itertools.chain(*halves), *[6] * 9, 5, 3] == sizes


@pytest.mark.deep
def test_a_throttled_batch_of_keys_with_limits_is_halved(purge: Purge) -> None:
    """The second item of a key with limits is deleted with its key, also in smaller batches, and once."""
    purge.limit(BATCH_ITEMS)

    with throttled_above(BATCH_ITEMS, lambda _: faults.error("ThrottlingException")) as sizes:
        assert {"purged": 1} == purge()

    assert [0, *[98] * retries.ATTEMPTS, 48, 48, 3, 3] == sizes
    assert [] == purge.limits()
    assert [] == purge.left()
    assert BATCH_ITEMS == purge.record()["deleted_api_keys"]


def test_a_throttled_single_item_is_left_to_the_next_run(purge: Purge) -> None:
    """A single item cannot be halved: the run fails, and the next run begins with whole batches again."""
    purge.fill(9)

    with (
        throttled_above(0, lambda _: faults.error("ThrottlingException")) as sizes,
        pytest.raises(ServiceError, match="SERVICE_UNAVAILABLE"),
    ):
        purge()

    assert [0, *itertools.chain(*[[size] * retries.ATTEMPTS for size in (10, 5, 2, 1)])] == sizes
    assert {"purged": 1} == purge()


def test_an_expired_item_is_not_counted(purge: Purge) -> None:
    """An item that DynamoDB's TTL deletes between look and deletion is not counted."""
    purge.fill(9)
    gone = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"AUDIT#{nth_id(2)}"}}

    def expire() -> None:
        purge.table.client.delete_item(TableName=purge.table.name, Key=gone)

    with faults.injected(*[None] * STEPS["delete"], meanwhile(expire)):
        assert {"purged": 1} == purge()

    assert 9 == deleted(purge)
    assert [] == purge.left()


@pytest.mark.parametrize("step", ["look", "delete", "look again"])
def test_two_concurrent_runs_count_everything_once(purge: Purge, step: str) -> None:
    """Two concurrent runs delete and count every item once."""
    purge.fill(3 * BATCH_ITEMS)
    outcomes: list[Any] = []

    with faults.injected(*[None] * STEPS[step], meanwhile(lambda: outcomes.append(purge()))):
        outcomes.append(purge())

    assert [{"purged": 1}, {"purged": 1}] == outcomes
    assert 3 * BATCH_ITEMS + 1 == deleted(purge)
    assert [] == purge.left()


def test_a_purge_without_its_record_stops(purge: Purge, caplog: pytest.LogCaptureFixture) -> None:
    """Without its record a purge deletes nothing more, and logs why."""
    purge.fill(9)

    def take_away() -> None:
        purge.table.client.delete_item(
            TableName=purge.table.name, Key={"pk": {"S": f"PURGED#{ORGANIZATION_ID}"}, "sk": {"S": "PURGED"}}
        )

    with (
        caplog.at_level(logging.INFO, logger="keywright"),
        faults.injected(*[None] * STEPS["delete"], meanwhile(take_away)),
        pytest.raises(PurgeFailedError, match="1 organizations could not be purged"),
    ):
        purge()

    assert 11 == len(purge.left())
    assert "StoppedError" in caplog.records[0].__dict__["details"]


def test_one_organization_does_not_stop_the_others(purge: Purge, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected failure of one organization fails the invocation after the others were purged."""
    purge.schedule(OTHER_ORGANIZATION_ID, at="2030-01-30T00:00:00.000Z")
    delete = purges.delete_batch

    def broken(organization_id: UUID, items: Sequence[RemainingItem]) -> None:
        if str(organization_id) == OTHER_ORGANIZATION_ID:
            raise RuntimeError("the details")
        delete(organization_id, items)

    monkeypatch.setattr(purges, "delete_batch", broken)
    with pytest.raises(PurgeFailedError):
        purge()

    assert [] == purge.left()
    assert 6 == len(purge.left(OTHER_ORGANIZATION_ID))


def test_without_time_nothing_begins(purge: Purge) -> None:
    """Without time left no purge begins, so the deletion can still be canceled."""
    before = purge.table.items()

    assert {"unfinished": 1} == purge.with_time_left(int(LEAST_SECONDS * 1000))()
    assert before == purge.table.items()


def test_the_next_run_continues_when_time_is_up(purge: Purge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is short of time stops between two batches; later organizations wait for the next run."""
    purge.fill(2 * BATCH_ITEMS)
    purge.schedule(OTHER_ORGANIZATION_ID, at=NOW)
    answers = iter([False, False])
    with monkeypatch.context() as late:
        late.setattr(organization_purge, "_is_late", lambda: next(answers, True))
        assert {"unfinished": 1} == purge()

    assert BATCH_ITEMS == deleted(purge)
    assert {"purged": 2} == purge()
    assert 2 * BATCH_ITEMS + 1 == deleted(purge)
