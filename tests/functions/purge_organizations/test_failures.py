"""What goes wrong while organizations are purged: it is tried again, left to the next run, or told."""

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
from tests import faults
from tests.calling import UNANSWERED, meanwhile
from tests.functions.purge_organizations.conftest import NOW
from tests.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.functions.purge_organizations.conftest import Purge

STEPS = {"due": 0, "requested": 1, "by whom": 2, "begin": 3, "look": 4, "delete": 5, "look again": 6, "end": 7}
"""The requests of the purge of an organization with one batch, by their place."""


def deleted(purge: Purge) -> int:
    """Give the number of items that the record of the purge counts."""
    return sum(int(value) for name, value in purge.record().items() if name.startswith("deleted_"))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", [*UNANSWERED, faults.lost_answer])
def test_what_passes_is_not_noticed(purge: Purge, step: str, fault: faults.Fault) -> None:
    """Wherever a request fails once, or its answer is lost: the end is the same, and everything is counted once."""
    purge.fill(9)

    with faults.injected(*[None] * STEPS[step], fault):
        assert {"purged": 1} == purge()

    assert (10, []) == (deleted(purge), purge.left())


@pytest.mark.parametrize("step", STEPS)
def test_when_dynamodb_does_not_recover_the_next_run_goes_on(purge: Purge, step: str) -> None:
    """Wherever it stopped, and however much was deleted by then."""
    purge.fill(9)
    throttled = faults.error("ThrottlingException")
    attempts = (
        2 * retries.ATTEMPTS if step == "delete" else retries.ATTEMPTS
    )  # a throttled batch is followed by another look
    with (
        faults.injected(*[None] * STEPS[step], *[throttled] * attempts),
        pytest.raises(ServiceError, match="SERVICE_UNAVAILABLE"),
    ):
        purge()

    assert {"purged": 1} == purge()
    assert (10, []) == (deleted(purge), purge.left())


@contextmanager
def throttled_above(deletions: int, fault: Callable[[int], faults.Fault]) -> Iterator[list[int]]:
    """Throttle every transaction with more deletions than a partition has write units for.

    Args:
        deletions: the largest number that passes.
        fault: the answer to a transaction of so many operations.

    Yields:
        The number of deletions of each transaction, as they are sent.
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
def test_a_batch_that_is_too_large_for_the_partition_is_halved(
    purge: Purge, fault: Callable[[int], faults.Fault]
) -> None:
    """Fifty items of 45 KB need 4,500 write units, and a partition has 1,000 a second: that passes in no attempt."""
    purge.fill(BATCH_ITEMS + 9)

    with throttled_above(10, fault) as sizes:
        assert {"purged": 1} == purge()

    assert (BATCH_ITEMS + 10, []) == (deleted(purge), purge.left())
    # Ahead of the batches the purge is begun; after them it is ended, with the organization and its appointment.
    halves = [[size] * retries.ATTEMPTS for size in (50, 25, 12)]
    assert [0, *itertools.chain(*halves), *[6] * 10, 2] == sizes


def test_a_single_item_that_is_throttled_is_left_to_the_next_run(purge: Purge) -> None:
    """There is nothing left to halve; the next run begins with whole batches again."""
    purge.fill(9)

    with (
        throttled_above(0, lambda _: faults.error("ThrottlingException")) as sizes,
        pytest.raises(ServiceError, match="SERVICE_UNAVAILABLE"),
    ):
        purge()

    assert [0, *itertools.chain(*[[size] * retries.ATTEMPTS for size in (10, 5, 2, 1)])] == sizes
    assert {"purged": 1} == purge()


def test_something_that_goes_away_by_itself_is_not_counted(purge: Purge) -> None:
    """Items with a ttl go when DynamoDB gets round to them, also between looking and deleting."""
    purge.fill(9)
    gone = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"AUDIT#{nth_id(2)}"}}

    def expire() -> None:
        purge.table.client.delete_item(TableName=purge.table.name, Key=gone)

    with faults.injected(*[None] * STEPS["delete"], meanwhile(expire)):
        assert {"purged": 1} == purge()

    assert (9, []) == (deleted(purge), purge.left())


@pytest.mark.parametrize("step", ["look", "delete", "look again"])
def test_two_at_once_delete_and_count_everything_once(purge: Purge, step: str) -> None:
    """A run that is called by hand while another is under way."""
    purge.fill(3 * BATCH_ITEMS)
    outcomes: list[Any] = []

    with faults.injected(*[None] * STEPS[step], meanwhile(lambda: outcomes.append(purge()))):
        outcomes.append(purge())

    assert ([{"purged": 1}, {"purged": 1}], 3 * BATCH_ITEMS + 1, []) == (outcomes, deleted(purge), purge.left())


def test_somebody_who_takes_the_record_away_stops_the_purge(purge: Purge, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is deleted that is not counted; the log tells of it."""
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


def test_one_organization_is_not_in_the_way_of_the_others(purge: Purge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever nobody has thought of about it: the others are purged, and the invocation counts as failed."""
    purge.schedule(OTHER_ORGANIZATION_ID, at="2030-01-30T00:00:00.000Z")
    delete = purges.delete

    def broken(organization_id: UUID, sort_keys: Sequence[str]) -> None:
        if str(organization_id) == OTHER_ORGANIZATION_ID:
            raise RuntimeError("the details")
        delete(organization_id, sort_keys)

    monkeypatch.setattr(purges, "delete", broken)
    with pytest.raises(PurgeFailedError):
        purge()

    assert [] == purge.left()
    assert 6 == len(purge.left(OTHER_ORGANIZATION_ID))


def test_without_time_nothing_is_begun(purge: Purge) -> None:
    """Not even marked: the deletion can still be cancelled."""
    before = purge.table.items()

    assert {"unfinished": 1} == purge.with_time_left(int(LEAST_SECONDS * 1000))()
    assert before == purge.table.items()


def test_when_time_is_up_the_rest_is_left_to_the_next_run(purge: Purge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two batches, with time to spare; organizations that come later wait for it."""
    purge.fill(2 * BATCH_ITEMS)
    purge.schedule(OTHER_ORGANIZATION_ID, at=NOW)
    answers = iter([False, False])
    with monkeypatch.context() as late:
        late.setattr(organization_purge, "_is_late", lambda: next(answers, True))
        assert {"unfinished": 1} == purge()

    assert BATCH_ITEMS == deleted(purge)
    assert {"purged": 2} == purge()
    assert 2 * BATCH_ITEMS + 1 == deleted(purge)
