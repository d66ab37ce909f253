"""Environments with the packages of a benchmark, created when first needed."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from local.options import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENTS = ROOT / ".bench"
_PEERS = ROOT / "benchmarks" / "peers"


_HEAD_BYTES = 16
"""Of a file of byte code: magic number, flags, and time and size of its source (PEP 552)."""
_HASH_BASED = 1
_INSTALLERS = frozenset({"pip", "setuptools"})
"""Which no function imports."""


class NotInstalledError(Exception):
    """Packages cannot be installed or measured; the message is that of the installer, or says what is missing."""


def python(name: str, requirements: Path) -> Path:
    """Return the interpreter of an environment with hash-checked requirements.

    Raises:
        NotInstalledError: the requirements cannot be installed.
    """
    folder = ENVIRONMENTS / name
    interpreter = folder / "bin" / "python"
    if _is_installed(folder, [requirements]):
        return interpreter
    print(f"Installing {name} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv")
    if uv:
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        # Compile to byte code, as pip does and as Lambda does for its boto3: cold starts are compared with it.
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(interpreter)]
        _run([*install, "--require-hashes", "-r", str(requirements)])
    else:
        _run([sys.executable, "-m", "venv", str(folder)])
        install = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*install, "--require-hashes", "-r", str(ROOT / "requirements" / "pip.txt")])
        _run([*install, "--require-hashes", "-r", str(requirements)])
    _mark(folder, [requirements])
    return interpreter


def require_byte_code(packages: Path, remedy: str) -> None:
    """Check that Python loads every module of a folder from its byte code, as it does on Lambda.

    Without, each cold start would compile all that it imports: a comparison would be one with the compiler.

    Args:
        packages: the folder.
        remedy: what makes them anew, for the message.

    Raises:
        NotInstalledError: a module has none for this Python, or byte code of another source.
    """
    sources = [path for path in packages.rglob("*.py") if _INSTALLERS.isdisjoint(path.relative_to(packages).parts)]
    missing = [path for path in sources if not _is_compiled(path)]
    if missing or not sources:
        example = f", such as {missing[0].relative_to(packages)}" if missing else ""
        number = f"{len(missing)} of {len(sources)} modules"
        raise NotInstalledError(f"{number} of {packages} have no byte code for this Python{example}: {remedy}")


def _is_compiled(source: Path) -> bool:
    try:
        with open(importlib.util.cache_from_source(source), "rb") as file:  # noqa: PTH123 - a text, not a path
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return False
    magic, flags, time, size = head[:4], *(int.from_bytes(head[at : at + 4], "little") for at in (4, 8, 12))
    status = source.stat()
    is_of_source = (time, size) == (int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)
    return magic == importlib.util.MAGIC_NUMBER and (is_of_source or bool(flags & _HASH_BASED))


def node(name: str) -> Path:
    """Return a copy of the Node project of a peer, with its packages installed.

    Raises:
        NotInstalledError: the packages cannot be installed.
    """
    sources = sorted(path for path in (_PEERS / name).iterdir() if path.is_file())
    return _node(name, _PEERS / name, sources)


def typescript_client() -> Path:
    """Return a copy of the client for TypeScript, built.

    Raises:
        NotInstalledError: the packages cannot be installed, or the client cannot be built.
    """
    source = ROOT / "clients" / "typescript"
    files = (path for folder in (source, source / "src", source / "bench") for path in folder.iterdir())
    sources = sorted(path for path in files if path.is_file() and path.suffix != ".tgz")
    return _node("typescript_client", source, sources, "npm run --silent build")


def _node(name: str, source: Path, sources: list[Path], build: str = "") -> Path:
    folder = ENVIRONMENTS / name
    if _is_installed(folder, sources):
        return folder
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NotInstalledError("Node (20 or later) with npm is missing")
    print(f"Installing {name} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sources:
        copy = folder / path.relative_to(source)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)
    _run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], folder)
    if build:
        _run(build.split(), folder)
    _mark(folder, sources)
    return folder


def _is_installed(folder: Path, sources: list[Path]) -> bool:
    mark = folder / ".installed"
    return mark.is_file() and mark.read_text() == _digest(sources)


def _mark(folder: Path, sources: list[Path]) -> None:
    (folder / ".installed").write_text(_digest(sources))


def _digest(sources: list[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def _run(command: list[str], folder: Path | None = None) -> None:
    finished = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)  # noqa: S603
    if finished.returncode:
        raise NotInstalledError((finished.stderr or finished.stdout).strip()[-2000:])
