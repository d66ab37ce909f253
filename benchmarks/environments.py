"""Environments with the packages of a benchmark, created when first needed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from local.options import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENTS = ROOT / ".bench"
_PEERS = ROOT / "benchmarks" / "peers"


class NotInstalledError(Exception):
    """Packages cannot be installed; the message is that of the installer."""


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
