"""Usage of the command line: help, wrong usage, confirmation, progress, completion, published schemas."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from keywright.ids import MAXIMUM_ID_BYTES
from keywright_admin.command import NAME
from keywright_admin.command_line import app
from keywright_admin.output import SCHEMAS
from local.demo import ACTIVE_ORGANIZATION_ID
from tests.support.depth import mostly_deep
from tests.support.environment import ROOT
from tests.support.world import nth_id
from tools.admin_schemas import SCHEMAS_FOLDER, schema_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.command_result import CommandResult
    from tests.support.world import Table

COMMANDS = {
    "organizations": ["create", "show", "list", "rename", "update", "request-deletion", "cancel-deletion"],
    "members": ["list", "add", "set-role", "suspend", "reinstate", "remove"],
    "keys": ["list", "show", "identify", "verify", "disable", "enable", "rotate", "revoke", "import"],
    "audit": ["show", "verify"],
    "scanning": ["rules", "check"],
}
EVERY = [(group, command) for group, commands in COMMANDS.items() for command in commands]
every_command = pytest.mark.parametrize(("group", "command"), EVERY)


def test_the_commands() -> None:
    """The tests below cover every command."""
    groups = {group.name: group.typer_instance for group in app.registered_groups}

    assert COMMANDS == {
        name: [command.name for command in group.registered_commands] for name, group in groups.items() if group
    }
    assert [] == app.registered_commands


@every_command
def test_the_help_of_every_command(run: Callable[..., CommandResult], group: str, command: str) -> None:
    """The help of every command has an example and the common options."""
    text = run(group, command, "--help").text()

    assert f"Usage: {NAME} {group} {command}" in text
    assert (
        f"Examples:\n{'':81}\n {NAME} {group} {command} " in text
        or f" {NAME} {group} {command}" in (text.split("Examples:")[1])
    )
    assert all(option in text for option in ("--table", "--stack", "--local", "--json"))


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_help_of_the_program(run: Callable[..., CommandResult], arguments: list[str]) -> None:
    """The help has examples and exit codes, and is also shown without arguments."""
    text = " ".join(run(*arguments).text().split())

    assert f"{NAME} --stack keywright organizations create org_2abc --name Acme --owner user_1" in text
    assert "130 stopped by you" in text


ORGANIZATION = ACTIVE_ORGANIZATION_ID

WRONG = [
    ["organisations", "list"],
    ["organizations"],
    ["organizations", "destroy", ORGANIZATION],
    ["organizations", "create"],
    ["organizations", "create", ORGANIZATION],
    ["organizations", "create", ORGANIZATION, "--name", "Acme"],
    ["organizations", "create", ORGANIZATION, "--owner", "ada"],
    ["organizations", "create", ORGANIZATION, "--name", "  ", "--owner", "ada"],
    ["organizations", "create", ORGANIZATION, "--name", "a\nb", "--owner", "ada"],
    ["organizations", "create", ORGANIZATION, "--name", "a" * 256, "--owner", "ada"],
    ["organizations", "create", ORGANIZATION, "--name", "Acme", "--owner", ""],
    ["organizations", "create", ORGANIZATION, "--name", "Acme", "--owner", 'a"b'],
    ["organizations", "create", "", "--name", "Acme", "--owner", "ada"],
    ["organizations", "create", "o" * (MAXIMUM_ID_BYTES + 1), "--name", "Acme", "--owner", "ada"],
    ["organizations", "create", "\udcff", "--name", "Acme", "--owner", "ada"],
    ["organizations", "show"],
    ["organizations", "show", ORGANIZATION, "too much"],
    ["organizations", "rename", ORGANIZATION],
    ["organizations", "rename", ORGANIZATION, ""],
    ["organizations", "update", ORGANIZATION],
    ["organizations", "update", ORGANIZATION, "--rate-limit", "100"],
    ["organizations", "update", ORGANIZATION, "--rate-limit", "0/1s"],
    ["organizations", "update", ORGANIZATION, "--rate-limit", "10001/1s"],
    ["organizations", "update", ORGANIZATION, "--rate-limit", "100/0s"],
    ["organizations", "update", ORGANIZATION, "--rate-limit", "100/2h"],
    ["organizations", "update", ORGANIZATION, "--rate-limit", "100/1s,burst=0"],
    ["organizations", "update", ORGANIZATION, "--rate-limit", "100/1s,burst=101"],
    ["organizations", "update", ORGANIZATION, "--rate-limit", ""],
    ["organizations", "update", ORGANIZATION, "--quota", "10000"],
    ["organizations", "update", ORGANIZATION, "--quota", "0/day"],
    ["organizations", "update", ORGANIZATION, "--quota", "1000000000001/day"],
    ["organizations", "update", ORGANIZATION, "--quota", "10/year"],
    ["organizations", "update", ORGANIZATION, "--usage-plan-key", "apikey1234abcdefghij0123456789"],
    ["organizations", "list", "--verbose"],
    ["organizations", "request-deletion", ORGANIZATION],
    ["members", "add", ORGANIZATION, "ada"],
    ["members", "add", ORGANIZATION, "ada", "--role"],
    ["members", "add", ORGANIZATION, "ada", "--role", "king"],
    ["members", "add", ORGANIZATION, "\x1b[2J", "--role", "admin"],
    ["members", "add", ORGANIZATION, "a" * (MAXIMUM_ID_BYTES + 1), "--role", "admin"],
    ["members", "set-role", ORGANIZATION, "demo-admin"],
    ["members", "set-role", ORGANIZATION, "demo-admin", "king"],
    ["members", "suspend", ORGANIZATION],
    ["members", "remove", ORGANIZATION, "demo-admin"],
    ["scanning", "rules", "other", "--prefix", "kk_"],
    ["scanning", "check", "--prefix", "kk"],
    ["keys", "show", ORGANIZATION, "kk_1"],
    ["keys", "revoke", ORGANIZATION],
    ["keys", "revoke", ORGANIZATION, nth_id(0)],
    ["keys", "revoke", ORGANIZATION, "--all"],
    ["keys", "revoke", ORGANIZATION, nth_id(0), "--all", "--yes"],
    ["keys", "revoke", ORGANIZATION, "--created-by", "ada", "--all", "--yes"],
    ["keys", "revoke", ORGANIZATION, "--created-by", "", "--yes"],
    ["keys", "disable", ORGANIZATION],
    ["keys", "enable", ORGANIZATION, "kk_1"],
    ["keys", "rotate", ORGANIZATION, nth_id(0)],
    ["keys", "rotate", ORGANIZATION, nth_id(0), "--grace-period", "604801", "--yes"],
    ["keys", "import"],
    ["keys", "import", "no-such-file.csv"],
    ["keys", "import", "no-such-file.csv", "--organization", ORGANIZATION],
    ["keys", "import", "no-such-file.csv", "--organization", ORGANIZATION, "--format", "json"],
    ["audit", "show", ORGANIZATION, "--since", "soon"],
    ["audit", "show", ORGANIZATION, "--event", "api_key.stolen"],
    ["audit", "show", ORGANIZATION, "--limit", "0"],
    ["keys", "list", ORGANIZATION, "--expires-before", "soon"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=map(str, range(len(WRONG))))
def test_wrong_usage_is_one_line_and_changes_nothing(
    table: Table, run: Callable[..., CommandResult], arguments: list[str]
) -> None:
    """Wrong usage is exit code 2 and one line, as is a destructive command without --yes and terminal."""
    table.put_key(nth_id(0), ORGANIZATION)
    before = table.items()

    line = run(*arguments).failure(2)

    assert line.isprintable()
    assert "Value error" not in line
    assert before == table.items()


class Terminal(io.StringIO):
    """A terminal on standard input."""

    def isatty(self) -> bool:
        """Return true."""
        return True


DESTRUCTIVE = [
    ["organizations", "request-deletion", ORGANIZATION],
    ["members", "remove", ORGANIZATION, "demo-admin"],
    ["keys", "revoke", ORGANIZATION, nth_id(0)],
    ["keys", "revoke", ORGANIZATION, "--all"],
    ["keys", "revoke", ORGANIZATION, "--created-by", "user_9"],
]


@pytest.mark.parametrize("answer", mostly_deep(["n\n", "\n", "", "nope\n"], "\n".__eq__))
@pytest.mark.parametrize("arguments", DESTRUCTIVE, ids=" ".join)
def test_declined_confirmation(
    table: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch, arguments: list[str], answer: str
) -> None:
    """Without confirmation nothing changes; the default answer is no."""
    table.put_key(nth_id(0), ORGANIZATION)
    before = table.items()
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    result = run(*arguments)

    assert 130 == result.code
    assert "" == result.output
    assert result.errors.endswith("? [y/N] keywright-admin: stopped; nothing was changed\n")
    assert before == table.items()


@pytest.mark.parametrize("answer", mostly_deep(["y\n", "YES\n"], "y\n".__eq__))
@pytest.mark.parametrize("arguments", DESTRUCTIVE, ids=" ".join)
def test_accepted_confirmation(
    table: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch, arguments: list[str], answer: str
) -> None:
    """A confirmed command runs, and the question is not part of its output."""
    table.put_key(nth_id(0), ORGANIZATION)
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    result = run(*arguments, "--json")

    assert 0 == result.code
    assert result.errors.endswith("? [y/N] ")
    assert result.output.startswith("{")
    assert 1 == len(table.under("AUDIT#"))


@pytest.mark.parametrize(
    ("arguments", "label"),
    [
        (["organizations", "list"], "items read"),
        (["keys", "list", ORGANIZATION], "keys read"),
        (["keys", "revoke", ORGANIZATION, "--all", "--yes"], "keys deleted"),
    ],
)
def test_progress_on_a_terminal(
    table: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch, arguments: list[str], label: str
) -> None:
    """Progress is shown on standard error; the output is unchanged."""
    for number in range(3):
        table.put_key(nth_id(number), ORGANIZATION)
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich assume a terminal

    result = run(*arguments, "--json")

    assert 0 == result.code
    assert label in result.errors
    assert label not in result.output
    assert json.loads(result.output)


@pytest.mark.usefixtures("table")
def test_a_bug_is_not_hidden(run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is shown with its traceback."""

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("keywright.operators.organizations.show_organization", broken)

    with pytest.raises(RuntimeError, match="a bug"):
        run("organizations", "show", "x")


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schemas(name: str) -> None:
    """The published schemas are as `make generate` writes them."""
    assert schema_text(name) == (SCHEMAS_FOLDER / f"{name}.json").read_text()


