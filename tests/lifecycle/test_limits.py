"""Limits that two containers ask at the same time, in real time: exact, whatever the load, and whatever is lost.

The containers are processes, each with 16 threads. LIMIT_SECONDS=60 takes a minute for each load.
"""

from __future__ import annotations

import os
import random
import time
from bisect import insort
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from keywright import clock
from keywright.domain.limits import SECOND, Limits, Period, Quota, RateLimit
from local import backend
from tests.support import function_process, network_faults
from tests.support.depth import size
from tests.support.fault_proxy import FaultProxy, passed_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from local.iam import AccessKey
    from tests.support.fault_proxy import Exchange
    from tests.support.function_process import FunctionProcess, Verified
    from tests.support.world import World

pytestmark = pytest.mark.xdist_group("containers")

THREADS = 16
SECONDS = size("LIMIT_SECONDS", 1, full=5)
LOSSES = size("LIMIT_LOSSES", 40, full=200)
START_SECONDS = 0.2

SLOW = RateLimit(limit=100, window_seconds=10, burst=30)
FAST = RateLimit(limit=1_010, window_seconds=10, burst=500)
"""Claimed ahead."""


@dataclass(frozen=True, slots=True)
class Containers:
    """Two containers, and the table that they share."""

    processes: tuple[FunctionProcess, FunctionProcess]
    world: World

    def holder(self, rate: RateLimit | None = None, quota: Quota | None = None, of: str = "key") -> Limits:
        """Return the limits of a new holder, with its item."""
        holder_id = uuid4()
        self.world.table.put(pk=f"LIMIT#{holder_id}", sk="LIMIT")
        return Limits(holder_id, of, rate, quota, clock.now_ns())

    def use(self, *holders: Limits, uses: int, pause_seconds: float = 0.0) -> list[Verified]:
        """Use limits that many times, alternately in both containers, with a pause after each use."""
        begin = time.monotonic() + START_SECONDS
        starts = [begin + number * pause_seconds for number in range(uses)]
        with ThreadPoolExecutor(len(self.processes)) as pool:
            parts = pool.map(
                lambda number: self.processes[number].use(holders, starts[number :: len(self.processes)], THREADS),
                range(len(self.processes)),
            )
            return [use for part in parts for use in part]

    def used(self, limits: Limits) -> int:
        """Return what is stored as used of a quota."""
        (item,) = [item for item in self.world.table.items() if item["pk"] == f"LIMIT#{limits.holder_id}"]
        return int(item["quota_used"])


@pytest.fixture(scope="module")
def processes() -> Iterator[tuple[FunctionProcess, FunctionProcess]]:
    """The two processes of all tests."""
    with function_process.running() as first, function_process.running() as second:
        yield first, second


@pytest.fixture
def containers(
    world: World, processes: tuple[FunctionProcess, FunctionProcess], access_keys: Mapping[str, AccessKey]
) -> Containers:
    """Two new containers over an empty table."""
    for process in processes:
        process.begin(dict(os.environ), access_keys)
    return Containers(processes, world)


@pytest.fixture
def proxy(
    world: World, environment: pytest.MonkeyPatch, moto_url: str, dynamodb_url: str | None
) -> Iterator[FaultProxy]:
    """A proxy before the table, for containers that begin afterwards."""
    del world
    proxy = FaultProxy(dynamodb_url or moto_url)
    environment.setenv(backend.DYNAMODB_ENDPOINT, proxy.url)
    yield proxy
    proxy.close()


def admitted(uses: Sequence[Verified]) -> list[Verified]:
    """Return the uses that were admitted by limits that answered."""
    return [use for use in uses if use.code == "VALID"]


def check_exact(uses: Sequence[Verified], rate: RateLimit) -> None:
    """Check every stretch of time: uses that began and ended in it are a burst and what it gives back, at the most."""
    starts: list[float] = []
    for use in sorted(admitted(uses), key=lambda use: use.ended):
        insort(starts, use.started)
        for number, started in enumerate(reversed(starts), 1):
            assert number <= rate.burst + (use.ended - started) * rate.limit / rate.window_seconds + 0.001


