"""The commands of `organizations`, on an active organization and on one that is scheduled for deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.ids import organization_uuid
from local.demo import ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.command_result import CommandResult
    from tests.support.world import Table, World

NOW = "2030-01-31T12:00:00.000Z"


def test_an_organization_is_created(
    world: World, run: Callable[..., CommandResult], stop_clock: Callable[[str], datetime]
) -> None:
    """An organization is created with its owner; the output has the UUID derived from the provider's id."""
    stop_clock(NOW)

    answer = run("organizations", "create", "org_2abc", "--name", " Acme ", "--owner", "ada", "--json")

    organization_id = str(organization_uuid("org_2abc"))
    assert {
        "changed": True,
        "organization": {
            "id": organization_id,
            "name": "Acme",
            "createdAt": NOW,
            "pendingDeletionAt": None,
            "rateLimit": None,
            "quota": None,
            "usagePlanKey": None,
        },
    } == answer.json("changed-organization")
    assert {f"ORG#{organization_id}"} == {item["pk"] for item in world.table.items()}
    assert ["MEMBER#ada"] == [item["sk"] for item in world.table.under("MEMBER#")]


@pytest.mark.usefixtures("world")
def test_the_text_of_a_creation(run: Callable[..., CommandResult]) -> None:
    """The text names the UUID; the provider's own UUID is used unchanged."""
    text = run("organizations", "create", ACTIVE_ORGANIZATION_ID, "--name", "Acme", "--owner", "ada").text()

    assert f"Created organization {ACTIVE_ORGANIZATION_ID} with the owner ada.\n" == text


@pytest.mark.parametrize("organization_id", [ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID])
def test_an_existing_organization_is_not_created(
    table: Table, run: Callable[..., CommandResult], organization_id: str
) -> None:
    """Creating an existing organization is refused and changes nothing."""
    before = table.items()

    line = run("organizations", "create", organization_id, "--name", "New", "--owner", "ada", "--json").failure(4)

    assert f"organization {organization_id} exists already" == line
    assert before == table.items()


def test_a_purged_organization_is_not_created(world: World, run: Callable[..., CommandResult]) -> None:
    """The id of a purged organization cannot be used again."""
    world.table.put(pk=f"PURGED#{ACTIVE_ORGANIZATION_ID}", sk="PURGED")

    line = run("organizations", "create", ACTIVE_ORGANIZATION_ID, "--name", "New", "--owner", "ada").failure(4)

    assert f"organization {ACTIVE_ORGANIZATION_ID} was deleted for good, and cannot come back" == line


def test_organizations_are_listed(table: Table, run: Callable[..., CommandResult]) -> None:
    """All organizations are listed, with their scheduled deletions."""
    listed = run("organizations", "list", "--json").json("organizations")["organizations"]

    assert {
        ACTIVE_ORGANIZATION_ID: ("Demo organization", None),
        FROZEN_ORGANIZATION_ID: (
            "Demo organization, scheduled for deletion",
            table.item("ORG", FROZEN_ORGANIZATION_ID)["pending_deletion_at"],
        ),
    } == {organization["id"]: (organization["name"], organization["pendingDeletionAt"]) for organization in listed}


@pytest.mark.usefixtures("table")
def test_organizations_are_listed_as_a_table(run: Callable[..., CommandResult]) -> None:
    """Each organization has a row."""
    lines = run("organizations", "list").text().splitlines()

    assert [ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID] == sorted(line.split()[0] for line in lines[2:])


@pytest.mark.usefixtures("world")
def test_no_organizations(run: Callable[..., CommandResult]) -> None:
    """An empty table has an empty list."""
    assert {"organizations": []} == run("organizations", "list", "--json").json("organizations")


