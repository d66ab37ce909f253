"""Comparing functions in one run: in turns, so that whatever else the machine does meets all of them alike."""

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
    """How much is measured.

    Attributes:
        is_quick: whether the numbers are only to show that everything works.
        rounds: how often every function has its turn.
        calls: how often it is called in one.
        keys: in the stores of the peers.
    """

    is_quick: bool
    rounds: int
    calls: int
    keys: int


FULL = Effort(is_quick=False, rounds=40, calls=50, keys=10_000)
QUICK = Effort(is_quick=True, rounds=6, calls=20, keys=500)


@dataclass(slots=True)
class Sample:
    """What was measured of one function: a value for each round, in seconds per call."""

    rounds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median round."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """The quarter of rounds below, and the quarter above: the first and third quartile."""
        return quartiles(self.rounds)

    def ratio(self, other: Sample) -> float:
        """How many times as long as another function, as the median over rounds."""
        return statistics.median(self.ratios(other))

    def ratios(self, other: Sample) -> list[float]:
        """The same for each round."""
        return [mine / theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True)]


def quartiles(values: list[float]) -> tuple[float, float]:
    """Give the first and third quartile."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def in_turns(functions: Mapping[str, Callable[[], object]], effort: Effort) -> dict[str, Sample]:
    """Call every function often, round after round; a round's value is the median of its calls.

    The collector of garbage runs between rounds, not within.
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