def test_no_other_schemas_are_published() -> None:
    """Every published schema describes an output."""
    assert {f"{name}.json" for name in SCHEMAS} == {path.name for path in SCHEMAS_FOLDER.glob("*.json")}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("keywright-admin ", {"organizations", "members", "keys", "audit", "scanning"}),
        ("keywright-admin members s", {"set-role", "suspend"}),
        ("keywright-admin members add acme ada --role ", {"owner", "admin", "member"}),
        ("keywright-admin keys revoke acme --a", {"--all"}),
        ("keywright-admin keys list acme --ta", {"--table"}),
    ],
)
@pytest.mark.deep
def test_shell_completion(words: str, expected: set[str]) -> None:
    """Bash completes commands, roles and options."""
    count = len(words.split()) - (0 if words.endswith(" ") else 1)

    completed = subprocess.run(
        [sys.executable, "-m", "keywright_admin"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [ROOT / "admin", ROOT / "layers" / "shared" / "python"])),
            "_KEYWRIGHT_ADMIN_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(count),
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert expected == set(completed.stdout.split())


def test_the_script(tmp_path: Path) -> None:
    """The script runs from any folder, also through a link."""
    link = tmp_path / "elsewhere" / NAME
    link.parent.mkdir()
    link.symlink_to(ROOT / "admin" / NAME)

    completed = subprocess.run([link, "versions"], cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    assert 2 == completed.returncode
    assert f"{NAME}: No such command 'versions'.\n" == completed.stderr
