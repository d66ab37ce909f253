"""Rules about the imports of modules, and about how tests are written."""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING

import pytest
from importlinter.cli import lint_imports

from tests.support.environment import ROOT
from tests.support.modules import HANDLERS, MODULES, PACKAGE, imports, named, tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

DOCUMENTS = {
    "get_console": {"page.html"},
    "get_console_script": set[str](),
    "get_openapi": {"openapi.json"},
    "get_reference": {"page.html", "page.css", "page.js", "guide.html", "errors.html"},
}
"""The files that functions serve."""


def under(name: str, *packages: str) -> bool:
    """Return whether a module is one of the packages or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_there_is_something_to_check() -> None:
    """The rules below apply to existing files."""
    assert len(MODULES) > 20
    assert HANDLERS


def test_imports_keep_the_contracts_of_pyproject_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports point one way, without circles, and a verification loads no pydantic."""
    # It would disable every logger of this process, and the tests that read a log would fail after this one.
    monkeypatch.setattr("logging.config.dictConfig", lambda _: None)

    assert 0 == lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)


def importing(paths: Iterable[Path], *packages: str) -> list[str]:
    """Return the names of those files that import one of the packages or something inside one."""
    return [named(path) for path in paths if any(under(name, *packages) for name in imports(path))]


def test_nothing_above_the_store_knows_dynamodb() -> None:
    """Only the store knows the types of DynamoDB."""
    assert [] == importing([path for path in MODULES if path.parent != PACKAGE / "store"], "mypy_boto3_dynamodb")


def test_nothing_that_is_deployed_imports_boto3() -> None:
    """Importing and calling boto3 costs more than a verification; the layer has neither it nor its parts (0030)."""
    assert [] == importing(MODULES + HANDLERS, "boto3", "botocore", "urllib3")


def test_nothing_imports_the_x_ray_sdk() -> None:
    """No module imports the X-Ray SDK: the platform traces requests (docs/decisions)."""
    assert [] == importing(MODULES + HANDLERS, "aws_xray_sdk")


def test_one_module_knows_how_requests_are_sent() -> None:
    """Only transport.py imports sockets, TLS and HTTP (0030).

    The exception is shutdown.py: it calls Lambda's extensions API, which answers at the end of the container.
    """
    others = [path for path in MODULES if path.stem not in {"transport", "shutdown"}]

    assert [] == importing(others, "http.client", "select", "socket", "ssl", "urllib.request")


def test_handlers_import_the_upper_packages_only() -> None:
    """A handler imports only the layer's upper packages and the standard library."""
    assert [] == importing(HANDLERS, "keywright.store")
    assert [] == [
        (named(path), name)
        for path in HANDLERS
        for name in imports(path)
        if not under(name, "keywright") and name.split(".")[0] not in sys.stdlib_module_names
    ]


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


def test_only_verification_can_be_invoked() -> None:
    """The other functions trust the caller in an event, so they take API Gateway's events only (0048)."""
    taking_bodies = [path.parent.name for path in HANDLERS if "@invocable(" in path.read_text(encoding="utf-8")]

    assert ["verify_api_key"] == taking_bodies


# ---- Tests ---------------------------------------------------------------------------------------------------

TEST_FILES = sorted(path for path in (ROOT / "tests").rglob("*.py") if "node_modules" not in path.parts)
LONGEST_NAME = 69
pytestmark = pytest.mark.xdist_group("architecture")  # files are parsed once, in one worker
RIDDLES = ("As everywhere", "As above", "As before", "As it ", "The same", "See above", "By the ", "So that ")
"""Beginnings of docstrings that say nothing alone."""


FOLDERS = sorted({path.relative_to(ROOT / "tests").parts[0] for path in TEST_FILES})
"""Folders and files in tests/."""


def files_of(folder: str) -> list[Path]:
    """Return the files in a folder of tests/, or the file of that name."""
    return [path for path in TEST_FILES if path.relative_to(ROOT / "tests").parts[0] == folder]


def defined_tests(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the tests in a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def is_a_sentence(docstring: str | None) -> bool:
    """Return whether the first paragraph of a docstring is a sentence of at least four words, and no riddle."""
    first = (docstring or "").partition("\n\n")[0]
    return first.endswith(".") and len(first.split()) >= 4 and not first.startswith(RIDDLES)


def test_no_test_imports_a_test() -> None:
    """Helpers of several tests are modules of their own: no file imports a test module, a conftest or a fixture."""
    of_tests = re.compile(r"tests\.(.+\.)?(test_|conftest)")
    imported = {str(path.relative_to(ROOT)): sorted(filter(of_tests.match, imports(path))) for path in TEST_FILES}

    assert {} == {path: names for path, names in imported.items() if names}


def test_no_test_depends_on_the_name_of_its_folder() -> None:
    """No fixture looks at the path of the test that uses it."""
    looking = re.compile(r"\b(request\.path|request\.fspath|request\.node\.(path|fspath|nodeid))\b")

    assert [] == [str(path) for path in TEST_FILES if looking.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_test_has_a_short_name_and_says_what_it_guarantees(folder: str) -> None:
    """The name of a test has less than 70 characters, and its docstring is a sentence that can be read alone."""
    tests = {
        f"{path.relative_to(ROOT)}::{test.name}": test for path in files_of(folder) for test in defined_tests(path)
    }

    assert [] == [name for name, test in tests.items() if len(test.name) > LONGEST_NAME]
    assert [] == [name for name, test in tests.items() if not is_a_sentence(ast.get_docstring(test))]


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_assertion_is_about_one_thing(folder: str) -> None:
    """No assertion joins others by `and`, or compares two tuples of different things."""
    assert [] == [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files_of(folder)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Assert) and is_joined(node.test)
    ]


def is_joined(expression: ast.expr) -> bool:
    """Return whether an assertion is about several things at once."""
    match expression:
        case ast.BoolOp(op=ast.And()):
            return True
        case ast.Compare(left=ast.Tuple(), comparators=[ast.Tuple()]):
            return True
    return False
