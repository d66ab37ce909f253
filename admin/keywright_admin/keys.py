"""The commands of `keys`."""  # no future annotations: typer evaluates those of the commands

import json
import os
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from keywright import clock
from keywright.api.fields import MAXIMUM_GRACE_PERIOD_SECONDS
from keywright.api.schemas import RotatedApiKey
from keywright.domain.revocation_reason import RevocationReason
from keywright.errors import API_KEY_LEAKED, API_KEY_NOT_FOUND, ServiceError
from keywright.operators import imports as operator_imports
from keywright.operators import keys as operator_keys
from keywright.operators.imports import Line, Result, Source
from keywright.operators.keys import KeyState
from keywright.operators.refusals import RefusedError
from keywright_admin import api, import_file, terminal
from keywright_admin.arguments import (
    ConfirmedOption,
    IdOption,
    KeyArgument,
    OrganizationArgument,
    existing_organization_id,
    parse_future_time,
    parse_key_id,
    parse_organization,
    parse_user_id,
)
from keywright_admin.command import NAME, CommonOptions, answer, command, confirm, follow_up
from keywright_admin.deployment import IMPORTED_KEYS, operator, signer
from keywright_admin.failures import ExitCode, UsageError
from keywright_admin.import_file import Format
from keywright_admin.output import (
    ChangedKey,
    IdentifiedKey,
    ImportedKeys,
    ImportedLine,
    KeyList,
    KeyOutput,
    OrganizationOutput,
    RevokedKeys,
    RotatedKey,
    VerifiedKey,
)
from keywright_admin.terminal import Column

key_commands = typer.Typer(help="List, show, identify, change, rotate, revoke and import API keys.")

CreatedByOption = Annotated[
    str | None,
    typer.Option("--created-by", metavar="USER", parser=parse_user_id, help="Only keys that this user created."),
]

ReasonOption = Annotated[RevocationReason | None, typer.Option("--reason", help="Why, for the audit log.")]

NoTextArgument = Annotated[list[str] | None, typer.Argument(hidden=True)]
"""Arguments that are refused: a text on the command line could be seen by others."""


ExpiresBeforeOption = Annotated[
    datetime | None,
    typer.Option(
        "--expires-before",
        metavar="TIME",
        parser=parse_future_time,
        help="Only keys that expire before this time, or have expired: RFC 3339, a date, or 30d from now.",
    ),
]


