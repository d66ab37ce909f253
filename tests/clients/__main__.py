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
        generators: the `bin` directory of the environment with openapi-python-client, openapi-spec-validator, hatchling
            and the frameworks of the examples.
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
    function_arn = json.loads(stack_file.read_text(encoding="utf-8"))["function_arn"]
    folders = {name: work / name for name in ("generated", "python", "typescript", "examples")}
    for folder in folders.values():
        folder.mkdir()
    with ThreadPoolExecutor() as threads:  # one for each language
        of_python = threads.submit(_check_python, tools, folders["python"])
        archive = _check_typescript(tools, stack_file, folders["typescript"])
        python = of_python.result()
    project = folders["typescript"] / "user"
    with step("Pages: npm installs the AWS SDK's providers of credentials"):
        typescript_package.add(tools, "@aws-sdk/credential-providers", project)
    generated.check(tools, stack_file, folders["generated"])
    transports.check(stack_file, python, tools.node, project)
    languages = {
        "python": pages.in_python(python, tools, folders["python"]),
        "typescript": pages.in_javascript(tools, project, archive.parent / "node_modules"),
    }
    for deployment in connected(stack_file):
        for name, language in languages.items():
            for page in (ROOT / "clients" / name / "README.md", ROOT / "docs" / "clients.md"):
                with step(f"Pages: the programs of {page.relative_to(ROOT)} run as they are pasted, in {name}"):
                    language.run_blocks(page, deployment, function_arn)
        for backend in backends.of_python(tools, python) + backends.of_node(tools, archive, folders["examples"]):
            backends.check(backend, deployment, function_arn)


def _check_python(tools: Tools, work: Path) -> Path:
    """Check the Python package; return the Python that it is installed for."""
    wheel = python_package.build(tools, work)
    python = python_package.install(wheel, work)
    python_package.check_types(python, work)
    python_package.run_in_each_python(tools, wheel, work)
    return python


def _check_typescript(tools: Tools, stack_file: Path, work: Path) -> Path:
    """Check the TypeScript package, which is installed in the folder `user` then; return the packed client."""
    archive = typescript_package.build(tools, stack_file, work / "source")
    typescript_package.install(tools, archive, work / "user")
    typescript_package.check_types(tools, archive.parent / "node_modules" / "typescript", work / "user")
    typescript_package.check_runtimes(tools, stack_file, archive.parent)
    return archive


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
