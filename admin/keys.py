"""The commands of `keys`."""  # no future annotations: typer evaluates those of the commands

import json
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer

from admin import terminal
from admin.arguments import (
    ConfirmedOption,
    IdOption,
    OrganizationArgument,
    existing_organization_id,
    parse_key_id,
    parse_user_id,
)
from admin.command import NAME, answer, command, confirm
from admin.deployment import operator
from admin.failures import UsageError
from admin.output import KeyList, KeyOutput, RevokedKeys
from keywright.operators import keys as operator_keys

key_commands = typer.Typer(help="List, show and revoke the API keys of an organization.")

CreatedByOption = Annotated[
    str | None,
    typer.Option("--created-by", metavar="USER", parser=parse_user_id, help="Only keys that this user created."),
]


@command(key_commands, "list", "keys list org_2abc", "keys list org_2abc --created-by user_2")
def _list(
    context: typer.Context,
    organization: OrganizationArgument,
    *,
    created_by: CreatedByOption = None,
    is_id: IdOption = False,
) -> None:
    """List the API keys of an organization, newest first."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    listed: list[KeyOutput] = []
    with terminal.progress_bar("keys read") as advance:
        for key in operator_keys.list_keys(organization_id, created_by):
            listed.append(KeyOutput.of(key))
            advance(1)
    answer(
        context,
        KeyList(keys=listed),
        lambda: terminal.print_table(
            ["id", "name", "enabled", "hint", "created by", "created at", "expires at", "last used at", "requests"],
            [
                (
                    key.id,
                    key.name,
                    key.enabled,
                    key.hint,
                    key.created_by,
                    key.created_at,
                    key.expires_at,
                    key.last_used_at,
                    key.request_count,
                )
                for key in listed
            ],
        ),
    )


@command(key_commands, "show", "keys show org_2abc 01980000-0000-7000-8000-000000000001")
def _show(
    context: typer.Context,
    organization: OrganizationArgument,
    key: Annotated[UUID, typer.Argument(metavar="KEY", parser=parse_key_id, help="Id of the key.")],
    *,
    is_id: IdOption = False,
) -> None:
    """Show an API key. Its secret is not stored."""
    output = KeyOutput.of(operator_keys.show_key(existing_organization_id(organization, is_id=is_id), key))
    answer(
        context,
        output,
        lambda: terminal.print_fields(
            [
                ("id", output.id),
                ("name", output.name),
                ("enabled", output.enabled),
                ("permissions", output.permissions),
                ("metadata", json.dumps(output.metadata)),
                ("hint", output.hint),
                ("created by", output.created_by),
                ("created at", output.created_at),
                ("updated at", output.updated_at),
                ("expires at", output.expires_at),
                ("previous key expires at", output.previous_key_expires_at),
                ("last used at", output.last_used_at),
                ("requests", output.request_count),
            ]
        ),
    )


@command(
    key_commands,
    "revoke",
    "keys revoke org_2abc 01980000-0000-7000-8000-000000000001",
    "keys revoke org_2abc --created-by user_2",
    "keys revoke org_2abc --all --yes",
)
def _revoke(  # noqa: PLR0913 - three ways to select keys
    context: typer.Context,
    organization: OrganizationArgument,
    key: Annotated[
        UUID | None, typer.Argument(metavar="[KEY]", parser=parse_key_id, help="Id of the key to delete.")
    ] = None,
    *,
    created_by: CreatedByOption = None,
    every: Annotated[bool, typer.Option("--all", help="All keys of the organization.")] = False,
    is_id: IdOption = False,
    yes: ConfirmedOption = False,
) -> None:
    """Delete API keys now and for good: one key, all keys of one user, or all keys of the organization."""
    if [key is not None, created_by is not None, every].count(True) != 1:
        raise UsageError("select the keys: pass a key id, --created-by USER or --all")
    organization_id = existing_organization_id(organization, is_id=is_id)
    if key is None:
        revoked = _revoke_selected(organization_id, created_by, is_confirmed=yes)
    else:
        revoked = [_revoke_one(organization_id, key, is_confirmed=yes)]
    answer(
        context,
        RevokedKeys(organization_id=str(organization_id), revoked=[str(key_id) for key_id in revoked]),
        lambda: terminal.print_line(f"Deleted {_counted(len(revoked))}."),
    )


def _revoke_one(organization_id: UUID, key_id: UUID, *, is_confirmed: bool) -> UUID:
    name = operator_keys.show_key(organization_id, key_id).name
    confirm(f"Delete the key {name}, {key_id}, for good?", is_confirmed=is_confirmed)
    operator_keys.revoke_key(operator(), organization_id, key_id)
    return key_id


def _revoke_selected(organization_id: UUID, created_by: str | None, *, is_confirmed: bool) -> Sequence[UUID]:
    count = sum(1 for _ in operator_keys.list_keys(organization_id, created_by))
    if count:
        selection = "of the organization" if created_by is None else f"created by {created_by}"
        confirm(f"Delete {_counted(count)} {selection} for good?", is_confirmed=is_confirmed)
    revoked: list[UUID] = []
    try:
        with terminal.progress_bar("keys deleted", count) as advance:
            for key_id in operator_keys.revoke_keys(operator(), organization_id, created_by):
                revoked.append(key_id)
                advance(1)
    except BaseException:
        terminal.print_error(
            f"{NAME}: deleted {len(revoked)} of {count} keys before the failure; run the command again for the rest"
        )
        raise
    return revoked


def _counted(count: int) -> str:
    return "1 key" if count == 1 else f"{count} keys"