@command(
    key_commands,
    "list",
    "keys list org_2abc",
    "keys list org_2abc --created-by user_2",
    "keys list org_2abc --expires-before 30d",
)
def _list(
    context: typer.Context,
    organization: OrganizationArgument,
    *,
    created_by: CreatedByOption = None,
    expires_before: ExpiresBeforeOption = None,
    is_id: IdOption = False,
) -> None:
    """List the API keys of an organization, newest first."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    listed: list[KeyOutput] = []
    with terminal.progress_bar("keys read") as advance:
        for key in operator_keys.list_keys(organization_id, created_by, expires_before):
            listed.append(KeyOutput.of(key))
            advance(1)
    answer(
        context,
        KeyList(keys=listed),
        lambda: _print_table(listed),
    )


def _print_table(listed: Sequence[KeyOutput]) -> None:
    terminal.print_table(
        [
            Column("id"),
            Column("name", is_text=True),
            Column("state"),
            Column("hint"),
            Column("last used", is_extra=True),
            Column("requests", is_extra=True),
            Column("created by", is_extra=True),
            Column("created", is_extra=True),
            Column("expires", is_extra=True),
        ],
        [
            (
                key.id,
                key.name,
                _state(key),
                key.hint,
                terminal.minute(key.last_used_at),
                key.request_count,
                key.created_by,
                terminal.minute(key.created_at),
                terminal.minute(key.expires_at),
            )
            for key in listed
        ],
        "No keys.",
    )


def _state(key: KeyOutput) -> str:
    if key.expires_at is not None and clock.stored(key.expires_at) <= clock.now():
        state = "expired"
    else:
        state = "active" if key.enabled else "disabled"
    return state if key.leak is None else f"{state}, leaked"


@command(key_commands, "show", "keys show org_2abc 01980000-0000-7000-8000-000000000001")
def _show(
    context: typer.Context,
    organization: OrganizationArgument,
    key: KeyArgument,
    *,
    is_id: IdOption = False,
) -> None:
    """Show an API key. Its secret is not stored."""
    output = KeyOutput.of(operator_keys.show_key(existing_organization_id(organization, is_id=is_id), key))
    answer(context, output, lambda: terminal.print_fields(_fields(output)))


def _fields(key: KeyOutput) -> list[tuple[str, object]]:
    return [
        ("id", key.id),
        ("name", key.name),
        ("enabled", key.enabled),
        ("permissions", key.permissions),
        ("metadata", json.dumps(key.metadata, ensure_ascii=False)),
        ("hint", key.hint),
        ("created by", key.created_by),
        ("created at", key.created_at),
        ("updated at", key.updated_at),
        ("expires at", key.expires_at),
        ("rate limit", _rate_limit(key)),
        ("quota", _quota(key)),
        ("allowed IPs", key.allowed_ips),
        ("leak", _leak(key)),
        ("previous key expires at", key.previous_key_expires_at),
        ("previous key used at", key.previous_key_last_used_at),
        ("last used at", key.last_used_at),
        ("last used from", key.last_used_ip),
        ("requests", key.request_count),
    ]


def _rate_limit(key: KeyOutput) -> str | None:
    rate = key.rate_limit
    return None if rate is None else f"{rate.limit} in {rate.window_seconds} seconds, {rate.burst} at once"


def _quota(key: KeyOutput) -> str | None:
    return None if key.quota is None else f"{key.quota.limit} ({key.quota.period})"


def _leak(key: KeyOutput) -> str | None:
    leak = key.leak
    if leak is None:
        return None
    return f"reported at {leak.reported_at} ({leak.source}){f', found at {leak.url}' if leak.url else ''}"


@command(
    key_commands,
    "identify",
    "keys identify < leaked.txt",
    "keys identify --json < leaked.txt",
)
def _identify(context: typer.Context, words: NoTextArgument = None) -> None:
    """Name the organization and the key of a key's text from standard input. Does not prove it: see verify."""
    identified = operator_keys.identify(_read_text(words))
    if identified is None:
        raise UsageError("the text on standard input has not the form of a key")
    output = IdentifiedKey(
        organization_id=str(identified.organization_id),
        key_id=str(identified.key_id),
        state=identified.state,
        organization=None if identified.organization is None else OrganizationOutput.of(identified.organization),
        key=None if identified.key is None else KeyOutput.of(identified.key),
    )
    answer(context, output, lambda: _print_identified(context, output))


_MEANINGS = {
    KeyState.ACTIVE: "active",
    KeyState.PREVIOUS: "active: rotated, and the text works until {until}",
    KeyState.DISABLED: "disabled",
    KeyState.EXPIRED: "expired",
    KeyState.FROZEN: "frozen: the organization is scheduled for deletion",
    KeyState.ROTATED_OUT: "rotated out: the text works no longer, the key has another",
    KeyState.DELETED: "deleted",
    KeyState.UNKNOWN: "unknown: mistyped, made up, or deleted long ago",
}


def _print_identified(context: typer.Context, output: IdentifiedKey) -> None:
    organization, key = output.organization, output.key
    until = None if key is None else key.previous_key_expires_at
    terminal.print_fields(
        [
            ("organization", output.organization_id),
            ("organization's name", None if organization is None else organization.name),
            ("key", output.key_id),
            ("key's name", None if key is None else key.name),
            ("state", _MEANINGS[output.state].format(until=until)),
            ("created by", None if key is None else key.created_by),
            ("last used at", None if key is None else key.last_used_at),
        ]
    )
    if output.state in {KeyState.ACTIVE, KeyState.PREVIOUS}:
        terminal.print_line("To disable the key:")
        words = ("keys", "disable", output.organization_id, output.key_id, "--id")
        terminal.print_line(f"  {follow_up(context, *words)}")


