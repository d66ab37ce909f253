"""The protocol of the drivers on standard input and output: each request and each answer is a line of JSON.

    {"do": "open", "variant": "SQLite", "keys": 10000, "pool": 64, "fresh": 40}    -> {}
    {"do": "verify", "kind": "valid", "at_once": 16, "calls": 200, "seconds": 2}   -> {"calls", "accepted", "failures",
        "seconds", "cpu_seconds", "microseconds": [each call], "counts": {"reads", "writes", "hashes"}}
    {"do": "texts"}                                                                -> {"texts": {kind: [each text]}}
    {"do": "take", "texts": {kind: [each text]}}                                   -> {}
    {"do": "check", "name": "revoked_after_cached_verify"}                         -> {"outcome", "detail"}
    {"do": "limited", "limit": 40, "window_seconds": 1}                            -> {"key"}
    {"do": "load", "key": "...", "start": 1800000000.5, "every": 0.1, "group": 4, "groups": 100}
                                           -> {"calls": [[seconds since the start, accepted], ...], "failures"}

`limited` issues a key with a rate limit; products without limits per key answer that they failed. `load` verifies a key
in groups at once, each at its time whether earlier ones have ended or not: `start` is in seconds since 1970. What a
product has not begun at the end of the schedule is left out.

`texts` and `take` pass the texts of a driver to another process of the same product with the same store.

The kinds of keys: `first` (valid, each verified once only), `valid` (from a pool that was verified before), `unknown`
(never issued; every part that needs no secret is that of an issued key), `wrong_secret` (the same, with the public part
of an issued key), `mistyped` (one character of an issued key changed) and `revoked`.

It imports only the standard library, so that it runs in the environment of every peer.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = ("first", "valid", "unknown", "wrong_secret", "mistyped", "revoked")
ACCEPTED_KINDS = frozenset({"first", "valid"})
CHECKS = (
    "limit_under_concurrency",
    "revoked_after_cached_verify",
    "verify_never_unrevokes",
    "lists_250_keys",
    "expiry_independent_of_deletion",
    "forged_keys_cost_no_read",
)
LARGEST_CONCURRENCY = 16

Call = tuple[float, "bool | None"]
"""Seconds, and whether the key was accepted; None after an exception."""


@dataclass(frozen=True)
class Sizes:
    """The number of keys that a driver prepares.

    Attributes:
        keys: keys in the store.
        pool: keys that are verified repeatedly.
        fresh: keys that are verified once.
    """

    keys: int
    pool: int
    fresh: int


@dataclass(frozen=True)
class CheckResult:
    """The result of a correctness check.

    Attributes:
        outcome: yes, no, partly; or none, if the product lacks the feature.
    """

    outcome: str
    detail: str


@dataclass
class Texts:
    """The key texts to verify, by kind. Texts are used in turn, those of `first` only once."""

    by_kind: dict[str, list[str]] = field(default_factory=dict)
    _turns: dict[str, Iterator[str]] = field(default_factory=dict)

    def next(self, kind: str) -> str:
        """Return the next text of a kind."""
        if kind == "first":
            return self.by_kind[kind].pop()
        if kind not in self._turns:
            self._turns[kind] = cycle(self.by_kind[kind])
        return next(self._turns[kind])

    def left(self, kind: str) -> int:
        """Return how many calls of a kind are possible."""
        return len(self.by_kind[kind]) if kind == "first" else sys.maxsize


@dataclass(frozen=True)
class Schedule:
    """When a key is verified.

    Attributes:
        start: the time of the first group, in seconds since 1970.
        every: seconds from one group to the next.
        group: calls at once.
        groups: number of groups.
    """

    start: float
    every: float
    group: int
    groups: int

    @property
    def end(self) -> float:
        """The end of the last group, in seconds since 1970."""
        return self.start + self.groups * self.every


@dataclass(frozen=True)
class Loaded:
    """The results of scheduled verifications.

    Attributes:
        calls: when each began, in seconds since the start of the schedule, and whether it was accepted.
        failures: exceptions.
    """

    calls: list[tuple[float, bool]]
    failures: int


def mistyped(text: str) -> str:
    """Return a key with another last character."""
    return text[:-1] + ("a" if text[-1] != "a" else "b")


class Driver(ABC):
    """A product in one variant.

    Attributes:
        counts: numbers of reads, writes and hashes since the start.
    """

    def __init__(self) -> None:
        self.texts = Texts()
        self.counts: Counter[str] = Counter()

    @abstractmethod
    async def open(self, variant: str, sizes: Sizes) -> None:
        """Create the store and its keys."""

    @abstractmethod
    async def check(self, name: str) -> CheckResult:
        """Run a correctness check."""

    async def limited(self, limit: int, window_seconds: int) -> str:
        """Issue a key with a rate limit."""
        raise NotImplementedError("no limits per key")

    async def load(self, key: str, schedule: Schedule) -> Loaded:
        """Verify a key by a schedule."""
        raise NotImplementedError("no limits per key")

    async def forged_keys_cost_no_read(self, verify: Callable[[str], Any]) -> CheckResult:
        """Count the reads for ten keys that were never issued."""
        before = self.counts.copy()
        for _ in range(10):
            refused = verify(self.texts.next("unknown"))
            if asyncio.iscoroutine(refused):
                await refused
        reads, hashes = (self.counts[name] - before[name] for name in ("reads", "hashes"))
        return CheckResult("yes" if reads == 0 else "no", f"{reads / 10:g} reads and {hashes / 10:g} hashes each")


class ThreadedDriver(Driver):
    """A product with blocking verification: concurrency uses threads."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = ThreadPoolExecutor(LARGEST_CONCURRENCY)

    @abstractmethod
    def verify(self, text: str) -> bool:
        """Verify a key."""

    async def measure(self, texts: list[str], at_once: int, deadline: float) -> list[Call]:
        """Verify the texts with a concurrency of `at_once` until the deadline."""

        def call(text: str) -> Call | None:
            started = time.perf_counter()
            if started > deadline:
                return None
            try:
                accepted = self.verify(text)
            except Exception:  # noqa: BLE001 - every exception counts as no answer
                accepted = None
            return time.perf_counter() - started, accepted

        if at_once == 1:
            return [done for text in texts if (done := call(text))]
        return [done for done in self.threads.map(call, texts) if done]

    async def load(self, key: str, schedule: Schedule) -> Loaded:
        """Verify a key by a schedule."""

        def call() -> Call | None:
            began = time.time()
            if began > schedule.end:
                return None
            try:
                accepted = self.verify(key)
            except Exception:  # noqa: BLE001 - every exception counts as no answer
                accepted = None
            return began - schedule.start, accepted

        calls = []
        for number in range(schedule.groups):
            time.sleep(max(0.0, schedule.start + number * schedule.every - time.time()))  # noqa: ASYNC251 - no other task
            calls += [self.threads.submit(call) for _ in range(schedule.group)]
        done = [result for one in calls if (result := one.result())]
        return Loaded(
            [(began, accepted is True) for began, accepted in done], sum(accepted is None for _, accepted in done)
        )


