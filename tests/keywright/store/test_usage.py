"""Uses in the table: added with one write unit, never to a deleted key, never back in time, and by day for 90 days."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import clock
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys.usage import UsageMeter
from keywright.store import retired_uses, usage
from keywright.store.retired_uses import RetiredUses
from keywright.store.usage import PreviousUse, Uses
from tests.support import faults
from tests.support.client import UNANSWERED, meanwhile
from tests.support.depth import mostly_deep
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from tests.support.world import Table, World

AT = clock.stored("2026-06-01T12:00:00.000Z")
WRITE = "UpdateItem"


@pytest.fixture
def table(world: World) -> Table:
    """A table with an unused key."""
    world.table.put_key()
    world.table.put_unused()
    return world.table


def uses(count: int = 3, *, later: float = 0) -> Uses:
    """Return uses of the key."""
    at = AT + timedelta(seconds=later)
    return Uses(UUID(ORGANIZATION_ID), UUID(KEY_ID), {at.date(): count}, at)


def stored(table: Table) -> tuple[int, str]:
    """Read count and time of last use."""
    item = table.item(f"USAGE#{KEY_ID}")
    return int(item["request_count"]), item["last_used_at"]


def delete(table: Table) -> None:
    """Delete the key and its usage, like the deletion of a key."""
    for prefix in ("KEY#", "USAGE#"):
        key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"{prefix}{KEY_ID}"}}
        table.client.delete_item(TableName=table.name, Key=key)


def test_uses_are_added_in_one_request(table: Table) -> None:
    """Count and time are written without a transaction."""
    with faults.injected() as operations:
        usage.add(uses())

    assert [WRITE] == operations
    assert (3, "2026-06-01T12:00:00.000Z") == stored(table)


def test_later_uses_are_added(table: Table) -> None:
    """Counts are summed, and the last time stays."""
    usage.add(uses())
    usage.add(uses(4, later=60.5))

    assert (7, "2026-06-01T12:01:00.500Z") == stored(table)


def test_the_time_never_goes_back(table: Table) -> None:
    """Uses that another container writes late only add their count, with a second request."""
    usage.add(uses(later=60))
    with faults.injected() as operations:
        usage.add(uses(4))

    assert [WRITE] * 2 == operations
    assert (7, "2026-06-01T12:01:00.000Z") == stored(table)


def test_the_same_time_again_is_added_in_one_request(table: Table) -> None:
    """Uses with the stored time are added in one request: an equal time is not a step back."""
    usage.add(uses())
    with faults.injected() as operations:
        usage.add(uses())

    assert [WRITE] == operations
    assert (6, "2026-06-01T12:00:00.000Z") == stored(table)


def test_the_usage_of_a_deleted_key_does_not_come_back(world: World) -> None:
    """GIVEN no usage WHEN uses are added THEN none is written, and there is nothing to repeat."""
    usage.add(uses())

    assert [] == world.table.items()


def test_a_key_that_is_deleted_between_the_two_requests_is_not_used(table: Table) -> None:
    """The second request, without the time, has the condition too."""
    usage.add(uses(later=60))

    with faults.injected(None, meanwhile(lambda: delete(table))):
        usage.add(uses())

    assert [] == table.items()


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.error("TransactionConflictException")])
def test_what_fails_is_raised_after_one_attempt(table: Table, fault: faults.Fault) -> None:
    """The meter retries later. No verification waits for more than one attempt."""
    before = table.items()
    with faults.injected(*[fault] * 100) as operations, pytest.raises(ServiceError) as caught:
        usage.add(uses())

    assert SERVICE_UNAVAILABLE == caught.value.error
    assert [WRITE] == operations
    assert before == table.items()


def test_a_lost_answer_may_count_twice(table: Table) -> None:
    """GIVEN a write whose answer is lost WHEN the meter repeats it THEN its uses are added again, and none is lost."""
    meter = UsageMeter(usage.add, interval_seconds=0)
    with faults.injected(faults.lost_answer):
        meter.count(UUID(ORGANIZATION_ID), UUID(KEY_ID), AT)
        meter.flush_all(seconds=60)

    assert (2, "2026-06-01T12:00:00.000Z") == stored(table)


# ---- Days ------------------------------------------------------------------------------------------------------


def put_90_days(table: Table, count: int = 7) -> dict[str, int]:
    """Write the usage of a key that was used on each of 90 days, from January 31 to April 30; return its days."""
    dates = [date(2026, 1, 31) + timedelta(days=number) for number in range(90)]
    table.put_usage(
        days={usage.day_name(day): count for day in dates},
        request_count=90 * count,
        last_used_at="2026-04-30T12:00:00.000Z",
    )
    return {str(day): count for day in dates}


def use(at: str, count: int = 1, **fields: Any) -> Uses:
    """Return uses of the key at a time."""
    moment = clock.stored(at)
    return Uses(UUID(ORGANIZATION_ID), UUID(KEY_ID), {moment.date(): count}, moment, **fields)


def days(table: Table) -> dict[str, int]:
    """Read the stored days, also those that readers ignore."""
    stored_days = table.item(f"USAGE#{KEY_ID}")["days"]
    return {str(date(1970, 1, 1) + timedelta(days=int(name, 36))): int(count) for name, count in stored_days.items()}


def test_uses_of_a_day_are_summed(table: Table) -> None:
    """Every flush of a day adds to the count of the day."""
    usage.add(use("2026-06-01T00:00:00.000Z", 3))
    usage.add(use("2026-06-01T23:59:59.999Z", 4))

    assert {"2026-06-01": 7} == days(table)


@pytest.mark.parametrize(
    ("last", "first"),
    [
        ("2026-06-01T23:59:59.999Z", "2026-06-02T00:00:00.000Z"),
        ("2026-06-30T23:59:59.999Z", "2026-07-01T00:00:00.000Z"),
        ("2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00.000Z"),
        ("2028-02-28T23:59:59.999Z", "2028-02-29T00:00:00.000Z"),
        ("2028-02-29T23:59:59.999Z", "2028-03-01T00:00:00.000Z"),
        ("2026-02-28T23:59:59.999Z", "2026-03-01T00:00:00.000Z"),
    ],
)
def test_midnight_separates_days(table: Table, last: str, first: str) -> None:
    """GIVEN uses of one batch around midnight (UTC) WHEN they are added at once THEN each counts for its own day."""
    with faults.injected() as operations:
        usage.add(use(last, 3).plus(use(first, 4)))

    assert [WRITE] == operations
    assert {last[:10]: 3, first[:10]: 4} == days(table)
    assert (7, first) == stored(table)


def test_a_late_flush_counts_for_the_day_of_the_use(table: Table) -> None:
    """GIVEN a container that has written today's uses WHEN another writes those of yesterday THEN both days count."""
    usage.add(use("2026-06-02T00:00:30.000Z", 5))
    usage.add(use("2026-06-01T23:59:50.000Z", 7))

    assert {"2026-06-01": 7, "2026-06-02": 5} == days(table)
    assert (12, "2026-06-02T00:00:30.000Z") == stored(table)


