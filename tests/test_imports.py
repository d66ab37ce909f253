"""Imports of functions, compared with those of boto3's client: most of a cold start is imports.

Modules are counted, the same on any machine; benchmarks/cold_start.py measures the time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.support.environment import ROOT
from tests.support.modules import FUNCTIONS

if TYPE_CHECKING:
    from pathlib import Path

CLIENT = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')"
ON_THE_WAY = ("boto3", "botocore", "urllib3", "awscrt", "jmespath", "dateutil")
"""Packages that no function imports."""
AUTHORIZER_DOES_WITHOUT = ("pydantic", "aws_lambda_powertools", "cryptography", "jwt", "asyncio", "http", "email")


ARGON2 = ("argon2", "_argon2_cffi_bindings", "cffi", "_cffi_backend")
HASHING = ("authorize_api_key", "create_api_key", "rotate_api_key", "verify_api_key", "verify_api_keys")
"""The functions that hash secrets."""


@cache
def modules(function: str | None, key_hash: str = "argon2id") -> frozenset[str]:
    """Import a function, or create boto3's client, in a new interpreter; return all loaded modules."""
    statement = CLIENT if function is None else "import handler"
    script = f"import json, sys; {statement}; print(json.dumps([*sys.modules]))"
    folder = ROOT if function is None else ROOT / "functions" / function
    return frozenset(json.loads(_output(script, folder, key_hash)))


def _output(script: str, folder: Path, key_hash: str = "argon2id") -> str:
    """Run a script in a new interpreter that has the layer; return its output."""
    finished = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", script],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "layers/shared/python"),
            "KEY_HASH": key_hash,
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return finished.stdout


def built_models(function: str) -> list[str]:
    """Import a function in a new interpreter; return the models whose validators are built."""
    script = (
        "import json, handler; from keywright.api import schemas\n"
        "models = [model for model in vars(schemas).values() if hasattr(model, '__pydantic_complete__')]\n"
        "print(json.dumps([model.__name__ for model in models if model.__pydantic_complete__]))"
    )
    return list(json.loads(_output(script, ROOT / "functions" / function)))


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


def test_an_api_function_imports_no_logger() -> None:
    """The line of a request is written without the logger, whose import takes a tenth of a cold start."""
    assert [] == belonging_to(("aws_lambda_powertools",), modules("create_api_key"))


def test_a_function_builds_the_models_of_its_own_requests_only() -> None:
    """To build all models would take longer than to build the one that a function validates with."""
    assert ["CreateApiKey"] == built_models("create_api_key")


@pytest.mark.parametrize(("function", "most"), [("authorize_api_key", 0.5), ("create_api_key", 0.8)])
def test_functions_import_no_more_than_their_share_of_a_client(function: str, most: float) -> None:
    """A function imports at most its share of the modules of boto3's client."""
    ratio = len(modules(function)) / len(modules(None))

    assert ratio <= most, f"{ratio:.2f}"


def test_a_container_that_hashes_with_argon2id_starts_with_it() -> None:
    """Argon2 is loaded while the container starts, so that no request waits for it."""
    assert "argon2" in belonging_to(ARGON2, modules("authorize_api_key"))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.deep
def test_only_functions_that_hash_start_with_argon2(function: str) -> None:
    """Of all functions, those load Argon2 that hash secrets, where Argon2id is set."""
    assert (function in HASHING) == ("argon2" in modules(function))


@pytest.mark.parametrize("function", HASHING)
@pytest.mark.deep
def test_no_function_starts_with_argon2_where_hmac_is_set(function: str) -> None:
    """With HMAC-SHA-256, functions that hash secrets start without Argon2 and the bindings below it."""
    assert [] == belonging_to(ARGON2, modules(function, "hmac-sha256"))
