"""Counting uses: written once per interval, kept after failed writes, and never an obstacle to verifications."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys import meter as meters
from keywright.keys.meter import SHUTDOWN_SECONDS
from keywright.keys.usage import UsageMeter
from keywright.store.usage import PreviousUse

if TYPE_CHECKING:
    from keywright.store.usage import Uses

INTERVAL_SECONDS = 60
ORGANIZATION = UUID(int=1)
START = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass(slots=True)
class Backend:
    """A meter with a clock and a recorder of its writes, of which the first `failures` fail.

    Attributes:
        written: the additions that succeeded.
        tried: all of them.
    """

    seconds: float = 1000.0
    failures: int = 0
    written: list[Uses] = field(default_factory=list)
    tried: list[Uses] = field(default_factory=list)
    meter: UsageMeter = field(init=False)

    def __post_init__(self) -> None:
        self.meter = UsageMeter(self.add, INTERVAL_SECONDS, lambda: self.seconds)

    def add(self, uses: Uses) -> None:
        """Write uses, or fail."""
        self.tried.append(uses)
        if self.failures > 0:
            self.failures -= 1
            raise ServiceError(SERVICE_UNAVAILABLE)
        self.written.append(uses)

    def use(self, key: int = 1, *, later: float = 0) -> None:
        """Advance the clock and use a key."""
        self.seconds += later
        self.meter.count(ORGANIZATION, UUID(int=key), START + timedelta(seconds=self.seconds))

    def counts(self, key: int = 1) -> list[int]:
        """Return the number of uses in each write of a key."""
        return [uses.count for uses in self.written if uses.key_id == UUID(int=key)]


@pytest.fixture
def backend() -> Backend:
    """A backend without uses."""
    return Backend()


def test_nothing_is_written_before_the_interval_is_over(backend: Backend) -> None:
    """Any number of uses within the interval is written after it."""
    for _ in range(1000):
        backend.use()
    backend.use(later=INTERVAL_SECONDS - 0.001)

    assert [] == backend.tried


def test_all_uses_of_an_interval_are_one_write(backend: Backend) -> None:
    """Uses of one interval are one write, with the time of the last one."""
    for _ in range(10):
        backend.use(later=5)
    backend.use(later=15)

    (uses,) = backend.written
    assert ORGANIZATION == uses.organization_id
    assert UUID(int=1) == uses.key_id
    assert 11 == uses.count
    assert START + timedelta(seconds=backend.seconds) == uses.last_used_at


def test_there_is_one_write_a_minute(backend: Backend) -> None:
    """Ten minutes with a use per second: the last interval is still open."""
    for _ in range(600):
        backend.use(later=1)

    assert [61] * 9 == backend.counts()


def test_each_key_has_an_interval_of_its_own(backend: Backend) -> None:
    """A write of one key does not affect the intervals of others."""
    backend.use(1)
    backend.use(2, later=30)
    backend.use(1, later=30)
    backend.use(2)

    assert [2] == backend.counts(1)
    assert [] == backend.counts(2)


def test_the_time_of_use_does_not_go_back(backend: Backend) -> None:
    """If the system clock is set back, the latest time counts."""
    key = UUID(int=1)
    backend.meter.count(ORGANIZATION, key, START + timedelta(hours=1))
    backend.seconds += INTERVAL_SECONDS
    backend.meter.count(ORGANIZATION, key, START)

    assert [START + timedelta(hours=1)] == [uses.last_used_at for uses in backend.written]


def test_a_use_counts_for_its_day_and_not_for_that_of_the_flush(backend: Backend) -> None:
    """GIVEN uses before and after midnight (UTC) WHEN they are written together THEN each counts for its own day."""
    midnight = datetime(2028, 3, 1, tzinfo=UTC)
    for seconds in (-50, -1, -0.001, 0, 30):
        backend.meter.count(ORGANIZATION, UUID(int=1), midnight + timedelta(seconds=seconds))
    backend.seconds += INTERVAL_SECONDS
    backend.meter.count(ORGANIZATION, UUID(int=1), midnight + timedelta(seconds=40))

    (uses,) = backend.written
    assert {date(2028, 2, 29): 3, date(2028, 3, 1): 3} == uses.days


def test_a_day_is_a_day_in_utc(backend: Backend) -> None:
    """The zone of a time does not matter."""
    at = datetime(2026, 6, 2, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    backend.meter.count(ORGANIZATION, UUID(int=1), at)
    backend.meter.flush_all(seconds=60)

    assert [{date(2026, 6, 1): 1}] == [uses.days for uses in backend.written]


def test_the_address_is_that_of_the_latest_use(backend: Backend) -> None:
    """Earlier addresses are forgotten, also if the latest use has none."""
    for seconds, address in ((2, "192.0.2.2"), (1, "192.0.2.1"), (2, "192.0.2.3")):
        backend.meter.count(ORGANIZATION, UUID(int=1), START + timedelta(seconds=seconds), address)
    backend.meter.flush_all(seconds=60)
    backend.meter.count(ORGANIZATION, UUID(int=1), START, "192.0.2.4")
    backend.use()
    backend.meter.flush_all(seconds=60)

    assert ["192.0.2.3", None] == [uses.last_used_ip for uses in backend.written]


def test_the_last_use_of_the_previous_secret_is_kept(backend: Backend) -> None:
    """Uses of the current secret do not replace it; a use of a later generation does."""
    for seconds, generation in ((1, 4), (3, 4), (2, 4), (9, None)):
        backend.meter.count(
            ORGANIZATION, UUID(int=1), START + timedelta(seconds=seconds), previous_generation=generation
        )
    backend.meter.flush_all(seconds=60)
    for seconds, generation in ((2, 5), (3, 4)):
        backend.meter.count(
            ORGANIZATION, UUID(int=1), START + timedelta(seconds=seconds), previous_generation=generation
        )
    backend.meter.flush_all(seconds=60)

    assert [PreviousUse(4, START + timedelta(seconds=3)), PreviousUse(5, START + timedelta(seconds=2))] == [
        uses.previous for uses in backend.written
    ]


def test_a_failed_flush_keeps_days_address_and_previous_secret(backend: Backend) -> None:
    """What was not written is written with what came since."""
    backend.meter.count(ORGANIZATION, UUID(int=1), START - timedelta(seconds=1), "192.0.2.1", previous_generation=0)
    backend.failures = 1
    backend.meter.flush_all(seconds=60)
    backend.meter.count(ORGANIZATION, UUID(int=1), START, "192.0.2.2")
    backend.meter.flush_all(seconds=60)

    (uses,) = backend.written
    assert {date(2026, 5, 31): 1, date(2026, 6, 1): 1} == uses.days
    assert "192.0.2.2" == uses.last_used_ip
    assert PreviousUse(0, START - timedelta(seconds=1)) == uses.previous


def test_a_flush_that_fails_is_repeated_with_what_came_since(backend: Backend) -> None:
    """One write adds the uses of both intervals, with the time of the latest use."""
    backend.use()
    backend.failures = 2
    for _ in range(3):
        backend.use(later=INTERVAL_SECONDS)

    assert [2, 3, 4] == [uses.count for uses in backend.tried]
    assert [4] == backend.counts()
    assert [START + timedelta(seconds=backend.seconds)] == [uses.last_used_at for uses in backend.written]


def test_no_use_is_lost_by_failures(backend: Backend) -> None:
    """The sum of the written uses equals the number of uses."""
    for number in range(20):
        backend.failures = number % 3
        backend.use(later=INTERVAL_SECONDS)
    backend.failures = 0
    backend.meter.flush_all(seconds=60)

    assert 20 == sum(backend.counts())


@pytest.mark.parametrize("is_failing", [False, True], ids=["written", "failed"])
def test_uses_that_arrive_during_a_write_count_once(is_failing: bool) -> None:  # noqa: FBT001 - a case
    """GIVEN a write that takes a while, and may fail WHEN the key is used meanwhile THEN each use is written once."""
    written: list[Uses] = []
    is_first = True

    def add(uses: Uses) -> None:
        nonlocal is_first
        if is_first:
            is_first = False
            for later in (1, 2, 3):
                meter.count(ORGANIZATION, UUID(int=1), START + timedelta(seconds=later))
            if is_failing:
                raise ServiceError(SERVICE_UNAVAILABLE)
        written.append(uses)

    meter = UsageMeter(add, INTERVAL_SECONDS, lambda: 0.0)
    for _ in range(5):
        meter.count(ORGANIZATION, UUID(int=1), START)
    for _ in range(3):
        meter.flush_all(seconds=60)

    assert 5 + 3 == sum(uses.count for uses in written)
    assert START + timedelta(seconds=3) == max(uses.last_used_at for uses in written)


def test_a_failure_is_logged_and_not_raised(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    """The caller does not notice a failed write."""
    backend.failures = 1
    with caplog.at_level(logging.WARNING, logger="keywright"):
        backend.use()
        backend.use(later=INTERVAL_SECONDS)

    assert ["uses of a key were not written yet"] == [record.getMessage() for record in caplog.records]


def test_a_failure_waits_for_another_interval(backend: Backend) -> None:
    """A failing table is not called with every request."""
    backend.failures = 100
    for _ in range(5 * INTERVAL_SECONDS):
        backend.use(later=1)

    assert len(backend.tried) <= 5


def test_too_many_keys_are_written_early(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that has waited longest is written, so memory stays bounded."""
    monkeypatch.setattr(meters, "MAXIMUM_KEYS", 3)
    for key in (1, 2, 3, 4, 1, 5):
        backend.use(key, later=1)

    assert [UUID(int=1), UUID(int=2), UUID(int=3)] == [uses.key_id for uses in backend.written]
    assert len(backend.meter._pending) <= 3


