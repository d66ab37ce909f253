"""Measures functions in turns, so that other load on the machine affects all of them equally."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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


FULL = Effort(is_quick=False, rounds=40, calls=50, keys=10_000)
QUICK = Effort(is_quick=True, rounds=6, calls=20, keys=500)


@dataclass(slots=True)
class Sample:
    """The measurements of a function: seconds per call, a value for each round."""

    rounds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median round."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """The first and third quartile of the rounds."""
        return quartiles(self.rounds)

    def ratio(self, other: Sample) -> float:
        """Return the median over rounds of the ratio to another function."""
        return statistics.median(self.ratios(other))

    def ratios(self, other: Sample) -> list[float]:
        """Return the ratio to another function in each round."""
        return [one / another for one, another in zip(self.rounds, other.rounds, strict=True)]


def quartiles(values: list[float]) -> tuple[float, float]:
    """Return the first and third quartile."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def in_turns(functions: Mapping[str, Callable[[], object]], effort: Effort) -> dict[str, Sample]:
    """Call all functions in rounds. The value of a round is the median of its calls.

    Garbage is collected between rounds only.
    """
    for function in functions.values():
        for _ in range(3):
            function()
    samples = {name: Sample() for name in functions}
    gc.collect()
    gc.disable()
    try:
        for _ in range(effort.rounds):
            for name, function in functions.items():
                samples[name].rounds.append(_median_call(function, effort.calls))
            gc.collect()
    finally:
        gc.enable()
    return samples


def _median_call(function: Callable[[], object], calls: int) -> float:
    taken = []
    for _ in range(calls):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)
