"""The simulation of populations: it agrees with the memory of a container, and counts what it should."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import pytest

from benchmarks import population
from benchmarks.population import Container, Counted, Outcome, Population, Request, requests, simulate
from keywright.cache import Recent
from keywright.keys import meter, verification
from keywright.keys.usage import UsageMeter
from keywright.store.usage import Uses

ORGANIZATION_ID = UUID(int=1)
FOREVER = float("inf")


def test_a_container_is_simulated_with_its_limits() -> None:
    """The simulated container remembers as many secrets, and keeps as many unwritten uses, as a real one."""
    assert verification.REMEMBERED_MATCHES == population.REMEMBERED
    assert meter.MAXIMUM_KEYS == population.MOST_PENDING


@pytest.mark.parametrize("remembered", [10, 1000])
def test_simulated_and_real_memory_agree(remembered: int) -> None:
    """GIVEN the same requests WHEN a container gets them THEN it hashes and writes as the simulation says."""
    written: list[int] = []
    now = 0.0
    uses = UsageMeter(lambda one: written.append(one.key_id.int), population.FLUSH_SECONDS, lambda: now)
    matches: Recent[int, str] = Recent(remembered)
    container, expected_hashes, expected_writes, hashes = Container(remembered), 0, 0, 0

    for request in requests(Population(100, 1, rate=5.0), 400.0, seed=1):
        now = request.at
        is_first, is_writing = container.use(now, request.key)
        expected_hashes += is_first
        expected_writes += is_writing
        if matches.get(request.key) is None:
            hashes += 1
            matches.put(request.key, "a hash")
        uses.add(Uses(ORGANIZATION_ID, UUID(int=request.key), {}, datetime(2026, 1, 1, tzinfo=UTC)))

    assert expected_hashes == hashes > 0
    assert expected_writes == len(written) > 0


def test_uses_are_written_early_if_there_are_too_many() -> None:
    """The uses of the key that has waited longest are written when there are more keys than a container keeps."""
    container = Container()

    writes = [container.use(0.0, key)[1] for key in range(population.MOST_PENDING + 2)]

    assert 2 == sum(writes)
    assert 2 == next(iter(container.pending))


def test_every_container_hashes_a_key_once() -> None:
    """GIVEN containers that forget nothing WHEN keys are used THEN each key takes one hash in each container."""
    stream = [Request(float(number), number % 3, number % 2) for number in range(60)]

    outcome = simulate(Population(3, 2, lifetime_seconds=FOREVER), stream)

    assert (3, 3) == outcome.firsts
    assert 0.1 == outcome.first_uses


def test_a_new_container_remembers_nothing() -> None:
    """GIVEN containers that end at once WHEN a key is used again THEN every use is a first one, and is written."""
    stream = [Request(1000.0 * number, 0, 0) for number in range(1, 6)]

    outcome = simulate(Population(1, 1, lifetime_seconds=0.001), stream)

    assert (5,) == outcome.firsts
    assert (5,) == outcome.written


def test_unwritten_uses_are_written_at_the_end() -> None:
    """A use is written after the interval, with the next use of the key, or when the container ends."""
    stream = [Request(at, 0, 0) for at in (0.0, 30.0, 60.0, 61.0)]

    outcome = simulate(Population(1, 1, lifetime_seconds=FOREVER), stream)

    assert (2,) == outcome.written
    assert Counter({(True, False): 1, (False, False): 2, (False, True): 1}) == outcome.kinds


def test_requests_can_be_repeated() -> None:
    """Equal seeds give equal requests; another seed gives others."""
    some = Population(10, 2, rate=10.0)

    assert list(requests(some, 10.0, seed=1)) == list(requests(some, 10.0, seed=1))
    assert list(requests(some, 10.0, seed=1)) != list(requests(some, 10.0, seed=2))


def test_popularity_follows_zipfs_law() -> None:
    """The third key is used a third as often as the first, and every container equally often."""
    drawn = list(requests(Population(10, 2, rate=100.0), 200.0, seed=1))
    keys = Counter(request.key for request in drawn)

    assert 20_000 == pytest.approx(len(drawn), rel=0.05)
    assert keys[0] / 3 == pytest.approx(keys[2], rel=0.1)
    assert len(drawn) / 2 == pytest.approx(sum(request.container for request in drawn), rel=0.05)


def test_percentiles() -> None:
    """Of a hundred requests, of which two hash and one of these also writes, the slowest is p99.9, the next p99."""
    outcome = Outcome(Counter({(False, False): 98, (True, False): 1, (True, True): 1}), (2,), (1,))

    assert [5.0, 5.0, 25.0, 30.0] == outcome.percentiles(20.0, 4.0, 5.0)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (((3,), 3, (2,), 2, 9), 0),
        (((4,), 3, (2,), 2, 9), 1),
        (((3,), 5, (2,), 2, 9), 2),
        (((3,), 3, (1,), 1, 9), 2),
        (((3,), 3, (2,), 2, 7), 2),
    ],
)
def test_differences_are_counted(counts: tuple[tuple[int, ...], int, tuple[int, ...], int, int], expected: int) -> None:
    """A first use, hash, write or use that only one side has is a difference."""
    simulated = Outcome(Counter({(False, False): 9}), (3,), (2,))

    assert expected == Counted(population.CHECKED[0], simulated, *counts).differences


def test_without_argon2_there_is_no_hash() -> None:
    """With HMAC, as many first uses are expected, and no Argon2id hash."""
    simulated = Outcome(Counter({(False, False): 9}), (3,), (2,))
    quick = Population(1, 1, key_hash=population.HMAC)

    assert 0 == Counted(quick, simulated, (3,), 0, (2,), 2, 9).differences
    assert 1 == Counted(quick, simulated, (3,), 1, (2,), 2, 9).differences
