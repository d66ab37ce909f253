"""Cold starts: the time from no process to the first answer of every function, and the time of its imports."""

from __future__ import annotations

import re
import statistics
import subprocess
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks import deployment, lambda_runtime, stub
from benchmarks.budgets import Budget, Limit
from benchmarks.environments import NotInstalledError
from benchmarks.hot_path import answers, issued, read_parameters
from benchmarks.measuring import Sample
from benchmarks.report import Bars, Section, Table
from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from uuid import UUID

    from benchmarks.lambda_runtime import Installed
    from benchmarks.measuring import Effort

_TABLE = "keywright"
_EMPTY = "an empty handler"
_CLIENT = "a boto3 DynamoDB client, unused"
_READS = "boto3 reads a secret and two items"
_BASELINES = (_EMPTY, _CLIENT, _READS)
_DISTANT = (_READS, "authorize_api_key", "verify_api_key", "create_api_key", "get_api_key")
"""Functions that are also started over TLS."""
_NETWORK = stub.Network(is_encrypted=True, leg_seconds=0.001, dynamodb_seconds=0.002, secrets_manager_seconds=0.013)
"""With its two legs, a read of DynamoDB takes the four milliseconds that the costs assume, and the pepper fifteen."""
_LIMITS = {"authorize_api_key": Limit.COLD_AUTHORIZER, "create_api_key": Limit.COLD_CREATE}
_ROUNDS = {False: 8, True: 2}
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
_SHOWN_PACKAGES = 8


@dataclass(frozen=True, slots=True)
class _Start:
    """A function to start.

    Attributes:
        folder: of the handler.
        event: of the first invocation.
        has_layer: whether its packages are those of the layer instead of the runtime's.
    """

    folder: Path
    event: Mapping[str, Any]
    has_layer: bool


@dataclass(slots=True)
class _Starts:
    """Starts of functions that reach AWS in the same way."""

    server: stub.Stub
    functions: Mapping[str, _Start]
    walls: dict[str, Sample] = field(default_factory=lambda: defaultdict(Sample))
    cpus: dict[str, Sample] = field(default_factory=lambda: defaultdict(Sample))

    def measure(self, installed: Installed) -> None:
        """Start each function once."""
        environment = deployment.environment(TABLE_NAME=_TABLE, **self.server.environment)
        with_layer = environment | {"PYTHONPATH": str(lambda_runtime.LAYER)}
        for name, start in self.functions.items():
            variables = with_layer if start.has_layer else environment
            started = lambda_runtime.cold_start(installed, start.folder, start.event, variables)
            _require_success(name, started.answer)
            self.walls[name].add([started.seconds])
            if started.cpu_seconds is not None:
                self.cpus[name].add([started.cpu_seconds])


def run(effort: Effort) -> Section:
    """Measure cold starts and imports."""
    section = Section("cold_start", "Cold start: from nothing to the first answer, under Lambda's runtime emulator")
    try:
        installed = lambda_runtime.install()
    except NotInstalledError as error:
        section.failures.append(str(error))
        return section
    deployment.enter(TABLE_NAME=_TABLE)
    key_id, key, items = issued()
    functions = _functions(key_id, key)
    distant = {name: functions[name] for name in _DISTANT}
    with stub.run_stub(answers(items)) as server, stub.run_stub(answers(items), _NETWORK) as distant_server:
        at_once, over_tls = _Starts(server, functions), _Starts(distant_server, distant)
        for number in range(_ROUNDS[effort.is_quick]):
            print(f"Round {number + 1} of {_ROUNDS[effort.is_quick]} ...", flush=True)
            at_once.measure(installed)
            over_tls.measure(installed)
    _fill(section, at_once, over_tls)
    section.tables.append(_profile(installed, "authorize_api_key"))
    return section


def _fill(section: Section, at_once: _Starts, over_tls: _Starts) -> None:
    walls = at_once.walls
    section.tables += [_table(walls, at_once.cpus), _table_over_tls(walls, over_tls.walls)]
    section.budgets = [Budget(limit, walls[name].ratio(walls[_CLIENT])) for name, limit in _LIMITS.items()]
    layer_megabytes = sum(path.stat().st_size for path in lambda_runtime.LAYER.rglob("*") if path.is_file()) / 1e6
    section.budgets.append(Budget(Limit.LAYER, layer_megabytes))
    section.notes = [
        "Every start is a new process: interpreter, AWS's runtime client, layer, function and first request.",
        "The first answer of authorize_api_key includes an Argon2id hash; authorize_session refuses a malformed token.",
        "The boto3 handlers import the compiled boto3 of the runtime, as on Lambda; the functions import the layer.",
        "At once: AWS is the stub of the hot path, so that no start waits for it. Nothing was measured on AWS.",
        "Over TLS: the stub's authority is trusted beside all public ones. The times of the network are assumptions.",
    ]
    section.pictures["cold-start"] = Bars(
        "From nothing to the first answer, under Lambda's runtime emulator",
        "milliseconds",
        [(name, sample.median * 1000, name not in _BASELINES) for name, sample in walls.items()],
    )
    section.samples = {
        "at once": {name: sample.rounds for name, sample in walls.items()},
        "over TLS": {name: sample.rounds for name, sample in over_tls.walls.items()},
    }


