"""The Python client as its users get it: built, installed into an empty environment, used as its page says."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tarfile
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.clients.commands import install_locked, newcomer, require, require_that, run, step
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from tests.clients.commands import Tools

SOURCE = ROOT / "clients" / "python"
PROGRAMS = Path(__file__).with_name("programs")
PYTHONS = Path(__file__).with_name("pythons")
VERSIONS = ("3.10", "3.14")
"""The oldest and the newest Python that the client is for."""


def build(tools: Tools, work: Path) -> Path:
    """Build the wheel and the source distribution, check what is in them, and return the wheel.

    Args:
        tools: the programs.
        work: an empty directory.

    Raises:
        StepFailed: a file is missing or needless, or the two differ.
    """
    with step("Python: wheel and source distribution have the package, its types and its license"):
        source, built = work / "source", work / "built"
        shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("dist", "__pycache__", ".*_cache"))
        hatchling = (tools.python, "-m", "hatchling", "build", "-d")
        run([*hatchling, built], source, newcomer())
        (wheel,), (archive,) = built.glob("*.whl"), built.glob("*.tar.gz")
        contents = _contents(wheel)
        name = wheel.name.removesuffix("-py3-none-any.whl")
        package = {str(path.relative_to(source / "src")) for path in (source / "src").rglob("*") if path.is_file()}
        about = {f"{name}.dist-info/{file}" for file in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}
        require(package | about, set(contents), "files of the wheel")
        require_that("keywright_client/py.typed" in contents, "the wheel does not say that it has types")
        with tarfile.open(archive) as opened:
            opened.extractall(work / "unpacked", filter="data")
        run([*hatchling, work / "rebuilt", "-t", "wheel"], work / "unpacked" / name, newcomer())
        require(contents, _contents(work / "rebuilt" / wheel.name), "the wheel that the source distribution builds")
    return wheel


def _contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def install(wheel: Path, work: Path) -> Path:
    """Install the wheel with pip into an empty environment, and return its Python.

    Args:
        wheel: the wheel.
        work: the directory for the environment.

    Raises:
        StepFailed: it cannot be installed, or brings packages that the page does not name.
    """
    with step("Python: pip installs the wheel into an empty environment"):
        run([sys.executable, "-m", "venv", work / "user"], work, newcomer())
        python = work / "user" / "bin" / "python"
        run([python, "-m", "pip", "install", "--quiet", wheel], work, newcomer())
        run([python, "-m", "pip", "check"], work, newcomer())
        listed = run([python, "-m", "pip", "list", "--format=freeze", "--exclude=pip"], work, newcomer())
        installed = set(re.findall(r"^[\w-]+", listed, re.MULTILINE))
        require(set(), {"botocore", "httpx", "keywright-client"} - installed, "packages that are not installed")
        metadata = next(text for name, text in _contents(wheel).items() if name.endswith("/METADATA")).decode()
        needed = re.findall(r"^Requires-Dist: ([\w-]+)(?!.*extra ==)", metadata, re.MULTILINE)
        require(["botocore", "httpx"], sorted(needed), "what the package needs without extras")
        require(
            str(work / "user"),
            run([python, "-c", "import keywright_client as k; print(k.__file__)"], work, newcomer()).partition("/lib/")[
                0
            ],
            "the environment that the package is imported from",
        )
    return python


def install_oldest(wheel: Path, work: Path) -> Path:
    """Install the wheel with its extras, and the oldest versions that it allows, and return the Python.

    Args:
        wheel: the wheel.
        work: the directory for the environment.

    Raises:
        StepFailed: they cannot be installed.
    """
    with step("Python: pip installs the wheel with its extras, in the oldest versions that it allows"):
        settings = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras: dict[str, list[str]] = settings["optional-dependencies"]
        ranges = [*settings["dependencies"], *(each for extra in extras.values() for each in extra)]
        oldest = [re.sub(r">=([\d.]+).*", r"==\1", each) for each in ranges]
        (work / "oldest.txt").write_text("\n".join(oldest), encoding="utf-8")
        run([sys.executable, "-m", "venv", work / "oldest"], work, newcomer())
        python = work / "oldest" / "bin" / "python"
        package = f"{wheel}[{','.join(extras)}]"
        run([python, "-m", "pip", "install", "--quiet", "-c", "oldest.txt", package, "uvicorn"], work, newcomer())
    return python


def check_types(python: Path, work: Path) -> None:
    """Let mypy check a user's program against the installed package, and the package for each version of Python.

    Raises:
        StepFailed: mypy finds an error.
    """
    with step(f"Python: mypy --strict accepts a user's program, and the package for {' and '.join(VERSIONS)}"):
        mypy = [sys.executable, "-m", "mypy", "--cache-dir", work / "mypy"]
        program = (work / "typed_use.py", "--strict", "--config-file=", "--python-executable", python)
        shutil.copy(PROGRAMS / "typed_use.py", work)
        run([*mypy, *program], work, newcomer())
        for version in VERSIONS:  # with the settings of this repository, which are strict
            run([*mypy, "--python-version", version, SOURCE / "src" / "keywright_client"], ROOT, newcomer())


def run_in_each_python(tools: Tools, wheel: Path, work: Path) -> None:
    """Use the wheel in CPython 3.10 to 3.14. This machine has one of them; the others are compiled to WebAssembly.

    Raises:
        StepFailed: it does not work in one of them.
    """
    with step("Python: npm installs CPython 3.10 to 3.14"):
        project = work / "pythons"
        shutil.copytree(PYTHONS, project, ignore=shutil.ignore_patterns("node_modules"))
        install_locked(tools, project)
        packages = work / "packages"
        # Those two are needed by dependencies in older versions than the Python that pip runs with.
        needed = (wheel, "exceptiongroup", "typing_extensions")
        run([sys.executable, "-m", "pip", "install", "--quiet", "--target", packages, *needed], work, newcomer())
    versions = json.loads((project / "package.json").read_text(encoding="utf-8"))["dependencies"]

    def check(version: str) -> None:
        with step(f"Python: the client verifies keys in CPython {version}"):
            program = ("run.cjs", version, packages, "check.py")
            printed = run([tools.node, *program], project, newcomer())
            require_that(printed.startswith(f"Python {version}."), f"Python {version} printed {printed}")

    with ThreadPoolExecutor(2) as threads:
        for checked in [threads.submit(check, name.removeprefix("python-")) for name in sorted(versions)]:
            checked.result()