@pytest.mark.parametrize("organization_id", [ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID])
def test_an_organization_is_shown(table: Table, run: Callable[..., CommandResult], organization_id: str) -> None:
    """An organization is shown as stored, as JSON and as text."""
    item = table.item("ORG", organization_id)

    assert {
        "id": organization_id,
        "name": item["name"],
        "createdAt": item["created_at"],
        "pendingDeletionAt": item.get("pending_deletion_at"),
        "rateLimit": None,
        "quota": None,
        "usagePlanKey": None,
    } == run("organizations", "show", organization_id, "--json").json("organization")
    assert [
        f"id                  {organization_id}",
        f"name                {item['name']}",
        f"created at          {item['created_at']}",
        f"scheduled deletion  {item.get('pending_deletion_at', '-')}",
        "rate limit          -",
        "quota               -",
        "usage plan key      -",
    ] == run("organizations", "show", organization_id).text().splitlines()


COMMANDS: dict[str, list[str]] = {
    "show": [],
    "rename": ["New"],
    "update": ["--rate-limit", "100/1s"],
    "request-deletion": ["--yes"],
    "cancel-deletion": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_organization(table: Table, run: Callable[..., CommandResult], command: str) -> None:
    """A missing organization is exit code 3, and nothing changes."""
    before = table.items()

    line = run("organizations", command, "org_2abc", *COMMANDS[command], "--json").failure(3)

    assert "there is no organization org_2abc" == line
    assert before == table.items()


CHANGES = [
    ("rename", ACTIVE_ORGANIZATION_ID, {"name": "New"}, "Renamed the organization to New."),
    ("rename", FROZEN_ORGANIZATION_ID, {"name": "New"}, "Renamed the organization to New."),
    (
        "update",
        FROZEN_ORGANIZATION_ID,
        {"rateLimit": {"limit": 100, "windowSeconds": 1, "burst": 100}},
        "Changed the organization: rate limit 100/1s.",
    ),
    (
        "request-deletion",
        ACTIVE_ORGANIZATION_ID,
        {"pendingDeletionAt": "2030-03-02T12:00:00.000Z"},
        "The organization will be deleted at 2030-03-02T12:00:00.000Z.",
    ),
    (
        "request-deletion",
        FROZEN_ORGANIZATION_ID,
        {},
        "The organization is already scheduled for deletion at {pendingDeletionAt}.",
    ),
    ("cancel-deletion", ACTIVE_ORGANIZATION_ID, {}, "No deletion is scheduled."),
    (
        "cancel-deletion",
        FROZEN_ORGANIZATION_ID,
        {"pendingDeletionAt": None},
        "Canceled the deletion. The organization's keys work again.",
    ),
]
each_change = pytest.mark.parametrize(("command", "organization_id", "change", "text"), CHANGES)


@each_change
def test_every_change(  # noqa: PLR0913, PLR0917 - a row of the table
    table: Table,
    run: Callable[..., CommandResult],
    stop_clock: Callable[[str], datetime],
    command: str,
    organization_id: str,
    change: dict[str, Any],
    text: str,
) -> None:
    """A command changes the organization and writes an audit record, or there is nothing to do."""
    del text
    stop_clock(NOW)
    shown = run("organizations", "show", organization_id, "--json").json("organization")
    items = table.items()

    answer = run("organizations", command, organization_id, *COMMANDS[command], "--json")

    assert {"changed": bool(change), "organization": shown | change} == answer.json("changed-organization")
    assert (items != table.items()) == bool(change)
    assert len(table.under("AUDIT#")) == int(bool(change))


@each_change
def test_the_text_of_every_change(  # noqa: PLR0913, PLR0917 - the same
    table: Table,
    run: Callable[..., CommandResult],
    stop_clock: Callable[[str], datetime],
    command: str,
    organization_id: str,
    change: dict[str, Any],
    text: str,
) -> None:
    """Each change is reported in one sentence, also if there was nothing to do."""
    del table, change
    stop_clock(NOW)
    shown = run("organizations", "show", organization_id, "--json").json("organization")

    assert f"{text.format_map(shown)}\n" == run("organizations", command, organization_id, *COMMANDS[command]).text()


def test_rename_to_the_same_name(table: Table, run: Callable[..., CommandResult]) -> None:
    """Renaming to the same name changes nothing and writes no audit record."""
    before = table.items()

    assert (
        "The organization is already named Demo organization.\n"
        == run("organizations", "rename", ACTIVE_ORGANIZATION_ID, "Demo organization").text()
    )
    assert before == table.items()


def test_the_deletion_is_scheduled_for_the_purge(table: Table, run: Callable[..., CommandResult]) -> None:
    """The purge finds the scheduled deletion; a cancellation removes it."""

    def scheduled() -> set[str]:
        return {item["sk"] for item in table.items() if item["pk"] == "DELETIONS"}

    before = scheduled()
    run("organizations", "request-deletion", ACTIVE_ORGANIZATION_ID, "--yes").text()
    until = table.item("ORG", ACTIVE_ORGANIZATION_ID)["pending_deletion_at"]

    assert {f"{until}#{ACTIVE_ORGANIZATION_ID}"} == scheduled() - before
    run("organizations", "cancel-deletion", ACTIVE_ORGANIZATION_ID).text()
    assert before == scheduled()


ORGANIZATION_ID = str(organization_uuid("org_2abc"))
"""An id as `organizations list` shows it."""
NAMESAKE_ID = str(organization_uuid(ORGANIZATION_ID))
"""Id of the organization whose name at the identity provider is ORGANIZATION_ID."""


@pytest.mark.parametrize("options", [[], ["--id"]])
def test_a_derived_id_is_accepted_as_an_id(world: World, run: Callable[..., CommandResult], options: list[str]) -> None:
    """A UUIDv5 that a command printed names the same organization, with and without --id."""
    world.table.put_organization(ORGANIZATION_ID)

    shown = run("organizations", "show", ORGANIZATION_ID, *options, "--json").json("organization")

    assert ORGANIZATION_ID == shown["id"]


def test_create_takes_names_only(world: World, run: Callable[..., CommandResult]) -> None:
    """GIVEN a tenant whose name is another tenant's id WHEN it is created THEN nothing of the other is claimed."""
    created = run("organizations", "create", ORGANIZATION_ID, "--name", "Eve", "--owner", "eve", "--json")

    assert NAMESAKE_ID == created.json("changed-organization")["organization"]["id"]
    assert {f"ORG#{NAMESAKE_ID}"} == {item["pk"] for item in world.table.items()}
    assert NAMESAKE_ID == run("organizations", "show", ORGANIZATION_ID, "--json").json("organization")["id"]


def test_an_ambiguous_organization_is_refused(world: World, run: Callable[..., CommandResult]) -> None:
    """GIVEN a tenant whose name is the victim's id WHEN an operator passes that id THEN nothing changes."""
    world.table.put_organization(ORGANIZATION_ID)
    world.table.put_organization(NAMESAKE_ID)
    before = world.table.items()

    line = run("members", "add", ORGANIZATION_ID, "eve", "--role", "owner").failure(4)

    assert (
        f"{ORGANIZATION_ID} is the id of one organization and the provider's name of another; "
        f"pass --id for the former, {NAMESAKE_ID} --id for the latter"
    ) == line
    assert before == world.table.items()


@pytest.mark.parametrize("organization_id", [ORGANIZATION_ID, NAMESAKE_ID])
def test_the_id_option_selects_one_of_both(
    world: World, run: Callable[..., CommandResult], organization_id: str
) -> None:
    """With --id an operator selects the organization with that id, not one of that name."""
    world.table.put_organization(ORGANIZATION_ID)
    world.table.put_organization(NAMESAKE_ID)

    run("members", "add", organization_id, "ada", "--role", "owner", "--id").text()

    assert [f"ORG#{organization_id}"] == [member["pk"] for member in world.table.under("MEMBER#")]


@pytest.mark.usefixtures("world")
def test_the_id_option_refuses_a_name(run: Callable[..., CommandResult]) -> None:
    """With --id a name is an error and is not derived."""
    line = run("organizations", "show", "org_2abc", "--id").failure(2)

    assert "--id requires ORGANIZATION to be a UUID; `organizations list` shows it" == line
