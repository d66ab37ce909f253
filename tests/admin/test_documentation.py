"""docs/command-line.md says what is so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from admin.command_line import EXIT_CODES, app
from admin.failures import ExitCode
from keywright.aws.client import HttpClient
from local.demo import ACTIVE_ORGANIZATION_ID
from tests.conftest import ROOT
from tests.iam.policies import actions, statements
from tests.world import nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keywright.aws.client import Answer
    from tests.admin.conftest import Ended
    from tests.world import Table

DOCUMENT = ROOT / "docs" / "command-line.md"
TEXT = DOCUMENT.read_text()

WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
"""What the parts of a transaction have to be allowed as (IAM actions of DynamoDB)."""


def rows(heading: str) -> list[list[str]]:
    """Give the cells of the table under a heading, without its own heading."""
    section = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_the_commands_are_those_there_are() -> None:
    """In their order; of several ways to call one, each begins with it."""
    there_are = [
        f"{group.name} {command.name}"
        for group in app.registered_groups
        if group.typer_instance
        for command in group.typer_instance.registered_commands
    ]

    documented = [" ".join(row[0].strip("`").split()[:2]) for row in rows("Commands")]
    assert there_are == list(dict.fromkeys(documented))


def test_the_exit_codes_are_those_there_are() -> None:
    """Here, and in the help."""
    assert [str(code.value) for code in ExitCode] == [row[0] for row in rows("For programs")]
    assert [str(code.value) for code in ExitCode] == re.findall(r"(?:^|; )(\d+) ", EXIT_CODES)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?://)([^)#]+)", TEXT))))
def test_links_lead_somewhere(link: str) -> None:
    """Every file that it points to is there."""
    assert (DOCUMENT.parent / link).exists()


def test_the_policy_allows_what_the_commands_do_and_nothing_else(
    table: Table, run: Callable[..., Ended], environment: pytest.MonkeyPatch
) -> None:
    """GIVEN every command WHEN it runs THEN the actions it needs in DynamoDB are those of the policy."""
    used: set[str] = set()
    call = HttpClient.call

    def recording(client: HttpClient, operation: str, parameters: Mapping[str, Any]) -> Answer:
        parts = parameters.get("TransactItems")
        used.update({operation} if parts is None else {WRITES[kind] for part in parts for kind in part})
        return call(client, operation, parameters)

    environment.setattr(HttpClient, "call", recording)
    for number in range(3):
        table.put_key(nth_id(number), ACTIVE_ORGANIZATION_ID, created_by="demo-admin")
    for command in (
        "organizations create org_2abc --name Acme --owner ada",
        "organizations show org_2abc",
        "organizations list",
        "organizations rename org_2abc Umbrella",
        "organizations request-deletion org_2abc --yes",
        "organizations cancel-deletion org_2abc",
        f"members list {ACTIVE_ORGANIZATION_ID}",
        f"members add {ACTIVE_ORGANIZATION_ID} ada --role owner",
        f"members set-role {ACTIVE_ORGANIZATION_ID} ada admin",
        f"members suspend {ACTIVE_ORGANIZATION_ID} demo-admin",
        f"members reinstate {ACTIVE_ORGANIZATION_ID} demo-admin",
        f"members remove {ACTIVE_ORGANIZATION_ID} demo-admin --yes",
        f"keys list {ACTIVE_ORGANIZATION_ID}",
        f"keys show {ACTIVE_ORGANIZATION_ID} {nth_id(0)}",
        f"keys revoke {ACTIVE_ORGANIZATION_ID} {nth_id(0)} --yes",
        f"keys revoke {ACTIVE_ORGANIZATION_ID} --created-by demo-admin --yes",
    ):
        run(*command.split()).said()

    of_table, of_stack, *_ = statements("Operator")
    assert {f"dynamodb:{action}" for action in used} == actions([of_table])
    assert {"cloudformation:DescribeStacks"} == actions([of_stack])
