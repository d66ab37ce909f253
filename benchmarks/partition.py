"""The limit of a partition: verifications of one organization above what DynamoDB reads in a second.

All items of an organization are in one partition, which admits 3,000 read units and 1,000 write units a second (Amazon
DynamoDB Developer Guide, "Best practices for designing and using partition keys effectively"). One machine cannot make
so many requests: limits and loads are a twentieth. The server has no burst capacity beyond a second's units: DynamoDB
retains those of up to 300 seconds, but may use them itself, and says that this may change (the same guide, "DynamoDB
burst and adaptive capacity").

`python -m benchmarks.partition` is a process that offers a load, as containers do: each request has a thread.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TextIO, cast

from benchmarks import budgets, deployment, issued_keys, partition_server
from benchmarks.budgets import Budget
from benchmarks.hot_path import discarded_output
from benchmarks.partition_server import Limit, start_container
from benchmarks.report import Section, Table

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.issued_keys import IssuedKey
    from benchmarks.measuring import Effort

SCALE = 20
READ_UNITS, WRITE_UNITS = 3_000, 1_000
KEYS = 20
"""Keys of the organization, all used equally."""
METADATA_BYTES = 16_000
"""Of a large key, whose item has more than 16 KiB with them, and so five read units."""
OTHER_RATE = 200.0
"""Verifications a second of another organization, at the same time; a twentieth is offered, as of all rates."""

_SECONDS = {False: 12.0, True: 3.0}
_SETTLING_SECONDS = {False: 4.0, True: 1.0}
"""Not counted: until what the server holds is used up."""
_PROCESSES = 2
_THREADS = 500
_STARTING_SECONDS = 1.0
_LATE_SECONDS = 0.25
"""A request that begins later was not offered in time."""
_MOST_LATE = 0.01
_MILLISECONDS = 1000
_CHANGE_UNITS = 8
_PARTITION = f"ORG#{deployment.ORGANIZATION_ID}"
_OTHER_ID = uuid.UUID("7c0d2a1e-1f5b-4d6a-8a49-c3d4e5f60718")


@dataclass(frozen=True, slots=True)
class Load:
    """A load of one organization.

    Attributes:
        rate: verifications a second.
        changes: changes of keys a second.
        settings: variables of the functions.
        is_large: whether the keys have metadata of 16 KiB.
    """

    name: str
    rate: float
    changes: float = 0.0
    settings: Mapping[str, str] = field(default_factory=dict)
    is_large: bool = False


LOADS = (
    Load("1,400/s", 1_400),
    Load("1,600/s", 1_600),
    Load("3,000/s", 3_000),
    Load("3,000/s, RecordReuseSeconds=10", 3_000, settings={"RECORD_REUSE_SECONDS": "10"}),
    Load("600/s, metadata of 16 KiB", 600, is_large=True),
    Load("1,000/s and 40 changes, UsageFlushSeconds=0", 1_000, changes=40, settings={"USAGE_FLUSH_SECONDS": "0"}),
)
_ALL_ANSWERED = {
    "1,400/s": budgets.Limit.PARTITION_BELOW,
    "3,000/s, RecordReuseSeconds=10": budgets.Limit.PARTITION_REUSED,
}


class Call(NamedTuple):
    """A request.

    Attributes:
        due: seconds after the start of the load.
        late: seconds between when it was due and when it began.
        seconds: until its answer.
        status: of the answer.
    """

    due: float
    late: float
    seconds: float
    status: int


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to requests of one kind.

    Attributes:
        offered: number of all requests, those that are not counted included.
        succeeded: number of those with a 200.
        calls: requests that are counted.
    """

    offered: int
    succeeded: int
    calls: Sequence[Call]

    @property
    def unavailable(self) -> float:
        """The share of requests that got a 503."""
        return sum(call.status == HTTPStatus.SERVICE_UNAVAILABLE for call in self.calls) / len(self.calls)

    @property
    def others(self) -> int:
        """The number of answers that are neither a success nor a 503."""
        return sum(call.status not in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE} for call in self.calls)

    @property
    def late(self) -> float:
        """The share of requests that were not offered in time."""
        return sum(call.late > _LATE_SECONDS for call in self.calls) / len(self.calls)

    def milliseconds(self) -> tuple[float, float, float]:
        """Return p50, p99 and the maximum of answered requests, in milliseconds; 0 if none was answered."""
        taken = sorted(call.seconds * _MILLISECONDS for call in self.calls if call.status == HTTPStatus.OK)
        if len(taken) < 2:  # noqa: PLR2004 - too few for quantiles
            taken = [*taken, *taken, 0.0, 0.0][:2]
        hundredths = statistics.quantiles(taken, n=100, method="inclusive")
        return hundredths[49], hundredths[98], taken[-1]


@dataclass(frozen=True, slots=True)
class Measured:
    """Result of a load.

    Attributes:
        verifications: of the organization.
        changes: of its keys.
        others: verifications of another organization meanwhile.
        counts: of the server.
    """

    load: Load
    verifications: Answers
    changes: Answers | None
    others: Answers
    counts: Mapping[str, int]


