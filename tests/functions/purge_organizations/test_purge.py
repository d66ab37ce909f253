"""What a purge deletes, what it leaves, and what it records."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from keywright.store.purges import BATCH_ITEMS
from tests import faults
from tests.functions.purge_organizations.conftest import DUE, NOW
from tests.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.functions.purge_organizations.conftest import Purge

DAY = 86400
NOW_SECONDS = 1896049800


def outside(purge: Purge) -> list[dict[str, Any]]:
    """Read everything that has nothing to do with the organization that is due."""
    return [item for item in purge.table.items() if ORGANIZATION_ID not in f"{item['pk']} {item['sk']}"]


def test_nothing_is_left_but_the_record(purge: Purge) -> None:
    """Items of every kind, the organization's own and the appointment are gone; everybody else's are as they were."""
    purge.fill(12)
    before = outside(purge)

    assert {"purged": 1} == purge()
    assert [purge.record(), *before] == sorted(
        purge.table.items(), key=lambda item: (ORGANIZATION_ID not in item["pk"], item["pk"], item["sk"])
    )


def test_the_record_says_who_when_and_how_much(purge: Purge) -> None:
    """By what, at whose request, from when to when, and how much of what was deleted."""
    purge.fill(12)

    purge()

    assert {
        "pk": f"PURGED#{ORGANIZATION_ID}",
        "sk": "PURGED",
        "event": "organization.purged",
        "actor_type": "system",
        "actor_id": "purge_organizations",
        "requested_by_type": "user",
        "requested_by_id": "user_7",
        "target_type": "organization",
        "target_id": ORGANIZATION_ID,
        "request_id": purge.world.context.aws_request_id,
        "pending_deletion_at": DUE,
        "created_at": NOW,
        "completed_at": NOW,
        "deleted_api_keys": 3,
        "deleted_members": 2,
        "deleted_audit_records": 3,
        "deleted_others": 5,
        "ttl": NOW_SECONDS + 365 * DAY,
    } == purge.record()


def test_the_record_holds_nothing_of_the_customer_but_ids(purge: Purge) -> None:
    """Not even the organization's name."""
    purge()

    assert "Acme" not in str(purge.record())


@pytest.mark.parametrize(("days", "kept"), [("400", 400), ("31", 31), ("30", 30), ("1", 30)])
def test_the_record_is_kept_as_long_as_audit_records_but_thirty_days_at_least(
    purge: Purge, setting: Callable[[str, str], None], days: str, kept: int
) -> None:
    """Events that are on their way must still find it."""
    setting("AUDIT_RETENTION_DAYS", days)

    purge()

    assert NOW_SECONDS + kept * DAY == purge.record()["ttl"]


def test_the_record_is_kept_for_ever_if_audit_records_are(purge: Purge, setting: Callable[[str, str], None]) -> None:
    """With 0 days."""
    setting("AUDIT_RETENTION_DAYS", "0")

    purge()

    assert "ttl" not in purge.record()


def test_who_has_requested_it_may_be_unknown(purge: Purge) -> None:
    """The record of the request may be past its own time."""
    purge.table.put(pk=f"ORG#{ORGANIZATION_ID}", sk="ORG", pending_deletion_at=DUE)

    assert {"purged": 1} == purge()
    assert not {"requested_by_type", "requested_by_id"} & purge.record().keys()


@pytest.mark.parametrize("items", [BATCH_ITEMS - 1, BATCH_ITEMS, BATCH_ITEMS + 1, 2 * BATCH_ITEMS])
def test_batches_of_any_number(purge: Purge, items: int) -> None:
    """The audit record of the request is one more."""
    purge.fill(items)

    assert ({"purged": 1}, []) == (purge(), purge.left())
    counts = [value for name, value in purge.record().items() if name.startswith("deleted_")]
    assert items + 1 == sum(counts)


def test_each_batch_is_two_requests(purge: Purge) -> None:
    """To look and to delete; five more to begin and two to end, besides the last look."""
    purge.fill(2 * BATCH_ITEMS - 1)

    with faults.injected() as operations:
        purge()

    assert [
        "Query",  # what is due
        "BatchGetItem",  # when was it requested
        "Query",  # by whom
        "TransactWriteItems",  # begin
        *["Query", "TransactWriteItems"] * 2,
        "Query",  # nothing is left
        "TransactWriteItems",  # end
    ] == operations


def test_nothing_due_is_one_request(purge: Purge) -> None:
    """Every hour."""
    purge.table.client.delete_item(
        TableName=purge.table.name, Key={"pk": {"S": "DELETIONS"}, "sk": {"S": f"{DUE}#{ORGANIZATION_ID}"}}
    )

    with faults.injected() as operations:
        assert {} == purge()

    assert ["Query"] == operations


def test_several_organizations_are_purged_in_the_order_of_their_time(
    purge: Purge, caplog: pytest.LogCaptureFixture
) -> None:
    """The earliest first; the log tells of each."""
    purge.schedule(OTHER_ORGANIZATION_ID, at="2030-01-30T00:00:00.000Z")

    with caplog.at_level(logging.INFO, logger="keywright"):
        assert {"purged": 2} == purge()

    assert [(OTHER_ORGANIZATION_ID, "purged"), (ORGANIZATION_ID, "purged")] == [
        (record.__dict__["organization_id"], record.__dict__["outcome"]) for record in caplog.records
    ]
    assert ["PURGED"] * 2 == [item["sk"] for item in purge.table.items()]


def test_an_organization_whose_time_has_not_come_stays(purge: Purge, stop_clock: Callable[[str], object]) -> None:
    """Not even a millisecond before."""
    stop_clock("2030-01-30T23:59:59.999Z")
    before = purge.table.items()

    assert ({}, before) == (purge(), purge.table.items())


def test_an_organization_is_purged_in_the_millisecond_of_its_time(
    purge: Purge, stop_clock: Callable[[str], object]
) -> None:
    """From then on."""
    stop_clock(DUE)

    assert {"purged": 1} == purge()


def test_the_second_run_finds_nothing(purge: Purge) -> None:
    """The record stays as it was."""
    purge()
    before = purge.table.items()

    assert ({}, before) == (purge(), purge.table.items())


def test_an_appointment_without_an_organization_is_forgotten(purge: Purge) -> None:
    """Whatever left it behind: nothing is deleted on its account, and nothing is recorded."""
    stranger = nth_id(1)
    purge.table.put(pk="DELETIONS", sk=f"{DUE}#{stranger}")
    purge.table.put_key(organization_id=stranger)

    assert {"purged": 1, "kept": 1} == purge()
    assert 1 == len(purge.left(stranger))
    assert [] == [item for item in purge.table.items() if item["pk"] in {"DELETIONS", f"PURGED#{stranger}"}]


def test_the_counts_are_numbers(purge: Purge) -> None:
    """Zeros included."""
    purge()

    assert {Decimal(0), Decimal(1)} == {value for name, value in purge.record().items() if name.startswith("deleted_")}
