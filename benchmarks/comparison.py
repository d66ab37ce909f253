"""Comparison with other products that verify API keys: operations, time and correctness for the same work."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks import environments
from benchmarks.ours import ANOTHER_CONTAINER, HMAC, REUSE_SECONDS
from benchmarks.peers.protocol import ACCEPTED_KINDS, CHECKS, KINDS, LARGEST_CONCURRENCY
from benchmarks.report import Bars, Section, Table, format_cell, percentile_table
from local import dynamodb_local
from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.measuring import Effort

_PEERS = ROOT / "benchmarks" / "peers"
CONTAINERS = 2
"""Processes of Keywright under load, with one request at a time in each."""
_SECONDS_PER_TURN = {False: 0.4, True: 0.2}
_FIRST_CALLS = 8
"""Of keys that were never verified, in each round and for counting."""
_POOL = 32
_COUNTED_CALLS = 64
_EVERY_TIME = 0.5
"""Hashes of a call on average: some remembered matches may have been forgotten."""
_SECONDS_OF_COUNTING = 3
"""Enough for all calls, but for products that wait on purpose."""
_LOADED_KINDS = ("valid", "unknown", "wrong_secret")
_VARIANTS = (
    "DynamoDB Local",
    f"DynamoDB Local, {HMAC}",
    f"DynamoDB Local, records reused for {REUSE_SECONDS} s",
)
_PRODUCTION = {"NODE_ENV": "production"}
_NOTES_OF_SETTINGS = (
    'keyshield, "Cache": CachedApiKeyService with a cache for each process, or a shared one such as Redis.',
    "The shared cache here is in memory and serializes as Redis does, so that it is as fast as possible.",
    'Better Auth, "Advanced Features" of the API Key plugin: database, secondary storage, both; updates deferred.',
    "A Map, the fastest possible secondary storage, stands for the Redis that it names.",
    'Django REST Framework API Key, "Security": no setting for speed. Django, "Databases": persistent connections.',
)
_NOTES_OF_GUARANTEES = (
    "Reads, writes and hashes are counted. Yes and no are results of the checks below; none: no limits of keys.",
    "Names of hashes and the time a cache keeps an answer are settings of the product, not measured.",
)
_UNDER_LOAD = f"Keywright as {CONTAINERS} containers, the others with {LARGEST_CONCURRENCY} at once in a process"
_NAMES = {
    "limit_under_concurrency": "quota or limit holds under concurrency",
    "revoked_after_cached_verify": "revocation seen after a cached verify",
    "verify_never_unrevokes": "verify never un-revokes",
    "lists_250_keys": "250 keys are listed",
    "expiry_independent_of_deletion": "expiry does not depend on deletion",
    "forged_keys_cost_no_read": "forged keys cost no read",
}


@dataclass(frozen=True)
class Subject:
    """A product in one variant.

    Attributes:
        hash_name: the hash of a verification, as its documentation names it.
        stale: how long it may accept a revoked key, by its settings, if a revocation is not seen at once.
        command: returns the command that starts its driver, after installing it.
        environment: additional environment variables.
        container: the variant of another process with the same store, for products that serve one request at a time;
            empty for products that serve many at once in a process.
    """

    product: str
    variant: str
    hash_name: str
    stale: str
    command: Callable[[], list[str]]
    environment: dict[str, str] = field(default_factory=dict)
    container: str = ""

    @property
    def name(self) -> str:
        """The name in tables."""
        return f"{self.product}, {self.variant}"


def _python_driver(folder: str) -> Callable[[], list[str]]:
    def command() -> list[str]:
        interpreter = environments.python(folder, _PEERS / folder / "requirements.txt")
        return [str(interpreter), "-W", "ignore", str(_PEERS / folder / "driver.py")]

    return command


def _node_driver(folder: str) -> Callable[[], list[str]]:
    return lambda: ["node", str(environments.node(folder) / "driver.mjs")]


PEERS = [
    Subject("keyshield 2.0.1", "defaults, SQLite", "Argon2id", "", _python_driver("keyshield")),
    *(
        Subject("keyshield 2.0.1", f"tuned, {store}", "Argon2id", "300 s, its default", _python_driver("keyshield"))
        for store in ("SQLite", "SQLite, shared cache", "memory")
    ),
    Subject("djangorestframework-api-key 3.1.0", "SQLite (WAL)", "SHA-512", "", _python_driver("drf_api_key")),
    *(
        Subject("@better-auth/api-key 1.7.5", variant, "SHA-256", "", _node_driver("better_auth"), _PRODUCTION)
        for variant in ("SQLite (WAL)", "secondary storage in memory", "secondary storage in memory, SQLite behind it")
    ),
]


class DriverError(Exception):
    """A driver failed."""


class DriverProcess:
    """A running driver."""

    def __init__(self, subject: Subject, process: subprocess.Popen[str]) -> None:
        self.subject = subject
        self._process = process

    def ask(self, action: str, **request: Any) -> dict[str, Any]:
        """Send a request and return its answer.

        Raises:
            DriverError: the driver reported a failure, or ended.
        """
        assert self._process.stdin is not None, "stdin is a pipe"  # noqa: S101
        assert self._process.stdout is not None, "stdout is a pipe"  # noqa: S101
        self._process.stdin.write(json.dumps({"do": action, **request}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise DriverError(f"{self.subject.name} ended")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise DriverError(f"{self.subject.name}, {action} {request}: {answer['failed']}")
        return answer


@contextmanager
def running(subject: Subject) -> Iterator[DriverProcess]:
    """Run a driver while the context is open."""
    with subprocess.Popen(  # noqa: S603 - a fixed command
        subject.command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, **subject.environment},
    ) as process:
        try:
            yield DriverProcess(subject, process)
        finally:
            assert process.stdin is not None, "stdin is a pipe"  # noqa: S101
            process.stdin.close()


@dataclass
class Counted:
    """Work of a product for keys of one kind.

    Attributes:
        counts: reads, writes and hashes of each call.
        is_right: whether every key was accepted or refused as it should be.
    """

    counts: tuple[float, float, float]
    cpu_milliseconds: float
    is_right: bool


@dataclass
class Timed:
    """How long a product took for keys of a kind.

    Attributes:
        milliseconds: the median of each round.
        per_second: verifications, of all containers, in each round.
        calls: seconds of each call, of all rounds.
        failures: calls that raised an exception.
    """

    milliseconds: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    failures: int = 0

    def add(self, answers: Sequence[Mapping[str, Any]]) -> None:
        """Add a round.

        Args:
            answers: to the request `verify`, of each container.
        """
        calls = [microseconds / 1e6 for answer in answers for microseconds in answer["microseconds"]]
        if not calls:
            return
        self.calls += calls
        self.milliseconds.append(statistics.median(calls) * 1000)
        self.per_second.append(sum(answer["calls"] / answer["seconds"] for answer in answers))
        self.failures += sum(answer["failures"] for answer in answers)


@dataclass
class Opened:
    """A product with its store.

    Attributes:
        driver: its process.
        containers: more processes with the same store.
    """

    driver: DriverProcess
    containers: list[DriverProcess]

    @property
    def name(self) -> str:
        """The name in tables."""
        return self.driver.subject.name

    def load(self, threads: ThreadPoolExecutor, **request: Any) -> list[dict[str, Any]]:
        """Verify as many keys at once as the product serves in a process, in every container; return the answers."""
        processes = [self.driver, *self.containers]
        at_once = 1 if self.driver.subject.container else LARGEST_CONCURRENCY
        asked = [threads.submit(process.ask, "verify", at_once=at_once, **request) for process in processes]
        return [one.result() for one in asked]


@dataclass
class Checked:
    """The result of a check of a product."""

    product: str
    check: str
    outcome: str
    detail: str


def keywright(url: str, variant: str) -> Subject:
    """Return Keywright on DynamoDB Local at a URL."""
    command = [sys.executable, "-m", "benchmarks.ours"]
    container = f"{ANOTHER_CONTAINER}, {variant}"
    store = {"AWS_ENDPOINT_URL_DYNAMODB": url}
    hash_name = HMAC if HMAC in variant else "Argon2id"
    return Subject("Keywright", variant, hash_name, f"{REUSE_SECONDS} s, as set", lambda: command, store, container)


def run(effort: Effort) -> tuple[Section, Section]:
    """Compare the products."""
    try:
        with dynamodb_local.run_server(dynamodb_local.JARS) as url:
            ours = [keywright(url, variant) for variant in _VARIANTS]
            return _compare([*ours, *PEERS], effort)
    except dynamodb_local.NotStartedError as error:
        speed, correctness = _compare(PEERS, effort)
        speed.failures.append(f"Keywright: {error}")
        return speed, correctness


def _compare(subjects: list[Subject], effort: Effort) -> tuple[Section, Section]:
    speed = Section("peers", "Peers: the same work on this machine")
    correctness = Section("correctness", "Correctness next to speed")
    with ExitStack() as stack:
        opened: list[Opened] = []
        for subject in subjects:
            try:
                opened.append(_open(stack, subject, effort))
            except (environments.NotInstalledError, DriverError, OSError) as error:
                speed.failures.append(f"{subject.name}: {error}")
        drivers = [product.driver for product in opened]
        counted, timed, loaded = _counted(drivers), _timed(drivers, effort), _loaded(opened, effort)
        checked = _checked(drivers, correctness)
    speed.tables = [
        counted_table(counted),
        timed_table("Median milliseconds, and verifications per second, one at a time", timed),
        _percentiles("Single calls with a valid key, one at a time", timed),
        timed_table(f"Median milliseconds, and verifications per second, under load: {_UNDER_LOAD}", loaded),
        _percentiles(f"Single calls with a valid key, under load: {_UNDER_LOAD}", loaded),
    ]
    speed.pictures["peers-valid"] = Bars(
        "A valid key that was verified before: median of one at a time",
        "milliseconds",
        [
            (product, statistics.median(entry.milliseconds), product.startswith("Keywright"))
            for (product, kind), entry in timed.items()
            if kind == "valid" and entry.milliseconds
        ],
    )
    speed.samples = [
        (*key, title, vars(entry))
        for title, times in (("alone", timed), ("load", loaded))
        for key, entry in times.items()
    ]
    correctness.tables = [
        guarantees_table([driver.subject for driver in drivers], counted, checked),
        *checked_tables(checked),
    ]
    speed.notes, correctness.notes = _notes(effort), list(_NOTES_OF_GUARANTEES)
    return speed, correctness


def _notes(effort: Effort) -> list[str]:
    return [
        f"{effort.keys:,} keys in each store. 'first': keys before their first verification; 'valid': keys after it.",
        "Unknown keys and wrong secrets look like issued keys: every part that needs no secret is right.",
        "For Keywright that includes prefix, checksum, versions and ids: only the tag tells them from keys.",
        "Wrong secrets have the public part of an issued key, but keys of @better-auth/api-key have none.",
        "Mistyped keys are issued keys with another last character. Keywright's checksum detects them.",
        "Under load, each product is measured as what it is. A container of Lambda serves one request at a time.",
        f"So Keywright is {CONTAINERS} processes with one table. They share two processors with DynamoDB Local.",
        f"The others serve {LARGEST_CONCURRENCY} at once in one process, on one processor, so each call also waits.",
        "djangorestframework-api-key serves them in threads, the others in tasks of one loop.",
        "Percentiles are those of all calls of all rounds; of fewer than a hundred, the 99th is the maximum.",
        "CPU is user and system time of the process, without that of a database server (Keywright's DynamoDB Local).",
        "keyshield and djangorestframework-api-key are written in Python, as Keywright; @better-auth/api-key in Node.",
        "keyshield and Keywright use a slow hash (Argon2id) by default, the others a fast one (SHA-2).",
        "Keywright's store is a server with HTTP, like DynamoDB; the stores of the others are in the same process.",
        *_NOTES_OF_SETTINGS,
    ]


def _open(stack: ExitStack, subject: Subject, effort: Effort) -> Opened:
    """Start a product, with its keys, and its other containers."""
    driver = stack.enter_context(running(subject))
    print(f"Preparing {subject.name} ...", flush=True)
    driver.ask(
        "open", variant=subject.variant, keys=effort.keys, pool=_POOL, fresh=_FIRST_CALLS * (1 + _rounds(effort))
    )
    containers = []
    for _ in range(CONTAINERS - 1 if subject.container else 0):
        container = stack.enter_context(running(subject))
        container.ask("open", variant=subject.container, keys=0, pool=0, fresh=0)
        texts = driver.ask("texts")["texts"]
        container.ask("take", texts={kind: texts[kind] for kind in _LOADED_KINDS})
        container.ask("verify", kind="valid", at_once=1, calls=_POOL, seconds=60)
        containers.append(container)
    return Opened(driver, containers)


def _counted(drivers: list[DriverProcess]) -> dict[tuple[str, str], Counted]:
    """Count operations, which are the same on every machine, by product and kind of key."""
    counted = {}
    for driver in drivers:
        for kind in KINDS:
            calls = _FIRST_CALLS if kind == "first" else _COUNTED_CALLS
            if kind == "valid":
                driver.ask("verify", kind=kind, at_once=1, calls=_POOL, seconds=60)
            answer = driver.ask("verify", kind=kind, at_once=1, calls=calls, seconds=_SECONDS_OF_COUNTING)
            done = max(answer["calls"], 1)
            wrong = answer["calls"] - answer["accepted"] if kind in ACCEPTED_KINDS else answer["accepted"]
            reads, writes, hashes = (answer["counts"][name] / done for name in ("reads", "writes", "hashes"))
            counted[driver.subject.name, kind] = Counted(
                (reads, writes, hashes), answer["cpu_seconds"] / done * 1000, is_right=not wrong
            )
    return counted


def counted_table(counted: Mapping[tuple[str, str], Counted]) -> Table:
    """Return the table of operations, a product a line."""
    products = dict.fromkeys(product for product, _ in counted)
    rows: list[tuple[Any, ...]] = [
        (product, *(_counts(counted[product, kind]) for kind in KINDS), counted[product, "valid"].cpu_milliseconds)
        for product in products
    ]
    return Table(
        "Reads, writes and hashes of a verification, and its CPU time",
        ("product", *map(_heading, KINDS), "CPU ms of valid"),
        rows,
    )


def _counts(entry: Counted) -> str:
    text = " / ".join(f"{count:.3g}" for count in entry.counts)
    return text if entry.is_right else f"{text} WRONG"


def _heading(kind: str) -> str:
    return kind.replace("_", " ")


def _timed(drivers: list[DriverProcess], effort: Effort) -> dict[tuple[str, str], Timed]:
    """Measure verifications one at a time, by product and kind of key."""
    times: dict[tuple[str, str], Timed] = {}
    for kind in _in_rounds(KINDS, effort, "one at a time"):
        calls = _FIRST_CALLS if kind == "first" else 4 * effort.calls
        for driver in drivers:
            answer = driver.ask("verify", kind=kind, at_once=1, calls=calls, seconds=_seconds(effort))
            times.setdefault((driver.subject.name, kind), Timed()).add([answer])
    return times


def _loaded(products: list[Opened], effort: Effort) -> dict[tuple[str, str], Timed]:
    """Measure verifications under load, by product and kind of key."""
    times: dict[tuple[str, str], Timed] = {}
    with ThreadPoolExecutor(CONTAINERS) as threads:
        for kind in _in_rounds(_LOADED_KINDS, effort, "under load"):
            for product in products:
                answers = product.load(threads, kind=kind, calls=4 * effort.calls, seconds=_seconds(effort))
                times.setdefault((product.name, kind), Timed()).add(answers)
    return times


def _in_rounds(kinds: Sequence[str], effort: Effort, what: str) -> Iterator[str]:
    for number in range(_rounds(effort)):
        print(f"Round {number + 1} of {_rounds(effort)}, {what} ...", flush=True)
        yield from kinds


def _rounds(effort: Effort) -> int:
    return max(3, effort.rounds // 5)


def _seconds(effort: Effort) -> float:
    return _SECONDS_PER_TURN[effort.is_quick]


def timed_table(title: str, times: Mapping[tuple[str, str], Timed]) -> Table:
    """Return a table of times, a product a line."""
    products = dict.fromkeys(product for product, _ in times)
    kinds = dict.fromkeys(kind for _, kind in times)
    rows: list[tuple[Any, ...]] = [
        (product, *(_time(times.get((product, kind))) for kind in kinds)) for product in products
    ]
    return Table(title, ("product", *map(_heading, kinds)), rows)


def _percentiles(title: str, times: Mapping[tuple[str, str], Timed]) -> Table:
    calls = {product: entry.calls for (product, kind), entry in times.items() if kind == "valid"}
    return percentile_table(title, calls, "ms", 1000)


def _time(entry: Timed | None) -> str | None:
    if entry is None or not entry.milliseconds:
        return None
    milliseconds, per_second = statistics.median(entry.milliseconds), statistics.median(entry.per_second)
    failed = f", {entry.failures / len(entry.calls):.1%} failed" if entry.failures else ""
    return f"{format_cell(milliseconds)} ({format_cell(per_second)}/s{failed})"


def _checked(drivers: list[DriverProcess], section: Section) -> list[Checked]:
    results = []
    for driver in drivers:
        print(f"Checking {driver.subject.name} ...", flush=True)
        for check in CHECKS:
            try:
                result = driver.ask("check", name=check)
            except DriverError as error:
                section.failures.append(str(error))
                continue
            results.append(Checked(driver.subject.name, check, result["outcome"], result["detail"]))
    return results


def guarantees_table(
    subjects: Sequence[Subject], counted: Mapping[tuple[str, str], Counted], results: Sequence[Checked]
) -> Table:
    """Return the table of guarantees and what they cost, a product a line."""
    outcomes = {(result.product, result.check): result.outcome for result in results}
    rows = [_guarantees(subject, counted, outcomes) for subject in subjects]
    columns = (
        *("product", "reads of a verification", "writes of it", "hash", "revocation seen at once"),
        *("a revoked key may be accepted for", "limits exact"),
        *("an unknown key costs, reads / hashes", "a wrong secret costs, reads / hashes"),
    )
    return Table("Guarantees, and what they cost", columns, rows)


def _guarantees(
    subject: Subject, counted: Mapping[tuple[str, str], Counted], outcomes: Mapping[tuple[str, str], str]
) -> tuple[str | float | None, ...]:
    valid = counted[subject.name, "valid"]
    reads, writes, hashes = valid.counts
    is_seen = outcomes.get((subject.name, "revoked_after_cached_verify"))
    if outcomes.get((subject.name, "verify_never_unrevokes")) == "no":
        stale: str | None = "no limit: verifying enables it again"
    elif is_seen is None:
        stale = None
    else:
        stale = "0 s" if is_seen == "yes" else subject.stale
    limits = outcomes.get((subject.name, "limit_under_concurrency"))
    return (
        subject.name,
        reads,
        writes,
        f"{subject.hash_name}, {'every time' if hashes >= _EVERY_TIME else 'the first time'}",
        "yes" if is_seen == "yes" else "no" if is_seen else None,
        stale,
        limits,
        *(_cost(counted[subject.name, kind]) for kind in ("unknown", "wrong_secret")),
    )


def _cost(entry: Counted) -> str:
    reads, _, hashes = entry.counts
    return f"{reads:.3g} / {hashes:.3g}"


def checked_tables(results: Sequence[Checked]) -> list[Table]:
    """Return the table of outcomes, a product a line, and that of the details of all others than yes."""
    outcomes = {(result.product, result.check): result.outcome for result in results}
    products = dict.fromkeys(result.product for result in results)
    details: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        if result.outcome != "yes":
            details.setdefault((_NAMES[result.check], result.outcome, result.detail), []).append(result.product)
    return [
        Table(
            "Results",
            ("product", *_NAMES.values()),
            [(product, *(outcomes.get((product, check)) for check in _NAMES)) for product in products],
        ),
        Table(
            "What is not a yes",
            ("check", "", "detail", "products"),
            [(*key, "; ".join(affected)) for key, affected in details.items()],
        ),
    ]