def run(effort: Effort) -> Section:
    """Offer every load for a few seconds."""
    section = Section("partition", "The limit of a partition: one organization above it, and another beside it")
    deployment.enter(TABLE_NAME=issued_keys.TABLE, **issued_keys.CHEAPEST_HASH)
    seconds, settling_seconds = _SECONDS[effort.is_quick], _SETTLING_SECONDS[effort.is_quick]
    measured = []
    for load in LOADS:
        print(f"{load.name} ...", flush=True)
        measured.append(_measure(load, seconds, settling_seconds))
    section.tables += [_table(measured), _writes_table([one for one in measured if one.changes])]
    for one in measured:
        for answers in (one.verifications, one.others):
            if answers.late > _MOST_LATE or answers.others:
                late = f"{answers.late:.1%} began late"
                section.failures.append(f"{one.load.name}: {late}, {answers.others} had neither 200 nor 503")
    shares = {one.load.name: one.verifications.unavailable for one in measured}
    section.budgets = [
        *(Budget(limit, shares[name]) for name, limit in _ALL_ANSWERED.items()),
        Budget(budgets.Limit.PARTITION_OTHERS, max(one.others.unavailable for one in measured)),
    ]
    scaled = (
        f"Limits and loads are a twentieth: {READ_UNITS // SCALE} read units and {WRITE_UNITS // SCALE} write units a"
    )
    scaled += f" second for the organization, for {seconds:g} seconds, of which the first {settling_seconds:g} do not"
    scaled += (
        f" count, without burst capacity. {_PROCESSES} processes with the real code offer at even times, {KEYS} keys"
    )
    reads = "A verification reads two items: one unit each, and five for a key with 16 KiB of metadata. Reads each:"
    reads += " requests by verification, retries included. If one item was admitted, the next reads only the other."
    section.notes = [
        f"{scaled} in turn; a third one verifies keys of another organization, {OTHER_RATE / SCALE:g} a second.",
        reads,
        "All processes share the processors of one machine, and the server answers at once, which DynamoDB does not.",
        "The other organization has a process of its own. The concurrency that waiting takes is not measured.",
        "Nothing was measured on AWS.",
    ]
    return section


def _table(measured: Sequence[Measured]) -> Table:
    rows: list[tuple[Any, ...]] = []
    for one in measured:
        p50, p99, most = one.verifications.milliseconds()
        rows.append(
            (
                one.load.name,
                f"{1 - one.verifications.unavailable:.1%}",
                f"{one.verifications.unavailable:.1%}",
                *(round(value, 1) for value in (p50, p99, most)),
                round(one.counts[f"BatchGetItem {_PARTITION}"] / one.verifications.offered, 2),
                f"{1 - one.others.unavailable:.1%}",
                round(one.others.milliseconds()[1], 1),
            )
        )
    columns = ("load", "answered", "503", "p50 ms", "p99 ms", "max ms", "reads each", "other answered", "other p99 ms")
    return Table("Verifications of one organization, and of another meanwhile", columns, rows)


def _writes_table(measured: Sequence[Measured]) -> Table:
    rows: list[tuple[Any, ...]] = []
    for one in measured:
        changes = cast("Answers", one.changes)
        _, p99, most = changes.milliseconds()
        rows.append(
            (
                one.load.name,
                f"{one.load.rate + _CHANGE_UNITS * one.load.changes:,.0f}",
                f"{one.counts[f'UpdateItem {_PARTITION} refused'] / one.counts[f'UpdateItem {_PARTITION}']:.1%}",
                f"{_written(one):.1%}",
                f"{1 - changes.unavailable:.1%}",
                round(p99, 1),
                round(most, 1),
            )
        )
    columns = ("load", "units/s", "writes refused", "uses written", "changes answered", "p99 ms", "max ms")
    return Table("Writes above 1,000 write units a second", columns, rows)


def _written(one: Measured) -> float:
    """Return the share of uses that are written at the end."""
    return one.counts[f"uses {_PARTITION}"] / one.verifications.succeeded


