"""Measures functions in turns, so that other load on the machine affects all of them equally."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Effort:
    """The amount of measuring.

    Attributes:
        is_quick: whether the run only checks that the benchmarks work.
        rounds: number of rounds.
        calls: calls of each function in a round.
        keys: keys in the stores of the peers.
    """

    is_quick: bool
    rounds: int
    calls: int
    keys: int


FULL = Effort(is_quick=False, rounds=25, calls=50, keys=10_000)
QUICK = Effort(is_quick=True, rounds=3, calls=20, keys=500)
_WARMING = 3
"""Calls before the first round."""
_ROUND_SECONDS = 0.3
"""Calls of a function in a round take about this long at the most, but are not fewer than the least."""
_LEAST_CALLS = 5


class Percentiles(NamedTuple):
    """How values are distributed: the median, what 90 and 99 of 100 do not exceed, and the largest."""

    p50: float
    p90: float
    p99: float
    maximum: float


@dataclass(slots=True)
class Sample:
    """The measurements of a function in seconds.

    Attributes:
        rounds: the median call of each round.
        calls: every call of all rounds.
    """

    rounds: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)

    def add(self, calls: Sequence[float]) -> None:
        """Add the calls of a round."""
        self.rounds.append(statistics.median(calls))
        self.calls += calls

    @property
    def median(self) -> float:
        """The median round."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """The first and third quartile of the rounds."""
        return quartiles(self.rounds)

    @property
    def percentiles(self) -> Percentiles:
        """The distribution of the calls."""
        return percentiles(self.calls)

    def ratio(self, other: Sample) -> float:
        """Return the median over rounds of the ratio to another function."""
        return statistics.median(self.ratios(other))

    def ratios(self, other: Sample) -> list[float]:
        """Return the ratio to another function in each round."""
        return [one / another for one, another in zip(self.rounds, other.rounds, strict=True)]


def percentiles(values: Sequence[float]) -> Percentiles:
    """Return the distribution of at least one value, by nearest rank: each percentile is one of the values."""
    ranked = sorted(values)
    p50, p90, p99 = (ranked[ceil(len(ranked) * share / 100) - 1] for share in (50, 90, 99))
    return Percentiles(p50, p90, p99, ranked[-1])


def quartiles(values: list[float]) -> tuple[float, float]:
    """Return the first and third quartile."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def in_turns(functions: Mapping[str, Callable[[], object]], effort: Effort) -> dict[str, Sample]:
    """Call all functions in rounds. The value of a round is the median of its calls.

    A function that takes long is called less often in a round. Every other round has the reverse order: a system with
    other work to do lets a process wait that has computed for long, which must not always be before the same function.
    Garbage is collected between rounds only.
    """
    calls = {name: _calls(min(_timed(function, _WARMING)), effort) for name, function in functions.items()}
    samples = {name: Sample() for name in functions}
    gc.collect()
    gc.disable()
    try:
        for number in range(effort.rounds):
            for name in [*functions][:: -1 if number % 2 else 1]:
                samples[name].add(_timed(functions[name], calls[name]))
            gc.collect()
    finally:
        gc.enable()
    return samples


def _calls(seconds: float, effort: Effort) -> int:
    """Return how often a function is called in a round, by the time of a call."""
    return min(effort.calls, max(_LEAST_CALLS, round(_ROUND_SECONDS / seconds)))


def _timed(function: Callable[[], object], calls: int) -> list[float]:
    taken = []
    for _ in range(calls):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return taken
