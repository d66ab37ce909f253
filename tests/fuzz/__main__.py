"""Fuzzing: the running service against its description (schemathesis), and parsers with random bytes (atheris).

usage: python -m tests.fuzz

`make fuzz` installs what it needs. Environment variables:
  RUNS     inputs of each target (250000)
  SECONDS  time of requests to the service, for each of two runs (300)
  SEED     seed of all random choices (1)
  TARGETS  targets, separated by spaces (all), and `http` for the service

It ends with 1 if a target fails; the failing input is in .fuzz, and the command to repeat it is printed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx

from local.options import ROOT
from local.template import read_stack
from tests.support.depth import size
from tests.support.figures import record
from tests.support.local_service import local_service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUNS = size("RUNS", 250_000)
SECONDS = size("SECONDS", 300)
SEED = size("SEED", 1)
NAMES = ["key", "headers", "session", "body", "query", "policy", "rules", "event"]
"""The targets of targets.py, which cannot be imported without a function's environment."""
TARGETS = os.environ.get("TARGETS", "").split() or [*NAMES, "http"]
TO_BE_SIGNED = "to be signed"
"""A placeholder for the signature header, which differs for each request: hooks.py replaces it."""
FOUND = ROOT / ".fuzz"
BIN = ROOT / ".venv-fuzz" / "bin"
HERE = Path(__file__).parent
LONGEST_INPUT = 2048

OTHER_STATUSES = ["2xx", "401", "403", "404", "409", "410", "422", "429", "5xx"]
"""Other statuses of a valid request, which may be impossible to fulfill."""

LAST = ["request_organization_deletion", "cancel_organization_deletion", "revoke_current_api_key"]
"""Operations that run separately and last: they freeze the organization, or delete the key of the other requests."""

LEFT_OUT = {
    "unsupported_method": "API Gateway answers an unknown method as an unknown route, with 404",
    "allow_header_conformance": "the same: there is no 405, so there is no Allow",
}
"""Checks that are skipped, and the reason."""


def main() -> int:
    """Run everything; return 0 if no target failed."""
    FOUND.mkdir(exist_ok=True)
    record("fuzz", targets=len(set(TARGETS) - {"http"}))
    failed = [name for name in TARGETS if not (http() if name == "http" else covered(name))]
    print(f"failed: {', '.join(failed)}" if failed else "no target failed")
    return 1 if failed else 0


def covered(name: str) -> bool:
    """Run a target under atheris; return whether it passed."""
    stack = read_stack(
        ROOT / "template.yaml", {"OidcIssuer": "https://idp.example.com", "OidcAudience": "keywright"}, {}
    )
    environment = {
        **os.environ,
        **stack.environment(),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers" / "shared" / "python")]),
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "AWS_REGION": "us-east-1",
    }
    command = [str(BIN / "python"), "-m", "tests.fuzz.covered", name, str(FOUND / "corpus" / name)]
    options = [f"-runs={RUNS}", f"-seed={SEED}", f"-max_len={LONGEST_INPUT}", "-print_final_stats=1", "-timeout=20"]
    finished = run([*command, *options, f"-artifact_prefix={FOUND}/{name}-"], environment)
    tried = re.search(r"stat::number_of_executed_units: *([0-9]+)", finished.stdout)
    covered_edges = re.findall(r" cov: ([0-9]+) ", finished.stdout)
    print(
        f"{name:8} {int(tried[1]) if tried else 0:>9,} inputs, {covered_edges[-1] if covered_edges else '?'} edges: ",
        end="",
    )
    print("held" if finished.returncode == 0 else "FAILED", flush=True)
    if finished.returncode:
        print(finished.stdout[-3000:])
        print(f"repeat it: make fuzz TARGETS={name} SEED={SEED} RUNS={RUNS}")
    return finished.returncode == 0


def http() -> bool:
    """Run schemathesis against a local service; return whether the service matched its description."""
    with TemporaryDirectory() as directory, local_service(Path(directory)) as stack_file:
        stack = json.loads(stack_file.read_text(encoding="utf-8"))
        described = [
            schemathesis(directory, stack_file, stack, "admin", [f"--exclude-operation-id={name}" for name in LAST]),
            schemathesis(directory, stack_file, stack, "owner", [f"--include-operation-id={name}" for name in LAST]),
        ]
    record(
        "fuzz",
        requests=sum(requests for _, requests, _ in described),
        operations=sum(tested for *_, tested in described),
    )
    return all(has_passed for has_passed, *_ in described)


def schemathesis(
    directory: str, stack_file: Path, stack: Mapping[str, Any], persona: str, options: Sequence[str]
) -> tuple[bool, int, int]:
    """Run schemathesis with the credentials of a user; return whether it passed, its requests and its operations."""
    configuration = Path(directory) / "schemathesis.toml"
    configuration.write_text(configured(stack, persona), encoding="utf-8")
    command = [str(BIN / "schemathesis"), "--config-file", str(configuration), "run"]
    excluded = [f"--exclude-checks={','.join(LEFT_OUT)}"]
    bounds = [f"--max-time={SECONDS}", f"--seed={SEED}", "--continue-on-failure", "--request-timeout=30"]
    environment = {
        **os.environ,
        "STACK_FILE": str(stack_file),
        "TO_BE_SIGNED": TO_BE_SIGNED,
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(HERE),
    }
    location = f"{stack['base_url']}/openapi.json"
    finished = run([*command, location, *options, *excluded, *bounds], environment, cwd=directory)
    found = [re.search(pattern, finished.stdout) for pattern in (r"(\d+) generated", r"Tested: *(\d+)")]
    requests, operations = (int(match[1]) if match else 0 for match in found)
    print(f"http, as {persona}: {operations} operations, {requests:,} requests", flush=True)
    if finished.returncode:
        (FOUND / f"http-{persona}.txt").write_text(finished.stdout, encoding="utf-8")
        print(finished.stdout[-6000:])
        print(f"all of it is in .fuzz/http-{persona}.txt; repeat it: make fuzz TARGETS=http SEED={SEED}")
    return finished.returncode == 0, requests, operations


def configured(stack: Mapping[str, Any], persona: str) -> str:
    """Return schemathesis' configuration: the credentials of each security scheme, and exceptions to its defaults."""
    token = stack["tokens"][persona]
    created = httpx.post(
        f"{stack['base_url']}/auth/api-keys",
        headers={"authorization": f"Bearer {token}"},
        json={"name": "fuzz", "permissions": ["sessions:read"]},
        trust_env=False,
    )
    key = created.json()["data"]["key"]
    return f"""
[auth.openapi.bearerAuth]
bearer = "{token}"
[auth.openapi.apiKey]
api_key = "{key}"
[auth.openapi.apiKeyAsBearer]
bearer = "{key}"
[auth.openapi.awsSignature]
api_key = "{TO_BE_SIGNED}"

[checks.positive_data_acceptance]
expected-statuses = {json.dumps(OTHER_STATUSES)}

# API Gateway answers a request without a signature as an unknown route.
[[operations]]
include-operation-id = ["verify_api_key", "verify_api_keys"]
[operations.checks.ignored_auth]
enabled = false
[operations.checks.missing_required_header]
enabled = false
"""


def run(
    command: Sequence[str], environment: Mapping[str, str], cwd: str | Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a command and capture its output."""
    return subprocess.run(  # noqa: S603 - fixed commands
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