class _Process:
    """A process that offers a load.

    Args:
        process: it.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._input, self._output = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)

    def send(self, content: object) -> None:
        """Send a line of JSON."""
        self._input.write(json.dumps(content) + "\n")
        self._input.flush()

    def receive(self) -> Any:
        """Return the next line.

        Raises:
            RuntimeError: the process has ended.
        """
        line = self._output.readline()
        if not line:
            raise RuntimeError("a process that offers a load has ended")
        return json.loads(line)


def _measure(load: Load, seconds: float, settling_seconds: float) -> Measured:
    """Run a load against a new server; what is due in the first seconds is not counted, but in the server's counts."""
    metadata = {"text": "x" * METADATA_BYTES} if load.is_large else None
    keys = [issued_keys.issue(deployment.ORGANIZATION_ID, metadata) for _ in range(KEYS)]
    others = [issued_keys.issue(_OTHER_ID) for _ in range(KEYS)]
    items = [item for key in (*keys, *others) for item in key.items]
    for organization_id in (deployment.ORGANIZATION_ID, _OTHER_ID):
        items += issued_keys.organization_items(organization_id)
    limit = Limit(READ_UNITS / SCALE, WRITE_UNITS / SCALE)
    limits = {f"ORG#{organization_id}": limit for organization_id in (deployment.ORGANIZATION_ID, _OTHER_ID)}
    with (
        partition_server.run_server(items, issued_keys.secret(), limits) as server,
        _processes(_PROCESSES + 1, AWS_ENDPOINT_URL=server.url, **load.settings) as (*processes, beside),
    ):
        for process in processes:
            process.send(_task(keys, load.rate / _PROCESSES, load.changes / _PROCESSES))
        beside.send(_task(others, OTHER_RATE, 0))
        for process in (*processes, beside):
            process.receive()
        before = server.counts()
        start = time.time() + _STARTING_SECONDS
        for number, process in enumerate(processes):
            process.send([start + number * SCALE / load.rate, seconds])
        beside.send([start, seconds])
        time.sleep(max(0.0, start - time.time()))
        server.drain()
        *answered, of_other = [process.receive() for process in (*processes, beside)]
        counts = Counter(server.counts())
    counts.subtract(before)

    def counted(answers: Sequence[Mapping[str, Any]], kind: str) -> Answers:
        calls = [Call(*call) for answer in answers for call in answer[kind]]
        succeeded = sum(call.status == HTTPStatus.OK for call in calls)
        return Answers(len(calls), succeeded, [call for call in calls if call.due >= settling_seconds])

    changes = counted(answered, "change") if load.changes else None
    return Measured(load, counted(answered, "verify"), changes, counted([of_other], "verify"), counts)


def _task(keys: Sequence[IssuedKey], rate: float, changes: float) -> dict[str, Any]:
    return {
        "texts": [key.text for key in keys],
        "ids": [str(key.key_id) for key in keys],
        "verify": rate / SCALE,
        "change": changes / SCALE,
    }


@contextmanager
def _processes(number: int, **settings: str) -> Iterator[list[_Process]]:
    """Run processes that offer loads while the context is open."""
    with ExitStack() as stack:
        opened = [stack.enter_context(start_container("benchmarks.partition", **settings)) for _ in range(number)]
        yield [_Process(process) for process in opened]


def schedule(rates: Mapping[str, float], seconds: float) -> list[tuple[float, str, int]]:
    """Return when each request is due, in seconds since the start, its kind, and its number among its kind.

    Args:
        rates: requests a second of each kind, at even times.
        seconds: length of the load.
    """
    return sorted(
        (number / rate, kind, number) for kind, rate in rates.items() if rate for number in range(round(rate * seconds))
    )


def _offer() -> None:
    """Offer a load: a line with the task, then, after the answer that all is ready, one with the time of the start."""
    from keywright.keys import usage  # noqa: PLC0415 - only a container has the layer in its path
    from keywright.keys.meter import SHUTDOWN_SECONDS  # noqa: PLC0415 - the same

    task = json.loads(sys.stdin.readline())
    verify, change = deployment.load_handler("verify_api_key"), deployment.load_handler("update_api_key")
    verify_events = [deployment.backend_event({"key": text}) for text in task["texts"]]

    def act(kind: str, number: int) -> Any:
        if kind == "verify":
            return verify(verify_events[number % len(verify_events)])
        key_id = task["ids"][number % len(task["ids"])]
        return change(deployment.member_event("PATCH", "/auth/api-keys/{id}", {"name": f"CI {number}"}, id=key_id))

    output = sys.stdout
    with discarded_output():
        for event in verify_events:
            verify(event)
        usage.meter().flush_all(seconds=_STARTING_SECONDS)
        _say("ready", output)
        start, seconds = json.loads(sys.stdin.readline())
        calls = _timed(act, start, schedule({kind: task[kind] for kind in ("verify", "change")}, seconds))
        time.sleep(_STARTING_SECONDS)
        usage.meter().flush_all(seconds=SHUTDOWN_SECONDS)
        _say(calls, output)


def _timed(
    act: Callable[[str, int], Any], start: float, planned: Sequence[tuple[float, str, int]]
) -> dict[str, list[Call]]:
    """Make each request when it is due, in a thread that was idle; return all by kind."""
    calls: dict[str, list[Call]] = {"verify": [], "change": []}

    def call(due: float, kind: str, number: int) -> None:
        began = time.time()
        status = act(kind, number)["statusCode"]
        calls[kind].append(Call(due, began - start - due, time.time() - began, status))

    with ThreadPoolExecutor(_THREADS) as threads:
        for due, kind, number in planned:
            time.sleep(max(0.0, start + due - time.time()))
            threads.submit(call, due, kind, number)
    return calls


def _say(content: object, output: TextIO) -> None:
    print(json.dumps(content), file=output, flush=True)


if __name__ == "__main__":
    _offer()
