"""tools/after_restore.py repeats after a restore what was revoked since."""

from __future__ import annotations

import io
import json
import shlex
from typing import TYPE_CHECKING, Any

from local.demo import ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID
from tests.support.world import nth_id
from tools import after_restore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command_result import CommandResult
    from tests.support.world import Table

ORGANIZATION = ACTIVE_ORGANIZATION_ID


def items(table: Table) -> list[dict[str, Any]]:
    """Return all items of a table."""
    return list(table.client.scan(TableName=table.name, ConsistentRead=True)["Items"])


def commands(scanned: list[dict[str, Any]]) -> list[list[str]]:
    """Return the arguments of the commands that the tool prints for a scan, without program and stack."""
    output = io.StringIO()
    after_restore.main("keywright", io.StringIO(json.dumps({"Items": scanned})), output)
    split = [shlex.split(line, comments=True) for line in output.getvalue().splitlines()]
    # With --id, an id is never taken for a name: it may be both.
    assert all(words[:3] == ["keywright-admin", "--stack", "keywright"] for words in split if words)
    assert all(words[-1] == "--id" for words in split if words)
    return [words[3:-1] for words in split if words]


def restore(table: Table, before: list[dict[str, Any]]) -> None:
    """Restore a table to earlier items."""
    for item in items(table):
        table.client.delete_item(TableName=table.name, Key={"pk": item["pk"], "sk": item["sk"]})
    for item in before:
        table.client.put_item(TableName=table.name, Item=item)


def test_the_commands_repeat_later_changes(table: Table, run: Callable[..., CommandResult]) -> None:
    """GIVEN a restored table WHEN the printed commands run THEN all access that had ended since ends again."""
    for number in range(3):
        table.put_key(nth_id(number), ORGANIZATION, created_by="demo-admin")
    before = items(table)
    for command in (
        f"members add {ORGANIZATION} ada --role owner",
        f"members set-role {ORGANIZATION} ada admin",
        f"members suspend {ORGANIZATION} demo-admin",
        f"members remove {ORGANIZATION} demo-member --yes",
        f"keys revoke {ORGANIZATION} {nth_id(0)} --yes --reason compromised",
        f"organizations rename {ORGANIZATION} Umbrella",
        f"organizations update {ORGANIZATION} --rate-limit 600/1m,burst=20 --quota 10000/month",
        f"organizations update {ORGANIZATION} --quota none",
        f"organizations cancel-deletion {FROZEN_ORGANIZATION_ID}",
        f"organizations request-deletion {ORGANIZATION} --yes",
    ):
        run(*command.split()).text()
    since = [item for item in items(table) if item not in before]
    restore(table, before)

    printed = commands(since)
    for words in printed:
        run(*words).text()

    assert 9 == len(printed)
    organization = run("organizations", "show", ORGANIZATION, "--json").json("organization")
    assert {"limit": 600, "windowSeconds": 60, "burst": 20} == organization["rateLimit"]
    assert organization["quota"] is None
    assert {nth_id(1), nth_id(2)} == {item["sk"].removeprefix("KEY#") for item in table.under("KEY#")}
    shown = run("members", "list", ORGANIZATION, "--json").json("members")["members"]
    members = {member["userId"]: (member["role"], member["suspendedAt"] is not None) for member in shown}
    assert ("admin", False) == members["ada"]
    assert members["demo-admin"][1]
    assert "demo-member" not in members


def record(event: str, target: str, after: object, second: int) -> dict[str, Any]:
    """Return the item of an audit record."""
    return {
        "pk": {"S": f"ORG#{ORGANIZATION}"},
        "sk": {"S": f"AUDIT#{nth_id(second)}"},
        "event": {"S": event},
        "target_id": {"S": target},
        "changes": {"S": json.dumps({"after": after})},
        "created_at": {"S": f"2026-01-31T12:00:{second:02}.000Z"},
    }


