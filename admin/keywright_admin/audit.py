"""The command `audit`."""  # no future annotations: typer evaluates those of the command

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer

from keywright.api.schemas import AuditLog
from keywright.domain.audit_event import AuditEvent
from keywright.domain.principals import ActorType
from keywright.operators import audit_log
from keywright.store.audit import AuditFilter
from keywright_admin import terminal
from keywright_admin.arguments import IdOption, OrganizationArgument, existing_organization_id, parse_past_time
from keywright_admin.command import answer, is_json
from keywright_admin.output import AuditRecordList, AuditRecordOutput


def show_audit_log(  # noqa: PLR0913 - the filters
    context: typer.Context,
    organization: OrganizationArgument,
    *,
    event: Annotated[list[AuditEvent] | None, typer.Option("--event", help="Only this event; can be repeated.")] = None,
    actor_type: Annotated[
        list[ActorType] | None, typer.Option("--actor-type", help="Only changes of these actors; can be repeated.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="ID", help="Only changes of this user, key or ARN.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="ID", help="Only changes to this key, user or organization.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", metavar="TIME", parser=parse_past_time, help="RFC 3339, a date, or 2h ago."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", metavar="TIME", parser=parse_past_time, help="The same.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="NUMBER", help="The latest so many records.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Then show new records, until Ctrl-C.")] = False,
    is_id: IdOption = False,
) -> None:
    """Show the latest records of an organization's audit log, the newest at the end."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    records = AuditFilter(
        events=event or (),
        actor_types=actor_type or (),
        actor_id=actor,
        target_id=target,
        created_from=since,
        created_to=until,
    )
    latest, has_more = audit_log.latest_records(organization_id, records, limit)
    if follow:
        for record in latest:
            _print_one(context, record)
        for record in audit_log.following_records(organization_id, records, latest):
            _print_one(context, record)
        return
    outputs = [AuditRecordOutput.of(record) for record in latest]
    answer(context, AuditRecordList(records=outputs, has_more=has_more), lambda: _print_all(latest))
    if has_more and not is_json(context):
        terminal.print_error(f"There are older records; --limit shows more than {limit}.")


def _print_all(records: list[AuditLog]) -> None:
    for record in records:
        _print(record)
    if not records:
        terminal.print_line("No records.")


def _print_one(context: typer.Context, record: AuditLog) -> None:
    answer(context, AuditRecordOutput.of(record), lambda: _print(record))


def _print(record: AuditLog) -> None:
    actor = record.actor
    # Quoted, because a key's name can be any text.
    name = [] if actor.name is None else [json.dumps(actor.name, ensure_ascii=False)]
    source = [f"from {record.source_ip}"] if record.source_ip else []
    terminal.print_block(
        f"{record.created_at}  {record.event}",
        [
            f"{record.target_type} {record.target_id}",
            " ".join(["by", actor.type, actor.id, *name, *source]),
            *([f"reason: {record.reason}"] if record.reason else []),
            *_changes(record.changes),
        ],
    )


def _changes(changes: Mapping[str, object]) -> list[str]:
    before, after = (_fields(changes.get(name)) for name in ("before", "after"))
    if not before or not after:
        return [f"{name}: {value}" for name, value in (after or before).items()]
    return [f"{name}: {value} -> {after.get(name, '-')}" for name, value in before.items()]


def _fields(values: object) -> dict[str, str]:
    return (
        {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
        if isinstance(values, Mapping)
        else {}
    )
