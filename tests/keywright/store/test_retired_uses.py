"""Uses of rotated-out secrets in the table: each is in at most one audit record, of which a day has at most one."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from keywright import clock
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.store import retired_uses
from keywright.store.retired_uses import RetiredUses
from tests.support import faults
from tests.support.client import UNANSWERED, meanwhile
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.world import Table, World

AT = clock.stored("2026-06-01T12:00:00.000Z")
ADD, REPORT = "UpdateItem", "TransactWriteItems"


@pytest.fixture
def table(world: World, stop_clock: Callable[[str], datetime]) -> Table:
    """A table with an unused key, on June 1."""
    stop_clock("2026-06-01T12:00:01.000Z")
    world.table.put_key()
    world.table.put_unused()
    return world.table


def use(count: int = 1, **changes: Any) -> RetiredUses:
    """Return uses of the first secret of the key."""
    fields: dict[str, Any] = {"generation": 0, "last_used_at": AT, "last_used_ip": "192.0.2.1"} | changes
    return RetiredUses(UUID(ORGANIZATION_ID), UUID(KEY_ID), count, **fields)


def add_and_report(uses: RetiredUses) -> None:
    """Add uses, and report what is due."""
    unreported = retired_uses.add(uses)
    if unreported is not None:
        retired_uses.report(unreported)


def waiting(table: Table) -> tuple[int, str | None]:
    """Return the number of uses that no record has, and the day of the last record."""
    item = table.item(f"USAGE#{KEY_ID}")
    return int(item.get("retired", 0)), item.get("retired_on")


def reported(table: Table) -> list[int]:
    """Return the counts of the audit records, the oldest first."""
    return [json.loads(record["changes"])["after"]["count"] for record in table.under("AUDIT#")]


def test_the_record_of_a_use(table: Table) -> None:
    """It names the key, the generation, and the latest use with its address in the one way to write it."""
    add_and_report(use(3, generation=4, last_used_ip="2001:DB8:0::1"))

    (record,) = table.under("AUDIT#")
    after = {
        "count": 3,
        "generation": 4,
        "lastUsedAt": "2026-06-01T12:00:00.000Z",
        "lastUsedIp": "2001:db8::1",
    }
    assert {
        "event": "api_key.retired_secret_used",
        "actor_type": "system",
        "actor_id": "verification",
        "target_type": "api_key",
        "target_id": KEY_ID,
        "created_at": "2026-06-01T12:00:01.000Z",
        "received_at": "2026-06-01T12:00:01.000Z",
    }.items() <= record.items()
    assert {"after": after} == json.loads(record["changes"])
    assert {"source_ip", "request_id"}.isdisjoint(record)


@pytest.mark.parametrize("address", [None, "no address", "unknown, 192.0.2.1"])
def test_what_is_no_address_is_left_out(table: Table, address: str | None) -> None:
    """An audit record has an address or null."""
    add_and_report(use(last_used_ip=address))

    (record,) = table.under("AUDIT#")
    assert json.loads(record["changes"])["after"]["lastUsedIp"] is None


def test_a_day_has_one_record(table: Table) -> None:
    """Later uses of the day are added in one request, and wait."""
    add_and_report(use())
    with faults.injected() as operations:
        for _ in range(3):
            add_and_report(use(2))

    assert [ADD] * 3 == operations
    assert [1] == reported(table)
    assert (6, "2026-06-01") == waiting(table)


@pytest.mark.parametrize(
    ("now", "counts"),
    [
        ("2026-06-01T23:59:59.999Z", [1]),
        ("2026-06-02T00:00:00.000Z", [1, 3]),
        ("2026-09-01T00:00:00.000Z", [1, 3]),
        ("2026-05-31T23:59:59.999Z", [1]),
    ],
    ids=["the same day", "the next", "months later", "a clock that was set back"],
)
def test_the_next_use_of_a_later_day_reports_all(
    table: Table, stop_clock: Callable[[str], datetime], now: str, counts: list[int]
) -> None:
    """The record has every use since the last one. Days are in UTC."""
    add_and_report(use())
    add_and_report(use(2))
    stop_clock(now)

    add_and_report(use())

    assert counts == reported(table)
    assert 4 == sum(counts) + waiting(table)[0]


def test_two_containers_report_once(table: Table) -> None:
    """GIVEN two containers that both find no record of today WHEN both report THEN there is one, and none is lost."""
    first, second = retired_uses.add(use(2)), retired_uses.add(use(3))
    assert first is not None
    assert second is not None

    retired_uses.report(second)
    retired_uses.report(first)

    assert [5] == reported(table)
    assert (0, "2026-06-01") == waiting(table)


def test_uses_that_are_added_before_a_report_wait_for_the_next(
    table: Table, stop_clock: Callable[[str], datetime]
) -> None:
    """GIVEN uses that another container adds between the requests THEN the next record has them."""
    with faults.injected(None, meanwhile(lambda: retired_uses.add(use(4)))):
        add_and_report(use())
    assert [1] == reported(table)
    assert (4, "2026-06-01") == waiting(table)

    stop_clock("2026-06-02T12:00:00.000Z")
    add_and_report(use())

    assert [1, 5] == reported(table)


def test_two_containers_on_a_later_day(table: Table, stop_clock: Callable[[str], datetime]) -> None:
    """The condition is the day that was read: of two reports on the second day, one is written."""
    add_and_report(use())
    stop_clock("2026-06-02T12:00:00.000Z")
    first, second = retired_uses.add(use(2)), retired_uses.add(use(3))
    assert first is not None
    assert second is not None

    retired_uses.report(first)
    retired_uses.report(second)

    assert [1, 2] == reported(table)
    assert (3, "2026-06-02") == waiting(table)


def delete(table: Table) -> None:
    """Delete the key and its usage, like the deletion of a key."""
    for prefix in ("KEY#", "USAGE#"):
        key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"{prefix}{KEY_ID}"}}
        table.client.delete_item(TableName=table.name, Key=key)


@pytest.mark.parametrize("requests", [0, 1], ids=["before the uses are added", "before they are reported"])
def test_a_deletion_in_between_leaves_nothing(table: Table, requests: int) -> None:
    """A key that was deleted since it was read gets no item and no record."""
    with faults.injected(*[None] * requests, meanwhile(lambda: delete(table))):
        add_and_report(use())

    assert [] == table.items()


def test_nothing_is_reported_of_no_uses(table: Table) -> None:
    """Uses that another container has reported meanwhile are not reported again."""
    assert retired_uses.add(use(0)) is None
    assert [] == reported(table)


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.error("TransactionConflictException")])
def test_what_was_not_added_is_raised_after_one_attempt(table: Table, fault: faults.Fault) -> None:
    """The meter tries again later. No verification waits for more than one attempt."""
    before = table.items()
    with faults.injected(*[fault] * 100) as operations, pytest.raises(ServiceError) as caught:
        retired_uses.add(use())

    assert SERVICE_UNAVAILABLE == caught.value.error
    assert [ADD] == operations
    assert before == table.items()


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.canceled("TransactionConflict", "None")])
def test_a_report_that_fails_is_raised_after_one_attempt(table: Table, fault: faults.Fault) -> None:
    """The uses stay, and the next addition reports them, without uses of its own too."""
    unreported = retired_uses.add(use(2))
    assert unreported is not None
    with faults.injected(*[fault] * 100) as operations, pytest.raises(ServiceError):
        retired_uses.report(unreported)
    assert [REPORT] == operations
    assert (2, None) == waiting(table)

    add_and_report(use(0))

    assert [2] == reported(table)
    assert (0, "2026-06-01") == waiting(table)


def test_a_report_whose_answer_is_lost_is_not_repeated(table: Table) -> None:
    """The record is there, and the uses are in no other one."""
    unreported = retired_uses.add(use(2))
    assert unreported is not None
    with faults.injected(faults.lost_answer), pytest.raises(ServiceError):
        retired_uses.report(unreported)

    add_and_report(use(0))

    assert [2] == reported(table)
    assert (0, "2026-06-01") == waiting(table)


def test_the_latest_use_counts(table: Table) -> None:
    """`plus` sums the counts and keeps time, address and generation of the latest use, as the record shows them."""
    early, late = use(2), use(3, last_used_at=AT + timedelta(seconds=1), last_used_ip="192.0.2.2", generation=1)

    add_and_report(late.plus(early))

    assert early.plus(late) == late.plus(early)
    (record,) = table.under("AUDIT#")
    assert {
        "count": 5,
        "generation": 1,
        "lastUsedAt": "2026-06-01T12:00:01.000Z",
        "lastUsedIp": "192.0.2.2",
    } == json.loads(record["changes"])["after"]
