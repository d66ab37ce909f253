"""Arguments and options that several commands take, and how their values are checked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from keywright import clock
from keywright.ids import MAXIMUM_ID_BYTES, is_plain, may_be_derived, organization_uuid, parse_uuid
from keywright.operators import organizations as operator_organizations
from keywright.organizations.events import ORGANIZATION_NAME_CHARACTERS
from keywright_admin.failures import UsageError


def parse_organization(text: str) -> str:
    """Parse the id of an organization, or its name at the identity provider.

    Raises:
        BadParameter: the text is empty or too long.
    """
    if not _is_short(text):
        raise typer.BadParameter(f"an organization id has 1 to {MAXIMUM_ID_BYTES} bytes")
    return text


def existing_organization_id(text: str, *, is_id: bool) -> UUID:
    """Return the id of the organization that an operator means. Reads the table if a UUID may also be a name.

    Raises:
        UsageError: --id was given and the text is not a UUID.
        RefusedError: the text is the id of one organization and the provider's name of another.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    if is_id:
        organization_id = parse_uuid(text)
        if organization_id is None:
            raise UsageError("--id requires ORGANIZATION to be a UUID; `organizations list` shows it")
        return organization_id
    return operator_organizations.derived_id(text) if may_be_derived(text) else organization_uuid(text)


def typed(organization: str, *, is_id: bool) -> list[str]:
    """Return an organization as it was typed, as words of another command."""
    return [organization, *(["--id"] if is_id else [])]


def parse_user_id(text: str) -> str:
    """Parse the `sub` claim of a user.

    Raises:
        BadParameter: no such claim would be accepted by the API.
    """
    if not _is_short(text) or not is_plain(text):
        raise typer.BadParameter(
            f"a user id is the `sub` claim of the user's tokens: 1 to {MAXIMUM_ID_BYTES} bytes, printable, "
            "without quotation marks and backslashes"
        )
    return text


def parse_organization_name(text: str) -> str:
    """Parse a display name; surrounding spaces are removed.

    Raises:
        BadParameter: the name is blank, too long or not printable.
    """
    name = text.strip()
    if not name or not name.isprintable() or len(name) > ORGANIZATION_NAME_CHARACTERS:
        raise typer.BadParameter(
            f"a name has 1 to {ORGANIZATION_NAME_CHARACTERS} printable characters, not only spaces"
        )
    return name


def parse_key_id(text: str) -> UUID:
    """Parse the id of an API key.

    Raises:
        BadParameter: the text is not a UUID.
    """
    key_id = parse_uuid(text)
    if key_id is None:
        raise typer.BadParameter("a key id is a UUID; `keys list` shows it")
    return key_id


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(r"([0-9]{1,6})([smhd])")


def parse_past_time(text: str) -> datetime:
    """Parse a time of RFC 3339, a date, or how long ago it was: 90s, 15m, 2h, 7d.

    Raises:
        BadParameter: the text is none of them.
    """
    span = _span(text)
    return _moment(text, "90s, 15m, 2h, 7d ago") if span is None else clock.now() - span


def parse_future_time(text: str) -> datetime:
    """Parse a time of RFC 3339, a date, or how long it is until then: 12h, 30d.

    Raises:
        BadParameter: the text is none of them.
    """
    span = _span(text)
    return _moment(text, "in 12h, 30d") if span is None else clock.now() + span


def _span(text: str) -> timedelta | None:
    match = _SPAN.fullmatch(text)
    return None if match is None else timedelta(**{_UNITS[match[2]]: int(match[1])})


def _moment(text: str, spans: str) -> datetime:
    moment = clock.parse(text) or clock.parse(f"{text}T00:00:00Z")
    if moment is None:
        raise typer.BadParameter(f"a time is 2026-01-31T12:00:00Z, 2026-01-31, or {spans}")
    return moment.astimezone(UTC)


def _is_short(text: str) -> bool:
    try:
        return 0 < len(text.encode()) <= MAXIMUM_ID_BYTES
    except UnicodeEncodeError:  # bytes on the command line that are not UTF-8
        return False


OrganizationArgument = Annotated[
    str,
    typer.Argument(
        metavar="ORGANIZATION",
        parser=parse_organization,
        help="The identity provider's name for the organization, such as org_2abc, or its id.",
    ),
]
NewOrganizationArgument = Annotated[
    str,
    typer.Argument(
        metavar="ORGANIZATION",
        parser=parse_organization,
        help="The identity provider's name for the organization, such as org_2abc.",
    ),
]
KeyArgument = Annotated[UUID, typer.Argument(metavar="KEY", parser=parse_key_id, help="Id of the key.")]
IdOption = Annotated[
    bool, typer.Option("--id", help="ORGANIZATION is an id that `organizations list` shows, never a name.")
]
UserArgument = Annotated[
    str, typer.Argument(metavar="USER", parser=parse_user_id, help="The `sub` claim of the user's session tokens.")
]
ConfirmedOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