def test_10000_keys_are_remembered(backend: Backend) -> None:
    """The 10,001st key within an interval makes the oldest one be written, and no key before."""
    for key in range(10_000):
        backend.use(key)
    assert [] == backend.tried

    backend.use(10_000)
    assert [UUID(int=0)] == [uses.key_id for uses in backend.written]
    assert 10_000 == len(backend.meter._pending)


def test_flush_all_writes_everything(backend: Backend) -> None:
    """All keys are written, including those of failed writes, and nothing remains pending."""
    backend.use(1)
    backend.failures = 1
    backend.use(1, later=INTERVAL_SECONDS)
    for key in range(1, 51):
        backend.use(key)

    backend.meter.flush_all(seconds=60)
    backend.meter.flush_all(seconds=60)

    assert [3] == backend.counts(1)
    assert [[1]] * 49 == [backend.counts(key) for key in range(2, 51)]


def test_flush_all_of_what_fails_keeps_it(backend: Backend) -> None:
    """A flush tries each key once and does not raise."""
    backend.use()
    backend.failures = 1
    backend.meter.flush_all(seconds=60)
    assert 1 == len(backend.tried)
    assert [] == backend.written

    backend.meter.flush_all(seconds=60)

    assert [1] == backend.counts()


def test_flush_all_is_over_in_time_although_a_write_hangs() -> None:
    """Lambda ends the container at that time, even with a pending write."""
    hangs, written = threading.Event(), list[UUID]()

    def add(uses: Uses) -> None:
        hangs.wait(60)
        written.append(uses.key_id)

    meter = UsageMeter(add, INTERVAL_SECONDS)
    meter.count(ORGANIZATION, UUID(int=1), START)

    meter.flush_all(seconds=0.05)
    written_in_time = list(written)
    hangs.set()

    assert [] == written_in_time


