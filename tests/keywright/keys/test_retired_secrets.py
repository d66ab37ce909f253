"""Counting uses of rotated-out secrets: the first of a day at once, and never an obstacle to the refusal."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from keywright import clock
from keywright.domain import keyring
from keywright.keys import retired_secrets, usage
from keywright.keys.outcome import Code
from keywright.keys.retired_secrets import RetiredMeter
from keywright.keys.usage import UsageMeter
from keywright.keys.verification import requiring, verify
from keywright.store.retired_uses import RetiredUses
from tests.support import faults
from tests.support.client import UNANSWERED
from tests.support.environment import new_container
from tests.support.sample_keys import SampleKey, secret_parts
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright.store.usage import Uses
    from tests.support.world import Table, World

INTERVAL_SECONDS = 60
KEY = SampleKey()
NEXT = SampleKey(generation=1, secret="the-secret-after-that-")
READ, ADD, REPORT = "BatchGetItem", "UpdateItem", "TransactWriteItems"
NOON = "2026-06-01T12:00:00.000Z"
FOREIGN = keyring.derive(b"another pepper" * 4)


@pytest.fixture
def table(world: World, stop_clock: Callable[[str], datetime]) -> Table:
    """A table with a key that was rotated, without grace period, at noon of June 1."""
    stop_clock(NOON)
    world.table.put_organization()
    NEXT.put(world.table)
    world.table.put_unused()
    return world.table


def reported(table: Table) -> list[int]:
    """Return the counts of the audit records, the oldest first."""
    return [json.loads(record["changes"])["after"]["count"] for record in table.under("AUDIT#")]


def waiting(table: Table) -> int:
    """Return the number of uses in the table that no record has."""
    return int(table.item(f"USAGE#{KEY_ID}").get("retired", 0))


# ---- What counts -----------------------------------------------------------------------------------------------


def test_the_first_use_is_reported_at_once(table: Table) -> None:
    """The caller learns NOT_FOUND; the organization's audit log has the use with its address."""
    result = verify(KEY.text(), requiring([], "192.0.2.7"))

    assert Code.NOT_FOUND is result.code
    (record,) = table.under("AUDIT#")
    assert "api_key.retired_secret_used" == record["event"]
    assert {"count": 1, "generation": 0, "lastUsedAt": NOON, "lastUsedIp": "192.0.2.7"} == json.loads(
        record["changes"]
    )["after"]


@pytest.mark.parametrize("cost", [0, 1, 5])
def test_one_that_only_looks_has_the_secret_too(table: Table, cost: int) -> None:
    """Any verification counts once, also one with a cost of 0."""
    verify(KEY.text(), requiring([], cost=cost))

    assert [1] == reported(table)


def test_it_is_no_use_of_the_key(table: Table) -> None:
    """Number, days and time of the key's uses stay."""
    before = table.item(f"USAGE#{KEY_ID}")
    verify(KEY.text())
    usage.meter().flush_all(seconds=60)

    after = table.item(f"USAGE#{KEY_ID}")
    assert before == {name: value for name, value in after.items() if name not in {"retired", "retired_on"}}


@pytest.mark.parametrize(
    ("until", "counts"),
    [("2026-06-01T12:00:00.001Z", []), (NOON, [1]), ("2026-06-01T11:59:59.999Z", [1])],
    ids=["within", "at its end", "after"],
)
def test_uses_count_from_the_end_of_the_grace_period(table: Table, until: str, counts: list[int]) -> None:
    """A use of the previous secret in its grace period is a use of the key; from its end on, it is reported."""
    NEXT.put(table, previous_hash=KEY.hash(), previous_expires_at=until)

    result = verify(KEY.text())

    assert (Code.NOT_FOUND if counts else Code.VALID) is result.code
    assert counts == reported(table)


@pytest.mark.parametrize("state", [{"enabled": False}, {"expires_at": NOON}], ids=["disabled", "expired"])
def test_the_state_of_the_key_does_not_matter(table: Table, state: dict[str, object]) -> None:
    """A holder of the old secret of a disabled or expired key is reported too."""
    NEXT.put(table, **state)
    verify(KEY.text())

    assert [1] == reported(table)


