"""Offered and admitted uses of a key: the schedule, and that an exact limit is measured as exact."""

from __future__ import annotations

import asyncio
import time

import pytest

from benchmarks.limits import AT_ONCE, LIMIT, WINDOW_SECONDS, Offer
from benchmarks.peers.protocol import CheckResult, Schedule, Sizes, ThreadedDriver

SHARES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
COUNTED_SECONDS = 15.0


class FirstThree(ThreadedDriver):
    """A product that accepts three uses, and fails after five."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def open(self, variant: str, sizes: Sizes) -> None:
        """Do nothing."""

    async def check(self, name: str) -> CheckResult:
        """Have no checks."""
        return CheckResult("none", name)

    def verify(self, text: str) -> bool:
        """Accept the first three."""
        self.calls += 1
        if self.calls > 5:
            raise RuntimeError(text)
        return self.calls <= 3


def accepted_by_an_exact_limit(offer: Offer) -> list[int]:
    """Return how many uses of each group a token bucket admits."""
    tokens, last = float(LIMIT), 0.0
    accepted = []
    for number in range(offer.groups):
        now = number * offer.every
        tokens, last = min(LIMIT, tokens + (now - last) * LIMIT / WINDOW_SECONDS), now
        taken = min(AT_ONCE, int(tokens + 1e-6))
        tokens -= taken
        accepted.append(taken)
    return accepted


@pytest.mark.parametrize("share", SHARES)
def test_an_exact_limit_is_measured_as_exact(share: float) -> None:
    """GIVEN an exact limit WHEN a share of it is offered THEN that is admitted, but at most the limit."""
    offer = Offer(share, COUNTED_SECONDS)

    admitted = offer.admitted(accepted_by_an_exact_limit(offer))

    assert min(share, 1.0) == pytest.approx(admitted, rel=AT_ONCE / (LIMIT * COUNTED_SECONDS))


@pytest.mark.parametrize("share", SHARES)
def test_no_limit_is_measured_as_none(share: float) -> None:
    """GIVEN a product without limits WHEN a share of the limit is offered THEN all of it is admitted."""
    offer = Offer(share, COUNTED_SECONDS)

    assert share == pytest.approx(offer.admitted([AT_ONCE] * offer.groups))


def test_a_load_is_offered_in_groups() -> None:
    """Each group is offered, and its accepted uses and exceptions are counted."""
    driver = FirstThree()

    loaded = asyncio.run(driver.load("text", Schedule(start=time.time(), every=0.01, group=2, groups=4)))

    assert 8 == driver.calls
    assert 3 == sum(loaded.accepted)
    assert [4, 3] == [len(loaded.accepted), loaded.failures]
