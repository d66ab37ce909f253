"""The formulas of the simulation, compared with randomly drawn requests."""

from __future__ import annotations

import random

import pytest

from benchmarks import simulation
from benchmarks.simulation import SETTINGS, Setting, load
from tools.costs import asked_per_second, once_per_interval, read_costs

SECONDS = 20_000


def drawn_reads_per_second(rate: float, reuse_seconds: float, containers: int) -> float:
    """Draw random requests to random containers; return how many per second do not find a fresh record."""
    draw = random.Random(7)  # noqa: S311 - arrival times, no secrets
    read_at = [float("-inf")] * containers
    now, reads = 0.0, 0
    while now < SECONDS:
        now += draw.expovariate(rate)
        container = draw.randrange(containers)
        if now >= read_at[container] + reuse_seconds:
            read_at[container] = now
            reads += 1
    return reads / SECONDS


@pytest.mark.parametrize(("rate", "reuse_seconds", "containers"), [(5, 0, 4), (5, 2, 4), (5, 10, 1), (2, 30, 20)])
def test_once_per_interval(rate: float, reuse_seconds: float, containers: int) -> None:
    """The formula agrees with drawn requests within five percent."""
    expected = drawn_reads_per_second(rate, reuse_seconds, containers)

    assert expected == pytest.approx(once_per_interval(rate, reuse_seconds, containers), rel=0.05)


@pytest.mark.parametrize(("rate", "kept_seconds"), [(5, 0), (5, 10), (0.01, 60)])
def test_asked_per_second(rate: float, kept_seconds: float) -> None:
    """API Gateway has one cache, so its formula is that of a single container."""
    assert once_per_interval(rate, kept_seconds, 1) == pytest.approx(asked_per_second(rate, kept_seconds))


def test_rates() -> None:
    """The rates of all organizations add up to a million verifications a second, in descending order."""
    rates = simulation.rates(1.0)

    assert simulation.VERIFICATIONS_PER_SECOND == pytest.approx(sum(rates))
    assert sorted(rates, reverse=True) == rates


def test_default_settings() -> None:
    """Every verification reads two units, and keeps a container busy for its time."""
    costs = read_costs()
    result = load(SETTINGS[0], 1.0, costs)
    spent = ("authorizer_milliseconds", "runtime_milliseconds", "read_milliseconds")

    assert 2_000_000 == pytest.approx(result.read_units)
    assert 1000 * sum(costs.assumed(name) for name in spent) == pytest.approx(result.containers)
    assert sum(2 * rate > 3_000 for rate in simulation.rates(1.0)) == result.above_limit


def test_larger_items_reach_the_limit_sooner() -> None:
    """A key with 15 KiB of metadata takes four units, so an organization reaches its limit with 600 verifications."""
    result = load(Setting("large", key_bytes=simulation.LARGE_KEY_BYTES), 1.0, read_costs())

    assert sum(5 * rate > 3_000 for rate in simulation.rates(1.0)) == result.above_limit


def test_writes_have_a_limit_of_their_own() -> None:
    """GIVEN few reads WHEN every use is written at once THEN those with over 1,000 uses a second are above a limit."""
    result = load(Setting("written at once", reuse_seconds=600, flush_seconds=0), 1.0, read_costs())

    assert sum(rate > 1_000 for rate in simulation.rates(1.0)) == result.above_write_limit
    assert result.above_write_limit == result.above_limit
