"""`organizations`: what becomes of them, in each state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.ids import organization_uuid
from local.demo import ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.admin.conftest import Ended
    from tests.world import Table, World

NOW = "2030-01-31T12:00:00.000Z"


def test_an_organization_is_created_from_an_empty_table(
    world: World, run: Callable[..., Ended], stop_clock: Callable[[str], datetime]
) -> None:
    """With its owner; its UUID is told, which the provider's name stands for."""
    stop_clock(NOW)

    answer = run("organizations", "create", "org_2abc", "--name", " Acme ", "--owner", "ada", "--json")

    organization_id = str(organization_uuid("org_2abc"))
    assert {
        "changed": True,
        "organization": {"id": organization_id, "name": "Acme", "createdAt": NOW, "pendingDeletionAt": None},
    } == answer.answered("changed-organization")
    assert {f"ORG#{organization_id}"} == {item["pk"] for item in world.table.items()}
    assert ["MEMBER#ada"] == [item["sk"] for item in world.table.under("MEMBER#")]


@pytest.mark.usefixtures("world")
def test_people_are_told_the_uuid(run: Callable[..., Ended]) -> None:
    """A UUID that the provider has drawn stays as it is."""
    said = run("organizations", "create", ACTIVE_ORGANIZATION_ID, "--name", "Acme", "--owner", "ada").said()

    assert f"Organization {ACTIVE_ORGANIZATION_ID} is there, and ada owns it.\n" == said


@pytest.mark.parametrize("organization_id", [ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID])
def test_an_organization_that_exists_is_not_created(
    table: Table, run: Callable[..., Ended], organization_id: str
) -> None:
    """Nor changed."""
    before = table.items()

    line = run("organizations", "create", organization_id, "--name", "New", "--owner", "ada", "--json").failed(4)

    assert f"organization {organization_id} exists already" == line
    assert before == table.items()


def test_an_organization_that_was_deleted_for_good_is_not_created(world: World, run: Callable[..., Ended]) -> None:
    """It cannot come back under its old id."""
    world.table.put(pk=f"PURGED#{ACTIVE_ORGANIZATION_ID}", sk="PURGED")

    line = run("organizations", "create", ACTIVE_ORGANIZATION_ID, "--name", "New", "--owner", "ada").failed(4)

    assert f"organization {ACTIVE_ORGANIZATION_ID} was deleted for good, and cannot come back" == line


def test_organizations_are_listed(table: Table, run: Callable[..., Ended]) -> None:
    """All of them, with what is to become of them."""
    found = run("organizations", "list", "--json").answered("organizations")["organizations"]

    assert {
        ACTIVE_ORGANIZATION_ID: ("Demo organization", None),
        FROZEN_ORGANIZATION_ID: (
            "Demo organization, scheduled for deletion",
            table.item("ORG", FROZEN_ORGANIZATION_ID)["pending_deletion_at"],
        ),
    } == {organization["id"]: (organization["name"], organization["pendingDeletionAt"]) for organization in found}


@pytest.mark.usefixtures("table")
def test_organizations_are_listed_for_people(run: Callable[..., Ended]) -> None:
    """A line for each."""
    lines = run("organizations", "list").said().splitlines()

    assert [ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID] == sorted(line.split()[0] for line in lines[2:])


@pytest.mark.usefixtures("world")
def test_an_empty_table_has_no_organizations(run: Callable[..., Ended]) -> None:
    """Which is an answer."""
    assert {"organizations": []} == run("organizations", "list", "--json").answered("organizations")


@pytest.mark.parametrize("organization_id", [ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID])
def test_an_organization_is_shown(table: Table, run: Callable[..., Ended], organization_id: str) -> None:
    """As it is in the table."""
    item = table.item("ORG", organization_id)

    assert {
        "id": organization_id,
        "name": item["name"],
        "createdAt": item["created_at"],
        "pendingDeletionAt": item.get("pending_deletion_at"),
    } == run("organizations", "show", organization_id, "--json").answered("organization")
    assert [
        f"id                {organization_id}",
        f"name              {item['name']}",
        f"created at        {item['created_at']}",
        f"to be deleted at  {item.get('pending_deletion_at', '-')}",
    ] == run("organizations", "show", organization_id).said().splitlines()