@pytest.mark.parametrize(
    "text",
    [
        lambda: "kk_" + "0" * 92,
        lambda: KEY.text(FOREIGN),
        lambda: KEY.text()[:-1] + ("0" if KEY.text()[-1] != "0" else "1"),
        SampleKey(generation=2).text,
        SampleKey(generation=65_535).text,
        SampleKey(generation=1, secret="another-than-the-right").text,
        NEXT.text,
    ],
    ids=["malformed", "forged", "mistyped", "next generation", "last generation", "wrong secret", "valid"],
)
def test_nothing_else_counts(table: Table, text: Callable[[], str]) -> None:
    """Only a text with a right tag of an earlier generation is written; forged ones cost no request at all."""
    before = table.items()
    verify(text())
    retired_secrets.meter().flush_all(seconds=60)

    assert before == table.items()


def test_a_deleted_key_has_no_uses(world: World) -> None:
    """GIVEN no key WHEN a text of it is verified THEN nothing is written."""
    world.table.put_organization()
    before = world.table.items()
    verify(KEY.text())

    assert before == world.table.items()


def test_earlier_generations_count_together(table: Table) -> None:
    """GIVEN a key that was rotated twice WHEN both old secrets are used THEN there is one record a day for both."""
    SampleKey(generation=2).put(table)
    verify(KEY.text())
    verify(NEXT.text())
    new_container()
    verify(NEXT.text())
    retired_secrets.meter().flush_all(seconds=60)

    assert [1] == reported(table)
    assert 1 == waiting(table)


# ---- When it is written ----------------------------------------------------------------------------------------


def test_later_uses_of_a_day_are_one_write_in_an_interval(table: Table) -> None:
    """No further refusal waits for a write, until the interval is over."""
    text = KEY.text()
    with faults.injected() as operations:
        for _ in range(50):
            verify(text)
    assert [READ, ADD, REPORT] + [READ] * 49 == operations

    with faults.injected() as operations:
        retired_secrets.meter().flush_all(seconds=60)

    assert [ADD] == operations
    assert [1] == reported(table)
    assert 49 == waiting(table)


def test_the_interval_is_over() -> None:
    """GIVEN uses that wait WHEN one comes an interval later THEN all are one write."""
    written: list[int] = []
    seconds = 0.0
    meter = RetiredMeter(INTERVAL_SECONDS, lambda: seconds)
    meter._write = lambda uses: written.append(uses.count)
    at = datetime(2026, 6, 1, tzinfo=UTC)
    for later in (0, 1, 30, 60.9, 61, 62):
        seconds = later
        meter.count(UUID(int=1), UUID(int=2), 0, at + timedelta(seconds=later), None)

    assert [1, 4] == written


def test_the_first_use_of_each_day_is_reported_at_once(table: Table, stop_clock: Callable[[str], datetime]) -> None:
    """A container that has uses of yesterday writes them with the first of today, in one record."""
    for at in (NOON, "2026-06-01T23:59:59.999Z", "2026-06-02T00:00:00.000Z", "2026-06-02T00:00:01.000Z"):
        stop_clock(at)
        verify(KEY.text())

    assert [1, 2] == reported(table)


def test_each_container_writes_its_first_use(table: Table) -> None:
    """The second one finds today's record, and adds only."""
    verify(KEY.text())
    new_container()
    with faults.injected() as operations:
        verify(KEY.text())

    assert [READ, ADD] == operations
    assert [1] == reported(table)
    assert 1 == waiting(table)


def test_no_use_is_lost_or_doubled_over_days_containers_and_threads(
    table: Table, stop_clock: Callable[[str], datetime]
) -> None:
    """GIVEN 3 days, 2 containers and 4 threads in each THEN each day has one record, and no use is missing."""
    text = KEY.text()
    meters: list[RetiredMeter] = []
    for day in (1, 2, 3):
        for _ in range(2):
            new_container()
            stop_clock(f"2026-06-0{day}T12:00:00.000Z")
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda _: verify(text), range(20)))
            meters.append(retired_secrets.meter())
    for meter in meters:
        meter.flush_all(seconds=60)

    assert 3 == len(reported(table))
    assert 3 * 2 * 20 == sum(reported(table)) + waiting(table)


