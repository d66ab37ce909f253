"""The commands of `organizations`."""  # no future annotations: typer evaluates those of the commands

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer

from keywright.domain.organization_state import Setting
from keywright.ids import organization_uuid
from keywright.operators import organizations as operator_organizations
from keywright.operators.organizations import ShownOrganization
from keywright.operators.refusals import ExistsError
from keywright_admin import terminal
from keywright_admin.arguments import (
    ConfirmedOption,
    IdOption,
    NewOrganizationArgument,
    OrganizationArgument,
    existing_organization_id,
    parse_organization_name,
    parse_user_id,
)
from keywright_admin.command import answer, command, confirm
from keywright_admin.deployment import operator
from keywright_admin.failures import UsageError
from keywright_admin.limits import (
    NewSetting,
    parse_quota,
    parse_rate_limit,
    parse_usage_plan_key,
    quota_text,
    rate_limit_text,
    read_usage_plan_key,
)
from keywright_admin.output import ChangedOrganization, OrganizationList, OrganizationOutput
from keywright_admin.terminal import Column

organization_commands = typer.Typer(help="Create, show, rename, limit and delete organizations.")


@command(
    organization_commands,
    "create",
    "organizations create org_2abc --name Acme --owner user_1",
    "organizations create 5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01 --name Acme --owner auth0|123",
)
def _create(
    context: typer.Context,
    organization: NewOrganizationArgument,
    name: Annotated[str, typer.Option("--name", metavar="NAME", parser=parse_organization_name, help="Display name.")],
    owner: Annotated[
        str, typer.Option("--owner", metavar="USER", parser=parse_user_id, help="The `sub` claim of the first owner.")
    ],
) -> None:
    """Create an organization and its first owner in one transaction."""
    organization_id = organization_uuid(organization)
    try:
        created = operator_organizations.create_organization(operator(), organization_id, name, owner)
    except ExistsError:
        if not operator_organizations.is_as_created(organization_id, name, owner):
            raise
        _answer_change(
            context, organization_id, f"Organization {organization_id} exists, with the owner {owner}.", changed=False
        )
        return
    answer(
        context,
        ChangedOrganization(changed=True, organization=OrganizationOutput.of(created)),
        lambda: terminal.print_line(f"Created organization {created.id} with the owner {owner}."),
    )


@command(
    organization_commands,
    "show",
    "organizations show org_2abc",
    "organizations show 646670c1-96c0-57dd-934f-57cbcaa76f2f --id",
)
def _show(context: typer.Context, organization: OrganizationArgument, *, is_id: IdOption = False) -> None:
    """Show an organization."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    shown = operator_organizations.show_organization(organization_id)
    answer(context, OrganizationOutput.of(shown), lambda: terminal.print_fields(_fields(shown)))


@command(organization_commands, "list", "organizations list", "organizations list --json")
def _list(context: typer.Context) -> None:
    """List all organizations. Reads the whole table, including keys and audit records."""
    with terminal.progress_bar("items read") as advance:
        listed = operator_organizations.list_organizations(advance)
    output = OrganizationList(organizations=[OrganizationOutput.of(organization) for organization in listed])
    answer(context, output, lambda: _print_table(listed))


def _print_table(listed: Sequence[ShownOrganization]) -> None:
    terminal.print_table(
        [
            Column("id"),
            Column("name", is_text=True),
            Column("deletion due"),
            Column("created", is_extra=True),
            Column("rate limit", is_extra=True),
            Column("quota", is_extra=True),
        ],
        [
            (
                row.id,
                row.name,
                terminal.minute(row.pending_deletion_at),
                terminal.minute(row.created_at),
                row.rate_limit and rate_limit_text(row.rate_limit),
                row.quota and quota_text(row.quota),
            )
            for row in listed
        ],
        "No organizations.",
    )


def _fields(organization: ShownOrganization) -> list[tuple[str, object]]:
    return [
        ("id", organization.id),
        ("name", organization.name),
        ("created at", organization.created_at),
        ("scheduled deletion", organization.pending_deletion_at),
        ("rate limit", organization.rate_limit and rate_limit_text(organization.rate_limit)),
        ("quota", organization.quota and quota_text(organization.quota)),
        ("usage plan key", organization.usage_plan_key),
    ]


@command(organization_commands, "rename", 'organizations rename org_2abc "Acme Ltd"')
def _rename(
    context: typer.Context,
    organization: OrganizationArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", parser=parse_organization_name, help="New display name.")],
    *,
    is_id: IdOption = False,
) -> None:
    """Rename an organization."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    changed = operator_organizations.rename_organization(operator(), organization_id, name)
    _answer_change(
        context,
        organization_id,
        f"Renamed the organization to {name}." if changed else f"The organization is already named {name}.",
        changed=changed,
    )


