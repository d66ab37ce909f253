"""Claiming uses ahead: fast rates with fewer writes, as exact as slow ones."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest

from keywright.domain.limits import SECOND, Period, Quota, RateLimit
from keywright.keys import limiter
from keywright.keys.leases import MOST_AHEAD, Lease
from tests.support import faults
from tests.support.depth import size
from tests.support.simulated_limits import Container, SimulatedLimits

if TYPE_CHECKING:
    from tests.support.world import World

FAST = RateLimit(limit=10_000, window_seconds=60, burst=3_000)
"""A use each 6 ms, and a lateness of 360 ms."""
ROUNDS = size("LEASE_ROUNDS", 1, full=10)
SECONDS = size("LEASE_SECONDS", 1, full=6)
WRITE = "UpdateItem"


@pytest.fixture
def limits(world: World, monkeypatch: pytest.MonkeyPatch) -> SimulatedLimits:
    """Limits in simulated time."""
    return SimulatedLimits.opened(world.table, monkeypatch)


def test_a_container_claims_what_it_spends(limits: SimulatedLimits) -> None:
    """A container with a hundred uses a second claims ever more, up to those of half the lateness, and loses none."""
    holder = limits.holder(FAST)
    with faults.injected() as operations:
        for _ in range(600):
            assert limits.admits(holder)
            limits.pass_time(0.01)

    assert 60 > operations.count(WRITE)
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
    lease = Lease()
    lease.begin_claim(100, 1_000)
    lease.end_claim(1, 3, 1_000, 100)

    assert lease.spend(1, 1_100)
    assert not lease.holds(1, 1_101)
    assert not lease.spend(1, 1_101)
    assert not lease.spend(3, 1_100)
    assert lease.spend(2, 1_100)
    assert not lease.spend(1, 1_100)


def test_a_claim_is_half_of_what_is_expected() -> None:
    """At a use in ten nanoseconds, a lateness of 100 is five uses; never more than were spent since the last claim."""
    lease = Lease()
    assert 0 == lease.begin_claim(100, 1_000)
    lease.end_claim(1, 0, 1_000, 100)
    lease.count(9)
    assert 5 == lease.begin_claim(100, 1_100)
    lease.end_claim(1, 0, 1_100, 100)
    lease.count(1)
    assert 2 == lease.begin_claim(100, 1_101)
    lease.end_claim(1, 0, 1_101, 100)
    lease.count(10_000)
    assert MOST_AHEAD == lease.begin_claim(100, 1_151)


def test_one_thread_claims_ahead() -> None:
    """GIVEN a claim that was not answered yet THEN other uses are claimed for themselves."""
    lease = Lease()
    assert 0 == lease.begin_claim(100, 1_000)
    assert lease.begin_claim(100, 1_000) is None
    lease.cancel_claim()
    assert 0 == lease.begin_claim(100, 1_000)


def test_a_refused_claim_is_a_use_without_more(limits: SimulatedLimits) -> None:
    """GIVEN room for one use THEN a container that would claim more takes that one, and is refused then."""
    holder, mine = limits.holder(FAST), Container()
    for _ in range(40):
        limits.admits(holder, container=mine)
        limits.pass_time(0.01)
    limits.pass_time(0.4)
    tat = limits.now + holder.span - FAST.interval
    limits.table.put(pk=f"LIMIT#{holder.holder_id}", sk="LIMIT", tat=tat, rate_interval=FAST.interval)

    assert limits.admits(holder, container=mine)
    assert not limits.admits(holder, container=mine)
    limits.pass_time(FAST.interval / SECOND)
    assert limits.admits(holder, container=mine)


def test_a_claim_is_spent_though_nothing_else_remains(limits: SimulatedLimits) -> None:
    """GIVEN uses that are claimed, and a rate that is used up THEN they are admitted, not refused from memory."""
    holder, mine = limits.holder(FAST), Container()
    for _ in range(40):
        limits.admits(holder, container=mine)
        limits.pass_time(0.01)
    lease = limiter.leases().get(holder.holder_id)
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


def test_a_failed_claim_lets_the_next_use_claim(limits: SimulatedLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN an error in a claim THEN the container does not wait for it for good."""
    holder = limits.holder(FAST)
    with monkeypatch.context() as patch:
        patch.setattr(limiter, "_ask", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            limits.ask(holder)

    lease = limiter.leases().get(holder.holder_id)
    assert lease is not None
    assert lease.begin_claim(100, limits.now) is not None


def test_a_use_that_the_organization_refuses_goes_back_to_the_lease(limits: SimulatedLimits) -> None:
    """A use that came from a claim can be spent again, without a write."""
    key, organization = limits.holder(FAST), limits.holder(RateLimit(1, 3600, 1), of="organization")
    for _ in range(40):
        limits.admits(key)
        limits.pass_time(0.01)
    lease = limiter.leases().get(key.holder_id)
    assert lease is not None
    while not lease.holds(2, limits.now):
        limits.admits(key)
    before = limits.item(key)
    limits.admits(organization, container=Container())
    limits.running = Container(known=limits.running.known, leases=limits.running.leases)
    limits.running.leases.put(key.holder_id, lease)

    assert not limits.admits(key, organization)
    assert lease.holds(2, limits.now)
    assert before == limits.item(key)


def test_threads_spend_a_claim_once() -> None:
    """Of a hundred uses that were claimed, many threads spend a hundred."""
    lease, spent = Lease(), []
    lease.begin_claim(100, 0)
    lease.end_claim(1, 100, 0, 100)

    def spend() -> None:
        spent.extend(1 for _ in range(50) if lease.spend(1, 0))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 100 == len(spent)


@pytest.mark.parametrize("load", [0.5, 0.98, 3])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_time_has_more_uses_than_the_rate(limits: SimulatedLimits, load: float, seed: int) -> None:
    """GIVEN uses at random times in three containers THEN no stretch of time has more than burst + time / interval.

    Below the limit none is refused; above it, 99 % of the possible uses are admitted, but for 2 % of one burst and a
    lease of each container.
    """
    random_ = random.Random(seed)  # noqa: S311 - a simulation
    rate = RateLimit(limit=200, window_seconds=1, burst=150)
    holder, containers = limits.holder(rate), [Container(), Container(), Container()]
    began, offered, times = limits.now, 0, []
    with faults.injected() as operations:
        for _ in range(round(200 * SECONDS * load)):
            limits.pass_time(random_.expovariate(200 * load))
            offered += 1
            if limits.admits(holder, container=random_.choice(containers)):
                times.append(limits.now)

    check_exact(times, rate)
    possible = min(offered, rate.burst + (limits.now - began) / rate.interval)
    assert len(times) >= (offered if load < 0.9 else 0.99 * possible - 3 - len(containers))
    if load < 1:
        assert operations.count(WRITE) <= 1.5 * len(times)


def check_exact(times: list[int], rate: RateLimit) -> None:
    """Check that no stretch of time has more uses than a burst and those that it gives back."""
    tat = 0
    for at in times:
        tat = max(tat, at) + rate.interval
        assert tat <= at + rate.burst * rate.interval
