"""Run the suites of docs/reliability.md at full depth, and record their figures: `make figures SUITES="load e2e"`.

The figures are in docs/reliability/figures.json, from which `make generate` writes the last two columns of the page.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tools import readable_json

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
FIGURES = ROOT / "docs" / "reliability" / "figures.json"

_LOCAL = "python -m local.dynamodb_local pytest"
_ROW = re.compile(r"(?<=\| )<!-- (\w+) --> [^|\n]*\| [^|\n]*\|$", re.MULTILINE)
_WIDTH = 400


@dataclass(frozen=True, slots=True)
class Suite:
    """A command that proves a guarantee.

    Attributes:
        shown: the names of the figures on the page. `tests` are those that passed.
    """

    command: str
    shown: tuple[str, ...] = ("tests",)


SUITES = {
    "dynamodb": Suite("make test-dynamodb", ("tests", "requests", "faults")),
    "faults": Suite("pytest tests/reliability/test_alone.py", ("requests", "faults", "operations")),
    "fault_sequences": Suite(
        "pytest tests/reliability/test_sequences.py", ("fault_sequences", "requests", "faults", "verifications")
    ),
    "recovery": Suite(f"{_LOCAL} tests/reliability", ("tests", "requests", "faults")),
    "transport": Suite("pytest tests/keywright/aws/test_transport.py"),
    "fuzz": Suite("make fuzz", ("requests", "operations", "targets", "runs")),
    "addresses": Suite("pytest tests/keywright/domain/test_ip_addresses.py", ("addresses",)),
    "key_limits": Suite("pytest tests/api/test_limits.py tests/lifecycle/test_limits_of_keys.py"),
    "retired_secrets": Suite(
        "pytest tests/keywright/store/test_retired_uses.py tests/keywright/keys/test_retired_secrets.py"
        " tests/lifecycle/test_retired_secrets.py"
    ),
    "imported_keys": Suite(
        "pytest tests/keywright/keys/test_imported.py tests/keywright/operators/test_imports.py",
        ("tests", "imported", "import_races"),
    ),
    "leaks": Suite(
        "pytest tests/keywright/keys/test_leaks.py tests/functions/report_github_leaks", ("tests", "leak_texts")
    ),
    "forged_keys": Suite("pytest tests/keywright/domain/test_mutated_keys.py", ("mutations",)),
    "scanners": Suite("make test-scanners", ("keys", "tokens", "matches")),
    "checksum": Suite("pytest tests/keywright/domain/test_checksum.py", ("tests", "forged_texts")),
    "revocation": Suite("pytest tests/lifecycle/test_revocation.py", ("races",)),
    "overtaken_changes": Suite("pytest tests/keywright/test_overtaken_changes.py"),
    "interleavings": Suite("pytest tests/lifecycle/test_verification_beside_writes.py", ("interleavings",)),
    "archive": Suite(
        "pytest tests/functions/archive_records tests/keywright/operators/test_archive_check.py"
        " tests/admin/test_archive.py"
    ),
    "event_schemas": Suite(
        "pytest tests/test_event_schemas.py tests/test_events.py tests/test_messages.py tests/admin"
    ),
    "limits": Suite(
        f"{_LOCAL} tests/lifecycle/test_limits.py tests/keywright/keys/test_limiter.py"
        " tests/keywright/keys/test_leases.py tests/keywright/keys/test_limiter_stateful.py"
    ),
    "webhook": Suite("pytest tests/examples/test_webhook.py"),
    "recipes": Suite("pytest tests/examples/test_siem.py tests/examples/test_recipes.py"),
    "policies": Suite("pytest tests/keywright/authorizers/test_policies.py", ("tests", "policies")),
    "iam_callers": Suite(
        "pytest tests/functions/verify_api_key/test_4xx_5xx.py tests/functions/verify_api_keys/test_4xx_5xx.py"
    ),
    "batches": Suite("pytest tests/keywright/keys/test_batches.py", ("tests", "batches")),
    "invocations": Suite("pytest tests/functions/verify_api_key/test_invocation.py tests/local/test_lambda_api.py"),
    "clients": Suite("pytest tests/clients/python"),
    "integrations": Suite("pytest tests/clients/integrations tests/examples/test_backends.py"),
    "signing_keys": Suite("pytest tests/keywright/authorizers/test_oidc.py"),
    "pins": Suite("pytest tests/test_pins.py"),
    "event_order": Suite(f"{_LOCAL} tests/functions/sync_organizations/test_order.py", ("events",)),
    "purge": Suite("pytest tests/functions/purge_organizations/test_killed.py", ("purge_items",)),
    "expirations": Suite(
        "pytest tests/functions/announce_expirations tests/functions/test_expiries.py",
        ("tests", "expiring_keys", "notices"),
    ),
    "browser": Suite("make test-browser"),
    "runtime": Suite("make test-runtime"),
    "usage": Suite("pytest tests/keywright/store/test_usage.py tests/keywright/keys/test_usage.py"),
    "load": Suite("make load", ("requests", "changes", "uses", "deliberate_503s", "megabytes")),
    "e2e": Suite("make e2e", ("tests", "documented_differences")),
    "containers": Suite("make sam-local-test", ("functions", "requests")),
    "development": Suite("pytest tests/local/test_development.py"),
    "lint": Suite("make lint"),
    "template": Suite("pytest tests/template"),
    "environment": Suite("pytest tests/template/test_parameters.py"),
    "iam": Suite("pytest tests/iam"),
    "roles": Suite("pytest tests/test_roles.py tests/local/test_iam.py"),
}
"""The suites by their names on the page, where a row begins its third column with `<!-- name -->`."""


def main(names: list[str]) -> int:
    """Run suites, or all; record the figures of those that succeed; return 0, or 1 if one failed or is unknown."""
    failed = [name for name in names or SUITES if name not in SUITES or not _record(name)]
    if failed:
        sys.stdout.write(f"not recorded: {', '.join(failed)}\n")
    return 1 if failed else 0


def _record(name: str) -> bool:
    """Run a suite and record its figures; return whether it succeeded."""
    suite = SUITES[name]
    sys.stdout.write(f"{name}: {suite.command}\n")
    with TemporaryDirectory() as folder:
        path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        finished = subprocess.run(  # noqa: S603 - a command of this module
            suite.command.split(),
            cwd=ROOT,
            env={**os.environ, "PATH": path, "DEPTH": "full", "FIGURES": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        numbers = recorded(Path(folder)) | tests(finished.stdout)
    missing = [shown for shown in suite.shown if shown not in numbers]
    if finished.returncode or missing:
        sys.stdout.write(f"{finished.stdout[-5000:]}\n{name}: ended with {finished.returncode}; missing: {missing}\n")
        return False
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {}
    figures[name] = {
        "command": suite.command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "depth": "full",
        "numbers": {shown: numbers[shown] for shown in suite.shown},
    }
    ordered = {suite: figures[suite] for suite in SUITES if suite in figures}
    FIGURES.write_text(readable_json.dumps(ordered, width=_WIDTH), encoding="utf-8")
    return True


def recorded(folder: Path) -> dict[str, int]:
    """Return what tests have recorded in a folder (tests/support/figures.py), the latest of each figure."""
    numbers: dict[str, int] = {}
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            numbers |= json.loads(line)
    return numbers


def tests(output: str) -> dict[str, int]:
    """Return how many tests passed by the last lines of pytest, and how many met a documented difference."""
    passed, differing = (sum(map(int, re.findall(rf"(\d+) {word}\b", output))) for word in ("passed", "xfailed"))
    return {"tests": passed, "documented_differences": differing} if passed else {}


def with_figures(page: str) -> str:
    """Return the page with the commands of the suites, and with the figures of those that were recorded."""
    figures: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))

    def columns(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- {name} --> `{SUITES[name].command}` | {_figures(figures.get(name))} |"

    return _ROW.sub(columns, page)


def _figures(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "not recorded"
    numbers = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in entry["numbers"].items())
    depth = f"{entry['depth']} depth" if "=" not in entry["depth"] else f"`{entry['depth']}`"
    return f"{numbers}; {depth}, {entry['date']}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
