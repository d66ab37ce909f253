"""The commands of `members`: every command for every persona."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keywright.ids import organization_uuid
from local.demo import ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID, PERSONAS
from tests.support.world import nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command_result import CommandResult
    from tests.support.world import Table

USERS = {persona.name: (persona.organization_id, persona.user_id) for persona in PERSONAS}
MOTO = "arn:aws:sts::123456789012:user/moto"

State = tuple[str, bool] | None
"""Role, and whether suspended; None for a user who is not a member."""

UNCHANGED = 0, None
LAST_OWNER = 4, "demo-owner is the last owner of the organization; make another member an owner first"


def already_member(user_id: str, role: str) -> tuple[int, str]:
    """Return exit code and message for adding a member again."""
    return 4, f"{user_id} is a member already, with the role {role}"


def not_a_member(user_id: str) -> tuple[int, str]:
    """Return exit code and message for changing a user who is not a member."""
    return 3, f"{user_id} is not a member of the organization"


# Result of each command for each persona: the state after a change, otherwise exit code and message.
CASES: dict[str, dict[str, State | tuple[int, str | None]]] = {
    "owner": {
        "add": already_member("demo-owner", "owner"),
        "set-role owner": UNCHANGED,
        "set-role admin": LAST_OWNER,
        "set-role member": LAST_OWNER,
        "suspend": LAST_OWNER,
        "reinstate": UNCHANGED,
        "remove": LAST_OWNER,
    },
    "admin": {
        "add": already_member("demo-admin", "admin"),
        "set-role owner": ("owner", False),
        "set-role admin": UNCHANGED,
        "set-role member": ("member", False),
        "suspend": ("admin", True),
        "reinstate": UNCHANGED,
        "remove": None,
    },
    "member": {
        "add": UNCHANGED,
        "set-role owner": ("owner", False),
        "set-role admin": ("admin", False),
        "set-role member": UNCHANGED,
        "suspend": ("member", True),
        "reinstate": UNCHANGED,
        "remove": None,
    },
    "suspended": {
        "add": (4, "demo-suspended is a member already, with the role admin, and suspended"),
        "set-role owner": ("owner", True),
        "set-role admin": UNCHANGED,
        "set-role member": ("member", True),
        "suspend": UNCHANGED,
        "reinstate": ("admin", False),
        "remove": None,
    },
    "outsider": {
        "add": ("member", False),
        "set-role owner": not_a_member("demo-outsider"),
        "set-role admin": not_a_member("demo-outsider"),
        "set-role member": not_a_member("demo-outsider"),
        "suspend": not_a_member("demo-outsider"),
        "reinstate": not_a_member("demo-outsider"),
        "remove": not_a_member("demo-outsider"),
    },
    # Members can change while a deletion is scheduled: it may be canceled.
    "frozen_admin": {
        "add": already_member("demo-frozen-admin", "admin"),
        "set-role owner": ("owner", False),
        "set-role admin": UNCHANGED,
        "set-role member": ("member", False),
        "suspend": ("admin", True),
        "reinstate": UNCHANGED,
        "remove": None,
    },
}
EVENTS = {
    "add": "member.added",
    "set-role": "member.role_changed",
    "suspend": "member.suspended",
    "reinstate": "member.reinstated",
    "remove": "member.removed",
}
OPTIONS = {"add": ["--role", "member"], "remove": ["--yes"]}


def state(table: Table, persona: str) -> State:
    """Return the state of a persona in the table."""
    organization_id, user_id = USERS[persona]
    for item in table.items():
        if (item["pk"], item["sk"]) == (f"ORG#{organization_id}", f"MEMBER#{user_id}") and "role" in item:
            return item["role"], "suspended_at" in item
    return None


@pytest.mark.parametrize(
    ("persona", "command", "expected"),
    [(persona, command, expected) for persona, cases in CASES.items() for command, expected in cases.items()],
)
def test_every_command_for_every_persona(
    table: Table, run: Callable[..., CommandResult], persona: str, command: str, expected: Any
) -> None:
    """A command changes the member and writes an audit record, or fails with one line and changes nothing."""
    organization_id, user_id = USERS[persona]
    name, *role = command.split()
    before, items = state(table, persona), table.items()

    result = run("members", name, organization_id, user_id, *role, *OPTIONS.get(name, []), "--json")

    if isinstance(expected, tuple) and isinstance(expected[0], int):
        code, line = expected
        if code:
            assert line == result.failure(code)
        else:
            answer = result.json("changed-member")
            assert answer["changed"] is False
            assert before == shown(answer["member"])
        assert items == table.items()
        return
    answer = result.json("changed-member")
    assert answer["changed"] is True
    assert organization_id == answer["organizationId"]
    assert user_id == answer["userId"]
    assert expected == shown(answer["member"]) == state(table, persona)
    (record,) = table.under("AUDIT#")
    assert f"ORG#{organization_id}" == record["pk"]
    assert EVENTS[name] == record["event"]
    assert user_id == record["target_id"]
    assert "operator" == record["actor_type"]
    assert MOTO == record["actor_id"]
    assert {"before", "after"} == json.loads(record["changes"]).keys()


def shown(member: dict[str, Any] | None) -> State:
    """Return the state of a member in the output."""
    return None if member is None else (member["role"], member["suspendedAt"] is not None)


def test_every_persona_has_cases() -> None:
    """Except personas that differ only in their tokens."""
    assert USERS.keys() - CASES.keys() == {"expired", "wrong_audience"}


def test_members_are_listed(table: Table, run: Callable[..., CommandResult]) -> None:
    """All members of the organization are listed, and none of another."""
    members = run("members", "list", ACTIVE_ORGANIZATION_ID, "--json").json("members")["members"]

    assert [
        ("demo-admin", "admin", False),
        ("demo-member", "member", False),
        ("demo-owner", "owner", False),
        ("demo-suspended", "admin", True),
    ] == [(member["userId"], member["role"], member["suspendedAt"] is not None) for member in members]
    assert table.item("MEMBER#demo-admin", ACTIVE_ORGANIZATION_ID)["created_at"] == members[0]["addedAt"]


@pytest.mark.usefixtures("table")
def test_members_are_listed_as_a_table(run: Callable[..., CommandResult]) -> None:
    """Each member has a row; without a terminal nothing is cut off."""
    lines = run("members", "list", ACTIVE_ORGANIZATION_ID).text().splitlines()

    assert ["user", "role", "suspended", "added"] == lines[0].split()
    assert ["demo-admin", "demo-member", "demo-owner", "demo-suspended"] == [line.split()[0] for line in lines[2:]]


def test_an_organization_id_of_the_provider(table: Table, run: Callable[..., CommandResult]) -> None:
    """The provider's id stands for the same UUIDv5 as in the API."""
    organization_id = str(organization_uuid("org_2abc"))
    table.put_organization(organization_id)

    run("members", "add", "org_2abc", "ada", "--role", "owner").text()

    assert "owner" == table.item("MEMBER#ada", organization_id)["role"]