def test_90_days_are_kept(table: Table) -> None:
    """With each new day, the 91st goes, in the same write."""
    before = put_90_days(table)

    with faults.injected() as operations:
        usage.add(use("2026-05-01T00:00:00.000Z", 91))

    assert [WRITE] == operations
    assert "2026-01-31" == min(before)
    del before["2026-01-31"]
    assert before | {"2026-05-01": 91} == days(table)


@pytest.mark.parametrize(("pause_days", "writes"), [(1, 1), (7, 1), (8, 2), (89, 2), (90, 2), (200, 2)])
def test_old_days_go_after_a_pause(table: Table, pause_days: int, writes: int) -> None:
    """After a pause of over a week, one more write removes what the first has left."""
    put_90_days(table)
    again = clock.stored("2026-04-30T12:00:00.000Z") + timedelta(days=pause_days)

    with faults.injected() as operations:
        usage.add(use(clock.rfc3339(again)))

    oldest = str((again - timedelta(days=89)).date())
    assert [WRITE] * writes == operations
    assert max(0, 90 - pause_days) + 1 == len(days(table))
    assert oldest <= min(days(table))
    with faults.injected() as operations:
        usage.add(use(clock.rfc3339(again)))
    assert [WRITE] == operations


def test_old_days_that_cannot_be_removed_count_no_use_twice(table: Table) -> None:
    """GIVEN a second write that fails WHEN uses are added THEN they are not reported as unwritten."""
    usage.add(use("2026-01-01T00:00:00.000Z"))
    with faults.injected(None, faults.error("ThrottlingException")) as operations:
        usage.add(use("2026-06-01T00:00:00.000Z", 2))
    assert [WRITE] * 2 == operations
    assert 3 == stored(table)[0]
    assert {"2026-01-01": 1, "2026-06-01": 2} == days(table)

    usage.add(use("2026-06-01T00:01:00.000Z", 4))

    assert 7 == stored(table)[0]
    assert {"2026-06-01": 6} == days(table)


