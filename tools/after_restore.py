"""Print the changes to repeat after a point-in-time restore, from the audit records that are newer than the restore.

usage: aws dynamodb scan ... | python3 -m tools.after_restore STACK

Reads the output of the scan from standard input, and requires only Python. Changes of keys, members, scheduled
deletions and limits of organizations are printed as commands of `keywright-admin`, oldest first; all other records are
printed as comments.
"""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

ORGANIZATION = "ORG#"
AUDIT = "AUDIT#"


def main(stack: str, source: TextIO, target: TextIO) -> None:
    """Write a command or a comment for each audit record of a scan.

    Args:
        stack: name of the stack that owns the table.
        source: output of `aws dynamodb scan`, as JSON.
        target: stream for the commands.
    """
    records = [item for item in json.load(source)["Items"] if item["sk"]["S"].startswith(AUDIT)]
    target.writelines(f"{line}\n" for line in lines(stack, records))


def lines(stack: str, records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a command or a comment for each record, oldest first."""
    for record in sorted(records, key=lambda item: (item["created_at"]["S"], item["sk"]["S"])):
        organization = record["pk"]["S"].removeprefix(ORGANIZATION)
        event, target = record["event"]["S"], record["target_id"]["S"]
        after = json.loads(record["changes"]["S"]).get("after") or {}
        arguments = _COMMANDS[event](organization, target, after) if event in _COMMANDS else None
        if arguments is None:
            yield f"# {record['created_at']['S']} {organization} {event} {json.dumps(target)} {json.dumps(after)}"
        else:
            takes_reason = "reason" in record and arguments[:2] in (["keys", "revoke"], ["keys", "disable"])
            reason = ["--reason", record["reason"]["S"]] if takes_reason else []
            yield shlex.join(["keywright-admin", "--stack", stack, *arguments, *reason, "--id"])


def _updated(organization: str, key: str, after: Mapping[str, Any]) -> list[str] | None:
    """Return the command that deletes a key with other permissions or addresses, or enables or disables it, or None."""
    if {"permissions", "allowedIps"} & after.keys():
        return _revoked(organization, key, after)
    if "enabled" in after:
        clearing = ["--clear-leak"] if "leak" in after and after["leak"] is None else []
        return ["keys", *(["enable", *clearing] if after["enabled"] else ["disable"]), organization, key]
    return None


def _leaked(organization: str, key: str, after: Mapping[str, Any]) -> list[str] | None:
    """Return the command for a reported text: disable the key, or delete it if a grace period has to end; or None."""
    if "previousKeyExpiresAt" in after:
        return _revoked(organization, key, after)
    return _updated(organization, key, after)


def _limited(organization: str, _target: str, after: Mapping[str, Any]) -> list[str] | None:
    """Return the command that sets limits of an organization; None if it has no others."""
    options = []
    if "rateLimit" in after:
        rate = after["rateLimit"]
        text = f"{rate['limit']}/{rate['windowSeconds']}s,burst={rate['burst']}" if rate else "none"
        options += ["--rate-limit", text]
    if "quota" in after:
        quota = after["quota"]
        options += ["--quota", f"{quota['limit']}/{quota['period']}" if quota else "none"]
    return ["organizations", "update", organization, *options] if options else None


def _revoked(organization: str, key: str, _after: Mapping[str, Any]) -> list[str]:
    return ["keys", "revoke", organization, key, "--yes"]


_COMMANDS: dict[str, Callable[[str, str, Mapping[str, Any]], list[str] | None]] = {
    "api_key.deleted": _revoked,
    "api_key.rotated": _revoked,
    "api_key.updated": _updated,
    "api_key.leak_reported": _leaked,
    "member.added": lambda organization, user, after: ["members", "add", organization, user, "--role", after["role"]],
    "member.role_changed": lambda organization, user, after: ["members", "set-role", organization, user, after["role"]],
    "member.suspended": lambda organization, user, _: ["members", "suspend", organization, user],
    "member.reinstated": lambda organization, user, _: ["members", "reinstate", organization, user],
    "member.removed": lambda organization, user, _: ["members", "remove", organization, user, "--yes"],
    "organization.updated": _limited,
    "organization.deletion_requested": lambda organization, *_: [
        *("organizations", "request-deletion", organization, "--yes"),
    ],
    "organization.deletion_canceled": lambda organization, *_: ["organizations", "cancel-deletion", organization],
}
"""Commands that repeat a change, or do more: a key that was rotated, or has other permissions or addresses, is deleted.
"""


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - this program and the stack
        sys.exit("usage: python3 -m tools.after_restore STACK < scan.json")
    main(sys.argv[1], sys.stdin, sys.stdout)
