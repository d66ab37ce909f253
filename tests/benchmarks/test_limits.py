"""Offered and admitted uses of a key: the schedule, and that an exact limit is measured as exact."""

from __future__ import annotations

import asyncio
import time
from itertools import count

import pytest

from benchmarks.limits import AT_ONCE, LIMIT, WINDOW_SECONDS, Offer
from benchmarks.peers.protocol import CheckResult, Schedule, Sizes, ThreadedDriver

SHARES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
COUNTED_SECONDS = 15.0


class FirstThree(ThreadedDriver):
    """A product that accepts three uses, and fails after five."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []
        self._numbers = count(1)

    async def open(self, variant: str, sizes: Sizes) -> None:
        """Do nothing."""

    async def check(self, name: str) -> CheckResult:
        """Have no checks."""
        return CheckResult("none", name)

    def verify(self, text: str) -> bool:
        """Accept the first three."""
        number = next(self._numbers)
        self.calls.append(number)
        if number > 5:
            raise RuntimeError(text)
        return number <= 3


def calls_to_an_exact_limit(offer: Offer) -> list[tuple[float, bool]]:
    """Return when each use is offered, and whether a token bucket admits it."""
    tokens, last = float(LIMIT), 0.0
    calls = []
    for number in range(offer.groups):
        now = number * offer.every
        tokens, last = min(LIMIT, tokens + (now - last) * LIMIT / WINDOW_SECONDS), now
        taken = min(AT_ONCE, int(tokens + 1e-6))
        tokens -= taken
        calls += [(now, index < taken) for index in range(AT_ONCE)]
    return calls


@pytest.mark.parametrize("share", SHARES)
def test_an_exact_limit_is_measured_as_exact(share: float) -> None:
    """GIVEN an exact limit WHEN a share of it is offered THEN that is admitted, but at most the limit."""
    offer = Offer(share, COUNTED_SECONDS)

    point = offer.measured(calls_to_an_exact_limit(offer))

    assert share == pytest.approx(point.offered)
    assert min(share, 1.0) == pytest.approx(point.admitted, rel=AT_ONCE / (LIMIT * COUNTED_SECONDS))


def test_only_what_begins_in_time_counts() -> None:
    """GIVEN a product that falls behind WHEN its uses are counted THEN those before and after the time are not."""
    offer = Offer(1.0, COUNTED_SECONDS)
    first, end = offer.first_counted * offer.every, offer.groups * offer.every

    assert (0.0, 0.0) == offer.measured([(0.0, True), (first - offer.every, True), (end, True)])
    assert 1 == round(offer.measured([(first, True), (end - offer.every, False)]).admitted * COUNTED_SECONDS * LIMIT)


def test_a_load_is_offered_in_groups() -> None:
    """GIVEN a schedule WHEN it is offered THEN every use is made, and accepted uses and exceptions are counted."""
    driver = FirstThree()

    loaded = asyncio.run(driver.load("text", Schedule(start=time.time(), every=60, group=8, groups=1)))

    assert 8 == len(driver.calls)
    assert [3, 3] == [sum(accepted for _, accepted in loaded.calls), loaded.failures]


def test_a_load_ends_with_its_schedule() -> None:
    """GIVEN a schedule that is over WHEN its uses are offered THEN none begins."""
    driver = FirstThree()

    loaded = asyncio.run(driver.load("text", Schedule(start=time.time() - 60, every=0.01, group=2, groups=4)))

    assert [[], []] == [driver.calls, loaded.calls]
