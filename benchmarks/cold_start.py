"""Cold starts: the time from no process to the first answer of every function, and the time of its imports."""

from __future__ import annotations

import re
import statistics
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

from benchmarks import deployment, lambda_runtime, stub
from benchmarks.environments import NotInstalledError
from benchmarks.hot_path import answers, issued
from benchmarks.measuring import Sample
from benchmarks.report import Bars, Budget, Section, Table
from local.options import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from benchmarks.lambda_runtime import Installed
    from benchmarks.measuring import Effort

_TABLE = "keywright"
_EMPTY = "an empty handler"
_CLIENT = "a boto3 DynamoDB client, unused"
_LIMITS = {"authorize_api_key": 0.65, "create_api_key": 1.05}
_ROUNDS = {False: 15, True: 3}
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
_SHOWN_PACKAGES = 8


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
    functions = {
        _EMPTY: (ROOT / "benchmarks" / "handlers" / "empty", {}),
        _CLIENT: (ROOT / "benchmarks" / "handlers" / "boto3_client", {}),
        **{name: (ROOT / "functions" / name, event) for name, event in _events(key_id, key).items()},
    }
    walls: dict[str, Sample] = {name: Sample() for name in functions}
    cpus: dict[str, Sample] = {name: Sample() for name in functions}
    with stub.run_stub(answers(items)) as server:
        environment = deployment.environment(TABLE_NAME=_TABLE, AWS_ENDPOINT_URL=server.url)
        with_layer = environment | {"PYTHONPATH": str(lambda_runtime.LAYER)}
        for number in range(_ROUNDS[effort.is_quick]):
            print(f"Round {number + 1} of {_ROUNDS[effort.is_quick]} ...", flush=True)
            for name, (folder, event) in functions.items():
                variables = environment if name in {_EMPTY, _CLIENT} else with_layer
                started = lambda_runtime.cold_start(installed, folder, event, variables)
                _require_success(name, started.answer)
                walls[name].add([started.seconds])
                if started.cpu_seconds is not None:
                    cpus[name].add([started.cpu_seconds])
    section.tables += [_table(walls, cpus), _profile(installed, "authorize_api_key")]
    section.budgets = [
        Budget(f"cold start, {name}, x a boto3 DynamoDB client", walls[name].ratio(walls[_CLIENT]), limit)
        for name, limit in _LIMITS.items()
    ]
    layer_megabytes = sum(path.stat().st_size for path in lambda_runtime.LAYER.rglob("*") if path.is_file()) / 1e6
    section.budgets.append(Budget("layer, unzipped, MB", layer_megabytes, 40))
    section.notes = [
        "Every start is a new process: interpreter, AWS's runtime client, layer, function and first request.",
        "The first answer of authorize_api_key includes an Argon2id hash; authorize_session refuses a malformed token.",
        "The boto3 handler imports the compiled boto3 of the runtime, as on Lambda; the functions import the layer.",
        "AWS is replaced by the stub of the hot path, so that no start waits for AWS.",
    ]
    section.pictures["cold-start"] = Bars(
        "From nothing to the first answer, under Lambda's runtime emulator",
        "milliseconds",
        [(name, sample.median * 1000, name not in {_EMPTY, _CLIENT}) for name, sample in walls.items()],
    )
    section.samples = {name: sample.rounds for name, sample in walls.items()}
    return section


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
    return Table("Starts in turns", columns, rows)


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
