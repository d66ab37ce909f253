"""The command line, installed into an empty environment, works on the local service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from keywright.ids import organization_uuid
from keywright_admin import __version__
from tests.support.environment import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.deployment import Deployment

pytestmark = pytest.mark.allow_hosts(LOOPBACK)


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Path:
    """Return the installed program."""
    path: Path = request.config.getoption("--installed").absolute()
    return path


@pytest.fixture
def run(program: Path, local_stack: Path, tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs the program in a folder below that of a local service, and returns its output."""
    (tmp_path / ".local").mkdir()
    shutil.copy(local_stack, tmp_path / ".local" / "stack.json")
    (tmp_path / "below").mkdir()

    def running(*arguments: str, text: str = "") -> str:
        finished = subprocess.run(  # noqa: S603 - our own program
            [program, *arguments],
            cwd=tmp_path / "below",
            env={"PATH": f"{program.parent}{os.pathsep}/usr/bin:/bin", "COLUMNS": "80"},
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == finished.returncode
        assert "" == finished.stderr
        return finished.stdout

    return running


def test_the_version(run: Callable[..., str]) -> None:
    """The version is that of the repository."""
    assert f"keywright-admin {__version__}\n" == run("--version")


def test_nothing_else_is_installed(program: Path) -> None:
    """Only packages with names of this project are added to those of the dependencies."""
    script = "import importlib.metadata as m; print(*{str(f).split('/')[0] for f in m.files('keywright')})"
    printed = subprocess.run(  # noqa: S603 - the Python of the environment
        [program.parent / "python", "-c", script], capture_output=True, text=True, check=True
    ).stdout

    assert {"keywright", "keywright_admin", f"keywright-{__version__}.dist-info", ".."} == set(printed.split())


def test_a_life_of_a_key(run: Callable[..., str], deployment: Deployment) -> None:
    """GIVEN the installed program WHEN it rotates, disables and deletes a key THEN the audit log has every change."""

    def output(*arguments: str, text: str = "") -> Any:
        return json.loads(run("--local", "--json", *arguments, text=text))

    organization, key = deployment.organization_id, deployment.create_key()["id"]
    text = output("keys", "rotate", organization, key, "--yes")["key"]
    assert "VALID" == output("keys", "verify", text=text)["code"]
    assert output("keys", "disable", organization, key)["changed"]
    assert "disabled" == output("keys", "identify", text=text)["state"]
    assert [key] == output("keys", "revoke", organization, key, "--yes")["revoked"]

    records = output("audit", "show", organization, "--target", key)["records"]
    assert ["api_key.created", "api_key.rotated", "api_key.updated", "api_key.deleted"] == [
        record["event"] for record in records
    ]
    assert "state " in run("--local", "keys", "identify", text=text)


def test_an_organization_is_created(run: Callable[..., str]) -> None:
    """The first organization is created without a checkout of the repository."""
    created = run("--local", "organizations", "create", "org_wheel", "--name", "Acme", "--owner", "ada")

    assert f"Created organization {organization_uuid('org_wheel')} with the owner ada.\n" == created
    assert str(organization_uuid("org_wheel")) in run("--local", "organizations", "list")