def test_flush_all_takes_400_milliseconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda gives a container 500 milliseconds to end, and ending the process takes some of them."""
    waits: list[float] = []
    monkeypatch.setattr(meters, "wait", lambda _, seconds: waits.append(seconds))
    meter = UsageMeter(lambda _: None, INTERVAL_SECONDS, lambda: 0.0)

    meter.flush_all(seconds=SHUTDOWN_SECONDS)

    assert [0.4] == waits


def test_a_write_that_hangs_does_not_keep_flush_all_from_the_others() -> None:
    """Writes are concurrent: the first one is answered only after the last one is written."""
    last_is_written, written = threading.Event(), list[UUID]()

    def add(uses: Uses) -> None:
        if uses.key_id == UUID(int=1):
            assert last_is_written.wait(60)
        written.append(uses.key_id)
        if uses.key_id == UUID(int=9):
            last_is_written.set()

    meter = UsageMeter(add, INTERVAL_SECONDS)
    for key in range(1, 10):
        meter.count(ORGANIZATION, UUID(int=key), START)

    meter.flush_all(seconds=60)

    assert {UUID(int=key) for key in range(1, 10)} == set(written)


def test_flush_all_begins_no_write_after_its_time() -> None:
    """With more keys than time, some stay unwritten."""
    tried: list[Uses] = []
    clock = iter([0.0, *[100.0] * 1000])
    meter = UsageMeter(tried.append, INTERVAL_SECONDS, lambda: 0.0)
    for key in range(20):
        meter.count(ORGANIZATION, UUID(int=key), START)
    meter._clock = lambda: next(clock)

    meter.flush_all(seconds=SHUTDOWN_SECONDS)

    assert [] == tried


def test_many_threads_at_once(backend: Backend) -> None:
    """Each use counts once, also during a flush."""
    with ThreadPoolExecutor(8) as pool:
        for number in range(4000):
            pool.submit(backend.use, number % 3, later=0.5)
    backend.meter.flush_all(seconds=60)

    assert 4000 == sum(uses.count for uses in backend.written)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 1.0, 59.0, 60.0]), st.booleans()), max_size=60),
    st.booleans(),
)
def test_what_is_written_is_what_was_used(acts: list[tuple[int, float, bool]], is_last_failing: bool) -> None:  # noqa: FBT001
    """For any uses and any failed writes, each key's count and latest time are correct."""
    backend = Backend()
    last: dict[UUID, datetime] = {}
    for key, later, is_failing in acts:
        backend.failures = int(is_failing)
        backend.use(key, later=later)
        last[UUID(int=key)] = START + timedelta(seconds=backend.seconds)
    backend.failures = int(is_last_failing)
    backend.meter.flush_all(seconds=60)
    backend.failures = 0
    backend.meter.flush_all(seconds=60)

    used = [UUID(int=key) for key, _, _ in acts]
    assert {key: used.count(key) for key in used} == {
        key: sum(uses.count for uses in backend.written if uses.key_id == key) for key in used
    }
    assert last == {key: max(uses.last_used_at for uses in backend.written if uses.key_id == key) for key in set(used)}
