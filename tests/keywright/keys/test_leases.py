"""Claiming uses ahead: fast rates with fewer writes, as exact as slow ones."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest

from keywright.domain.limits import SECOND, Period, Quota, RateLimit
from keywright.keys.leases import MOST_AHEAD, Lease
from tests.support import faults
from tests.support.depth import size
from tests.support.simulated_limits import Container, SimulatedLimits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.world import World

FAST = RateLimit(limit=10_000, window_seconds=60, burst=3_000)
"""A use each 6 ms, and a lateness of 360 ms."""
ROUNDS = size("LEASE_ROUNDS", 1, full=3)
USES = size("LEASE_USES", 250, full=500)
WRITE = "UpdateItem"


@pytest.fixture
def limits(world: World, monkeypatch: pytest.MonkeyPatch) -> SimulatedLimits:
    """Limits in simulated time."""
    return SimulatedLimits.opened(world.table, monkeypatch)


def test_a_container_claims_what_it_spends(limits: SimulatedLimits) -> None:
    """A container with a hundred uses a second claims ever more, up to a quarter of the lateness's, and loses none."""
    holder = limits.holder(FAST)
    with faults.injected() as operations:
        for _ in range(600):
            assert limits.admits(holder)
            limits.pass_time(0.01)

    assert 90 > operations.count(WRITE)
    tat = limits.item(holder)["tat"]
    assert limits.now < int(str(tat)) + 40 * FAST.interval  # at rest, but for one lease


@pytest.mark.parametrize(
    ("rate", "quota"),
    [
        (RateLimit(100, 1, 100), None),
        (RateLimit(1_000, 1, 99), None),
        (FAST, Quota(10**6, Period.DAY)),
    ],
)
def test_other_limits_are_taken_one_by_one(limits: SimulatedLimits, rate: RateLimit, quota: Quota | None) -> None:
    """Slow rates, small bursts and quotas are not claimed ahead, and their burst is whole."""
    holder = limits.holder(rate, quota)
    limits.admits(holder)
    with faults.injected() as operations:
        assert 20 == limits.admitted(holder, uses=20)

    assert [WRITE] * 20 == operations
    assert limits.admits(holder, cost=rate.burst - 21)
    assert not limits.admits(holder)


def test_the_burst_is_smaller_by_the_lateness(limits: SimulatedLimits) -> None:
    """Of a burst of 3,000, 2 % are kept for uses that are spent late."""
    holder = limits.holder(FAST)

    assert not limits.admits(holder, cost=2_941)
    assert limits.admits(holder, cost=2_940)
    assert not limits.admits(holder)


def test_uses_are_spent_until_they_are_late() -> None:
    """A claim is spent in no more time than the lateness; what is left is lost."""
    lease = Lease(100)
    lease.end_claim(3, 1_000)

    assert lease.spend(1, 1_100)
    assert not lease.holds(1, 1_101)
    assert not lease.spend(1, 1_101)
    assert not lease.spend(3, 1_100)
    assert lease.spend(2, 1_100)
    assert not lease.spend(1, 1_100)


def test_a_claim_that_failed_leaves_the_last_one() -> None:
    """GIVEN uses that are left WHEN more are refused THEN those can be spent."""
    lease = Lease(100)
    lease.end_claim(3, 1_000)
    lease.end_claim(0, 1_050)

    assert lease.spend(3, 1_100)


@pytest.mark.parametrize(
    ("spent", "later", "ahead"),
    [(9, 50, 0), (10, 50, 5), (10, 99, 5), (10, 100, 0), (10, 49, 0), (30, 50, 15), (10_000, 50, MOST_AHEAD)],
)
def test_a_claim_is_a_quarter_of_what_is_expected(spent: int, later: int, ahead: int) -> None:
    """Half of what was spent in the last half of the lateness, if that is enough to claim."""
    lease = Lease(100)
    lease.count(1, 1_000)
    lease.count(spent - 1, 1_049)

    assert ahead == lease.begin_claim(1_000 + later)


def test_a_clock_that_was_set_back_claims_nothing() -> None:
    """GIVEN uses in the future THEN they say nothing about now."""
    lease = Lease(100)
    lease.count(100, 1_000)

    assert 0 == lease.begin_claim(900)


def test_one_thread_claims_ahead() -> None:
    """GIVEN a claim that was not answered yet THEN other uses are claimed for themselves."""
    lease = Lease(100)
    lease.count(100, 1_000)
    assert 50 == lease.begin_claim(1_050)
    assert 0 == lease.begin_claim(1_050)
    lease.end_claim(0, 0)
    assert 50 == lease.begin_claim(1_050)


def test_a_refused_claim_is_a_use_without_more(limits: SimulatedLimits) -> None:
    """GIVEN room for one use THEN a container that would claim more takes that one, and is refused then."""
    holder, mine = limits.holder(FAST), Container()
    for _ in range(40):
        limits.admits(holder, container=mine)
        limits.pass_time(0.01)
    lease = limits.running.leases.get(holder.holder_id)
    assert lease is not None
    while lease.holds(1, limits.now):
        limits.admits(holder)
    tat = limits.now + holder.span - FAST.interval
    limits.table.put(pk=f"LIMIT#{holder.holder_id}", sk="LIMIT", tat=tat, rate_interval=FAST.interval)

    with faults.injected() as operations:
        assert limits.admits(holder, container=mine)
    assert 2 <= operations.count(WRITE)  # one of a claim that was refused
    assert not limits.admits(holder, container=mine)
    limits.pass_time(FAST.interval / SECOND)
    assert limits.admits(holder, container=mine)


