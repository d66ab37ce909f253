"""`members`: every command about every persona."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keywright.ids import organization_uuid
from local.demo import ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID, PERSONAS
from tests.world import nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.admin.conftest import Ended
    from tests.world import Table

USERS = {persona.name: (persona.organization_id, persona.user_id) for persona in PERSONAS}
MOTO = "arn:aws:sts::123456789012:user/moto"

State = tuple[str, bool] | None
"""Role, and whether they are suspended; None for who is no member."""

UNCHANGED = 0, None
LAST_OWNER = 4, "nobody but demo-owner owns the organization; make somebody else an owner first"


def is_member(user_id: str, role: str) -> tuple[int, str]:
    """Tell the refusal of adding a member."""
    return 4, f"{user_id} is a member already, with the role {role}"


def is_none(user_id: str) -> tuple[int, str]:
    """Tell the refusal of changing who is no member."""
    return 3, f"{user_id} is not a member of the organization"


# What each command comes to for each persona: the state afterwards if it changes, and otherwise code and line.
CASES: dict[str, dict[str, State | tuple[int, str | None]]] = {
    "owner": {
        "add": is_member("demo-owner", "owner"),
        "set-role owner": UNCHANGED,
        "set-role admin": LAST_OWNER,
        "set-role member": LAST_OWNER,
        "suspend": LAST_OWNER,
        "reinstate": UNCHANGED,
        "remove": LAST_OWNER,
    },
    "admin": {
        "add": is_member("demo-admin", "admin"),
        "set-role owner": ("owner", False),
        "set-role admin": UNCHANGED,
        "set-role member": ("member", False),
        "suspend": ("admin", True),
        "reinstate": UNCHANGED,
        "remove": None,
    },
    "member": {
        "add": is_member("demo-member", "member"),
        "set-role owner": ("owner", False),
        "set-role admin": ("admin", False),
        "set-role member": UNCHANGED,
        "suspend": ("member", True),
        "reinstate": UNCHANGED,
        "remove": None,
    },
    "suspended": {
        "add": is_member("demo-suspended", "admin"),
        "set-role owner": ("owner", True),
        "set-role admin": UNCHANGED,
        "set-role member": ("member", True),
        "suspend": UNCHANGED,
        "reinstate": ("admin", False),
        "remove": None,
    },
    "outsider": {
        "add": ("member", False),
        "set-role owner": is_none("demo-outsider"),
        "set-role admin": is_none("demo-outsider"),
        "set-role member": is_none("demo-outsider"),
        "suspend": is_none("demo-outsider"),
        "reinstate": is_none("demo-outsider"),
        "remove": is_none("demo-outsider"),
    },
    # An organization that is scheduled for deletion can still be put in order: the deletion may be cancelled.
    "frozen_admin": {
        "add": is_member("demo-frozen-admin", "admin"),
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
    """Tell how it stands with somebody, from the table."""
    organization_id, user_id = USERS[persona]
    for item in table.items():
        if (item["pk"], item["sk"]) == (f"ORG#{organization_id}", f"MEMBER#{user_id}") and "role" in item:
            return item["role"], "suspended_at" in item
    return None


@pytest.mark.parametrize(
    ("persona", "command", "expected"),
    [(persona, command, expected) for persona, cases in CASES.items() for command, expected in cases.items()],
)
def test_every_command_about_every_persona(
    table: Table, run: Callable[..., Ended], persona: str, command: str, expected: Any
) -> None:
    """It changes what it says and leaves a record of who did it, or says in one line why not and changes nothing."""
    organization_id, user_id = USERS[persona]
    name, *role = command.split()
    before, items = state(table, persona), table.items()

    ended = run("members", name, organization_id, user_id, *role, *OPTIONS.get(name, []), "--json")

    if isinstance(expected, tuple) and isinstance(expected[0], int):
        code, line = expected
        if code:
            assert line == ended.failed(code)
        else:
            answer = ended.answered("changed-member")
            assert (False, before) == (answer["changed"], shown(answer["member"]))
        assert items == table.items()
        return
    answer = ended.answered("changed-member")
    assert (True, organization_id, user_id) == (answer["changed"], answer["organizationId"], answer["userId"])
    assert expected == shown(answer["member"]) == state(table, persona)
    (record,) = table.under("AUDIT#")
    assert (f"ORG#{organization_id}", EVENTS[name], user_id) == (record["pk"], record["event"], record["target_id"])
    assert ("operator", MOTO) == (record["actor_type"], record["actor_id"])
    assert {"before", "after"} == json.loads(record["changes"]).keys()


def shown(member: dict[str, Any] | None) -> State:
    """Tell how it stands with somebody, from an answer."""
    return None if member is None else (member["role"], member["suspendedAt"] is not None)


def test_there_is_a_case_for_every_persona() -> None:
    """Those who differ in their tokens alone are the same to operators."""
    assert USERS.keys() - CASES.keys() == {"expired", "wrong_audience"}


def test_members_are_listed(table: Table, run: Callable[..., Ended]) -> None:
    """All of the organization, and nobody of another."""
    members = run("members", "list", ACTIVE_ORGANIZATION_ID, "--json").answered("members")["members"]

    assert [
        ("demo-admin", "admin", False),
        ("demo-member", "member", False),
        ("demo-owner", "owner", False),
        ("demo-suspended", "admin", True),
    ] == [(member["userId"], member["role"], member["suspendedAt"] is not None) for member in members]
    assert table.item("MEMBER#demo-admin", ACTIVE_ORGANIZATION_ID)["created_at"] == members[0]["addedAt"]


@pytest.mark.usefixtures("table")
def test_members_are_listed_for_people(run: Callable[..., Ended]) -> None:
    """A line for each, with nothing cut off where no terminal is."""
    lines = run("members", "list", ACTIVE_ORGANIZATION_ID).said().splitlines()

    assert ["user", "role", "added", "at", "suspended", "at"] == lines[0].split()
    assert ["demo-admin", "demo-member", "demo-owner", "demo-suspended"] == [line.split()[0] for line in lines[2:]]


def test_the_organization_goes_by_its_providers_name_too(table: Table, run: Callable[..., Ended]) -> None:
    """As everywhere, it is the UUIDv5 of it."""
    organization_id = str(organization_uuid("org_2abc"))
    table.put_organization(organization_id)

    run("members", "add", "org_2abc", "ada", "--role", "owner").said()

    assert "owner" == table.item("MEMBER#ada", organization_id)["role"]


@pytest.mark.parametrize("command", [["list"], ["add", "ada", "--role", "admin"], ["suspend", "ada"]])
@pytest.mark.usefixtures("table")
def test_an_organization_that_is_not_there(run: Callable[..., Ended], command: list[str]) -> None:
    """It is named by the UUID that it would have."""
    name, *rest = command

    line = run("members", name, "org_other", *rest).failed(3)

    assert f"there is no organization {organization_uuid('org_other')}" == line


@pytest.mark.usefixtures("table")
def test_people_are_told_what_has_changed(run: Callable[..., Ended]) -> None:
    """A sentence each, also where nothing was to be done."""
    said = [
        run("members", *command.split(), *options).said()
        for command, *options in (
            (f"add {ACTIVE_ORGANIZATION_ID} ada", "--role", "admin"),
            (f"set-role {ACTIVE_ORGANIZATION_ID} ada owner",),
            (f"set-role {ACTIVE_ORGANIZATION_ID} ada owner",),
            (f"suspend {ACTIVE_ORGANIZATION_ID} ada",),
            (f"suspend {ACTIVE_ORGANIZATION_ID} ada",),
            (f"reinstate {ACTIVE_ORGANIZATION_ID} ada",),
            (f"reinstate {ACTIVE_ORGANIZATION_ID} ada",),
            (f"remove {ACTIVE_ORGANIZATION_ID} ada", "--yes"),
        )
    ]

    assert [
        "ada is a member now, with the role admin.\n",
        "ada has the role owner now.\n",
        "ada has that role already.\n",
        "ada is suspended now.\n",
        "ada is suspended already.\n",
        "ada is reinstated now.\n",
        "ada is not suspended.\n",
        "ada is not a member any more.\n",
    ] == said


@pytest.mark.parametrize("command", [["suspend"], ["remove", "--yes"]])
def test_who_goes_leaves_keys_behind_and_the_operator_is_told(
    table: Table, run: Callable[..., Ended], command: list[str]
) -> None:
    """They are the organization's; the command that ends them is at hand, ready to paste."""
    name, *options = command
    for number in (1, 2):
        table.put_key(nth_id(number), ACTIVE_ORGANIZATION_ID, created_by="demo-admin")

    said = run("members", name, ACTIVE_ORGANIZATION_ID, "demo-admin", *options).said()

    hint = f"keywright-admin keys revoke {ACTIVE_ORGANIZATION_ID} --created-by demo-admin"
    assert f"2 keys that they made work on; to revoke: {hint}" == said.splitlines()[1]
    assert 2 == len(table.under("KEY#"))


def test_a_members_name_cannot_play_with_the_terminal(table: Table, run: Callable[..., Ended]) -> None:
    """Whoever wrote it, and however it came into the table."""
    table.put_member("\x1b[2Jada[red]", "member", FROZEN_ORGANIZATION_ID)

    said = run("members", "list", FROZEN_ORGANIZATION_ID).said()

    assert "\\x1b[2Jada[red]" in said
    assert "\x1b" not in said