def test_changed_keys_are_revoked_or_disabled() -> None:
    """A restored key would have its old text, permissions or addresses again, or work; a new name is harmless."""
    printed = commands(
        [
            record("api_key.updated", nth_id(3), {"name": "renamed"}, 4),
            record("api_key.updated", nth_id(2), {"permissions": []}, 3),
            record("api_key.updated", nth_id(1), {"enabled": False}, 2),
            record("api_key.updated", nth_id(4), {"enabled": True}, 5),
            record("api_key.updated", nth_id(5), {"allowedIps": ["192.0.2.1"], "enabled": True}, 6),
            record("api_key.updated", nth_id(6), {"leak": None, "enabled": True}, 7),
            record("api_key.updated", nth_id(7), {"leak": None}, 8),
            record("api_key.rotated", nth_id(0), {"hint": "abcd"}, 1),
        ]
    )

    assert [
        ["keys", "revoke", ORGANIZATION, nth_id(0), "--yes"],
        ["keys", "disable", ORGANIZATION, nth_id(1)],
        ["keys", "revoke", ORGANIZATION, nth_id(2), "--yes"],
        ["keys", "enable", ORGANIZATION, nth_id(4)],
        ["keys", "revoke", ORGANIZATION, nth_id(5), "--yes"],
        ["keys", "enable", "--clear-leak", ORGANIZATION, nth_id(6)],
    ] == printed


def test_reasons_are_repeated() -> None:
    """A reason is kept by the commands that take one."""
    changes = [
        record("api_key.updated", nth_id(0), {"enabled": False}, 1),
        record("api_key.deleted", nth_id(1), None, 2),
        record("api_key.rotated", nth_id(2), {"generation": 1}, 3),
        record("api_key.updated", nth_id(3), {"enabled": True}, 4),
    ]

    printed = commands([change | {"reason": {"S": "compromised"}} for change in changes])

    assert [
        ["keys", "disable", ORGANIZATION, nth_id(0), "--reason", "compromised"],
        ["keys", "revoke", ORGANIZATION, nth_id(1), "--yes", "--reason", "compromised"],
        ["keys", "revoke", ORGANIZATION, nth_id(2), "--yes", "--reason", "compromised"],
        ["keys", "enable", ORGANIZATION, nth_id(3)],
    ] == printed


def test_the_use_of_a_rotated_out_secret_is_a_comment() -> None:
    """It has changed nothing; the rotation before it is repeated."""
    used = record("api_key.retired_secret_used", nth_id(1), {"count": 3, "generation": 0}, 2)
    rotated = record("api_key.rotated", nth_id(1), {"generation": 1}, 1)

    assert [["keys", "revoke", ORGANIZATION, nth_id(1), "--yes"]] == commands([used, rotated])


def test_leaked_keys_are_disabled_again() -> None:
    """A key that a report has disabled is disabled; one whose grace period it has ended is deleted."""
    printed = commands(
        [
            record("api_key.leak_reported", nth_id(0), {"leak": {"url": None}, "enabled": False}, 1),
            record("api_key.leak_reported", nth_id(1), {"previousKeyExpiresAt": None}, 2),
            record("api_key.leak_reported", nth_id(2), {"leak": {"url": None}}, 3),
        ]
    )

    assert [
        ["keys", "disable", ORGANIZATION, nth_id(0)],
        ["keys", "revoke", ORGANIZATION, nth_id(1), "--yes"],
    ] == printed


def test_a_usage_plan_key_is_a_comment() -> None:
    """The audit log does not have the value."""
    assert [] == commands([record("organization.updated", ORGANIZATION, {"usagePlanKey": "...6789"}, 1)])


def test_other_records_are_comments() -> None:
    """Records that need no command are printed as one-line comments."""
    output = io.StringIO()
    scanned = {"Items": [record("api_key.created", "1\nrm -rf /", {"name": "CI\nrm -rf /"}, 1)]}

    after_restore.main("keywright", io.StringIO(json.dumps(scanned)), output)

    (line,) = output.getvalue().splitlines()
    assert line.startswith("# 2026-01-31T12:00:01.000Z ")


def test_user_ids_are_quoted() -> None:
    """A user id with shell syntax is one word of the command."""
    (words,) = commands([record("member.removed", "x; rm -rf / #'$(id)", None, 1)])

    assert ["members", "remove", ORGANIZATION, "x; rm -rf / #'$(id)", "--yes"] == words
