"""The formulas of the simulation, compared with randomly drawn requests."""

from __future__ import annotations

import random

import pytest

from benchmarks import simulation
from benchmarks.simulation import SETTINGS, invocations_per_second, load, reads_per_second

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
def test_reads_per_second(rate: float, reuse_seconds: float, containers: int) -> None:
    """The formula agrees with drawn requests within five percent."""
    expected = drawn_reads_per_second(rate, reuse_seconds, containers)

    assert expected == pytest.approx(reads_per_second(rate, reuse_seconds, containers), rel=0.05)


@pytest.mark.parametrize(("rate", "kept_seconds"), [(5, 0), (5, 10), (0.01, 60)])
def test_invocations_per_second(rate: float, kept_seconds: float) -> None:
    """API Gateway has one cache, so its formula is that of a single container."""
    assert reads_per_second(rate, kept_seconds, 1) == pytest.approx(invocations_per_second(rate, kept_seconds))


def test_rates() -> None:
    """The rates of all organizations add up to a million verifications a second, in descending order."""
    rates = simulation.rates(1.0)

    assert simulation.VERIFICATIONS_PER_SECOND == pytest.approx(sum(rates))
    assert sorted(rates, reverse=True) == rates


def test_default_settings() -> None:
    """Every verification reads two units, and five milliseconds each keep five thousand containers busy."""
    result = load(SETTINGS[0], 1.0, read_milliseconds=4)

    assert 2_000_000 == pytest.approx(result.read_units)
    assert 5_000 == pytest.approx(result.containers)
    assert sum(2 * rate > 3_000 for rate in simulation.rates(1.0)) == result.above_limit