@pytest.mark.parametrize("rate", [SLOW, pytest.param(FAST, marks=pytest.mark.deep)], ids=["slow", "fast"])
@pytest.mark.parametrize("load", [*(pytest.param(load, marks=pytest.mark.deep) for load in (0.5, 1)), 10])
def test_a_rate_is_exact_at_every_load(containers: Containers, rate: RateLimit, load: float) -> None:
    """GIVEN uses below, at and above a rate THEN no more are admitted, and none is refused that could be admitted.

    At ten times the rate, 99 % of the possible uses are admitted, but for those of the longest answer's time and, of a
    rate that is claimed ahead, a lease of each container.
    """
    a_second = rate.limit / rate.window_seconds
    offered = round(a_second * load * SECONDS)
    uses = containers.use(containers.holder(rate), uses=offered, pause_seconds=1 / (a_second * load))

    check_exact(uses, rate)
    assert offered == len(uses)
    if load <= 1:
        assert {"VALID"} == {use.code for use in uses}
        return
    assert {"VALID", "RATE_LIMITED"} >= {use.code for use in uses}
    lost = a_second * (
        max(use.ended - use.started for use in uses) + len(containers.processes) * rate.lateness / SECOND
    )
    assert len(admitted(uses)) >= 0.99 * possible(uses, rate) - 1 - lost


def possible(uses: Sequence[Verified], rate: RateLimit) -> int:
    """Return how many of these uses a rate admits, one after the other."""
    span = (rate.burst * rate.interval - rate.lateness) / SECOND
    number, tat = 0, 0.0
    for use in sorted(uses, key=lambda use: use.started):
        ends = max(tat, use.started) + rate.interval / SECOND
        if ends <= use.started + span:
            number, tat = number + 1, ends
    return number


@pytest.mark.parametrize("number", [20, pytest.param(500, marks=pytest.mark.deep)])
def test_a_quota_admits_its_number_of_ten_times_as_many(containers: Containers, number: int) -> None:
    """GIVEN ten times as many uses as a quota has, at once THEN exactly its number is admitted."""
    holder = containers.holder(quota=Quota(number, Period.TOTAL))
    uses = containers.use(holder, uses=10 * number)

    assert number == len(admitted(uses))
    assert {"VALID", "QUOTA_EXCEEDED"} == {use.code for use in uses}
    assert number == containers.used(holder)


def test_both_limits_are_exact(containers: Containers) -> None:
    """GIVEN a key and an organization with half of its uses left THEN that half is admitted; the key's rest is left."""
    key = containers.holder(RateLimit(600, 10, 600), Quota(40, Period.TOTAL))
    organization = containers.holder(quota=Quota(10, Period.TOTAL), of="organization")
    uses = containers.use(key, organization, uses=60)

    assert 10 == len(admitted(uses))
    assert 10 == containers.used(key) == containers.used(organization)


@pytest.mark.parametrize(
    "limits",
    [(SLOW, None), (None, Quota(30, Period.TOTAL)), pytest.param((FAST, None), marks=pytest.mark.deep)],
    ids=["rate", "quota", "fast"],
)
def test_lost_answers_give_nothing(
    proxy: FaultProxy,
    containers: Containers,
    limits: tuple[RateLimit | None, Quota | None],
) -> None:
    """GIVEN that each tenth answer is lost THEN each costs an admission at the most, and none gives one."""
    random_ = random.Random(1)  # noqa: S311 - a simulation
    lost = 0

    def lose_some(exchange: Exchange) -> None:
        nonlocal lost
        is_lost = random_.random() < 0.1
        lost += is_lost
        (network_faults.lost_answer if is_lost else passed_on)(exchange)

    holder = containers.holder(*limits)
    with proxy.inflicting(lose_some):
        uses = containers.use(holder, uses=LOSSES, pause_seconds=0.005)

    assert lost
    if holder.rate is not None:
        check_exact(uses, holder.rate)
    if holder.quota is not None:
        assert len(admitted(uses)) <= holder.quota.limit
        assert holder.quota.limit - lost <= len(admitted(uses))
        assert containers.used(holder) <= holder.quota.limit