def test_uses_that_waited_for_more_than_90_days(table: Table) -> None:
    """They count in total, but not for their day, which is not kept any more."""
    waited = use("2026-01-01T00:00:00.000Z", 5).plus(use("2026-03-31T00:00:00.000Z", 2))
    with faults.injected() as operations:
        usage.add(waited.plus(use("2025-12-20T00:00:00.000Z")).plus(use("2026-04-01T00:00:00.000Z")))

    assert [WRITE] == operations
    assert 9 == stored(table)[0]
    assert {"2026-03-31": 2, "2026-04-01": 1} == days(table)


def test_a_full_item_takes_one_write_unit(table: Table) -> None:
    """GIVEN 90 days of up to a million uses, the longest address and retired secrets THEN it has at most 1 KB."""
    put_90_days(table, 999_999)
    for count in (1, 99_999_999):
        retired = RetiredUses(UUID(ORGANIZATION_ID), UUID(KEY_ID), count, 65_533, AT)
        unreported = retired_uses.add(retired)
        if unreported is not None:
            retired_uses.report(unreported)
    address, previous = "2001:dead:ffff:ffff:ffff:ffff:ffff:ffff", PreviousUse(65_534, AT)
    usage.add(use("2026-05-01T00:00:00.000Z", 999_999, last_used_ip=address, previous=previous))

    assert 90 == len(days(table))
    assert 99_999_999 == table.item(f"USAGE#{KEY_ID}")["retired"]
    assert 1024 >= size(table.item(f"USAGE#{KEY_ID}"))


def size(value: object) -> int:
    """Return the size of an item or attribute (Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats")."""
    match value:
        case str():
            return len(value.encode())
        case dict():
            is_item = "pk" in value
            overhead = sum(3 for part in value.values() if isinstance(part, dict)) if is_item else len(value)
            return overhead + sum(len(name.encode()) + size(part) for name, part in value.items())
        case number:
            return -(-len(str(number)) // 2) + 1


def test_names_of_days_are_sorted_and_short() -> None:
    """Three characters, until 2097."""
    names = [usage.day_name(date(2026, 1, 1) + timedelta(days=number)) for number in range(26_000)]

    assert {3} == {len(name) for name in names}
    assert names == sorted(set(names))


# ---- The last address, and the previous secret -------------------------------------------------------------------


def test_the_address_is_that_of_the_latest_use(table: Table) -> None:
    """An address that another container writes late is left out; an unknown one replaces a known one."""
    usage.add(use("2026-06-01T12:01:00.000Z", last_used_ip="192.0.2.1"))
    usage.add(use("2026-06-01T12:00:00.000Z", last_used_ip="192.0.2.2"))
    assert "192.0.2.1" == table.item(f"USAGE#{KEY_ID}")["last_used_ip"]

    usage.add(use("2026-06-01T12:02:00.000Z"))
    assert "last_used_ip" not in table.item(f"USAGE#{KEY_ID}")


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("::ffff:192.0.2.8", "192.0.2.8"),
        ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("192.0.2.8", "192.0.2.8"),
        ("no address", None),
        ("", None),
    ],
)
def test_an_address_is_written_in_one_way(table: Table, address: str, written: str | None) -> None:
    """An IPv4 address that is written as IPv6 is the IPv4 address, and anything else than an address is unknown."""
    usage.add(use("2026-06-01T12:00:00.000Z", last_used_ip=address))

    assert written == table.item(f"USAGE#{KEY_ID}").get("last_used_ip")


PREVIOUS = [
    PreviousUse(generation, clock.stored(at))
    for generation, at in itertools.product([3, 4, 10], ["2026-06-01T11:00:00.000Z", "2026-06-01T12:00:00.000Z"])
]


