"""The commands. What they do is in keywright.operators.administration; here is how it is asked for and shown."""

from __future__ import annotations

import inspect
import json
import uuid
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from admin import answers, deployment, terminal
from admin.deployment import Deployment
from admin.failures import EXPECTED, ExitCode, UsageError, explain
from keywright.domain.permissions import Role
from keywright.ids import MAXIMUM_ID_BYTES, is_plain, may_be_derived, organization_uuid, parse_uuid
from keywright.operators import administration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import BaseModel

    from keywright.domain.principals import Actor

NAME = "keywright-admin"
NAME_CHARACTERS = 255
_PYDANTIC = "Value error, "  # what the parser of values puts before the rule that was broken
EXIT_CODES = (
    "0 done, or it was so already; 1 a mistake in this program; 2 wrong usage; 3 not found; 4 refused; "
    "5 no access to AWS; 6 AWS does not answer; 130 stopped by you"
)

app = typer.Typer(
    name=NAME,
    help="Work on the organizations, members and API keys of a deployment, with your own AWS credentials. "
    "Every change is in the audit log of its organization, under the ARN of your credentials.",
    epilog="\n\n".join(
        [
            "Examples:",
            f"{NAME} --stack keywright organizations create org_2abc --name Acme --owner user_1",
            f"{NAME} --table my-table members list org_2abc --json",
            f"{NAME} --local organizations list",
            f"Exit codes: {EXIT_CODES}.",
        ]
    ),
    pretty_exceptions_enable=False,
    no_args_is_help=False,
)
organizations = typer.Typer(help="Create, show, rename and delete organizations.")
members = typer.Typer(help="Add, change, suspend and remove the members of an organization.")
keys = typer.Typer(help="Look at the API keys of an organization, and revoke them.")
app.add_typer(organizations, name="organizations")
app.add_typer(members, name="members")
app.add_typer(keys, name="keys")


# ---- What can be given ---------------------------------------------------------------------------------------


def _organization(text: str) -> str:
    if not _is_short(text):
        raise typer.BadParameter(f"an organization's id has 1 to {MAXIMUM_ID_BYTES} bytes")
    return text


def _new_organization(text: str) -> uuid.UUID:
    return organization_uuid(_organization(text))


def _existing_organization(text: str, *, is_id: bool) -> uuid.UUID:
    """Return the id of the organization that an operator means.

    Raises:
        UsageError: it is to be an id, and is none.
        RefusedError: it is the id of one organization and the provider's name of another.
    """
    if is_id:
        organization_id = parse_uuid(text)
        if organization_id is None:
            raise UsageError("--id takes ORGANIZATION for an id, which is a UUID; `organizations list` shows it")
        return organization_id
    return administration.derived_id(text) if may_be_derived(text) else organization_uuid(text)


def _user(text: str) -> str:
    if not _is_short(text) or not is_plain(text):
        raise typer.BadParameter(
            f"a user's id is what their tokens have as `sub`: 1 to {MAXIMUM_ID_BYTES} bytes, printable, "
            "without quotation marks and backslashes"
        )
    return text


def _is_short(text: str) -> bool:
    try:
        return 0 < len(text.encode()) <= MAXIMUM_ID_BYTES
    except UnicodeEncodeError:  # bytes of a terminal that are no characters
        return False


def _name(text: str) -> str:
    name = text.strip()
    if not name or not name.isprintable() or len(name) > NAME_CHARACTERS:
        raise typer.BadParameter(f"a name has 1 to {NAME_CHARACTERS} characters, printable and not blank")
    return name


def _key(text: str) -> uuid.UUID:
    key_id = parse_uuid(text)
    if key_id is None:
        raise typer.BadParameter("a key's id is a UUID; `keys list` shows it")
    return key_id


