"""Commands that the program prints can be pasted as they are."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from keywright.ids import organization_uuid
from keywright_admin import __version__
from keywright_admin.command import NAME
from local.demo import ACTIVE_ORGANIZATION_ID
from tests.support.environment import ROOT
from tests.support.world import nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.command_result import CommandResult
    from tests.support.world import Table

ORGANIZATION_ID = str(organization_uuid("org_2abc"))
NAMESAKE_ID = str(organization_uuid(ORGANIZATION_ID))
"""Id of the organization whose name at the identity provider is ORGANIZATION_ID."""


def printed(text: str) -> list[str]:
    """Return the words of the command on the last line of an output."""
    program, *words = shlex.split(text.splitlines()[-1])
    assert NAME == program
    return words


@pytest.mark.parametrize("act", [["suspend"], ["remove", "--yes"]])
@pytest.mark.parametrize(
    ("organization_id", "typed"),
    [
        (ACTIVE_ORGANIZATION_ID, [ACTIVE_ORGANIZATION_ID]),
        (ORGANIZATION_ID, ["org_2abc"]),
        (ORGANIZATION_ID, [ORGANIZATION_ID, "--id"]),
        (NAMESAKE_ID, [NAMESAKE_ID, "--id"]),
    ],
)
def test_the_revocation_of_a_former_members_keys(
    table: Table, run: Callable[..., CommandResult], act: list[str], organization_id: str, typed: list[str]
) -> None:
    """GIVEN an id that is also a name WHEN the printed command runs THEN the right organization loses its keys."""
    for number, each in enumerate({ORGANIZATION_ID, NAMESAKE_ID, ACTIVE_ORGANIZATION_ID}):
        table.put_organization(each)
        table.put_member("it's me", "admin", each)
        table.put_key(nth_id(number), each, created_by="it's me")
    name, *options = act
    organization, *is_id = typed

    words = printed(run("--table", table.name, "members", name, organization, "it's me", *is_id, *options).text())

    assert ["--table", table.name, "keys", "revoke", *typed, "--created-by", "it's me"] == words
    assert "Deleted 1 key.\n" == run(*words, "--yes").text()
    assert organization_id not in {item["pk"].removeprefix("ORG#") for item in table.under("KEY#")}
    assert 2 == len(table.under("KEY#"))


@pytest.mark.deep
def test_the_program_is_named_as_it_was_called(tmp_path: Path) -> None:
    """The script is named by its path, unless the name alone finds it on the PATH."""
    script = ROOT / "admin" / NAME
    (tmp_path / NAME).symlink_to(script)
    code = "import sys; sys.argv[0] = sys.argv[1]; from keywright_admin import command; print(command._program())"

    def program(path: str, **environment: str) -> str:
        modules = os.pathsep.join(map(str, [ROOT / "admin", ROOT / "layers" / "shared" / "python"]))
        return subprocess.run(  # noqa: S603 - this interpreter
            [sys.executable, "-c", code, path],
            env={"PYTHONPATH": modules, "PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    found = f"{tmp_path}{os.pathsep}/usr/bin:/bin"
    assert str(script) == program(str(script))
    assert "admin/keywright-admin" == program("__main__.py", KEYWRIGHT_ADMIN="admin/keywright-admin")
    assert NAME == program(str(script), PATH=found)
    assert NAME == program("__main__.py", PATH=found, KEYWRIGHT_ADMIN=str(script))
    assert str(script) == program(str(script), PATH="/usr/bin:/bin")


def test_the_version(run: Callable[..., CommandResult]) -> None:
    """The version needs neither a deployment nor AWS, and is that of the package."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert f"{NAME} {__version__}\n" == run("--version").text()
    assert f'\nversion = "{__version__}"\n' in text