class AsyncDriver(Driver):
    """A product with asynchronous verification: concurrency uses tasks of one loop."""

    @abstractmethod
    async def verify(self, text: str) -> bool:
        """Verify a key."""

    async def measure(self, texts: list[str], at_once: int, deadline: float) -> list[Call]:
        """Verify the texts with a concurrency of `at_once` until the deadline."""
        waiting = iter(texts)
        done: list[Call] = []

        async def work() -> None:
            for text in waiting:
                started = time.perf_counter()
                if started > deadline:
                    return
                try:
                    accepted = await self.verify(text)
                except Exception:  # noqa: BLE001 - every exception counts as no answer
                    accepted = None
                done.append((time.perf_counter() - started, accepted))

        await asyncio.gather(*(work() for _ in range(at_once)))
        return done


async def _measured(
    driver: ThreadedDriver | AsyncDriver, kind: str, at_once: int, calls: int, seconds: float
) -> dict[str, Any]:
    texts = [driver.texts.next(kind) for _ in range(min(calls, driver.texts.left(kind)))]
    before = driver.counts.copy()
    cpu_before, started = time.process_time(), time.perf_counter()
    done = await driver.measure(texts, at_once, started + seconds)
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu_before
    return {
        "calls": len(done),
        "accepted": sum(accepted is True for _, accepted in done),
        "failures": sum(accepted is None for _, accepted in done),
        "seconds": elapsed,
        "cpu_seconds": cpu,
        "microseconds": [round(latency * 1e6, 1) for latency, _ in done],
        "counts": {name: driver.counts[name] - before[name] for name in ("reads", "writes", "hashes")},
    }


def serve(driver: ThreadedDriver | AsyncDriver, output: TextIO = sys.stdout) -> None:
    """Answer requests until standard input ends."""
    loop = asyncio.new_event_loop()
    for line in sys.stdin:
        request = json.loads(line)
        action = request.pop("do")
        answer: dict[str, Any] = {}
        try:
            if action == "open":
                variant = request.pop("variant")
                loop.run_until_complete(driver.open(variant, Sizes(**request)))
            elif action == "verify":
                answer = loop.run_until_complete(_measured(driver, **request))
            elif action == "texts":
                answer = {"texts": driver.texts.by_kind}
            elif action == "take":
                driver.texts = Texts(request["texts"])
            elif action == "limited":
                answer = {"key": loop.run_until_complete(driver.limited(**request))}
            elif action == "load":
                key = request.pop("key")
                answer = asdict(loop.run_until_complete(driver.load(key, Schedule(**request))))
            else:
                answer = asdict(loop.run_until_complete(driver.check(request["name"])))
        except Exception as error:  # noqa: BLE001 - every failure is reported
            answer = {"failed": f"{type(error).__name__}: {error}"}
        output.write(json.dumps(answer) + "\n")
        output.flush()