Organization = Annotated[
    uuid.UUID,
    typer.Argument(
        metavar="ORGANIZATION",
        parser=_organization,
        help="The identity provider's name for the organization, such as org_2abc, or its id.",
    ),
]
NewOrganization = Annotated[
    uuid.UUID,
    typer.Argument(
        metavar="ORGANIZATION",
        parser=_new_organization,
        help="The identity provider's name for the organization, such as org_2abc.",
    ),
]
IsId = Annotated[
    bool, typer.Option("--id", help="Take ORGANIZATION for an id that `organizations list` shows, never for a name.")
]
User = Annotated[
    str, typer.Argument(metavar="USER", parser=_user, help="What the user's session tokens have as `sub`.")
]
GivenRole = Annotated[Role, typer.Option("--role", help="What they may do.")]
IsSure = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
TableName = Annotated[
    str | None, typer.Option("--table", metavar="NAME", help="The table; by default what TABLE_NAME says.")
]
StackName = Annotated[
    str | None, typer.Option("--stack", metavar="NAME", help="The CloudFormation stack whose table it is.")
]
IsLocal = Annotated[bool, typer.Option("--local", help="The table of the service that `make run` serves here.")]
IsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs; docs/schemas/admin describes it.")]


@dataclass(frozen=True, slots=True)
class Session:
    """One call of a command.

    Attributes:
        is_json: whether a program reads the answer.
    """

    is_json: bool

    @property
    def actor(self) -> Actor:
        """Who does it, for the audit log."""
        return deployment.operator()

    def answer(self, answer: BaseModel, show: Callable[[], object]) -> None:
        """Give the answer: as JSON, or as people like to read it."""
        if self.is_json:
            terminal.line(answer.model_dump_json(by_alias=True, ensure_ascii=True))
        else:
            show()

    def confirm(self, question: str, *, is_sure: bool) -> None:
        """Go on only if that is wanted.

        Raises:
            Abort: it is not.
            UsageError: there is nobody who could say so.
        """
        if is_sure:
            return
        match terminal.is_agreed(question):
            case None:
                raise UsageError("nobody is there to be asked; say --yes if you are sure")
            case False:
                raise typer.Abort


_WHERE, _IS_JSON = "admin.deployment", "admin.json"
"""Where a context keeps what was said before the command."""

_COMMON = inspect.Signature(
    [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, annotation, default in (
            ("table", TableName, None),
            ("stack", StackName, None),
            ("local", IsLocal, False),
            ("as_json", IsJson, False),
        )
    ]
).parameters.values()
_IS_ID = inspect.Parameter("is_id", inspect.Parameter.KEYWORD_ONLY, annotation=IsId, default=False)
_CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


@app.callback()
def _keywright_admin(
    context: typer.Context,
    table: TableName = None,
    stack: StackName = None,
    *,
    local: IsLocal = False,
    as_json: IsJson = False,
) -> None:
    context.meta[_WHERE] = Deployment(table, stack, is_local=local)
    context.meta[_IS_JSON] = as_json