# ---- Failures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.error("AccessDeniedException")])
@pytest.mark.parametrize("failing", [1, 2], ids=["add", "report"])
def test_a_failure_is_logged_and_made_up_for(
    table: Table, fault: faults.Fault, failing: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The refusal is the same, after one attempt; the uses are reported once, with the next flush."""
    text = KEY.text()
    with caplog.at_level(logging.WARNING, logger="keywright"), faults.injected(*[None] * failing, *[fault] * 9) as sent:
        assert Code.NOT_FOUND is verify(text).code

    assert [READ, ADD, REPORT][: failing + 1] == sent
    (line,) = [record.getMessage() for record in caplog.records]
    assert "yet" in line
    assert [] == reported(table)

    retired_secrets.meter().flush_all(seconds=60)
    assert [1] == reported(table)
    retired_secrets.meter().flush_all(seconds=60)
    assert [1] == reported(table)
    assert 0 == waiting(table)


def test_a_failing_report_waits_for_another_interval(table: Table, setting: Callable[[str, str], None]) -> None:
    """Even without an interval, a use tries to report once."""
    setting("USAGE_FLUSH_SECONDS", "0")
    text = KEY.text()
    with faults.injected(None, None, faults.canceled("ThrottlingError", "None")) as operations:
        verify(text)
    assert [READ, ADD, REPORT] == operations

    verify(text)

    assert [2] == reported(table)


def test_a_lost_answer_may_count_twice(table: Table) -> None:
    """GIVEN an addition whose answer is lost WHEN it is repeated THEN its uses count again, as other uses do."""
    text = KEY.text()
    with faults.injected(None, faults.lost_answer):
        verify(text)
    retired_secrets.meter().flush_all(seconds=60)

    assert [2] == reported(table)


def test_both_meters_end_within_one_limit() -> None:
    """GIVEN writes of uses that hang WHEN the container ends THEN the others are written beside them."""
    hangs, written = threading.Event(), threading.Event()

    def hang(_: Uses) -> None:
        hangs.wait(60)

    uses = UsageMeter(hang, INTERVAL_SECONDS)
    retired = RetiredMeter(INTERVAL_SECONDS)
    retired._write = lambda _: written.set()
    at = datetime(2026, 6, 1, tzinfo=UTC)
    for key in range(3):
        uses.count(UUID(int=1), UUID(int=key), at)
    retired.add(RetiredUses(UUID(int=1), UUID(int=1), 1, 0, at))

    uses.flush_all(retired, seconds=0.2)
    is_written = written.is_set()
    hangs.set()

    assert is_written


# ---- What is told ----------------------------------------------------------------------------------------------


def test_the_log_line_names_the_key(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    """The tag proves which key the text was of. The line has a metric; the address and the text are nowhere."""
    del table
    text = KEY.text()
    verify(text, requiring([], "203.0.113.77"))
    output = capsys.readouterr().out

    line = json.loads(output)
    assert ("NOT_FOUND", "rotated out", ORGANIZATION_ID, KEY_ID, 1) == tuple(
        line[name] for name in ("code", "reason", "organization_id", "api_key_id", "RetiredSecrets")
    )
    assert "203.0.113.77" not in output
    assert not [part for part in secret_parts(text) if part in output]


def test_other_lines_have_no_such_metric(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing value counts as none: verifications that are not concerned write nothing more."""
    del table
    for text in (NEXT.text(), KEY.text(FOREIGN), SampleKey(generation=2).text()):
        verify(text)

    assert "RetiredSecrets" not in capsys.readouterr().out


def test_what_waits_in_memory_is_no_secret(table: Table) -> None:
    """Uses are counted by ids."""
    del table
    text = KEY.text()
    verify(text)
    verify(text)

    assert not [part for part in secret_parts(text) if part in repr(retired_secrets.meter()._pending)]


def test_the_record_is_of_its_day(table: Table, stop_clock: Callable[[str], datetime]) -> None:
    """Record and day are of the time of the report; the last use keeps its time."""
    verify(KEY.text())
    stop_clock("2026-06-01T23:59:59.000Z")
    verify(KEY.text())
    stop_clock("2026-06-02T00:00:10.000Z")
    retired_secrets.meter().flush_all(seconds=60)

    last = table.under("AUDIT#")[-1]
    assert [1, 1] == reported(table)
    assert clock.stored("2026-06-02T00:00:10.000Z") == clock.stored(last["created_at"])
    assert "2026-06-01T23:59:59.000Z" == json.loads(last["changes"])["after"]["lastUsedAt"]
