"""What functions import, against what boto3's client alone takes: a cold start is mostly imports.

Modules are counted, which is the same on any machine; benchmarks/cold_start.py measures the time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache

import pytest

from tests.conftest import ROOT

FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
CLIENT = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')"
ON_THE_WAY = ("boto3", "botocore", "urllib3", "awscrt", "jmespath", "dateutil")
"""What no function needs to answer."""
AUTHORIZER_DOES_WITHOUT = ("pydantic", "aws_lambda_powertools", "cryptography", "jwt", "asyncio")


@cache
def modules(function: str | None) -> frozenset[str]:
    """Import a function, or make boto3's client, in a Python of its own; give the modules that are there then."""
    statement = CLIENT if function is None else "import handler"
    script = f"import json, sys; {statement}; print(json.dumps([*sys.modules]))"
    folder = ROOT if function is None else ROOT / "functions" / function
    finished = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "layers/shared/python")},
        check=True,
        capture_output=True,
        text=True,
    )
    return frozenset(json.loads(finished.stdout))


def of(packages: tuple[str, ...], found: frozenset[str]) -> list[str]:
    """Give the modules that belong to packages."""
    return sorted(name for name in found if name.split(".")[0] in packages)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_imports_an_aws_client(function: str) -> None:
    """Requests go over Python's own HTTP client."""
    assert [] == of(ON_THE_WAY, modules(function))


def test_the_authorizer_of_keys_imports_nothing_that_a_verification_does_not_need() -> None:
    """It stands before every request of every API that keys may call."""
    assert [] == of(AUTHORIZER_DOES_WITHOUT, modules("authorize_api_key"))


@pytest.mark.parametrize(("function", "most"), [("authorize_api_key", 0.6), ("create_api_key", 1.1)])
def test_functions_import_no_more_than_their_share_of_a_client(function: str, most: float) -> None:
    """Counted in modules; the budgets in docs/performance.md are in time."""
    ratio = len(modules(function)) / len(modules(None))

    assert ratio <= most, f"{ratio:.2f}"
