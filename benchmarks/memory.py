"""Memory and processor of a container: what an authorizer needs, and what its start and its answers take with less.

Lambda gives a function processor time in proportion to its memory, one processor with 1,769 MB (Lambda Developer Guide,
"Configure Lambda function memory"). Here the process of the function gets that share of a processor in each 20 ms.
"""

from __future__ import annotations

import os
import re
import signal
import statistics
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import deployment, lambda_runtime, stub
from benchmarks.environments import NotInstalledError
from benchmarks.freeze import is_allowed
from benchmarks.hot_path import answers, issued
from benchmarks.measuring import percentiles
from benchmarks.report import Section, Table
from local.options import ROOT
from tools.costs import read_costs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.lambda_runtime import Container, Installed
    from benchmarks.measuring import Effort
    from benchmarks.stub import Stub
    from tools.costs import Costs

MEGABYTES_OF_A_PROCESSOR = 1_769
PERIOD_SECONDS = 0.02

_MEGABYTES = (512, 1_024, MEGABYTES_OF_A_PROCESSOR)
_FUNCTION = ROOT / "functions" / "authorize_api_key"
_TABLE = "keywright"
_GROUPS = Path("/sys/fs/cgroup/cpu")
_MANY_KEYS = {False: 20_000, True: 300}
_CONTAINERS = {False: 7, True: 2}
"""Of each size."""
_WARM_CALLS = {False: 100, True: 20}
"""In each container."""
_OTHER_KEYS = 5
"""Keys whose first use is measured in each container, after the first answer."""
_MEMORY = re.compile(r"^(VmHWM|VmRSS):\s+(\d+) kB$", re.MULTILINE)
"""The largest resident size so far, and the present one."""
_CHEAPEST_HASH = {"ARGON2_MEMORY_KIB": "8", "ARGON2_ITERATIONS": "1"}
_READ = "DynamoDB_20120810.BatchGetItem"
_USES = {"Attributes": {"request_count": {"N": "1"}, "days": {"M": {}}}}


@dataclass(slots=True)
class Measured:
    """Seconds of containers of one size.

    Attributes:
        first: first answers, from the start of the process.
        warm: verifications of a key that was verified before.
        other: first verifications of other keys in the running container, each with an Argon2id hash.
    """

    first: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)


def run(effort: Effort) -> Section:
    """Measure memory, and times with the processor share of several memory sizes."""
    section = Section("memory", "Memory: what a container needs, and what it gets for it")
    try:
        installed = lambda_runtime.install()
        section.tables = [_peaks(installed, effort), sizes_table(_sizes(installed, effort), read_costs())]
    except NotInstalledError as error:
        section.failures.append(str(error))
        return section
    how = "a quota of control groups" if _has_groups() else "stopping and continuing it with signals"
    section.notes = [
        "Memory is that of the function's process under Lambda's runtime emulator: VmHWM, the peak, and VmRSS.",
        "A deployed hash takes 19 MB while it runs: the first peak includes it. The many keys have the cheapest hash.",
        f"The process gets its share of a processor by {how}, in periods of {PERIOD_SECONDS * 1000:g} ms.",
        f"Each size has {_CONTAINERS[effort.is_quick]} containers, in turns. First answers and first uses are medians.",
        f"They include that of the emulator. AWS is a stub with TLS; a read takes {_read_milliseconds()} ms there.",
        "The price is Lambda's for a warm verification: its p50 in whole milliseconds, and the request.",
    ]
    return section


def _peaks(installed: Installed, effort: Effort) -> Table:
    number = _MANY_KEYS[effort.is_quick]
    keys = [_issued(1)[0], *_issued(number - 1, **_CHEAPEST_HASH)]
    # The container is set to the cheapest hash too: it would replace the hash of each key by a slow one.
    with _served(keys) as server, _container(installed, server, 1, **_CHEAPEST_HASH) as container:
        _verify(container, keys[0][1])
        first = _megabytes(container)
        for count, (_, text, _) in enumerate(keys, 1):
            _verify(container, text)
            if count % 5_000 == 0:
                print(f"{count:,} keys ...", flush=True)
        many = _megabytes(container)
    rows = [
        ("after the first request", first["VmHWM"], first["VmRSS"], None),
        (f"knows {number:,} keys", many["VmHWM"], many["VmRSS"], (many["VmRSS"] - first["VmRSS"]) / number * 1e6),
    ]
    columns = ("container", "peak MB", "present MB", "bytes more for a key")
    return Table("Resident memory of authorize_api_key", columns, rows)


def _sizes(installed: Installed, effort: Effort) -> dict[float, Measured]:
    measured: dict[float, Measured] = {megabytes: Measured() for megabytes in _MEGABYTES}
    keys = _issued(1 + _OTHER_KEYS)
    with _served(keys) as server:
        for number in range(_CONTAINERS[effort.is_quick]):
            print(f"Container {number + 1} of {_CONTAINERS[effort.is_quick]} ...", flush=True)
            for megabytes, times in measured.items():
                with _container(installed, server, megabytes / MEGABYTES_OF_A_PROCESSOR) as container:
                    first, *others = (_verify(container, text) for _, text, _ in keys)
                    times.first.append(first)
                    times.other += others
                    times.warm += [_verify(container, keys[0][1]) for _ in range(_WARM_CALLS[effort.is_quick])]
    return measured