@pytest.mark.parametrize("command", [["list"], ["add", "ada", "--role", "admin"], ["suspend", "ada"]])
@pytest.mark.usefixtures("table")
def test_missing_organization(run: Callable[..., CommandResult], command: list[str]) -> None:
    """The message about a missing organization names it as it was typed."""
    name, *rest = command

    line = run("members", name, "org_other", *rest).failure(3)

    assert "there is no organization org_other" == line


@pytest.mark.usefixtures("table")
def test_the_text_of_every_change(run: Callable[..., CommandResult]) -> None:
    """Each change is reported in one sentence, also if there was nothing to do."""
    texts = [
        run("members", *command.split(), *options).text()
        for command, *options in (
            (f"add {ACTIVE_ORGANIZATION_ID} ada", "--role", "admin"),
            (f"set-role {ACTIVE_ORGANIZATION_ID} ada owner",),
            (f"set-role {ACTIVE_ORGANIZATION_ID} ada owner",),
            (f"suspend {ACTIVE_ORGANIZATION_ID} ada",),
            (f"suspend {ACTIVE_ORGANIZATION_ID} ada",),
            (f"reinstate {ACTIVE_ORGANIZATION_ID} ada",),
            (f"reinstate {ACTIVE_ORGANIZATION_ID} ada",),
            (f"remove {ACTIVE_ORGANIZATION_ID} ada", "--yes"),
            (f"remove {ACTIVE_ORGANIZATION_ID} ada", "--yes"),
        )
    ]

    assert [
        "Added ada with the role admin.\n",
        "ada now has the role owner.\n",
        "ada already has the role owner.\n",
        "Suspended ada.\n",
        "ada is already suspended.\n",
        "Reinstated ada.\n",
        "ada is not suspended.\n",
        "Removed ada.\n",
        "ada was removed before.\n",
    ] == texts


@pytest.mark.parametrize("command", [["suspend"], ["remove", "--yes"]])
def test_remaining_keys_are_mentioned(table: Table, run: Callable[..., CommandResult], command: list[str]) -> None:
    """Keys of a suspended or removed member keep working; the command that revokes them is printed."""
    name, *options = command
    for number in (1, 2):
        table.put_key(nth_id(number), ACTIVE_ORGANIZATION_ID, created_by="demo-admin")

    text = run("members", name, ACTIVE_ORGANIZATION_ID, "demo-admin", *options).text()

    command_line = f"keywright-admin keys revoke {ACTIVE_ORGANIZATION_ID} --created-by demo-admin"
    assert ["2 keys they created still work. To revoke:", f"  {command_line}"] == text.splitlines()[1:]
    assert 2 == len(table.under("KEY#"))


def test_terminal_escape_sequences_are_escaped(table: Table, run: Callable[..., CommandResult]) -> None:
    """A user id cannot control the terminal, however it got into the table."""
    table.put_member("\x1b[2Jada[red]", "member", FROZEN_ORGANIZATION_ID)

    text = run("members", "list", FROZEN_ORGANIZATION_ID).text()

    assert "\\x1b[2Jada[red]" in text
    assert "\x1b" not in text