@command(
    organization_commands,
    "update",
    "organizations update org_2abc --rate-limit 100/1s --quota 10000/month",
    "organizations update org_2abc --rate-limit 600/60s,burst=20 --quota none",
    "organizations update org_2abc --usage-plan-key - < FILE",
)
def _update(  # noqa: PLR0913 - the settings
    context: typer.Context,
    organization: OrganizationArgument,
    *,
    rate_limit: Annotated[
        NewSetting | None,
        typer.Option(
            "--rate-limit", metavar="RATE", parser=parse_rate_limit, help="100/1s, 600/60s,burst=20, or none."
        ),
    ] = None,
    quota: Annotated[
        NewSetting | None,
        typer.Option("--quota", metavar="QUOTA", parser=parse_quota, help="10000/month, day, week, total, or none."),
    ] = None,
    usage_plan_key: Annotated[
        str | None,
        typer.Option(
            "--usage-plan-key",
            metavar="-",
            parser=parse_usage_plan_key,
            help="Value of an API key of API Gateway, from standard input; none removes it.",
        ),
    ] = None,
    is_id: IdOption = False,
) -> None:
    """Set limits of all keys of an organization together, and the usage plan key that API Gateway throttles by."""
    if rate_limit is None and quota is None and usage_plan_key is None:
        raise UsageError("nothing to change: pass --rate-limit, --quota or --usage-plan-key")
    new = {
        Setting.RATE_LIMIT: rate_limit,
        Setting.QUOTA: quota,
        Setting.USAGE_PLAN_KEY: None if usage_plan_key is None else read_usage_plan_key(usage_plan_key),
    }
    settings = {setting: value for setting, value in new.items() if value is not None}
    organization_id = existing_organization_id(organization, is_id=is_id)
    changed = operator_organizations.update_organization(
        operator(), organization_id, {setting: value.stored for setting, value in settings.items()}
    )
    values = ", ".join(f"{setting.replace('_', ' ')} {value.shown}" for setting, value in settings.items())
    _answer_change(
        context,
        organization_id,
        f"Changed the organization: {values}." if changed else f"The organization already has {values}.",
        changed=changed,
    )


@command(organization_commands, "request-deletion", "organizations request-deletion org_2abc")
def _request_deletion(
    context: typer.Context, organization: OrganizationArgument, *, is_id: IdOption = False, yes: ConfirmedOption = False
) -> None:
    """Schedule an organization for deletion. Its keys stop working now; cancel-deletion makes them work again."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    name = operator_organizations.show_organization(organization_id).name or organization_id
    confirm(f"Stop all keys of {name} now and delete it after the grace period?", is_confirmed=yes)
    changed = operator_organizations.schedule_deletion(operator(), organization_id)
    deletion = operator_organizations.show_organization(organization_id).pending_deletion_at
    _answer_change(
        context,
        organization_id,
        f"The organization will be deleted at {deletion}."
        if changed
        else f"The organization is already scheduled for deletion at {deletion}.",
        changed=changed,
    )


@command(organization_commands, "cancel-deletion", "organizations cancel-deletion org_2abc")
def _cancel_deletion(context: typer.Context, organization: OrganizationArgument, *, is_id: IdOption = False) -> None:
    """Cancel the scheduled deletion of an organization. Its keys work again."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    changed = operator_organizations.cancel_scheduled_deletion(operator(), organization_id)
    _answer_change(
        context,
        organization_id,
        "Canceled the deletion. The organization's keys work again." if changed else "No deletion is scheduled.",
        changed=changed,
    )


def _answer_change(context: typer.Context, organization_id: UUID, text: str, *, changed: bool) -> None:
    organization = OrganizationOutput.of(operator_organizations.show_organization(organization_id))
    answer(
        context,
        ChangedOrganization(changed=changed, organization=organization),
        lambda: terminal.print_line(text),
    )