def test_a_claim_is_spent_though_nothing_else_remains(limits: SimulatedLimits) -> None:
    """GIVEN uses that are claimed, and a rate that is used up THEN they are admitted, not refused from memory."""
    holder, mine = limits.holder(FAST), Container()
    for _ in range(40):
        limits.admits(holder, container=mine)
        limits.pass_time(0.01)
    lease = limits.running.leases.get(holder.holder_id)
    assert lease is not None
    while not lease.holds(3, limits.now):
        limits.admits(holder, container=mine)
    tat = limits.now + holder.span
    limits.table.put(pk=f"LIMIT#{holder.holder_id}", sk="LIMIT", tat=tat, rate_interval=FAST.interval)
    assert not limits.admits(holder, cost=2_000)

    assert lease.holds(1, limits.now)
    with faults.injected() as operations:
        assert limits.admits(holder)
    assert [] == operations


def test_a_failed_claim_lets_the_next_use_claim(limits: SimulatedLimits) -> None:
    """GIVEN a claim that is not answered THEN the container does not wait for it for good."""
    holder = limits.holder(FAST)
    for _ in range(40):
        limits.admits(holder)
        limits.pass_time(0.01)
    lease = limits.running.leases.get(holder.holder_id)
    assert lease is not None
    while lease.holds(1, limits.now):
        limits.admits(holder)
    with faults.injected(*[faults.timeout] * 2):
        assert not limits.ask(holder).is_asked

    assert lease.begin_claim(limits.now)


def test_a_use_that_the_organization_refuses_goes_back_to_the_lease(limits: SimulatedLimits) -> None:
    """A use that came from a claim can be spent again, without a write."""
    key, organization = limits.holder(FAST), limits.holder(RateLimit(1, 3600, 1), of="organization")
    for _ in range(40):
        limits.admits(key)
        limits.pass_time(0.01)
    lease = limits.running.leases.get(key.holder_id)
    assert lease is not None
    while not lease.holds(2, limits.now):
        limits.admits(key)
    mine, before = limits.running, limits.item(key)
    left = [cost for cost in range(MOST_AHEAD) if lease.holds(cost, limits.now)]
    limits.admits(organization, container=Container())
    with faults.injected() as operations:
        assert not limits.admits(key, organization, container=mine)

    assert [WRITE] == operations
    assert left == [cost for cost in range(MOST_AHEAD) if lease.holds(cost, limits.now)]
    assert before == limits.item(key)


def test_a_changed_rate_gets_a_new_lease(limits: SimulatedLimits) -> None:
    """GIVEN uses that were claimed of a rate WHEN it is changed THEN they are lost, being late for it."""
    holder = limits.holder(FAST)
    limits.admits(holder)
    before = limits.running.leases.get(holder.holder_id)
    changed = limits.changed(holder, RateLimit(2_000, 1, 2_000))
    limits.admits(changed)
    lease = limits.running.leases.get(holder.holder_id)

    assert lease is not None
    assert lease is not before
    assert changed.lateness == lease.lateness


def test_threads_spend_a_claim_once() -> None:
    """Of a hundred uses that were claimed, many threads spend a hundred."""
    lease = Lease(100)
    spent: list[int] = []
    lease.end_claim(100, 0)

    def spend() -> None:
        spent.extend(1 for _ in range(50) if lease.spend(1, 0))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 100 == len(spent)


@pytest.mark.parametrize("load", [0.5, 1, pytest.param(3, marks=pytest.mark.deep)])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_time_has_more_uses_than_the_rate(limits: SimulatedLimits, load: float, seed: int) -> None:
    """GIVEN uses at random times in three containers THEN no stretch of time has more than burst + time / interval.

    99 % of the possible uses are admitted, but for a lease of each container, with a fraction of the writes.
    """
    random_ = random.Random(seed)  # noqa: S311 - a simulation
    rate = RateLimit(limit=40_200, window_seconds=60, burst=10_000)
    holder, containers = limits.holder(rate), [Container(), Container(), Container()]
    tat = limits.now + holder.span - 20 * rate.interval  # twenty uses are left
    limits.table.put(pk=f"LIMIT#{holder.holder_id}", sk="LIMIT", tat=tat, rate_interval=rate.interval)
    times: dict[int, bool] = {}
    with faults.injected() as operations:
        for _ in range(USES):
            limits.pass_time(random_.expovariate(670 * load))
            times[limits.now] = limits.admits(holder, container=random_.choice(containers))

    admitted = [at for at, is_admitted in times.items() if is_admitted]
    assert admitted == conforming(admitted, tat, rate.burst * rate.interval, rate.interval)
    possible = conforming(times, tat, holder.span, rate.interval)
    assert len(admitted) >= 0.99 * len(possible) - 10 * len(containers)
    if load < 1:
        assert operations.count(WRITE) <= 0.6 * len(admitted)


def conforming(times: Iterable[int], tat: int, span: int, interval: int) -> list[int]:
    """Return the uses that a rate admits, of those at these times."""
    admitted = []
    for at in times:
        ends = max(tat, at) + interval
        if ends <= at + span:
            admitted.append(at)
            tat = ends
    return admitted


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_container_loses_few_uses(seed: int) -> None:
    """GIVEN uses at random times THEN less than one in two hundred is claimed ahead and lost."""
    random_ = random.Random(seed)  # noqa: S311 - a simulation
    for uses_in_lateness in (30, 60, 200):
        lease, now, claimed, spent = Lease(10**6), 0, 0, 0
        for _ in range(20_000):
            now += round(random_.expovariate(uses_in_lateness / 10**6))
            spent += 1
            if not lease.spend(1, now):
                ahead = lease.begin_claim(now)
                if ahead:
                    lease.end_claim(ahead, now)
                lease.count(1, now)
                claimed += 1 + ahead

        assert claimed - spent <= spent / 200 + MOST_AHEAD