@command(
    key_commands,
    "verify",
    "keys verify --stack keywright < key.txt",
    "keys verify --stack keywright --permission analytics:read < key.txt",
    "keys verify --stack keywright --client-ip 192.0.2.1 --cost 0 < key.txt",
)
def _verify(
    context: typer.Context,
    words: NoTextArgument = None,
    *,
    permission: Annotated[
        list[str] | None,
        typer.Option("--permission", metavar="PERMISSION", help="That the key must have; can be repeated."),
    ] = None,
    client_ip: Annotated[
        str | None,
        typer.Option("--client-ip", metavar="ADDRESS", help="Of the client; a key with allowed addresses needs it."),
    ] = None,
    cost: Annotated[
        int, typer.Option("--cost", metavar="NUMBER", help="How much to take of the key's limits; 0 only looks.")
    ] = 1,
) -> None:
    """Verify a key's text from standard input, as a backend does: asks the API in a request signed by you."""
    options: CommonOptions = context.obj
    answered = api.verify(signer(options.deployment), _read_text(words), permission or [], client_ip, cost)
    output = VerifiedKey.model_validate(answered)
    answer(context, output, lambda: _print_verified(output.model_dump(by_alias=True)))


_VERIFIED = {
    "valid": "valid",
    "code": "code",
    "organizationId": "organization",
    "id": "key",
    "name": "key's name",
    "permissions": "permissions",
    "missingPermissions": "missing permissions",
    "expiresAt": "expires at",
}


def _print_verified(output: dict[str, Any]) -> None:
    fields = [(label, output[name]) for name, label in _VERIFIED.items() if name in output]
    if rate := output.get("rateLimit"):
        fields.append(("rate limit", f"{_left(rate)} of {rate['limit']} left"))
    if quota := output.get("quota"):
        fields.append(("quota", f"{quota['remaining']} of {quota['limit']} left"))
    if (seconds := output.get("retryAfterSeconds")) is not None:
        fields.append(("retry after", f"{seconds} seconds"))
    terminal.print_fields(fields)


def _left(rate: dict[str, Any]) -> object:
    return "an unknown number" if rate["remaining"] is None else rate["remaining"]


def _read_text(words: Sequence[str] | None) -> str:
    if words:
        raise UsageError("pass the key on standard input, not as an argument, which other users and your history see")
    text = terminal.read_secret("Key: ")
    if not text:
        raise UsageError("no key on standard input")
    return text


@command(key_commands, "disable", "keys disable org_2abc 01980000-0000-7000-8000-000000000001")
def _disable(
    context: typer.Context,
    organization: OrganizationArgument,
    key: KeyArgument,
    *,
    reason: ReasonOption = None,
    is_id: IdOption = False,
) -> None:
    """Disable an API key, from the next request on. `enable` makes it work again."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    changed = operator_keys.disable_key(operator(), organization_id, key, reason)
    text = f"Disabled {key}." if changed else f"{key} is already disabled."
    _answer_change(context, organization_id, key, text, changed=changed)


@command(key_commands, "enable", "keys enable org_2abc 01980000-0000-7000-8000-000000000001")
def _enable(
    context: typer.Context,
    organization: OrganizationArgument,
    key: KeyArgument,
    *,
    clears_leak: Annotated[
        bool, typer.Option("--clear-leak", help="Clear the report that the text of the key is public.")
    ] = False,
    is_id: IdOption = False,
) -> None:
    """Enable an API key that was disabled. If it was reported as leaked, rotate it first, or pass --clear-leak."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    try:
        changed = operator_keys.enable_key(operator(), organization_id, key, clears_leak=clears_leak)
    except ServiceError as error:
        if error.error is API_KEY_LEAKED:
            raise RefusedError(
                f"{key} was reported as leaked: rotate it without a grace period first, or pass --clear-leak"
            ) from None
        raise
    text = f"Enabled {key}." if changed else f"{key} is already enabled."
    _answer_change(context, organization_id, key, text, changed=changed)


def _answer_change(context: typer.Context, organization_id: UUID, key: UUID, text: str, *, changed: bool) -> None:
    output = KeyOutput.of(operator_keys.show_key(organization_id, key))
    answer(
        context,
        ChangedKey(changed=changed, organization_id=str(organization_id), key=output),
        lambda: terminal.print_line(text),
    )


