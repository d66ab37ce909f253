"""The layer is built for the platform that the template names, from pinned packages only."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from local.intrinsics import mapping, text
from tests.support.cloudformation import properties, resource, section
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LAYER = ROOT / "layers" / "shared"
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.mark.deep
def test_sam_builds_the_layer_with_its_makefile() -> None:
    """The Makefile has the target that SAM calls, named after the logical id."""
    metadata = mapping(resource("SharedLayer")["Metadata"], "Metadata")

    assert properties("SharedLayer")["ContentUri"] == "layers/shared"
    assert metadata["BuildMethod"] == "makefile"
    assert "\nbuild-SharedLayer:" in (LAYER / "Makefile").read_text(encoding="utf-8")


@pytest.mark.deep
def test_the_layer_is_built_for_the_default_platform_of_the_template() -> None:
    """The Makefile and the template have the same default runtime and architecture."""
    runtime, architecture = _default("PythonRuntime"), _default("Architecture")

    assert _platform(_dry_run()) == (runtime.removeprefix("python"), MACHINES[architecture])


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("architecture", sorted(MACHINES))
@pytest.mark.deep
def test_the_layer_can_be_built_for_every_platform_of_the_template(version: str, architecture: str) -> None:
    """The layer can be built for every runtime and architecture that the template accepts."""
    commands = _dry_run(f"PYTHON_VERSION={version}", f"ARCHITECTURE={architecture}")

    assert _platform(commands) == (version, MACHINES[architecture])


@pytest.mark.parametrize("tool", ["UV=", "UV=uv"], ids=["pip", "uv"])
@pytest.mark.deep
def test_the_layer_takes_pinned_wheels_only(tool: str) -> None:
    """Packages are installed as wheels pinned by hash only: no code of a package runs during the build."""
    commands = _dry_run(tool)

    assert "--require-hashes" in commands
    assert "--only-binary :all:" in commands


@pytest.mark.deep
def test_pip_is_told_both_names_of_the_platform() -> None:
    """The platform has two names; with one of them alone, pip would install releases that are years old."""
    commands = _dry_run("UV=", "ARCHITECTURE=x86_64")

    assert re.findall(r"--platform (\S+)", commands) == ["manylinux_2_28_x86_64", "manylinux2014_x86_64"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["UV=", "PIP="], "needs pip or uv"),
        (["ARTIFACTS_DIR="], "run this through sam build"),
    ],
    ids=["neither pip nor uv", "outside sam build"],
)
@pytest.mark.deep
def test_a_build_that_cannot_work_says_why(settings: list[str], reason: str, tmp_path: Path) -> None:
    """A build for an unknown platform fails with one clear line before it changes anything."""
    finished = _make(f"ARTIFACTS_DIR={tmp_path}", *settings)

    assert finished.returncode != 0
    assert reason in finished.stderr
    assert list(tmp_path.iterdir()) == []


def _default(parameter: str) -> str:
    return text(mapping(section("Parameters")[parameter], parameter)["Default"], parameter)


def _dry_run(*settings: str) -> str:
    """Return the commands that a build would run, with pip unless the settings say otherwise."""
    finished = _make("--dry-run", "ARTIFACTS_DIR=/nowhere", "UV=", "PIP=python3 -m pip", *settings)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def _make(*arguments: str) -> subprocess.CompletedProcess[str]:
    make = shutil.which("make")
    assert make is not None
    # COMPILER is given: looking for it starts several Pythons.
    command = [make, "--directory", str(LAYER), "COMPILER=python3", *arguments, "build-SharedLayer"]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own Makefile


def _platform(commands: str) -> tuple[str, str]:
    """Return the Python version and the platform that pip gets."""
    (version,) = re.findall(r"--python-version (\S+)", commands)
    (machine,) = set(re.findall(r"--platform manylinux(?:_2_28|2014)_(\S+)", commands))
    return version, machine
