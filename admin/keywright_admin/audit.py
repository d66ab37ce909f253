"""The commands of `audit`."""  # no future annotations: typer evaluates those of the command

import json
import os
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer

from keywright.api.schemas import AuditLog
from keywright.domain.audit_event import AuditEvent
from keywright.domain.principals import ActorType
from keywright.operators import archive_check, audit_log
from keywright.operators.archive_check import Finding, Known, Report
from keywright.store.archive import Head
from keywright.store.audit import AuditFilter
from keywright_admin import terminal
from keywright_admin.archive_bucket import ArchiveBucket
from keywright_admin.arguments import IdOption, OrganizationArgument, existing_organization_id, parse_past_time
from keywright_admin.command import answer, command, is_json
from keywright_admin.deployment import ARCHIVE_BUCKET
from keywright_admin.failures import ExitCode, UsageError
from keywright_admin.output import AuditRecordList, AuditRecordOutput, VerifiedArchive

audit_commands = typer.Typer(help="Show the audit log, and compare it with its archive.")

_HEAD = re.compile(r"([1-9][0-9]{0,11}):([0-9a-f]{64})")


def parse_head(text: str) -> Head:
    """Parse the head of an archive, as `audit verify` prints it.

    Raises:
        BadParameter: it has another form.
    """
    head = _HEAD.fullmatch(text)
    if head is None:
        raise typer.BadParameter("a head is NUMBER:DIGEST, as this command printed it")
    return Head(int(head[1]), head[2])


@command(
    audit_commands,
    "show",
    "audit show org_2abc",
    "audit show org_2abc --actor-type operator --since 7d",
    "audit show org_2abc --event api_key.deleted --event api_key.rotated --follow",
)
def _show(  # noqa: PLR0913 - the filters
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


@command(
    audit_commands,
    "verify",
    "audit verify --stack keywright",
    f"audit verify --stack keywright --expect 57:{'9f' * 32}",
    f"audit verify --stack keywright --from 20:{'3c' * 32}",
)
def _verify(
    context: typer.Context,
    *,
    bucket: Annotated[
        str | None, typer.Option("--bucket", metavar="NAME", help="Bucket of the archive, instead of the stack's.")
    ] = None,
    expect: Annotated[
        Head | None,
        typer.Option("--expect", metavar="HEAD", parser=parse_head, help="A head that was printed earlier."),
    ] = None,
    first: Annotated[
        Head | None,
        typer.Option(
            "--from", metavar="HEAD", parser=parse_head, help="An earlier head, before which objects have expired."
        ),
    ] = None,
) -> None:
    """Compare the audit log in the table with its archive. Exits with 7 if a record was changed, removed or added.

    Reads the whole table and the whole archive. Keep the head that it prints where no administrator of the account can
    change it.
    """
    name = bucket or os.environ.get(ARCHIVE_BUCKET)
    if not name:
        raise UsageError(f"no archive: deploy with AuditArchive=on, pass --bucket NAME, or set {ARCHIVE_BUCKET}")
    if first is not None and expect is not None and expect.number < first.number:
        raise UsageError("the object of --expect is before that of --from")
    known = Known(expect, first, is_of_stack=name == os.environ.get(ARCHIVE_BUCKET))
    with terminal.progress_bar("records and items read") as advance:
        report = archive_check.verify(ArchiveBucket(name), known, advance)
    answer(context, VerifiedArchive.of(name, report), lambda: _print_report(name, report))
    if report.findings:
        raise typer.Exit(ExitCode.FOUND)


def _print_report(bucket: str, report: Report) -> None:
    for finding in report.findings:
        _print_finding(finding)
    head = report.head
    rows: list[tuple[str, object]] = [
        ("bucket", bucket),
        ("began", report.began),
        ("objects", report.objects),
        ("archived records", report.archived),
        ("same in the table", report.same),
        ("retention is over", report.expired),
        ("organization deleted", sum(report.purged.values())),
        ("deleted organizations", sorted(report.purged)),
        ("archived by hand", report.by_hand),
        ("objects by hand", [f"{each.number} ({each.records}, {each.written_at})" for each in report.by_hand_objects]),
        ("not archived yet", report.pending),
        ("older than the archive", report.older),
        ("newer than the archive", report.newer),
        ("objects after the head", report.behind),
        ("findings", len(report.findings)),
        ("head", None if head.digest is None else f"{head.number}:{head.digest}"),
    ]
    terminal.print_fields(rows)


def _print_finding(finding: Finding) -> None:
    record = [
        ("organization", finding.organization_id),
        ("record", finding.record_id),
        ("event", finding.event),
        ("time", finding.created_at),
    ]
    terminal.print_block(
        f"{finding.what}: {finding.place}",
        [terminal.printable(finding.text), *(f"{name} {value}" for name, value in record if value is not None)],
    )


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
