"""The items that a purge deletes, those that it keeps, and its record."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from keywright.store.purges import BATCH_ITEMS
from tests.support import faults
from tests.support.purge import DUE, NOW
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.purge import Purge

DAY = 86400
NOW_SECONDS = 1896049800


def outside(purge: Purge) -> list[dict[str, Any]]:
    """Return all items that do not belong to the organization that is due."""
    return [item for item in purge.table.items() if ORGANIZATION_ID not in f"{item['pk']} {item['sk']}"]


def test_nothing_is_left_but_the_record(purge: Purge) -> None:
    """All items of the organization and its scheduled deletion are deleted; all other items are unchanged."""
    purge.fill(12)
    before = outside(purge)

    assert {"purged": 1} == purge()
    assert [purge.record(), *before] == sorted(
        purge.table.items(), key=lambda item: (ORGANIZATION_ID not in item["pk"], item["pk"], item["sk"])
    )


def test_the_record_is_complete(purge: Purge) -> None:
    """The record holds actor, requester, times, and the number of deleted items of each kind."""
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


def test_the_record_holds_ids_only(purge: Purge) -> None:
    """The record holds ids only, not even the organization's name."""
    purge()

    assert "Acme" not in str(purge.record())


@pytest.mark.parametrize(("days", "kept"), [("400", 400), ("31", 31), ("30", 30), ("1", 30)])
def test_the_record_is_kept_for_thirty_days_at_least(
    purge: Purge, setting: Callable[[str, str], None], days: str, kept: int
) -> None:
    """The record is kept as long as audit records and at least thirty days, longer than events may be delayed."""
    setting("AUDIT_RETENTION_DAYS", days)

    purge()

    assert NOW_SECONDS + kept * DAY == purge.record()["ttl"]


def test_the_record_is_kept_forever_with_audit_records(purge: Purge, setting: Callable[[str, str], None]) -> None:
    """With an audit retention of 0 days the record is kept forever."""
    setting("AUDIT_RETENTION_DAYS", "0")

    purge()

    assert "ttl" not in purge.record()


def test_the_requester_may_be_unknown(purge: Purge) -> None:
    """The requester is omitted if the audit record of the request has expired."""
    purge.table.put(pk=f"ORG#{ORGANIZATION_ID}", sk="ORG", pending_deletion_at=DUE)

    assert {"purged": 1} == purge()
    assert not {"requested_by_type", "requested_by_id"} & purge.record().keys()


@pytest.mark.parametrize("items", [BATCH_ITEMS - 1, BATCH_ITEMS, BATCH_ITEMS + 1, 2 * BATCH_ITEMS])
def test_batches_of_any_number(purge: Purge, items: int) -> None:
    """The count is exact for any number of batches; it includes the audit record of the request."""
    purge.fill(items)

    assert {"purged": 1} == purge()
    assert [] == purge.left()
    counts = [value for name, value in purge.record().items() if name.startswith("deleted_")]
    assert items + 1 == sum(counts)


STRANGERS_LIMIT = f"LIMIT#{nth_id(1)}"
"""The item of limits of another organization's key."""


@pytest.mark.parametrize("keys", [1, BATCH_ITEMS, 2 * BATCH_ITEMS + 1])
def test_no_item_of_limits_is_left(purge: Purge, keys: int) -> None:
    """GIVEN any number of keys with limits WHEN their organization is purged THEN their items of limits are gone too.

    They are in partitions of their own. Those of other organizations stay.
    """
    purge.table.put(pk=STRANGERS_LIMIT, sk="LIMIT")
    purge.fill(12)
    purge.limit(keys)

    assert {"purged": 1} == purge()
    assert [] == purge.left()
    assert [STRANGERS_LIMIT] == purge.limits()


