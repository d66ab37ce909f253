"""Check the clients as their users get them, against a local service; `make test-clients` runs it.

The generated Python client, the packages of both languages, their pages, the examples, and both ways to verify a key.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.clients import backends, generated, pages, python_package, transports, typescript_package
from tests.clients.commands import StepFailed, Tools, step
from tests.support.environment import ROOT
from tests.support.local_service import connected, local_service


def main(generators: Path) -> int:
    """Check the clients; return 0 if everything is as it must be, else 1.

    Args:
        generators: the `bin` directory of the environment with openapi-python-client, openapi-spec-validator and
            hatchling.
    """
    try:
        tools = Tools.find(generators)
        with TemporaryDirectory() as directory, local_service(Path(directory)) as stack_file:
            _check(tools, stack_file, Path(directory))
    except StepFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


def _check(tools: Tools, stack_file: Path, work: Path) -> None:
    folders = {name: work / name for name in ("generated", "python", "typescript")}
    for folder in folders.values():
        folder.mkdir()
    with ThreadPoolExecutor() as threads:
        of_python = threads.submit(_check_python, tools, stack_file, folders["python"])
        project = _check_typescript(tools, stack_file, folders["typescript"])
        python = of_python.result()
    generated.check(tools, stack_file, folders["generated"])
    transports.check(stack_file, [python], tools.node, project)  # alone: it freezes the organization


def _check_python(tools: Tools, stack_file: Path, work: Path) -> Path:
    """Check all that is for Python; return the Python that the client is installed for."""
    wheel = python_package.build(tools, work)
    python = python_package.install(wheel, work)
    python_package.check_types(python, work)
    python_package.run_in_each_python(tools, wheel, work)
    first, *_ = _pages("python")
    with step(f"Pages: the first program of {first.relative_to(ROOT)} runs in the empty environment"):
        for deployment in connected(stack_file):
            pages.in_python(python, work).run_blocks(first, deployment, _function_arn(stack_file), last=1)
    oldest = python_package.install_oldest(wheel, work)
    _run_pages(pages.in_python(oldest, work), (*_pages("python"), ROOT / "README.md"), stack_file)
    _run_examples(backends.of_python(oldest), stack_file)
    return python


def _check_typescript(tools: Tools, stack_file: Path, work: Path) -> Path:
    """Check all that is for TypeScript; return the project that the client is installed in."""
    archive, project = typescript_package.build(tools, stack_file, work / "source"), work / "user"
    modules = archive.parent / "node_modules"
    typescript_package.install(tools, archive, project)
    typescript_package.check_types(tools, modules / "typescript", project)
    typescript_package.check_runtimes(tools, stack_file, archive.parent)
    javascript = pages.in_javascript(tools, project, modules)
    with step("Pages: a strict compiler accepts the programs in TypeScript"):
        pages.check_types(tools, javascript, _pages("typescript"), modules / "typescript")
    _run_pages(javascript, _pages("typescript"), stack_file)
    _run_examples(backends.of_node(tools, archive, work), stack_file)
    return project


def _pages(client: str) -> tuple[Path, ...]:
    """Return the pages that have programs for a client."""
    return ROOT / "clients" / client / "README.md", ROOT / "docs" / "clients.md"


def _run_pages(language: pages.Language, programs: tuple[Path, ...], stack_file: Path) -> None:
    for page in programs:
        with step(f"Pages: the programs of {page.relative_to(ROOT)} run as they are pasted, in {language.names[0]}"):
            for deployment in connected(stack_file):
                language.run_blocks(page, deployment, _function_arn(stack_file))


def _run_examples(examples: list[backends.Backend], stack_file: Path) -> None:
    for backend in examples:
        for deployment in connected(stack_file):
            backends.check(backend, deployment, _function_arn(stack_file))


def _function_arn(stack_file: Path) -> str:
    """Return the function that verifies keys, for direct invocation."""
    arn: str = json.loads(stack_file.read_text(encoding="utf-8"))["function_arn"]
    return arn


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