@command(
    key_commands,
    "rotate",
    "keys rotate org_2abc 01980000-0000-7000-8000-000000000001",
    "keys rotate org_2abc 01980000-0000-7000-8000-000000000001 --grace-period 3600",
)
def _rotate(  # noqa: PLR0913 - options
    context: typer.Context,
    organization: OrganizationArgument,
    key: KeyArgument,
    *,
    grace_period: Annotated[
        int,
        typer.Option(
            "--grace-period",
            metavar="SECONDS",
            min=0,
            max=MAXIMUM_GRACE_PERIOD_SECONDS,
            help="How long the previous text works.",
        ),
    ] = 0,
    reason: ReasonOption = None,
    is_id: IdOption = False,
    yes: ConfirmedOption = False,
) -> None:
    """Replace the text of an API key and print the new one, once. Needs read access to the pepper."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    name = operator_keys.show_key(organization_id, key).name
    end = f"in {grace_period} seconds" if grace_period else "now"
    confirm(f"Replace the text of the key {name}, {key}, which stops working {end}?", is_confirmed=yes)
    rotated = operator_keys.rotate_key(operator(), organization_id, key, timedelta(seconds=grace_period), reason)
    answer(context, RotatedKey.model_validate(rotated.model_dump()), lambda: _print_rotated(rotated))


def _print_rotated(rotated: RotatedApiKey) -> None:
    until = rotated.previous_key_expires_at
    ending = "works no longer" if until is None else f"works until {until}"
    terminal.print_line(f"Rotated {rotated.id}. The previous text {ending}.")
    terminal.print_line("The new text, which is never shown again:")
    terminal.print_line(rotated.key)


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
    reason: ReasonOption = None,
    is_id: IdOption = False,
    yes: ConfirmedOption = False,
) -> None:
    """Delete API keys now and for good: one key, all keys of one user, or all keys of the organization."""
    if [key is not None, created_by is not None, every].count(True) != 1:
        raise UsageError("select the keys: pass a key id, --created-by USER or --all")
    organization_id = existing_organization_id(organization, is_id=is_id)
    if key is None:
        revoked = _revoke_selected(organization_id, created_by, reason, is_confirmed=yes)
    else:
        revoked = _revoke_one(organization_id, key, reason, is_confirmed=yes)
    answer(
        context,
        RevokedKeys(organization_id=str(organization_id), revoked=[str(key_id) for key_id in revoked]),
        lambda: terminal.print_line(
            f"{key} was deleted before." if key and not revoked else f"Deleted {_counted(len(revoked))}."
        ),
    )


def _revoke_one(
    organization_id: UUID, key_id: UUID, reason: RevocationReason | None, *, is_confirmed: bool
) -> Sequence[UUID]:
    try:
        name = operator_keys.show_key(organization_id, key_id).name
    except ServiceError as error:
        if error.error is API_KEY_NOT_FOUND and operator_keys.deletion_of(organization_id, key_id):
            return []
        raise
    confirm(f"Delete the key {name}, {key_id}, for good?", is_confirmed=is_confirmed)
    return [key_id] if operator_keys.revoke_key(operator(), organization_id, key_id, reason) else []


def _revoke_selected(
    organization_id: UUID, created_by: str | None, reason: RevocationReason | None, *, is_confirmed: bool
) -> Sequence[UUID]:
    count = sum(1 for _ in operator_keys.list_keys(organization_id, created_by))
    if count:
        selection = "of the organization" if created_by is None else f"created by {created_by}"
        confirm(f"Delete {_counted(count)} {selection} for good?", is_confirmed=is_confirmed)
    revoked: list[UUID] = []
    try:
        with terminal.progress_bar("keys deleted", count) as advance:
            for key_id in operator_keys.revoke_keys(operator(), organization_id, created_by, reason):
                revoked.append(key_id)
                advance(1)
    except BaseException:
        terminal.print_error(
            f"{NAME}: deleted {len(revoked)} of {count} keys before the failure; run the command again for the rest"
        )
        raise
    return revoked


@command(
    key_commands,
    "import",
    "keys import keys.csv --organization org_2abc --stack keywright --dry-run",
    "keys import keys.csv --organization org_2abc --stack keywright --permissions analytics:read --keep-going",
    "keys import api.csv --organization org_2abc --stack keywright --format api-gateway --permissions analytics:read",
)
def _import(  # noqa: PLR0913 - options
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV file, or - for standard input.")],
    *,
    organization: Annotated[
        str,
        typer.Option(
            "--organization",
            metavar="ORGANIZATION",
            parser=parse_organization,
            help="The identity provider's name for the organization, such as org_2abc, or its id.",
        ),
    ],
    file_format: Annotated[Format, typer.Option("--format", help="Format of the file.")] = Format.CSV,
    permissions: Annotated[
        str,
        typer.Option("--permissions", metavar="PERMISSIONS", help="Of keys whose line has none; separated by commas."),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line and write nothing.")] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Import the other keys if lines are refused.")
    ] = False,
    is_id: IdOption = False,
) -> None:
    """Import keys that were issued elsewhere, so that their texts work here. Needs read access to the pepper."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    parsed = list(import_file.parse(import_file.read(file), file_format, import_file.words(permissions)))
    lines = {line.line: line for line in _checked(organization_id, parsed)}
    is_refused = any(line.result is Result.REFUSED for line in lines.values())
    new = [each for each in parsed if isinstance(each, Source) and each.line not in lines]
    if dry_run or (is_refused and not keep_going):
        result = Result.NOT_TRIED if is_refused and not keep_going else Result.CREATED
        lines |= {source.line: Line(source.line, result, source.name) for source in new}
    else:
        lines |= {line.line: line for line in _imported(organization_id, new)}
    if os.environ.get(IMPORTED_KEYS) == "off":
        terminal.print_error(f"{NAME}: the parameter ImportedKeys is off: set it to on, or imported keys are refused")
    report = [lines[each.line] for each in parsed]
    _answer_import(context, organization_id, report, is_dry_run=dry_run)
    # Another importer's key can turn out to be a refusal while keys are written.
    if any(line.result is Result.REFUSED for line in report):
        raise typer.Exit(ExitCode.REFUSED)


