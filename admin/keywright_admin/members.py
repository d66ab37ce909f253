"""The commands of `members`."""  # no future annotations: typer evaluates those of the commands

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer

from keywright.domain.permissions import Role
from keywright.operators import keys as operator_keys
from keywright.operators import members as operator_members
from keywright_admin import terminal
from keywright_admin.arguments import (
    ConfirmedOption,
    IdOption,
    OrganizationArgument,
    UserArgument,
    existing_organization_id,
    typed,
)
from keywright_admin.command import answer, command, confirm, follow_up, is_json
from keywright_admin.deployment import operator
from keywright_admin.output import ChangedMember, MemberList, MemberOutput
from keywright_admin.terminal import Column

member_commands = typer.Typer(help="Add, change, suspend and remove the members of an organization.")


@command(member_commands, "list", "members list org_2abc", "members list org_2abc --json")
def _list(context: typer.Context, organization: OrganizationArgument, *, is_id: IdOption = False) -> None:
    """List the members of an organization."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    output = MemberList(members=[MemberOutput.of(member) for member in operator_members.list_members(organization_id)])
    answer(
        context,
        output,
        lambda: terminal.print_table(
            [Column("user"), Column("role"), Column("suspended"), Column("added", is_extra=True)],
            [
                (member.user_id, member.role, terminal.minute(member.suspended_at), terminal.minute(member.added_at))
                for member in output.members
            ],
            "No members.",
        ),
    )


@command(member_commands, "add", "members add org_2abc user_2 --role admin")
def _add(
    context: typer.Context,
    organization: OrganizationArgument,
    user: UserArgument,
    role: Annotated[Role, typer.Option("--role", help="Role in the organization.")],
    *,
    is_id: IdOption = False,
) -> None:
    """Add a member to an organization."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    changed = operator_members.add_member(operator(), organization_id, user, role)
    text = f"Added {user} with the role {role}." if changed else f"{user} is a member already, with the role {role}."
    _answer_change(context, organization_id, user, text, changed=changed)


@command(member_commands, "set-role", "members set-role org_2abc user_2 owner")
def _set_role(
    context: typer.Context,
    organization: OrganizationArgument,
    user: UserArgument,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="New role.")],
    *,
    is_id: IdOption = False,
) -> None:
    """Change the role of a member, from their next request on."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    changed = operator_members.set_role(operator(), organization_id, user, role)
    text = f"{user} now has the role {role}." if changed else f"{user} already has the role {role}."
    _answer_change(context, organization_id, user, text, changed=changed)


@command(member_commands, "suspend", "members suspend org_2abc user_2")
def _suspend(
    context: typer.Context, organization: OrganizationArgument, user: UserArgument, *, is_id: IdOption = False
) -> None:
    """Suspend a member, from their next request on. Keys they created keep working."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    changed = operator_members.suspend(operator(), organization_id, user)
    text = f"Suspended {user}." if changed else f"{user} is already suspended."
    _answer_change(context, organization_id, user, text, changed=changed)
    _mention_remaining_keys(context, organization_id, user, typed(organization, is_id=is_id))


@command(member_commands, "reinstate", "members reinstate org_2abc user_2")
def _reinstate(
    context: typer.Context, organization: OrganizationArgument, user: UserArgument, *, is_id: IdOption = False
) -> None:
    """End the suspension of a member."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    changed = operator_members.reinstate(operator(), organization_id, user)
    text = f"Reinstated {user}." if changed else f"{user} is not suspended."
    _answer_change(context, organization_id, user, text, changed=changed)


@command(member_commands, "remove", "members remove org_2abc user_2", "members remove org_2abc user_2 --yes")
def _remove(
    context: typer.Context,
    organization: OrganizationArgument,
    user: UserArgument,
    *,
    is_id: IdOption = False,
    yes: ConfirmedOption = False,
) -> None:
    """Remove a member. Keys they created keep working."""
    organization_id = existing_organization_id(organization, is_id=is_id)
    confirm(f"Remove {user} from the organization?", is_confirmed=yes)
    changed = operator_members.remove(operator(), organization_id, user)
    text = f"Removed {user}." if changed else f"{user} was removed before."
    _answer_change(context, organization_id, user, text, changed=changed)
    _mention_remaining_keys(context, organization_id, user, typed(organization, is_id=is_id))


def _answer_change(context: typer.Context, organization_id: UUID, user_id: str, text: str, *, changed: bool) -> None:
    member = operator_members.show_member(organization_id, user_id)
    answer(
        context,
        ChangedMember(
            changed=changed,
            organization_id=str(organization_id),
            user_id=user_id,
            member=None if member is None else MemberOutput.of(member),
        ),
        lambda: terminal.print_line(text),
    )


def _mention_remaining_keys(
    context: typer.Context, organization_id: UUID, user_id: str, organization: Sequence[str]
) -> None:
    """Print how many keys of a user still work, and the command that revokes them.

    Args:
        context: of the command.
        organization_id: the organization.
        user_id: the user.
        organization: the same organization as words of a command.
    """
    if is_json(context):
        return
    count = sum(1 for _ in operator_keys.list_keys(organization_id, user_id))
    if count:
        remaining = "1 key they created still works" if count == 1 else f"{count} keys they created still work"
        terminal.print_line(f"{remaining}. To revoke:")
        terminal.print_line(f"  {follow_up(context, 'keys', 'revoke', *organization, '--created-by', user_id)}")
