"""The package: its version, what its import loads, and the code of its README."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

import keywright_client
from keywright_client import engine
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "clients" / "python"
SOURCES = sorted((PACKAGE / "src" / "keywright_client").glob("*.py"))
PROJECT: dict[str, Any] = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (PACKAGE / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
EXPLAINED = (
    keywright_client.KeywrightError,
    keywright_client.Refused,
    keywright_client.Undecided,
    keywright_client.Use,
    keywright_client.Valid,
)
"""Classes that callers tell apart or make, with those below them."""
WITHOUT_SIGNATURES = "import sys, keywright_client; print(*[name for name in sys.modules if name.startswith('boto')])"


def test_the_version_is_that_of_the_package() -> None:
    """The user agent, the changelog and the package have one version."""
    changelog = (PACKAGE / "CHANGELOG.md").read_text(encoding="utf-8")

    assert PROJECT["version"] == engine.VERSION
    assert f"\n## {PROJECT['version']}\n" in changelog


def test_the_import_loads_no_botocore() -> None:
    """A program that manages keys, or only catches errors, does not pay for the import of botocore."""
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", WITHOUT_SIGNATURES],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(PACKAGE / "src")},
    )

    assert "" == done.stdout.strip()


def test_the_package_has_types() -> None:
    """Type checkers use the annotations of the installed package."""
    assert (PACKAGE / "src" / "keywright_client" / "py.typed").is_file()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_sources_are_of_the_oldest_python(path: Path) -> None:
    """Each module can be parsed by the oldest Python that the package is for."""
    minor = int(PROJECT["requires-python"].rpartition(".")[2])

    assert ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, minor)).body


def names_of(snippet: str) -> Iterator[str]:
    """Return the names that a snippet imports from the package."""
    for node in ast.walk(ast.parse(snippet)):
        if isinstance(node, ast.ImportFrom) and node.module == "keywright_client":
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_the_code_of_the_readme(snippet: str) -> None:
    """Code in the README can be parsed, and imports what the package has."""
    body = snippet.replace("\n", "\n    ")
    code = f"async def example():\n    {body}"

    assert set(names_of(code)) <= set(keywright_client.__all__)


def test_the_readme_names_every_result_and_error() -> None:
    """The README explains each class that a caller makes or tells apart."""
    explained = {name for name in keywright_client.__all__ if re.search(rf"`{name}`", README)}
    classes = {
        name
        for name in keywright_client.__all__
        if isinstance(value := getattr(keywright_client, name), type) and issubclass(value, EXPLAINED)
    }

    assert set() == classes - explained
