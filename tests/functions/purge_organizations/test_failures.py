"""What goes wrong while organizations are purged: it is tried again, left to the next run, or told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from keywright import purging
from keywright.errors import ServiceError
from keywright.purging import LEAST_SECONDS, PurgeFailedError
from keywright.store import aws, purges
from keywright.store.purges import BATCH_ITEMS
from tests import faults
from tests.calling import UNANSWERED, meanwhile
from tests.functions.purge_organizations.conftest import NOW
from tests.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

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
    with (
        faults.injected(*[None] * STEPS[step], *[throttled] * aws.ATTEMPTS),
        pytest.raises(ServiceError, match="SERVICE_UNAVAILABLE"),
    ):
        purge()

    assert {"purged": 1} == purge()
    assert (10, []) == (deleted(purge), purge.left())


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
        late.setattr(purging, "_is_late", lambda: next(answers, True))
        assert {"unfinished": 1} == purge()

    assert BATCH_ITEMS == deleted(purge)
    assert {"purged": 2} == purge()
    assert 2 * BATCH_ITEMS + 1 == deleted(purge)