@pytest.mark.parametrize("later", mostly_deep(PREVIOUS, lambda use: use in {PREVIOUS[2], PREVIOUS[5]}))
@pytest.mark.parametrize("earlier", PREVIOUS)
@pytest.mark.parametrize("is_late", [False, True], ids=["in order", "late"])
def test_the_use_of_the_previous_secret_never_goes_back(
    table: Table,
    earlier: PreviousUse,
    later: PreviousUse,
    is_late: bool,  # noqa: FBT001 - a case
) -> None:
    """Of two containers' uses, the one of the later generation stays, and of one generation the later use."""
    at = "2026-06-01T12:30:00.000Z"
    usage.add(use(at, last_used_ip="192.0.2.1", previous=earlier))
    second = "2026-06-01T12:29:00.000Z" if is_late else "2026-06-01T12:31:00.000Z"
    with faults.injected() as operations:
        usage.add(use(second, last_used_ip="192.0.2.2", previous=later))

    item, latest = table.item(f"USAGE#{KEY_ID}"), max(earlier, later)
    assert latest.generation == item["previous_generation"]
    assert clock.rfc3339(latest.at) == item["previous_used_at"]
    expected = (at, "192.0.2.1") if is_late else (second, "192.0.2.2")
    assert expected == (item["last_used_at"], item["last_used_ip"])
    assert {"2026-06-01": 2} == days(table)
    assert [WRITE] * (2 if is_late or later < earlier else 1) == operations


def test_a_use_of_the_current_secret_keeps_that_of_the_previous(table: Table) -> None:
    """Uses without the previous secret do not change its last use."""
    usage.add(use("2026-06-01T12:00:00.000Z", previous=PreviousUse(0, AT)))
    usage.add(use("2026-06-01T12:05:00.000Z"))

    assert "2026-06-01T12:00:00.000Z" == table.item(f"USAGE#{KEY_ID}")["previous_used_at"]


def test_a_race_of_two_late_containers_loses_nothing(table: Table) -> None:
    """GIVEN uses that are late WHEN others are added between their requests THEN all count, and each latest time stays.

    The first request is refused because of the time, the second because of the previous secret.
    """
    usage.add(use("2026-06-01T12:10:00.000Z"))
    between = use("2026-06-01T12:20:00.000Z", 2, previous=PreviousUse(5, AT))

    with faults.injected(None, meanwhile(lambda: usage.add(between))) as operations:
        usage.add(use("2026-06-01T12:00:00.000Z", 4, previous=PreviousUse(4, AT)))

    item = table.item(f"USAGE#{KEY_ID}")
    assert (7, "2026-06-01T12:20:00.000Z") == stored(table)
    assert 5 == item["previous_generation"]
    assert 3 <= len(operations) <= 4


@pytest.mark.usefixtures("table")
def test_a_refusal_without_a_reason_is_not_repeated_for_ever() -> None:
    """GIVEN refusals with an item that fits the condition THEN it is an error, and the meter keeps the uses."""
    item = {name: {"S": "x"} for name in ("pk", "sk")} | {"request_count": {"N": "0"}, "days": {"M": {}}}
    code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
    refusal = faults.answer(400, {"__type": code, "message": "The conditional request failed", "Item": item})
    with faults.injected(*[refusal] * 9) as operations, pytest.raises(ServiceError):
        usage.add(uses())

    assert [WRITE] * 3 == operations


MOMENTS = st.datetimes(datetime(2026, 5, 30), datetime(2026, 6, 3)).map(  # noqa: DTZ001 - the zone comes next
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)
BATCHES = st.builds(
    lambda at, count, address, generation, earlier: Uses(
        UUID(ORGANIZATION_ID),
        UUID(KEY_ID),
        {at.date(): count},
        at,
        address,
        None if generation is None else PreviousUse(generation, at - timedelta(seconds=earlier)),
    ),
    MOMENTS,
    st.integers(1, 9),
    st.sampled_from([None, "192.0.2.1", "2001:db8::1"]),
    st.sampled_from([None, 0, 1, 2]),
    st.integers(0, 2),
)


@given(st.lists(BATCHES, min_size=1, max_size=8))
def test_any_order_of_batches_gives_the_same_sum(batches: list[Uses]) -> None:
    """`plus`, by which a container collects uses, counts each use for its day and keeps the latest of each time."""
    total = batches[0]
    for batch in batches[1:]:
        total = total.plus(batch)

    for day in {at for batch in batches for at in batch.days}:
        assert sum(batch.days.get(day, 0) for batch in batches) == total.days[day]
    assert sum(batch.count for batch in batches) == total.count
    assert max(batch.last_used_at for batch in batches) == total.last_used_at
    assert total.last_used_ip in {b.last_used_ip for b in batches if b.last_used_at == total.last_used_at}
    assert total.previous == max((batch.previous for batch in batches if batch.previous), default=None)