STRANGERS_TEXT = f"IMPORTED#{'f' * 64}"
"""The item of a text that was imported to another organization."""


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("keys", [1, 33, 34, BATCH_ITEMS, 2 * BATCH_ITEMS + 1])
def test_no_item_of_an_imported_text_is_left(purge: Purge, keys: int, limited: bool) -> None:  # noqa: FBT001 - a case
    """GIVEN any number of imported keys WHEN their organization is purged THEN the items of their texts are gone too.

    With limits they are three items each, so a batch has fewer of them: a transaction takes 100 operations.
    """
    purge.table.put(pk=STRANGERS_TEXT, sk="f" * 64)
    purge.fill(12)
    purge.imported(keys, limited=limited)

    assert {"purged": 1} == purge()
    assert [] == purge.left()
    assert [] == purge.limits()
    assert [STRANGERS_TEXT] == [item["pk"] for item in purge.table.items() if item["pk"].startswith("IMPORTED#")]
    assert 3 + keys == purge.record()["deleted_api_keys"]
    assert 5 == purge.record()["deleted_others"]


def test_items_of_limits_are_not_counted(purge: Purge) -> None:
    """The record counts keys, with and without limits, and the items in the organization's partition."""
    purge.fill(12)
    purge.limit(4)

    purge()

    record = purge.record()
    assert 3 + 4 == record["deleted_api_keys"]
    assert 5 == record["deleted_others"]


def test_each_batch_is_two_requests(purge: Purge) -> None:
    """A batch takes two requests; a purge takes four to begin, one to look a last time and one to end."""
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
    """A run without a due organization takes one request."""
    purge.table.client.delete_item(
        TableName=purge.table.name, Key={"pk": {"S": "DELETIONS"}, "sk": {"S": f"{DUE}#{ORGANIZATION_ID}"}}
    )

    with faults.injected() as operations:
        assert {} == purge()

    assert ["Query"] == operations


def test_organizations_are_purged_by_due_time(purge: Purge, caplog: pytest.LogCaptureFixture) -> None:
    """Organizations are purged by due time, the earliest first; the log has a line for each."""
    purge.schedule(OTHER_ORGANIZATION_ID, at="2030-01-30T00:00:00.000Z")

    with caplog.at_level(logging.INFO, logger="keywright"):
        assert {"purged": 2} == purge()

    assert [(OTHER_ORGANIZATION_ID, "purged"), (ORGANIZATION_ID, "purged")] == [
        (record.__dict__["organization_id"], record.__dict__["outcome"]) for record in caplog.records
    ]
    assert ["PURGED"] * 2 == [item["sk"] for item in purge.table.items()]


def test_an_organization_that_is_not_due_stays(purge: Purge, stop_clock: Callable[[str], object]) -> None:
    """An organization is kept until the millisecond it is due."""
    stop_clock("2030-01-30T23:59:59.999Z")
    before = purge.table.items()

    assert {} == purge()
    assert before == purge.table.items()


def test_an_organization_is_purged_in_its_millisecond(purge: Purge, stop_clock: Callable[[str], object]) -> None:
    """An organization is purged in the millisecond it is due."""
    stop_clock(DUE)

    assert {"purged": 1} == purge()


def test_a_second_run_changes_nothing(purge: Purge) -> None:
    """A second run changes nothing."""
    purge()
    before = purge.table.items()

    assert {} == purge()
    assert before == purge.table.items()


def test_a_scheduled_deletion_without_an_organization_is_removed(purge: Purge) -> None:
    """A scheduled deletion without an organization is removed: nothing is purged and nothing recorded."""
    stranger = nth_id(1)
    purge.table.put(pk="DELETIONS", sk=f"{DUE}#{stranger}")
    purge.table.put_key(organization_id=stranger)

    assert {"purged": 1, "kept": 1} == purge()
    assert 1 == len(purge.left(stranger))
    assert [] == [item for item in purge.table.items() if item["pk"] in {"DELETIONS", f"PURGED#{stranger}"}]


def test_the_counts_are_numbers(purge: Purge) -> None:
    """The record counts every kind, zeros included, as numbers."""
    purge()

    assert {Decimal(0), Decimal(1)} == {value for name, value in purge.record().items() if name.startswith("deleted_")}
