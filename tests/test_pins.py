"""Packages are pinned by the digest of their content, not by version alone: only reviewed content is installed."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import environments
from tests.clients import commands as clients
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from pathlib import Path

REQUIREMENTS = sorted([*(ROOT / "requirements").glob("*.txt"), *(ROOT / "benchmarks").rglob("requirements.txt")])
PROJECTS = sorted(
    path.parent
    for folder in ("admin", "benchmarks", "clients", "examples", "functions", "tests")
    for path in (ROOT / folder).rglob("package.json")
    if "node_modules" not in path.parts
)


def shown(path: Path) -> str:
    """Return a path relative to the repository, for the ids of tests."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", REQUIREMENTS, ids=shown)
def test_a_python_package_is_pinned_by_hash(path: Path) -> None:
    """Every package of a requirements file has a version and SHA-256 digests."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"^ *#.*\n", "", path.read_text(), flags=re.MULTILINE))

    assert not [
        entry for entry in entries if not re.match(r"[\w.\[\]-]+==\S+.*--hash=sha256:[0-9a-f]{64}", entry, re.DOTALL)
    ]


@pytest.mark.parametrize("project", PROJECTS, ids=shown)
def test_an_npm_package_is_pinned_by_hash(project: Path) -> None:
    """The lock has a digest and no address for each package: npm uses the configured registry."""
    manifest = json.loads((project / "package.json").read_text())
    packages: dict[str, dict[str, Any]] = json.loads((project / "package-lock.json").read_text())["packages"]
    root = packages.pop("")

    assert packages
    assert [manifest.get(kind) for kind in ("dependencies", "devDependencies")] == [
        root.get(kind) for kind in ("dependencies", "devDependencies")
    ]
    for name, package in packages.items():
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package.get("integrity", "")), name
        assert "resolved" not in package, name


def test_there_are_pins_to_check() -> None:
    """The rules above apply to existing files of both kinds."""
    assert len(REQUIREMENTS) > 10
    projects = {
        "benchmarks/peers/better_auth",
        "clients/typescript",
        "clients/typescript/test/runtimes",
        "examples/backends",
        "tests/clients/pythons",
    }

    assert projects == {shown(project) for project in PROJECTS}


def test_the_checker_of_pages_is_the_published_one() -> None:
    """The library is the published file, byte for byte, that its README names, and its licenses are beside it."""
    folder = ROOT / "tests" / "browser" / "axe"
    content = gzip.decompress((folder / "axe.min.js.gz").read_bytes())

    assert f"`{hashlib.sha256(content).hexdigest()}`" in (folder / "README.md").read_text(encoding="utf-8")
    assert all((folder / name).is_file() for name in ("LICENSE", "LICENSE-3RD-PARTY.txt"))


def test_npm_installs_from_the_lock_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages are installed by `npm ci`, which fails on a wrong digest, never by `npm install`."""
    commands: list[list[str]] = []

    def run(command: list[object], *_: object) -> str:
        commands.append([str(part) for part in command])
        return ""

    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path / "bench")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(environments, "_run", run)
    monkeypatch.setattr(clients, "run", run)
    folder = environments.node("better_auth")
    clients.install_locked(clients.Tools(*(tmp_path / name for name in ("bin", "node", "npm"))), tmp_path)

    npm = [command for command in commands if command[0].endswith("npm")]
    assert [["ci"], ["ci"]] == [[part for part in command if part in {"ci", "install"}] for command in npm]
    assert (folder / "package-lock.json").is_file()