def _checked(organization_id: UUID, parsed: Sequence[Source | Line]) -> list[Line]:
    """Return the lines with which nothing is to be done: refused ones, and those of keys that are there."""
    sources = [each for each in parsed if isinstance(each, Source)]
    checked = operator_imports.check(organization_id, sources)
    return [each for each in [*parsed, *checked] if isinstance(each, Line)]


def _imported(organization_id: UUID, sources: Sequence[Source]) -> list[Line]:
    lines: list[Line] = []
    actor = operator()
    try:
        with terminal.progress_bar("keys imported", len(sources)) as advance:
            for source in sources:
                lines.append(operator_imports.import_key(actor, organization_id, source))
                advance(1)
    except BaseException:
        terminal.print_error(
            f"{NAME}: imported {len(lines)} of {len(sources)} keys before the failure; "
            "run the command again for the rest"
        )
        raise
    return lines


def _answer_import(context: typer.Context, organization_id: UUID, report: Sequence[Line], *, is_dry_run: bool) -> None:
    counts = Counter(line.result for line in report)
    output = ImportedKeys(
        organization_id=str(organization_id),
        dry_run=is_dry_run,
        created=counts[Result.CREATED],
        already_there=counts[Result.ALREADY_THERE],
        refused=counts[Result.REFUSED],
        not_tried=counts[Result.NOT_TRIED],
        lines=[ImportedLine.of(line) for line in report],
    )
    answer(context, output, lambda: _print_import(output))


def _print_import(output: ImportedKeys) -> None:
    taken = [line for line in output.lines if line.result is not Result.REFUSED]
    if taken:
        terminal.print_table(
            [Column("line"), Column("result"), Column("id"), Column("name", is_text=True)],
            [(line.line, line.result, line.id, line.name) for line in taken],
            "",
        )
    refused = [(f"line {line.line}", line.reason) for line in output.lines if line.result is Result.REFUSED]
    if refused:
        terminal.print_fields(refused)
    verb = "Would import" if output.dry_run else "Imported"
    terminal.print_line(
        f"{verb} {_counted(output.created)}. Already there: {output.already_there}. Refused: {output.refused}."
    )
    if output.not_tried:
        terminal.print_line("Correct the refused lines, or pass --keep-going to import the others.")


def _counted(count: int) -> str:
    return "1 key" if count == 1 else f"{count} keys"
