"""Rules about the imports of modules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from importlinter.cli import lint_imports

from tests.support.environment import ROOT
from tests.support.modules import HANDLERS, MODULES, PACKAGE, imports, named

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = {"get_openapi": {"openapi.json"}, "get_reference": {"page.html", "page.css", "page.js"}}
"""The files that functions serve."""


def under(name: str, *packages: str) -> bool:
    """Return whether a module is one of the packages or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_there_is_something_to_check() -> None:
    """The rules below apply to existing files."""
    assert len(MODULES) > 20
    assert HANDLERS


def test_imports_keep_the_contracts_of_pyproject_toml() -> None:
    """Imports point one way, without circles, and a verification loads no pydantic."""
    assert 0 == lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent != PACKAGE / "store"], ids=named)
def test_nothing_above_the_store_knows_dynamodb(path: Path) -> None:
    """Only the store knows DynamoDB."""
    assert not [name for name in imports(path) if under(name, "mypy_boto3_dynamodb")]


@pytest.mark.parametrize("path", MODULES + HANDLERS, ids=named)
def test_nothing_that_is_deployed_imports_boto3(path: Path) -> None:
    """Importing and calling boto3 costs more than a verification; the layer has neither it nor its parts (0030)."""
    assert not [name for name in imports(path) if under(name, "boto3", "botocore", "urllib3")]


HTTP = {"http.client", "select", "socket", "ssl", "urllib.request"}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_one_module_knows_how_requests_are_sent(path: Path) -> None:
    """Only transport.py imports sockets, TLS and HTTP (0030).

    The exception is shutdown.py: it calls Lambda's extensions API, which answers at the end of the container.
    """
    assert path.stem in {"transport", "shutdown"} or not HTTP & imports(path)


@pytest.mark.parametrize("path", HANDLERS, ids=lambda p: p.parent.name)
def test_handlers_import_the_upper_packages_only(path: Path) -> None:
    """A handler imports only the layer's upper packages and the standard library."""
    foreign = [
        name
        for name in imports(path)
        if under(name, "keywright.store")
        or not (under(name, "keywright") or name.split(".")[0] in sys.stdlib_module_names)
    ]

    assert not foreign


@pytest.mark.parametrize("path", HANDLERS, ids=lambda p: p.parent.name)
def test_a_function_is_one_short_file(path: Path) -> None:
    """A handler has at most 40 lines and is alone in its folder, except for a file it serves."""
    served = DOCUMENTS.get(path.parent.name, set())

    assert len(path.read_text().splitlines()) <= 40
    assert {"handler.py"} | served == {entry.name for entry in path.parent.iterdir() if entry.is_file()}


def test_only_document_functions_import_the_documents() -> None:
    """Only functions that serve documents pay for their import at a cold start."""
    importing = {path.parent.name for path in HANDLERS if "keywright.api.documents" in imports(path)}

    assert DOCUMENTS.keys() == importing
    assert not [path for path in MODULES if path.stem != "endpoint" and "keywright.api.documents" in imports(path)]


@pytest.mark.parametrize("path", MODULES + HANDLERS, ids=named)
def test_nothing_imports_the_x_ray_sdk(path: Path) -> None:
    """No module imports the X-Ray SDK: the platform traces requests (docs/decisions)."""
    assert not [name for name in imports(path) if under(name, "aws_xray_sdk")]
