"""The benchmark of a deployment, on the emulated one: by its stack file, and by the name of its stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.__main__ import STACK
from tests.support.environment import ROOT
from tests.support.local_service import connected

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.deployment import Deployment

ROWS = [
    f"{way}, {kind}"
    for way in ("POST /verify", "invocation")
    for kind in ("valid key", "forged key, no read", "unknown key, deleted before")
]


def measured(stack: str, **environment: str) -> list[str]:
    """Run the benchmark with one round; return its lines."""
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.aws", stack],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "layers" / "shared" / "python"), "COUNT": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout.splitlines()


def names(deployment: Deployment) -> list[str]:
    """Return the names of all keys."""
    listed = deployment.request("GET", "/auth/api-keys", params={"limit": 100}).json()
    return [key["name"] for key in listed["data"]]


@pytest.mark.parametrize("named", ["file", "stack"])
def test_a_deployment_is_measured(named: str, pytestconfig: pytest.Config) -> None:
    """Every row has an answer, no key is left, and where the emulator reports nothing, the tool says so."""
    stack_file: Path = pytestconfig.getoption("--stack")
    tokens = json.loads(stack_file.read_text(encoding="utf-8"))["tokens"]

    lines = measured(str(stack_file)) if named == "file" else measured(STACK, TOKEN=tokens["admin"])

    assert ROWS == [row for row in ROWS if any(line.startswith(row) and "      1  " in line for line in lines)]
    assert "valid key: no REPORT line in the answer" in lines
    assert "The keys that were made are deleted." in lines
    for deployment in connected(stack_file):
        assert "make bench-aws" not in names(deployment)
