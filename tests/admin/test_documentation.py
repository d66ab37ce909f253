"""docs/command-line.md agrees with the program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from keywright.aws.client import HttpClient
from keywright_admin.command_line import EXIT_CODES, app
from keywright_admin.failures import ExitCode
from local.demo import ACTIVE_ORGANIZATION_ID
from tests.support.environment import ROOT
from tests.support.iam_policies import actions, statements
from tests.support.world import nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

    from keywright.aws.client import Answer
    from local.object_store import ObjectStore
    from tests.support.command_result import CommandResult
    from tests.support.world import Table

DOCUMENT = ROOT / "docs" / "command-line.md"
TEXT = DOCUMENT.read_text()

WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
"""The IAM action of DynamoDB that each part of a transaction needs."""


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without the table's header."""
    section = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_every_command_is_documented() -> None:
    """The document has every command, in the order of the help, with a row for each form."""
    commands = [
        f"{group.name} {command.name}"
        for group in app.registered_groups
        if group.typer_instance
        for command in group.typer_instance.registered_commands
    ]
    documented = [" ".join(row[0].strip("`").split()[:2]) for row in rows("Commands")]
    assert commands == list(dict.fromkeys(documented))


def test_the_exit_codes_are_those_commands() -> None:
    """The document and the help have the exit codes that commands return."""
    assert [str(code.value) for code in ExitCode] == [row[0] for row in rows("For programs")]
    assert [str(code.value) for code in ExitCode] == re.findall(r"(?:^|; )(\d+) ", EXIT_CODES)


def test_the_policy_allows_exactly_what_the_commands_do(
    table: Table,
    run: Callable[..., CommandResult],
    environment: pytest.MonkeyPatch,
    object_store: ObjectStore,
    tmp_path: Path,
) -> None:
    """GIVEN every command WHEN it runs THEN its DynamoDB actions are those of the documented policy."""
    del object_store
    used: set[str] = set()
    environment.setenv("IMPORTED_KEYS", "on")
    call = HttpClient.call

    def recording(client: HttpClient, operation: str, parameters: Mapping[str, Any]) -> Answer:
        parts = parameters.get("TransactItems")
        used.update({operation} if parts is None else {WRITES[kind] for part in parts for kind in part})
        return call(client, operation, parameters)

    environment.setattr(HttpClient, "call", recording)
    for number in range(3):
        table.put_key(nth_id(number), ACTIVE_ORGANIZATION_ID, created_by="demo-admin")
    file = tmp_path / "keys.csv"
    file.write_text("key,name,permissions\nacme_0123456789abcdefghij,CI,sessions:read\n")
    for command in (
        "organizations create org_2abc --name Acme --owner ada",
        "organizations show org_2abc",
        "organizations list",
        "organizations rename org_2abc Umbrella",
        "organizations update org_2abc --rate-limit 100/1s",
        "organizations update org_2abc --rate-limit none",
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
        f"keys disable {ACTIVE_ORGANIZATION_ID} {nth_id(0)}",
        f"keys enable {ACTIVE_ORGANIZATION_ID} {nth_id(0)}",
        f"keys rotate {ACTIVE_ORGANIZATION_ID} {nth_id(0)} --yes",
        f"keys import {file} --organization {ACTIVE_ORGANIZATION_ID}",
        f"audit show {ACTIVE_ORGANIZATION_ID}",
        "audit verify",
        f"keys revoke {ACTIVE_ORGANIZATION_ID} {nth_id(0)} --yes",
        f"keys revoke {ACTIVE_ORGANIZATION_ID} --created-by demo-admin --yes",
    ):
        run(*command.split()).text()

    of_table, of_stack, of_verification, *_ = statements("Operator")
    assert {"secretsmanager:GetSecretValue"} == actions(statements("OperatorPepper"))
    assert {f"dynamodb:{action}" for action in used - {"GetSecretValue"}} == actions([of_table])
    assert "GetSecretValue" in used
    assert {"cloudformation:DescribeStacks"} == actions([of_stack])
    assert {"execute-api:Invoke"} == actions([of_verification])
