"""How the command line is spoken to: wrong usage, questions, help, completion, the published schemas."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from admin.answers import SCHEMAS
from admin.command_line import NAME, app
from admin.schemas import FOLDER, text
from keywright.ids import MAXIMUM_ID_BYTES
from local.demo import ACTIVE_ORGANIZATION_ID
from tests.conftest import ROOT
from tests.world import nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.admin.conftest import Ended
    from tests.world import Table

COMMANDS = {
    "organizations": ["create", "show", "list", "rename", "request-deletion", "cancel-deletion"],
    "members": ["list", "add", "set-role", "suspend", "reinstate", "remove"],
    "keys": ["list", "show", "revoke"],
}
EVERY = [(group, command) for group, commands in COMMANDS.items() for command in commands]
every_command = pytest.mark.parametrize(("group", "command"), EVERY)


def test_these_are_the_commands() -> None:
    """The tests below are about all of them."""
    groups = {group.name: group.typer_instance for group in app.registered_groups}

    assert COMMANDS == {
        name: [command.name for command in group.registered_commands] for name, group in groups.items() if group
    }


@every_command
def test_every_command_has_help_with_an_example(run: Callable[..., Ended], group: str, command: str) -> None:
    """It says what the command does, and shows it."""
    said = run(group, command, "--help").said()

    assert f"Usage: {NAME} {group} {command}" in said
    assert (
        f"Examples:\n{'':81}\n {NAME} {group} {command} " in said
        or f" {NAME} {group} {command}" in (said.split("Examples:")[1])
    )
    assert "--json" in said


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_whole_has_help_with_examples_and_exit_codes(run: Callable[..., Ended], arguments: list[str]) -> None:
    """Which is also what comes of calling it with nothing."""
    said = " ".join(run(*arguments).said().split())

    assert f"{NAME} --stack keywright organizations create org_2abc --name Acme --owner user_1" in said
    assert "130 stopped by you" in said


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
    ["keys", "show", ORGANIZATION, "kk_1"],
    ["keys", "revoke", ORGANIZATION],
    ["keys", "revoke", ORGANIZATION, nth_id(0)],
    ["keys", "revoke", ORGANIZATION, "--all"],
    ["keys", "revoke", ORGANIZATION, nth_id(0), "--all", "--yes"],
    ["keys", "revoke", ORGANIZATION, "--created-by", "ada", "--all", "--yes"],
    ["keys", "revoke", ORGANIZATION, "--created-by", "", "--yes"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=map(str, range(len(WRONG))))
def test_wrong_usage_is_one_line_and_changes_nothing(
    table: Table, run: Callable[..., Ended], arguments: list[str]
) -> None:
    """Exit code 2. What would destroy something is such usage where nobody can be asked."""
    table.put_key(nth_id(0), ORGANIZATION)
    before = table.items()

    line = run(*arguments).failed(2)

    assert line.isprintable()
    assert "Value error" not in line
    assert before == table.items()


class Terminal(io.StringIO):
    """Somebody who answers."""

    def isatty(self) -> bool:
        """Tell that there is somebody."""
        return True


DESTRUCTION = [
    ["organizations", "request-deletion", ORGANIZATION],
    ["members", "remove", ORGANIZATION, "demo-admin"],
    ["keys", "revoke", ORGANIZATION, nth_id(0)],
    ["keys", "revoke", ORGANIZATION, "--all"],
    ["keys", "revoke", ORGANIZATION, "--created-by", "user_9"],
]


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "nope\n"])
@pytest.mark.parametrize("arguments", DESTRUCTION, ids=" ".join)
def test_whoever_does_not_agree_changes_nothing(
    table: Table, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, arguments: list[str], answer: str
) -> None:
    """No is the default."""
    table.put_key(nth_id(0), ORGANIZATION)
    before = table.items()
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    ended = run(*arguments)

    assert (130, "") == (ended.code, ended.output)
    assert ended.errors.endswith("? [y/N] keywright-admin: stopped; nothing was changed\n")
    assert before == table.items()


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
@pytest.mark.parametrize("arguments", DESTRUCTION, ids=" ".join)
def test_whoever_agrees_goes_on(
    table: Table, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, arguments: list[str], answer: str
) -> None:
    """The question is no part of the answer."""
    table.put_key(nth_id(0), ORGANIZATION)
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    ended = run(*arguments, "--json")

    assert 0 == ended.code
    assert ended.errors.endswith("? [y/N] ")
    assert ended.output.startswith("{")
    assert 1 == len(table.under("AUDIT#"))


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["organizations", "list"], "items read"),
        (["keys", "list", ORGANIZATION], "keys read"),
        (["keys", "revoke", ORGANIZATION, "--all", "--yes"], "keys deleted"),
    ],
)
def test_a_terminal_shows_how_far_long_work_is(
    table: Table, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, arguments: list[str], what: str
) -> None:
    """On standard error, and only there: what is answered is the same."""
    for number in range(3):
        table.put_key(nth_id(number), ORGANIZATION)
    monkeypatch.setenv("FORCE_COLOR", "1")  # which rich takes for a terminal

    ended = run(*arguments, "--json")

    assert (0, True, False) == (ended.code, what in ended.errors, what in ended.output)
    assert json.loads(ended.output)


@pytest.mark.usefixtures("table")
def test_a_mistake_of_the_program_is_not_hidden(run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its traceback is what a maintainer needs."""

    def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("keywright.operators.administration.organization", broken)

    with pytest.raises(RuntimeError, match="a mistake"):
        run("organizations", "show", "x")


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schemas_are_those_of_the_answers(name: str) -> None:
    """`python -m admin.schemas` writes them."""
    assert text(name) == (FOLDER / f"{name}.json").read_text()


def test_nothing_else_is_published() -> None:
    """A schema without an answer would be a promise without anybody who keeps it."""
    assert {f"{name}.json" for name in SCHEMAS} == {path.name for path in FOLDER.iterdir()}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("keywright-admin ", {"organizations", "members", "keys"}),
        ("keywright-admin members s", {"set-role", "suspend"}),
        ("keywright-admin members add acme ada --role ", {"owner", "admin", "member"}),
        ("keywright-admin keys revoke acme --a", {"--all"}),
    ],
)
def test_the_shell_completes_commands_roles_and_options(words: str, expected: set[str]) -> None:
    """As bash asks for it."""
    count = len(words.split()) - (0 if words.endswith(" ") else 1)

    completed = subprocess.run(
        [sys.executable, "-m", "admin"],
        cwd=ROOT,
        env={
            **os.environ,
            "_KEYWRIGHT_ADMIN_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(count),
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert expected == set(completed.stdout.split())


def test_the_script_has_the_name_and_works_from_anywhere(tmp_path: Path) -> None:
    """What a shell completes is this, once admin/ is on the PATH."""
    link = tmp_path / "elsewhere" / NAME
    link.parent.mkdir()
    link.symlink_to(ROOT / "admin" / NAME)

    completed = subprocess.run([link, "versions"], cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    assert (2, f"{NAME}: No such command 'versions'.\n") == (completed.returncode, completed.stderr)
