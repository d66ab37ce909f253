"""Imports of functions, compared with those of boto3's client: most of a cold start is imports.

Modules are counted, the same on any machine; benchmarks/cold_start.py measures the time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache

import pytest

from tests.support.environment import ROOT
from tests.support.modules import FUNCTIONS

CLIENT = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')"
ON_THE_WAY = ("boto3", "botocore", "urllib3", "awscrt", "jmespath", "dateutil")
"""Packages that no function imports."""
AUTHORIZER_DOES_WITHOUT = ("pydantic", "aws_lambda_powertools", "cryptography", "jwt", "asyncio")


@cache
def modules(function: str | None) -> frozenset[str]:
    """Import a function, or create boto3's client, in a new interpreter; return all loaded modules."""
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


def belonging_to(packages: tuple[str, ...], names: frozenset[str]) -> list[str]:
    """Return the modules that belong to the packages."""
    return sorted(name for name in names if name.split(".")[0] in packages)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.deep
def test_no_function_imports_an_aws_client(function: str) -> None:
    """No function imports boto3 or one of its parts."""
    assert [] == belonging_to(ON_THE_WAY, modules(function))


def test_the_key_authorizer_imports_only_the_verification() -> None:
    """The key authorizer, which runs before every request of protected APIs, does without the slow packages."""
    assert [] == belonging_to(AUTHORIZER_DOES_WITHOUT, modules("authorize_api_key"))


@pytest.mark.parametrize(("function", "most"), [("authorize_api_key", 0.6), ("create_api_key", 1.1)])
def test_functions_import_no_more_than_their_share_of_a_client(function: str, most: float) -> None:
    """A function imports at most its share of the modules of boto3's client."""
    ratio = len(modules(function)) / len(modules(None))

    assert ratio <= most, f"{ratio:.2f}"