def sizes_table(measured: Mapping[float, Measured], costs: Costs) -> Table:
    """Return the table of times and prices, a memory size a line.

    Args:
        measured: by memory size in MB.
        costs: with the prices of Lambda.
    """
    rows: list[tuple[Any, ...]] = []
    for megabytes, times in measured.items():
        warm = percentiles(times.warm)
        gigabyte_seconds = megabytes / 1024 * ceil(warm.p50 * 1000) / 1000
        rows.append(
            (
                megabytes,
                megabytes / MEGABYTES_OF_A_PROCESSOR,
                statistics.median(times.first) * 1000,
                warm.p50 * 1000,
                warm.p99 * 1000,
                statistics.median(times.other) * 1000,
                costs.price("lambda_request", 1e6) + costs.price("lambda_arm_gb_second", 1e6 * gigabyte_seconds),
            )
        )
    columns = (
        *("MB", "processors", "first answer ms", "warm p50 ms", "warm p99 ms"),
        *("first use of another key ms", "dollars for a million warm"),
    )
    return Table("Times by memory size", columns, rows)


Issued = tuple[Any, str, list[dict[str, Any]]]
"""Id and text of a key, and the items that its verification reads."""


def _issued(number: int, **changes: str) -> list[Issued]:
    """Issue keys with other settings of the deployment."""
    deployment.enter(TABLE_NAME=_TABLE, **changes)
    from keywright.cache import clear_all  # noqa: PLC0415 - after the environment

    clear_all()
    return [issued() for _ in range(number)]


@contextmanager
def _served(keys: Sequence[Issued]) -> Iterator[Stub]:
    """Run a stub of AWS that has these keys while the context is open."""
    reads = {f"{_READ} {key_id}": answers(items)[_READ] for key_id, _, items in keys}
    others = {target: answer for target, answer in answers([]).items() if target != _READ}
    network = stub.Network(is_encrypted=True, dynamodb_seconds=_read_milliseconds() / 1000)
    with stub.run_stub({**others, **reads, "DynamoDB_20120810.UpdateItem": _USES}, network) as server:
        yield server


@contextmanager
def _container(installed: Installed, server: Stub, share: float, **changes: str) -> Iterator[Container]:
    """Run the authorizer with a share of a processor, and other settings, while the context is open."""
    variables = server.environment | {"PYTHONPATH": str(lambda_runtime.LAYER)} | changes
    environment = deployment.environment(TABLE_NAME=_TABLE, **variables)
    with ExitStack() as stack:
        prefix = stack.enter_context(control_group(share)) if _has_groups() else ()
        container = stack.enter_context(lambda_runtime.emulated(installed, _FUNCTION, environment, prefix))
        if not _has_groups():
            stack.enter_context(_pauses(container, share))
        yield container


def _verify(container: Container, text: str) -> float:
    """Verify a key and return the seconds that it took.

    Raises:
        RuntimeError: the key was refused, so that no failure is measured.
    """
    event = deployment.authorizer_event(text)
    started = time.perf_counter()
    answer = container.invoke(event)
    seconds = time.perf_counter() - started
    if not is_allowed(answer):
        raise RuntimeError("a valid key was refused")
    return seconds


def _megabytes(container: Container) -> dict[str, float]:
    status = Path(f"/proc/{container.process_id()}/status").read_text(encoding="ascii")
    found = {name: int(kilobytes) * 1024 / 1e6 for name, kilobytes in _MEMORY.findall(status)}
    if len(found) < 2:  # noqa: PLR2004 - both
        raise NotInstalledError("the system does not show the memory of processes")
    return found


def _has_groups() -> bool:
    """Return whether this process may make control groups with a quota (version 1)."""
    return (_GROUPS / "cpu.cfs_quota_us").is_file() and os.access(_GROUPS, os.W_OK)


@contextmanager
def control_group(share: float) -> Iterator[tuple[str, ...]]:
    """Make a control group with a share of a processor; yield a command that runs the command after it in the group."""
    group = _GROUPS / f"keywright-benchmark-{os.getpid()}-{time.monotonic_ns()}"
    group.mkdir()
    try:
        period = round(PERIOD_SECONDS * 1e6)
        (group / "cpu.cfs_period_us").write_text(str(period))
        (group / "cpu.cfs_quota_us").write_text(str(round(share * period)))
        yield ("/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "tasks"))
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Remove a control group as soon as its last process has ended."""
    for _ in range(100):
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.05)


@contextmanager
def _pauses(container: Container, share: float) -> Iterator[None]:
    """Stop and continue the process of a container while the context is open, so that it runs for a share of the time.

    Unlike a quota, this also takes time in which the process would wait.
    """
    ended = threading.Event()

    def pause() -> None:
        while not ended.wait(share * PERIOD_SECONDS):
            with suppress(NotInstalledError, ProcessLookupError):
                process = container.process_id()
                os.kill(process, signal.SIGSTOP)
                time.sleep((1 - share) * PERIOD_SECONDS)
                os.kill(process, signal.SIGCONT)

    thread = threading.Thread(target=pause)
    if share < 1:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if share < 1:
            thread.join()


def _read_milliseconds() -> int:
    return int(read_costs().assumed("read_milliseconds"))
