"""The formulas of the simulation, against requests that are drawn one by one."""

from __future__ import annotations

import random

import pytest

from benchmarks import simulation
from benchmarks.simulation import SETTINGS, invocations_per_second, load, reads_per_second

SECONDS = 20_000


def drawn_reads_per_second(rate: float, reuse_seconds: float, containers: int) -> float:
    """Let requests come at random, each to any container; count those that find no record that is new enough."""
    draw = random.Random(7)  # noqa: S311 - when requests come
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
def test_reads_are_those_of_requests_that_find_no_record(rate: float, reuse_seconds: float, containers: int) -> None:
    """Within a few percent, which is what drawing leaves open."""
    expected = drawn_reads_per_second(rate, reuse_seconds, containers)

    assert expected == pytest.approx(reads_per_second(rate, reuse_seconds, containers), rel=0.05)


@pytest.mark.parametrize(("rate", "kept_seconds"), [(5, 0), (5, 10), (0.01, 60)])
def test_an_authorizer_is_asked_like_one_container_reads(rate: float, kept_seconds: float) -> None:
    """API Gateway's memory is one for all."""
    assert reads_per_second(rate, kept_seconds, 1) == pytest.approx(invocations_per_second(rate, kept_seconds))


def test_all_requests_are_somebodys() -> None:
    """Organizations of every size make a million verifications a second together, the largest the most."""
    rates = simulation.rates(1.0)

    assert simulation.VERIFICATIONS_PER_SECOND == pytest.approx(sum(rates))
    assert sorted(rates, reverse=True) == rates


def test_as_delivered_every_verification_reads_two_units() -> None:
    """Nothing is spared, and five milliseconds of a million a second keep five thousand containers busy."""
    found = load(SETTINGS[0], 1.0, read_milliseconds=4)

    assert 2_000_000 == pytest.approx(found.read_units)
    assert 5_000 == pytest.approx(found.containers)
    assert sum(2 * rate > 3_000 for rate in simulation.rates(1.0)) == found.above_limit