def _command(group: typer.Typer, name: str, *examples: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function that takes a session and what is its own.

    Where the table is, and whether a program reads the answer, can be said with each of them.
    """

    def decorate(act: Callable[..., None]) -> Callable[..., None]:
        def run(context: typer.Context, *, table: str | None, stack: str | None, local: bool, **given: Any) -> None:
            is_json = given.pop("as_json") or context.meta[_IS_JSON]
            deployment.choose(context.meta[_WHERE] | Deployment(table, stack, is_local=local))
            if names_existing:
                given["organization"] = _existing_organization(given["organization"], is_id=given.pop("is_id"))
            act(Session(is_json), **given)

        _, *own = inspect.signature(act, eval_str=True).parameters.values()
        names_existing = any(parameter.annotation == Organization for parameter in own)
        keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        keywords += [_IS_ID] if names_existing else []
        run.__signature__ = inspect.Signature([_CONTEXT, *keywords, *_COMMON])  # type: ignore[attr-defined]
        run.__annotations__ = {}
        run.__doc__ = act.__doc__
        epilog = "\n\n".join(["Examples:", *(f"{NAME} {example}" for example in examples)])
        group.command(name, epilog=epilog)(run)
        return act

    return decorate


# ---- Organizations -------------------------------------------------------------------------------------------


@_command(
    organizations,
    "create",
    "organizations create org_2abc --name Acme --owner user_1",
    "organizations create 5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01 --name Acme --owner auth0|123",
)
def create_organization(
    session: Session,
    organization: NewOrganization,
    name: Annotated[str, typer.Option("--name", metavar="NAME", parser=_name, help="What people call it.")],
    owner: Annotated[str, typer.Option("--owner", metavar="USER", parser=_user, help="Its first owner.")],
) -> None:
    """Create an organization and its first owner, in one transaction."""
    created = administration.create_organization(session.actor, organization, name, owner)
    session.answer(
        answers.ChangedOrganization(changed=True, organization=answers.organization(created)),
        lambda: terminal.line(f"Organization {created.id} is there, and {owner} owns it."),
    )


@_command(
    organizations,
    "show",
    "organizations show org_2abc",
    "organizations show 646670c1-96c0-57dd-934f-57cbcaa76f2f --id",
)
def show_organization(session: Session, organization: Organization) -> None:
    """Show an organization."""
    answer = answers.organization(administration.organization(organization))
    session.answer(
        answer,
        lambda: terminal.sheet(
            [
                ("id", answer.id),
                ("name", answer.name),
                ("created at", answer.created_at),
                ("to be deleted at", answer.pending_deletion_at),
            ]
        ),
    )


@_command(organizations, "list", "organizations list", "organizations list --json")
def list_organizations(session: Session) -> None:
    """List every organization. This reads the whole table, keys and audit records included."""
    with terminal.counting("items read") as advance:
        found = administration.list_organizations(advance)
    answer = answers.Organizations(organizations=[answers.organization(organization) for organization in found])
    session.answer(
        answer,
        lambda: terminal.table(
            ["id", "name", "created at", "to be deleted at"],
            [(found.id, found.name, found.created_at, found.pending_deletion_at) for found in answer.organizations],
        ),
    )


@_command(organizations, "rename", 'organizations rename org_2abc "Acme Ltd"')
def rename_organization(
    session: Session,
    organization: Organization,
    name: Annotated[str, typer.Argument(metavar="NAME", parser=_name, help="What people call it from now on.")],
) -> None:
    """Give an organization another name."""
    changed = administration.rename_organization(session.actor, organization, name)
    _answer_organization(
        session,
        organization,
        (f"The organization is called {name} now.", f"It is called {name} already."),
        changed=changed,
    )


@_command(organizations, "request-deletion", "organizations request-deletion org_2abc")
def request_deletion(session: Session, organization: Organization, *, yes: IsSure = False) -> None:
    """Schedule an organization for deletion: its keys stop working at once, and until then it can be cancelled."""
    name = administration.organization(organization).name
    session.confirm(f"Stop every key of {name or organization}, and delete it after the grace period?", is_sure=yes)
    changed = administration.request_deletion(session.actor, organization)
    until = administration.organization(organization).pending_deletion_at
    _answer_organization(
        session,
        organization,
        (f"The organization will be deleted at {until}.", f"It is scheduled already, for {until}."),
        changed=changed,
    )


@_command(organizations, "cancel-deletion", "organizations cancel-deletion org_2abc")
def cancel_deletion(session: Session, organization: Organization) -> None:
    """Cancel the deletion of an organization; its keys work again."""
    changed = administration.cancel_deletion(session.actor, organization)
    _answer_organization(
        session,
        organization,
        ("The deletion is cancelled; the organization's keys work again.", "No deletion is scheduled."),
        changed=changed,
    )


def _answer_organization(
    session: Session, organization_id: uuid.UUID, lines: tuple[str, str], *, changed: bool
) -> None:
    found = answers.organization(administration.organization(organization_id))
    session.answer(
        answers.ChangedOrganization(changed=changed, organization=found),
        lambda: terminal.line(lines[0] if changed else lines[1]),
    )


# ---- Members -------------------------------------------------------------------------------------------------


@_command(members, "list", "members list org_2abc", "members list org_2abc --json")
def list_members(session: Session, organization: Organization) -> None:
    """List the members of an organization."""
    answer = answers.Members(members=[answers.member(found) for found in administration.list_members(organization)])
    session.answer(
        answer,
        lambda: terminal.table(
            ["user", "role", "added at", "suspended at"],
            [(found.user_id, found.role, found.added_at, found.suspended_at) for found in answer.members],
        ),
    )


@_command(members, "add", "members add org_2abc user_2 --role admin")
def add_member(session: Session, organization: Organization, user: User, role: GivenRole) -> None:
    """Make somebody a member of an organization."""
    administration.add_member(session.actor, organization, user, role)
    _answer_member(session, organization, user, (f"{user} is a member now, with the role {role}.", ""), changed=True)


@_command(members, "set-role", "members set-role org_2abc user_2 owner")
def set_role(
    session: Session,
    organization: Organization,
    user: User,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="What they may do from now on.")],
) -> None:
    """Give a member another role, from their next request on."""
    changed = administration.set_role(session.actor, organization, user, role)
    _answer_member(
        session,
        organization,
        user,
        (f"{user} has the role {role} now.", f"{user} has that role already."),
        changed=changed,
    )


@_command(members, "suspend", "members suspend org_2abc user_2")
def suspend(session: Session, organization: Organization, user: User) -> None:
    """Suspend a member: from their next request on they may do nothing. Keys that they made go on working."""
    changed = administration.suspend(session.actor, organization, user)
    _answer_member(
        session, organization, user, (f"{user} is suspended now.", f"{user} is suspended already."), changed=changed
    )
    _remind_of_keys(session, organization, user)


@_command(members, "reinstate", "members reinstate org_2abc user_2")
def reinstate(session: Session, organization: Organization, user: User) -> None:
    """End the suspension of a member."""
    changed = administration.reinstate(session.actor, organization, user)
    _answer_member(
        session, organization, user, (f"{user} is reinstated now.", f"{user} is not suspended."), changed=changed
    )


@_command(members, "remove", "members remove org_2abc user_2", "members remove org_2abc user_2 --yes")
def remove(session: Session, organization: Organization, user: User, *, yes: IsSure = False) -> None:
    """Remove a member. Keys that they made go on working."""
    session.confirm(f"Remove {user} from the organization?", is_sure=yes)
    administration.remove(session.actor, organization, user)
    _answer_member(session, organization, user, (f"{user} is not a member any more.", ""), changed=True)
    _remind_of_keys(session, organization, user)


def _answer_member(
    session: Session,
    organization_id: uuid.UUID,
    user_id: str,
    lines: tuple[str, str],
    *,
    changed: bool,
) -> None:
    found = administration.member(organization_id, user_id)
    session.answer(
        answers.ChangedMember(
            changed=changed,
            organization_id=str(organization_id),
            user_id=user_id,
            member=None if found is None else answers.member(found),
        ),
        lambda: terminal.line(lines[0] if changed else lines[1]),
    )


def _remind_of_keys(session: Session, organization_id: uuid.UUID, user_id: str) -> None:
    if session.is_json:
        return
    count = sum(1 for _ in administration.list_keys(organization_id, user_id))
    if count:
        which = "A key that they made works on" if count == 1 else f"{count} keys that they made work on"
        terminal.line(f"{which}; to revoke: {NAME} keys revoke {organization_id} --created-by {quote(user_id)}")


# ---- Keys ----------------------------------------------------------------------------------------------------

Creator = Annotated[
    str | None, typer.Option("--created-by", metavar="USER", parser=_user, help="Only the keys that this user made.")
]


@_command(keys, "list", "keys list org_2abc", "keys list org_2abc --created-by user_2 --json")
def list_keys(session: Session, organization: Organization, created_by: Creator = None) -> None:
    """List the API keys of an organization, newest first."""
    with terminal.counting("keys read") as advance:
        found = []
        for key in administration.list_keys(organization, created_by):
            found.append(answers.key(key))
            advance(1)
    session.answer(
        answers.Keys(keys=found),
        lambda: terminal.table(
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
                for key in found
            ],
        ),
    )


@_command(keys, "show", "keys show org_2abc 01980000-0000-7000-8000-000000000001")
def show_key(
    session: Session,
    organization: Organization,
    key: Annotated[uuid.UUID, typer.Argument(metavar="KEY", parser=_key, help="Its id.")],
) -> None:
    """Show an API key; its secret is stored nowhere."""
    answer = answers.key(administration.show_key(organization, key))
    session.answer(
        answer,
        lambda: terminal.sheet(
            [
                ("id", answer.id),
                ("name", answer.name),
                ("enabled", answer.enabled),
                ("permissions", answer.permissions),
                ("metadata", json.dumps(answer.metadata)),
                ("hint", answer.hint),
                ("created by", answer.created_by),
                ("created at", answer.created_at),
                ("updated at", answer.updated_at),
                ("expires at", answer.expires_at),
                ("previous works until", answer.previous_key_expires_at),
                ("last used at", answer.last_used_at),
                ("requests", answer.request_count),
            ]
        ),
    )


@_command(
    keys,
    "revoke",
    "keys revoke org_2abc 01980000-0000-7000-8000-000000000001",
    "keys revoke org_2abc --created-by user_2",
    "keys revoke org_2abc --all --yes",
)
def revoke_keys(  # noqa: PLR0913 - one command for the three ways to say which
    session: Session,
    organization: Organization,
    key: Annotated[uuid.UUID | None, typer.Argument(metavar="[KEY]", parser=_key, help="The id of one key.")] = None,
    created_by: Creator = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every key of the organization.")] = False,
    yes: IsSure = False,
) -> None:
    """Delete API keys, at once and for good: one, every one that a user made, or all of an organization."""
    if [key is not None, created_by is not None, every].count(True) != 1:
        raise UsageError("say which: the id of one key, --created-by USER or --all")
    if key is not None:
        name = administration.show_key(organization, key).name
        session.confirm(f"Delete the key {name}, {key}, for good?", is_sure=yes)
        administration.revoke_key(session.actor, organization, key)
        _answer_revoked(session, organization, [str(key)])
        return
    count = sum(1 for _ in administration.list_keys(organization, created_by))
    if count:
        whose = "of the organization" if created_by is None else f"that {created_by} made"
        session.confirm(
            f"Delete {'the one key' if count == 1 else f'all {count} keys'} {whose}, for good?", is_sure=yes
        )
    revoked: list[str] = []
    try:
        with terminal.counting("keys deleted", count) as advance:
            for key_id in administration.revoke_keys(session.actor, organization, created_by):
                revoked.append(str(key_id))
                advance(1)
    except BaseException:
        terminal.complain(f"{NAME}: {len(revoked)} of {count} keys were deleted before this; run it again for the rest")
        raise
    _answer_revoked(session, organization, revoked)


def _answer_revoked(session: Session, organization_id: uuid.UUID, revoked: Sequence[str]) -> None:
    session.answer(
        answers.RevokedKeys(organization_id=str(organization_id), revoked=list(revoked)),
        lambda: terminal.line(
            "The key is deleted." if len(revoked) == 1 else f"{len(revoked) or 'No'} keys are deleted."
        ),
    )


# ---- The whole -----------------------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    """Run a command; give its exit code."""
    try:
        code = app(args=list(arguments) or ["--help"], prog_name=NAME, standalone_mode=False)
    except typer.TyperException as error:
        return _failed(ExitCode.USAGE, error.format_message().replace(_PYDANTIC, ""))
    except typer.Abort:
        return _failed(ExitCode.STOPPED, "stopped; nothing was changed")
    except EXPECTED as error:
        return _failed(*explain(error))
    return _failed(ExitCode.STOPPED, "stopped") if code == ExitCode.STOPPED else ExitCode.DONE


def _failed(code: ExitCode, text: str) -> int:
    terminal.complain(f"{NAME}: {terminal.printable(' '.join(text.split()))}")
    return code
