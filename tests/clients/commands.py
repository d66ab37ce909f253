"""Running programs for the check of the clients, one line of output for each step."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MINIMUM_NODE = 20

_OUTPUT = threading.Lock()


class StepFailed(Exception):  # noqa: N818 - it ends the program with its message
    """A step did not end as it must; the message says which command and what it printed."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs that the check uses.

    Attributes:
        generators: the `bin` directory of the environment with the generators.
        node, npm: Node.js and its package manager.
    """

    generators: Path
    node: Path
    npm: Path

    @classmethod
    def find(cls, generators: Path) -> Tools:
        """Return the tools of this machine.

        Raises:
            StepFailed: Node.js or npm is missing, or too old.
        """
        node, npm = _program("node"), _program("npm")
        version = run([node, "--version"], Path(), newcomer())
        if int(version.removeprefix("v").partition(".")[0]) < MINIMUM_NODE:
            raise StepFailed(f"Node.js {version} is too old: the TypeScript client needs {MINIMUM_NODE} or later")
        return cls(generators, node, npm)

    @property
    def python(self) -> Path:
        """The Python with the generators."""
        return self.generators / "python"


def _program(name: str) -> Path:
    path = shutil.which(name)
    if path is None:
        raise StepFailed(f"{name} is missing: the TypeScript client needs Node.js {MINIMUM_NODE} or later, and npm")
    return Path(path)


def newcomer(**variables: str) -> dict[str, str]:
    """Return the environment of a user who has neither this repository nor AWS settings, with more variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KEYWRIGHT", "PYTHON"))}
    return {
        **kept,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        **variables,
    }


def run(command: Sequence[object], directory: Path, environment: Mapping[str, str], content: str = "") -> str:
    """Run a command with `content` as its input and return its output, without white space around it.

    Raises:
        StepFailed: it ended with another status than 0.
    """
    finished = subprocess.run(  # noqa: S603 - fixed commands
        [str(part) for part in command],
        cwd=directory,
        env=dict(environment),
        input=content,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        shown = " ".join(str(part) for part in command)
        raise StepFailed(f"{shown}\nended with {finished.returncode}:\n{finished.stdout}{finished.stderr}")
    return finished.stdout.strip()


def install_locked(tools: Tools, project: Path) -> None:
    """Install the npm packages of a project that its lock pins; npm fails on a wrong digest.

    Raises:
        StepFailed: a package cannot be installed.
    """
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run([tools.npm, "ci", *quiet], project, newcomer())


@contextmanager
def step(text: str) -> Iterator[None]:
    """Print what was shown, and how long it took, once it was shown."""
    start = time.monotonic()
    yield
    with _OUTPUT:
        sys.stdout.write(f"{text} ({time.monotonic() - start:.1f} s)\n")
        sys.stdout.flush()


def require(expected: Any, actual: Any, what: str) -> None:
    """Raise StepFailed unless two values are equal."""
    if expected != actual:
        raise StepFailed(f"{what}:\nexpected {expected!r}\nbut got  {actual!r}")


def require_that(holds: bool, what: str) -> None:  # noqa: FBT001 - as assert
    """Raise StepFailed unless a condition holds."""
    if not holds:
        raise StepFailed(what)
