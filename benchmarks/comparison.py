"""Comparison with other products that verify API keys: operations, time and correctness for the same work."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks import environments
from benchmarks.peers.protocol import ACCEPTED_KINDS, CHECKS, KINDS, LARGEST_CONCURRENCY
from benchmarks.report import Bars, Section, Table, format_cell
from local import dynamodb_local
from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.measuring import Effort

_PEERS = ROOT / "benchmarks" / "peers"
_SECONDS_PER_TURN = {False: 1.0, True: 0.3}
_COUNTED_CALLS = 64
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
        command: returns the command that starts its driver, after installing it.
        environment: additional environment variables.
    """

    product: str
    language: str
    variant: str
    command: Callable[[], list[str]]
    environment: dict[str, str] = field(default_factory=dict)

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
    *(
        Subject("keyshield 2.0.1", "Python", variant, _python_driver("keyshield"))
        for variant in ("defaults, SQLite", "defaults, memory", "tuned, SQLite", "tuned, memory")
    ),
    Subject("djangorestframework-api-key 3.1.0", "Python", "SQLite (WAL)", _python_driver("drf_api_key")),
    *(
        Subject("@better-auth/api-key 1.7.5", "Node", variant, _node_driver("better_auth"), {"NODE_ENV": "production"})
        for variant in ("SQLite (WAL)", "memory adapter", "secondary storage in memory")
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
    """How long a product took for keys of a kind, with a value for each round."""

    milliseconds: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    calls: int = 0
    failures: int = 0


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
    return Subject("Keywright", "Python", variant, lambda: command, {"AWS_ENDPOINT_URL_DYNAMODB": url})


def run(effort: Effort) -> tuple[Section, Section]:
    """Compare the products."""
    try:
        with dynamodb_local.run_server(dynamodb_local.JARS) as url:
            ours = [keywright(url, variant) for variant in ("DynamoDB Local", "DynamoDB Local, records reused for 5 s")]
            return _compare([*ours, *PEERS], effort)
    except dynamodb_local.NotStartedError as error:
        speed, correctness = _compare(PEERS, effort)
        speed.failures.append(f"Keywright: {error}")
        return speed, correctness


def _compare(subjects: list[Subject], effort: Effort) -> tuple[Section, Section]:
    speed = Section("peers", "Peers: the same work on this machine")
    correctness = Section("correctness", "Correctness next to speed")
    with ExitStack() as stack:
        drivers = []
        for subject in subjects:
            try:
                driver = stack.enter_context(running(subject))
                print(f"Preparing {subject.name} ...", flush=True)
                fresh = 8 + effort.rounds * 4
                driver.ask("open", variant=subject.variant, keys=effort.keys, pool=32, fresh=fresh)
                drivers.append(driver)
            except (environments.NotInstalledError, DriverError, OSError) as error:
                speed.failures.append(f"{subject.name}: {error}")
        counted, timed = _counted(drivers), _timed(drivers, effort)
        speed.tables = [counted_table(counted), timed_table(timed, 1), timed_table(timed, LARGEST_CONCURRENCY)]
        speed.pictures["peers-valid"] = Bars(
            "A valid key that was verified before: median of one at a time",
            "milliseconds",
            [
                (product, statistics.median(entry.milliseconds), product.startswith("Keywright"))
                for (product, kind, at_once), entry in timed.items()
                if kind == "valid" and at_once == 1 and entry.milliseconds
            ],
        )
        speed.samples = [(*key, vars(entry)) for key, entry in timed.items()]
        correctness.tables = checked_tables(_checked(drivers, correctness))
    speed.notes = [
        f"{effort.keys:,} keys in each store. 'first': keys before their first verification; 'valid': keys after it.",
        "keyshield and djangorestframework-api-key are written in Python, as Keywright; @better-auth/api-key in Node.",
        "Unknown keys are well-formed but were never issued; Keywright detects them and wrong secrets by their tag.",
        "CPU is user and system time of the process, without that of a database server (Keywright's DynamoDB Local).",
        "keyshield and Keywright use a slow hash (Argon2id), the others a fast one (SHA-2).",
        "Keywright's store is a server with HTTP, like DynamoDB; the stores of the others are in the same process.",
    ]
    return speed, correctness


def _counted(drivers: list[DriverProcess]) -> dict[tuple[str, str], Counted]:
    """Count operations, which are the same on every machine, by product and kind of key."""
    counted = {}
    for driver in drivers:
        for kind in KINDS:
            calls = 8 if kind == "first" else _COUNTED_CALLS
            if kind == "valid":
                driver.ask("verify", kind=kind, at_once=1, calls=_COUNTED_CALLS, seconds=60)
            answer = driver.ask("verify", kind=kind, at_once=1, calls=calls, seconds=10)
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


def _timed(drivers: list[DriverProcess], effort: Effort) -> dict[tuple[str, str, int], Timed]:
    """Measure verifications, by product, kind of key and number of calls at once."""
    seconds = _SECONDS_PER_TURN[effort.is_quick]
    times: dict[tuple[str, str, int], Timed] = {}
    rounds = max(3, effort.rounds // 4)
    for number in range(rounds):
        print(f"Round {number + 1} of {rounds} ...", flush=True)
        for kind in KINDS:
            for at_once in (1,) if kind == "first" else (1, LARGEST_CONCURRENCY):
                for driver in drivers:
                    calls = 8 if kind == "first" else 4 * effort.calls
                    answer = driver.ask("verify", kind=kind, at_once=at_once, calls=calls, seconds=seconds)
                    entry = times.setdefault((driver.subject.name, kind, at_once), Timed())
                    if answer["calls"]:
                        entry.milliseconds.append(statistics.median(answer["microseconds"]) / 1000)
                        entry.per_second.append(answer["calls"] / answer["seconds"])
                        entry.calls += answer["calls"]
                        entry.failures += answer["failures"]
    return times


def timed_table(times: Mapping[tuple[str, str, int], Timed], at_once: int) -> Table:
    """Return the table of times with a number of calls at once, a product a line."""
    products = dict.fromkeys(product for product, _, _ in times)
    kinds = [kind for kind in KINDS if any(key[1:] == (kind, at_once) for key in times)]
    rows: list[tuple[Any, ...]] = [
        (product, *(_time(times.get((product, kind, at_once))) for kind in kinds)) for product in products
    ]
    what = "one at a time" if at_once == 1 else f"{at_once} at once"
    title = f"Median milliseconds, and verifications per second, {what}"
    return Table(title, ("product", *map(_heading, kinds)), rows)


def _time(entry: Timed | None) -> str | None:
    if entry is None or not entry.milliseconds:
        return None
    milliseconds, per_second = statistics.median(entry.milliseconds), statistics.median(entry.per_second)
    failed = f", {entry.failures / entry.calls:.1%} failed" if entry.failures else ""
    return f"{format_cell(milliseconds)} ({format_cell(per_second)}/s{failed})"


def _checked(drivers: list[DriverProcess], section: Section) -> list[Checked]:
    results = []
    for driver in drivers:
        for check in CHECKS:
            try:
                result = driver.ask("check", name=check)
            except DriverError as error:
                section.failures.append(str(error))
                continue
            results.append(Checked(driver.subject.name, check, result["outcome"], result["detail"]))
    return results


def checked_tables(results: list[Checked]) -> list[Table]:
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
