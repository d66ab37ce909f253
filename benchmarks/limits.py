"""Limits: how many uses of a key are admitted, by how many are offered, beside the exact limit and other products."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import comparison, environments
from benchmarks.budgets import Budget, Limit
from benchmarks.comparison import DriverError, DriverProcess, running
from benchmarks.ours import ANOTHER_CONTAINER
from benchmarks.report import Curves, Section, Table
from local import dynamodb_local

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.comparison import Subject
    from benchmarks.measuring import Effort

LIMIT = 40
WINDOW_SECONDS = 1
AT_ONCE = 8
"""Calls of a group, which are shared evenly by the processes of a product."""

_OFFERED = {False: (0.25, 0.5, 1.0, 2.0, 5.0, 10.0), True: (0.5, 1.0, 5.0)}
_SETTLING_SECONDS = 3
"""Not counted: until the burst is used up."""
_COUNTED_SECONDS = {False: 10, True: 3}
_LEAST_OFFERED = 0.95
_SOON_SECONDS = 0.2
_EXACT = "the exact limit"


class Point(NamedTuple):
    """Uses in a window, as shares of the limit."""

    offered: float
    admitted: float


@dataclass(frozen=True, slots=True)
class Offer:
    """Uses that are offered evenly, in groups.

    Attributes:
        share: uses that are offered in a window, as a share of the limit.
        counted_seconds: after the first seconds, which are not counted.
    """

    share: float
    counted_seconds: float

    @property
    def every(self) -> float:
        """Seconds from one group to the next."""
        return AT_ONCE * WINDOW_SECONDS / (self.share * LIMIT)

    @property
    def first_counted(self) -> int:
        """The number of groups that are not counted."""
        return ceil(_SETTLING_SECONDS / self.every)

    @property
    def groups(self) -> int:
        """The number of groups."""
        return self.first_counted + ceil(self.counted_seconds / self.every)

    def measured(self, calls: Iterable[tuple[float, bool]]) -> Point:
        """Return the counted uses.

        Args:
            calls: when each began, in seconds since the start, and whether it was accepted.
        """
        # From the middle of a pause to that of another, so that no group is at an edge.
        first, end = (self.first_counted - 0.5) * self.every, (self.groups - 0.5) * self.every
        counted = [accepted for began, accepted in calls if first <= began < end]
        limit = (end - first) * LIMIT / WINDOW_SECONDS
        return Point(len(counted) / limit, sum(counted) / limit)


def run(effort: Effort) -> Section:
    """Offer uses to Keywright and to the other products with limits per key."""
    section = Section("limits", "Limits: admitted uses of a key, by offered uses")
    offers = [Offer(share, _COUNTED_SECONDS[effort.is_quick]) for share in _OFFERED[effort.is_quick]]
    measured: dict[str, list[Point]] = {}
    peers = [subject for subject in comparison.PEERS if subject.product.startswith("@better-auth")]
    try:
        with dynamodb_local.run_server(dynamodb_local.JARS) as url:
            ours = [comparison.keywright(url, variant) for variant in ("two processes", ANOTHER_CONTAINER)]
            _measure(ours, offers, measured, section)
    except dynamodb_local.NotStartedError as error:
        section.failures.append(f"Keywright: {error}")
    for peer in peers:
        _measure([peer], offers, measured, section)
    _fill(section, offers, measured)
    return section


def _measure(
    subjects: Sequence[Subject], offers: Sequence[Offer], measured: dict[str, list[Point]], section: Section
) -> None:
    """Measure a product, which runs in a process for each subject."""
    product = subjects[0].name
    try:
        with ExitStack() as stack:
            drivers = [stack.enter_context(running(subject)) for subject in subjects]
            for driver in drivers:
                driver.ask("open", variant=driver.subject.variant, keys=0, pool=1, fresh=0)
            measured[product] = list(_admitted(drivers, offers, section))
    except (environments.NotInstalledError, DriverError, OSError) as error:
        measured.pop(product, None)
        section.failures.append(f"{product}: {error}")


def _admitted(drivers: Sequence[DriverProcess], offers: Sequence[Offer], section: Section) -> Iterator[Point]:
    """Offer uses of a new key each time; yield how many were offered and admitted."""
    with ThreadPoolExecutor(len(drivers)) as threads:
        for offer in offers:
            print(f"{drivers[0].subject.name}: {offer.share:g} x the limit ...", flush=True)
            key = drivers[0].ask("limited", limit=LIMIT, window_seconds=WINDOW_SECONDS)["key"]
            schedule = {
                "start": time.time() + _SOON_SECONDS,
                "every": offer.every,
                "group": AT_ONCE // len(drivers),
                "groups": offer.groups,
            }
            asked = [threads.submit(driver.ask, "load", key=key, **schedule) for driver in drivers]
            answers: list[dict[str, Any]] = [one.result() for one in asked]
            point = offer.measured((began, accepted) for answer in answers for began, accepted in answer["calls"])
            failures = sum(answer["failures"] for answer in answers)
            if point.offered < offer.share * _LEAST_OFFERED or failures:
                name = f"{drivers[0].subject.name}, {offer.share:g} x the limit"
                section.failures.append(f"{name}: {point.offered:.3g} x could be offered, with {failures} exceptions")
            yield point


def _fill(section: Section, offers: Sequence[Offer], measured: dict[str, list[Point]]) -> None:
    shares = [offer.share for offer in offers]
    exact = [min(share, 1.0) for share in shares]
    admitted = {product: [point.admitted for point in points] for product, points in measured.items()}
    section.tables.append(
        Table(
            f"Admitted uses, x the limit of {LIMIT} in {WINDOW_SECONDS} s, by offered uses, x the limit",
            ("product", *(f"{share:g}" for share in shares)),
            [(product, *numbers) for product, numbers in ({_EXACT: exact} | admitted).items()],
        )
    )
    section.pictures["limits"] = Curves(
        "Admitted uses of one key, by offered uses: a steady load for many windows",
        "offered, x the limit",
        "admitted, x the limit",
        (_EXACT, list(zip(shares, exact, strict=True))),
        [(product, [*points], product.startswith("Keywright")) for product, points in measured.items()],
    )
    seconds = f"The first {_SETTLING_SECONDS} seconds, in which a burst is used up, do not count; the next"
    section.notes = [
        f"{AT_ONCE} uses at once, at even times; a new key for each load. {seconds} {offers[0].counted_seconds:g} do.",
        "Keywright: two processes with one table, as two containers.",
        "@better-auth/api-key: two application objects with one store. A secondary storage answers in a later turn.",
        "@better-auth/api-key begins a window only when a key was at rest for a whole window.",
        "keyshield and djangorestframework-api-key have no limits per key.",
    ]
    section.budgets = [
        Budget(Limit.ADMITTED, points[-1].admitted)
        for product, points in measured.items()
        if product.startswith("Keywright")
    ]
    section.samples = measured