def _functions(key_id: UUID, key: str) -> dict[str, _Start]:
    """Return what is started: the baselines first."""
    handlers = ROOT / "benchmarks" / "handlers"
    return {
        _EMPTY: _Start(handlers / "empty", {}, has_layer=False),
        _CLIENT: _Start(handlers / "boto3_client", {}, has_layer=False),
        _READS: _Start(handlers / "boto3_reads", read_parameters(key_id), has_layer=False),
        **{
            name: _Start(ROOT / "functions" / name, event, has_layer=True)
            for name, event in _events(key_id, key).items()
        },
    }


def _events(key_id: UUID, key: str) -> dict[str, dict[str, Any]]:
    identifier = {"id": str(key_id)}
    create = {"name": "CI", "permissions": ["sessions:read"], "metadata": {"plan": "pro"}}
    event = deployment.member_event
    return {
        "authorize_api_key": deployment.authorizer_event(key),
        "authorize_session": {"type": "TOKEN", "authorizationToken": "Bearer a.b.c", "methodArn": deployment.ARN},
        "verify_api_key": deployment.backend_event({"key": key}),
        "get_current_api_key": deployment.key_event(key_id),
        "create_api_key": event("POST", "/auth/api-keys", create),
        "list_api_keys": event("GET", "/auth/api-keys"),
        "get_api_key": event("GET", "/auth/api-keys/{id}", **identifier),
        "update_api_key": event("PATCH", "/auth/api-keys/{id}", {"name": "other"}, **identifier),
        "rotate_api_key": event("POST", "/auth/api-keys/{id}/rotate", {}, **identifier),
        "delete_api_key": event("DELETE", "/auth/api-keys/{id}", **identifier),
        "request_organization_deletion": event("POST", "/auth/orgs/request-delete"),
    }


def _require_success(name: str, answer: Any) -> None:
    """Raise if a function did not answer as expected, so that no failure is measured."""
    is_refusal = isinstance(answer, dict) and answer.get("errorMessage") == "Unauthorized"
    if name == "authorize_session":
        if not is_refusal:
            raise RuntimeError(f"{name} answered {answer}")
    elif isinstance(answer, dict) and ("errorMessage" in answer or answer.get("statusCode", 200) != 200):  # noqa: PLR2004
        raise RuntimeError(f"{name} answered {answer}")


def _table(walls: dict[str, Sample], cpus: dict[str, Sample]) -> Table:
    rows: list[tuple[Any, ...]] = []
    for name, sample in walls.items():
        low, high = (value * 1000 for value in sample.spread)
        cpu = cpus[name]
        rows.append(
            (
                name,
                sample.median * 1000,
                f"{low:,.0f} .. {high:,.0f}",
                sample.ratio(walls[_CLIENT]),
                sample.ratio(walls[_EMPTY]),
                statistics.median(cpu.rounds) * 1000 if cpu.rounds else None,
                cpu.ratio(cpus[_CLIENT]) if cpu.rounds else None,
            )
        )
    columns = ("function", "median ms", "quartiles", "x client", "x empty", "CPU ms", "CPU x client")
    return Table("Starts in turns; AWS answers at once", columns, rows)


def _table_over_tls(at_once: dict[str, Sample], over_tls: dict[str, Sample]) -> Table:
    rows: list[tuple[Any, ...]] = []
    for name, sample in over_tls.items():
        low, high = (value * 1000 for value in sample.spread)
        more = sample.median - at_once[name].median
        quartiles = f"{low:,.0f} .. {high:,.0f}"
        rows.append((name, sample.median * 1000, quartiles, more * 1000, sample.ratio(over_tls[_READS])))
    title = f"Over TLS, with {_NETWORK.leg_seconds * 1000:g} ms for a packet in one direction, and besides"
    title += f" {_NETWORK.dynamodb_seconds * 1000:g} ms for an answer of DynamoDB"
    title += f" and {_NETWORK.secrets_manager_seconds * 1000:g} ms for one of Secrets Manager"
    columns = ("function", "median ms", "quartiles", "ms more than at once", "x boto3 that reads")
    return Table(title, columns, rows)


def _profile(installed: Installed, name: str) -> Table:
    """Return the import times of a function by package, as measured by -X importtime."""
    by_package: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    best: dict[str, int] = {}
    for _ in range(5):
        for module, microseconds in _imports(installed, ROOT / "functions" / name):
            best[module] = min(best.get(module, microseconds), microseconds)
    for module, microseconds in best.items():
        package = module.split(".")[0].lstrip("_")
        by_package[package] += microseconds
        modules[package] += 1
    total = sum(by_package.values())
    rows: list[tuple[Any, ...]] = [
        (package, modules[package], microseconds / 1000)
        for package, microseconds in by_package.most_common(_SHOWN_PACKAGES)
    ]
    rows.append(("all", sum(modules.values()), total / 1000))
    return Table(f"What {name} imports (-X importtime, the least of five runs)", ("package", "modules", "ms"), rows)


def _imports(installed: Installed, function: Path) -> list[tuple[str, int]]:
    finished = subprocess.run(  # noqa: S603 - a fixed command
        [str(installed.python), "-X", "importtime", "-c", "import handler"],
        cwd=function,
        env=deployment.environment(
            TABLE_NAME=_TABLE, PYTHONPATH=str(lambda_runtime.LAYER), PYTHONDONTWRITEBYTECODE="1"
        ),
        check=True,
        capture_output=True,
        text=True,
    )
    return [(match[2], int(match[1])) for match in _IMPORT.finditer(finished.stderr)]