COMMANDS: dict[str, list[str]] = {
    "show": [],
    "rename": ["New"],
    "request-deletion": ["--yes"],
    "cancel-deletion": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_organization_that_is_not_there(table: Table, run: Callable[..., Ended], command: str) -> None:
    """Nothing comes of it."""
    before = table.items()

    line = run("organizations", command, "org_2abc", *COMMANDS[command], "--json").failed(3)

    assert f"there is no organization {organization_uuid('org_2abc')}" == line
    assert before == table.items()


CHANGES = [
    ("rename", ACTIVE_ORGANIZATION_ID, {"name": "New"}, "The organization is called New now."),
    ("rename", FROZEN_ORGANIZATION_ID, {"name": "New"}, "The organization is called New now."),
    (
        "request-deletion",
        ACTIVE_ORGANIZATION_ID,
        {"pendingDeletionAt": "2030-03-02T12:00:00.000Z"},
        "The organization will be deleted at 2030-03-02T12:00:00.000Z.",
    ),
    ("request-deletion", FROZEN_ORGANIZATION_ID, {}, "It is scheduled already, for {pendingDeletionAt}."),
    ("cancel-deletion", ACTIVE_ORGANIZATION_ID, {}, "No deletion is scheduled."),
    (
        "cancel-deletion",
        FROZEN_ORGANIZATION_ID,
        {"pendingDeletionAt": None},
        "The deletion is cancelled; the organization's keys work again.",
    ),
]
each_change = pytest.mark.parametrize(("command", "organization_id", "change", "said"), CHANGES)


@each_change
def test_every_change_in_either_state(  # noqa: PLR0913, PLR0917 - a row of the table above
    table: Table,
    run: Callable[..., Ended],
    stop_clock: Callable[[str], datetime],
    command: str,
    organization_id: str,
    change: dict[str, Any],
    said: str,
) -> None:
    """It changes what it says and leaves a record, or there was nothing to do."""
    del said
    stop_clock(NOW)
    shown = run("organizations", "show", organization_id, "--json").answered("organization")
    items = table.items()

    answer = run("organizations", command, organization_id, *COMMANDS[command], "--json")

    assert {"changed": bool(change), "organization": shown | change} == answer.answered("changed-organization")
    assert (items != table.items(), len(table.under("AUDIT#"))) == (bool(change), int(bool(change)))


@each_change
def test_people_are_told_of_every_change(  # noqa: PLR0913, PLR0917 - the same
    table: Table,
    run: Callable[..., Ended],
    stop_clock: Callable[[str], datetime],
    command: str,
    organization_id: str,
    change: dict[str, Any],
    said: str,
) -> None:
    """In a sentence, also where there was nothing to do."""
    del table, change
    stop_clock(NOW)
    shown = run("organizations", "show", organization_id, "--json").answered("organization")

    assert f"{said.format_map(shown)}\n" == run("organizations", command, organization_id, *COMMANDS[command]).said()


def test_a_rename_to_the_same_name_is_no_change(table: Table, run: Callable[..., Ended]) -> None:
    """And leaves no record."""
    before = table.items()

    assert (
        "It is called Demo organization already.\n"
        == run("organizations", "rename", ACTIVE_ORGANIZATION_ID, "Demo organization").said()
    )
    assert before == table.items()


def test_the_purge_finds_what_an_operator_has_scheduled(table: Table, run: Callable[..., Ended]) -> None:
    """By the pointer, which a cancellation takes away."""

    def pointers() -> set[str]:
        return {item["sk"] for item in table.items() if item["pk"] == "DELETIONS"}

    before = pointers()
    run("organizations", "request-deletion", ACTIVE_ORGANIZATION_ID, "--yes").said()
    until = table.item("ORG", ACTIVE_ORGANIZATION_ID)["pending_deletion_at"]

    assert {f"{until}#{ACTIVE_ORGANIZATION_ID}"} == pointers() - before
    run("organizations", "cancel-deletion", ACTIVE_ORGANIZATION_ID).said()
    assert before == pointers()


ID = str(organization_uuid("org_2abc"))
"""An organization's id, as `organizations list` shows it."""
OF_ID = str(organization_uuid(ID))
"""The id of the organization that the provider calls so."""


@pytest.mark.parametrize("options", [[], ["--id"]])
def test_an_id_that_was_derived_is_an_id_here(world: World, run: Callable[..., Ended], options: list[str]) -> None:
    """As it was printed."""
    world.table.put_organization(ID)

    assert ID == run("organizations", "show", ID, *options, "--json").answered("organization")["id"]


def test_what_is_created_goes_by_the_providers_name(world: World, run: Callable[..., Ended]) -> None:
    """GIVEN an operator who is told a tenant's name that is another's id THEN nothing of the other is claimed."""
    created = run("organizations", "create", ID, "--name", "Eve", "--owner", "eve", "--json")

    assert OF_ID == created.answered("changed-organization")["organization"]["id"]
    assert {f"ORG#{OF_ID}"} == {item["pk"] for item in world.table.items()}
    assert OF_ID == run("organizations", "show", ID, "--json").answered("organization")["id"]


def test_an_operator_is_not_made_to_change_the_wrong_organization(world: World, run: Callable[..., Ended]) -> None:
    """GIVEN a tenant whose name at the provider is the victim's id WHEN an operator types it THEN it is refused."""
    world.table.put_organization(ID)
    world.table.put_organization(OF_ID)
    before = world.table.items()

    line = run("members", "add", ID, "eve", "--role", "owner").failed(4)

    assert (
        f"{ID} is the id of one organization and the provider's name of another; "
        f"pass --id for the former, {OF_ID} --id for the latter"
    ) == line
    assert before == world.table.items()


@pytest.mark.parametrize("meant", [ID, OF_ID])
def test_an_operator_can_say_which_they_mean(world: World, run: Callable[..., Ended], meant: str) -> None:
    """No tenant's name stands in the way of an incident."""
    world.table.put_organization(ID)
    world.table.put_organization(OF_ID)

    run("members", "add", meant, "ada", "--role", "owner", "--id").said()

    assert [f"ORG#{meant}"] == [member["pk"] for member in world.table.under("MEMBER#")]


@pytest.mark.usefixtures("world")
def test_a_name_is_no_id(run: Callable[..., Ended]) -> None:
    """It is refused rather than derived."""
    line = run("organizations", "show", "org_2abc", "--id").failed(2)

    assert "--id takes ORGANIZATION for an id, which is a UUID; `organizations list` shows it" == line
