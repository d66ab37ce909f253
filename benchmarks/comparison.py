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
from benchmarks.measuring import quartiles
from benchmarks.peers.protocol import ACCEPTED_KINDS, CHECKS, KINDS, LARGEST_CONCURRENCY
from benchmarks.report import Section, Table
from local import dynamodb_local
from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
def _running(subject: Subject) -> Iterator[DriverProcess]:
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
class _Times:
    """The results of a subject, kind and concurrency, with a value for each round."""

    milliseconds: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    calls: int = 0
    failures: int = 0


def run(effort: Effort) -> tuple[Section, Section]:
    """Compare the products."""
    try:
        with dynamodb_local.run_server(dynamodb_local.JARS) as url:
            ours = [
                Subject("Keywright", "Python", variant, _our_driver, {"AWS_ENDPOINT_URL_DYNAMODB": url})
                for variant in ("DynamoDB Local", "DynamoDB Local, records reused for 5 s")
            ]
            return _compare([*ours, *PEERS], effort)
    except dynamodb_local.NotStartedError as error:
        speed, correctness = _compare(PEERS, effort)
        speed.failures.append(f"Keywright: {error}")
        return speed, correctness


def _our_driver() -> list[str]:
    return [sys.executable, "-m", "benchmarks.ours"]


def _compare(subjects: list[Subject], effort: Effort) -> tuple[Section, Section]:
    speed = Section("peers", "Peers: the same work on this machine")
    correctness = Section("correctness", "Correctness next to speed")
    with ExitStack() as stack:
        drivers = []
        for subject in subjects:
            try:
                driver = stack.enter_context(_running(subject))
                print(f"Preparing {subject.name} ...", flush=True)
                fresh = 8 + effort.rounds * 4
                driver.ask("open", variant=subject.variant, keys=effort.keys, pool=32, fresh=fresh)
                drivers.append(driver)
            except (environments.NotInstalledError, DriverError, OSError) as error:
                speed.failures.append(f"{subject.name}: {error}")
        speed.tables.append(_counted(drivers, speed))
        speed.tables += _timed(drivers, effort, speed)
        correctness.tables.append(_checked(drivers, correctness))
    speed.notes = [
        f"{effort.keys:,} keys in each store. 'first': keys before their first verification; 'valid': keys after it.",
        "Unknown keys are well-formed but were never issued; Keywright detects them and wrong secrets by their tag.",
        "CPU is user and system time of the process, without that of a database server (Keywright's DynamoDB Local).",
        "keyshield and Keywright use a slow hash (Argon2id), the others a fast one (SHA-2).",
        "Keywright's store is a server with HTTP, like DynamoDB; the stores of the others are in the same process.",
    ]
    return speed, correctness


def _counted(drivers: list[DriverProcess], section: Section) -> Table:
    """Count operations, which are the same on every machine."""
    rows: list[tuple[Any, ...]] = []
    data = section.data.setdefault("counts", [])
    for driver in drivers:
        for kind in KINDS:
            calls = 8 if kind == "first" else _COUNTED_CALLS
            if kind == "valid":
                driver.ask("verify", kind=kind, at_once=1, calls=_COUNTED_CALLS, seconds=60)
            answer = driver.ask("verify", kind=kind, at_once=1, calls=calls, seconds=10)
            done = max(answer["calls"], 1)
            wrong = answer["calls"] - answer["accepted"] if kind in ACCEPTED_KINDS else answer["accepted"]
            counts = [answer["counts"][name] / done for name in ("reads", "writes", "hashes")]
            cpu = answer["cpu_seconds"] / done * 1000
            rows.append(
                (driver.subject.name, driver.subject.language, kind, *counts, cpu, "" if not wrong else "WRONG")
            )
            data.append({"subject": driver.subject.name, "kind": kind, "counts": answer["counts"], "calls": done})
    return Table(
        "Per verification",
        ("product", "language", "key", "reads", "writes", "hashes", "CPU ms", ""),
        rows,
    )


def _timed(drivers: list[DriverProcess], effort: Effort, section: Section) -> list[Table]:
    seconds = _SECONDS_PER_TURN[effort.is_quick]
    times: dict[tuple[str, str, int], _Times] = {}
    rounds = max(3, effort.rounds // 4)
    for number in range(rounds):
        print(f"Round {number + 1} of {rounds} ...", flush=True)
        for kind in KINDS:
            for at_once in (1,) if kind == "first" else (1, LARGEST_CONCURRENCY):
                for driver in drivers:
                    calls = 8 if kind == "first" else 4 * effort.calls
                    answer = driver.ask("verify", kind=kind, at_once=at_once, calls=calls, seconds=seconds)
                    entry = times.setdefault((driver.subject.name, kind, at_once), _Times())
                    if answer["calls"]:
                        entry.milliseconds.append(statistics.median(answer["microseconds"]) / 1000)
                        entry.per_second.append(answer["calls"] / answer["seconds"])
                        entry.calls += answer["calls"]
                        entry.failures += answer["failures"]
    section.data["times"] = [
        {"subject": name, "kind": kind, "at_once": at_once, **vars(entry)}
        for (name, kind, at_once), entry in times.items()
    ]
    tables = []
    for at_once in (1, LARGEST_CONCURRENCY):
        rows: list[tuple[Any, ...]] = []
        for driver in drivers:
            for kind in KINDS:
                measured = times.get((driver.subject.name, kind, at_once))
                if measured is None or not measured.milliseconds:
                    continue
                low, high = quartiles(measured.milliseconds)
                spread = f"{low:.3g} .. {high:.3g}"
                rows.append(
                    (
                        driver.subject.name,
                        driver.subject.language,
                        kind,
                        statistics.median(measured.milliseconds),
                        spread,
                        statistics.median(measured.per_second),
                        f"{measured.failures / measured.calls:.1%}" if measured.failures else "",
                    )
                )
        title = "One at a time" if at_once == 1 else f"{at_once} at once"
        columns = ("product", "language", "key", "median ms", "quartiles", "per second", "failed")
        tables.append(Table(title, columns, rows))
    return tables


def _checked(drivers: list[DriverProcess], section: Section) -> Table:
    rows: list[tuple[Any, ...]] = []
    for driver in drivers:
        for check in CHECKS:
            try:
                result = driver.ask("check", name=check)
            except DriverError as error:
                section.failures.append(str(error))
                continue
            rows.append((driver.subject.name, _NAMES[check], result["outcome"], result["detail"]))
    section.data["checks"] = [
        {"subject": subject, "check": check, "outcome": outcome, "detail": detail}
        for subject, check, outcome, detail in rows
    ]
    return Table("Results", ("product", "check", "", "detail"), rows)
