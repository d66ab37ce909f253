"""The fields of requests and responses: types with the rules that validate them."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from datetime import date, datetime
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from keywright import clock
from keywright.domain import ip_addresses, limits
from keywright.domain.audit_event import AuditEvent
from keywright.domain.leak import URL_CHARACTERS, URL_PATTERN, is_url
from keywright.domain.principals import ActorType
from keywright.ids import parse_uuid
from keywright.settings import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

NAME_CHARACTERS = 120
METADATA_STRING_CHARACTERS = 512
METADATA_BYTES = 16 * 1024
MAXIMUM_GRACE_PERIOD_SECONDS = 7 * 24 * 3600
MAXIMUM_ALLOWED_IPS = 50
MAXIMUM_REPORTED_KEYS = 100
MAXIMUM_VERIFICATIONS = 100
DEFAULT_LIMIT = 10
MAXIMUM_LIMIT = 100

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOOLEANS = {"true": True, "false": False}
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Category Cc, line and paragraph separators, and overrides of text direction (Unicode Standard Annex 9, "Directional
Formatting Characters"): with them a list or log line shows something else than it contains. The rest of category Cf is
allowed: emoji and several scripts need zero width joiners and directional marks."""

MetadataValue = str | int | float | bool


def metadata_text(metadata: Mapping[str, MetadataValue]) -> str:
    """Return metadata as the JSON text that is stored. It keeps every number and character as sent."""
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def broken_rule(rule: str, hint: str) -> PydanticCustomError:
    """Return the error of a value, for a validator to raise.

    Args:
        rule: continues a sentence that begins with the field: "must not be blank".
        hint: how to correct it.
    """
    # As values, not as the template: pydantic takes braces in a template for placeholders.
    return PydanticCustomError("rule", "{rule}", {"rule": rule, "hint": hint})


# ---- Validators ----------------------------------------------------------------------------------------------


def _trimmed_name(name: str) -> str:
    trimmed = name.strip()
    if not trimmed:
        raise broken_rule("must not be blank", "Choose a name that people recognize the key by.")
    if _CONTROL_CHARACTERS.search(trimmed):
        raise broken_rule(
            "must not contain control characters",
            "Remove line breaks, tabs, other control characters and overrides of text direction.",
        )
    return trimmed


def _permission_of_the_catalogue(permission: str) -> str:
    if permission not in catalogue():
        raise broken_rule("is not a permission of this service", f"Use any of: {', '.join(catalogue())}.")
    return permission


def _without_duplicates(permissions: list[str]) -> list[str]:
    return list(dict.fromkeys(permissions))


def _metadata_value(value: object) -> MetadataValue:
    match value:
        case bool() | int() if isinstance(value, bool) or _fits_double(value):
            return value
        case float() if math.isfinite(value):
            return value
        case int() | float():
            raise broken_rule(
                "must be a finite number", "Numbers can be up to about 1.797e308. Send larger ones as strings."
            )
        case str() if len(value) > METADATA_STRING_CHARACTERS:
            raise broken_rule(
                f"must have at most {METADATA_STRING_CHARACTERS} characters",
                f"Metadata strings can have up to {METADATA_STRING_CHARACTERS} characters.",
            )
        case str():
            return _encodable(value)
        case _:
            raise broken_rule(
                "must be a string, a number or a boolean",
                "Metadata is flat: it cannot contain null, arrays or objects.",
            )


def _fits_double(value: int) -> bool:
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise broken_rule(
            "contains a lone surrogate", "An escape from \\uD800 to \\uDFFF is a character only as half of a pair."
        ) from None
    return text


def _bounded_metadata(metadata: dict[str, MetadataValue]) -> dict[str, MetadataValue]:
    size = len(metadata_text(metadata).encode())
    if size > METADATA_BYTES:
        raise broken_rule(
            f"has {size} bytes as JSON; the maximum is {METADATA_BYTES}",
            "Store large values elsewhere.",
        )
    return metadata


def _moment(value: object) -> datetime:
    moment = clock.parse(value) if isinstance(value, str) else None
    if moment is None:
        raise broken_rule("must be an RFC 3339 time", _moment_hint(value))
    return moment


def _moment_hint(value: object) -> str:
    if isinstance(value, str) and clock.parse(value.replace(" ", "+")) is not None:
        return "A + in a query string means a space. Write it as %2B, or send the time in UTC, ending in Z."
    return "Include the time zone, as in 2030-01-31T12:00:00Z."


def _day(value: object) -> date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise broken_rule("must be a date", "Write it as in 2030-01-31. Days are in UTC.")


def _limit(value: object) -> int:
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or not 1 <= int(text) <= MAXIMUM_LIMIT:
        raise broken_rule(f"must be a whole number from 1 to {MAXIMUM_LIMIT}", f"The default limit is {DEFAULT_LIMIT}.")
    return int(text)


def _cursor(value: object) -> UUID:
    cursor = parse_uuid(str(value))
    if cursor is None:
        raise broken_rule("must be a cursor of this list", "Use next_cursor of the previous page.")
    return cursor


def _boolean_text(value: object) -> bool:
    if value not in _BOOLEANS:
        raise broken_rule("must be true or false", "Omit enabled to list both.")
    return _BOOLEANS[str(value)]


def _whole_number(value: object) -> object:
    """Return 60 for 60.0, which is the same number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _allowed_ip(text: str) -> str:
    try:
        return ip_addresses.normalized(text)
    except ValueError:
        meant = _range_around(text)
    if meant is None:
        raise broken_rule(
            "must be an IP address or a range of them",
            "Write an address as 192.0.2.1 or 2001:db8::1, and a range in CIDR notation, as 192.0.2.0/24.",
        )
    raise broken_rule("has bits set after its prefix", f"Did you mean {meant}?")


def _range_around(text: str) -> str | None:
    """Return the range that an address with a prefix is in; None if the text is not one."""
    try:
        return ip_addresses.normalized(str(ip_network(text, strict=False)))
    except ValueError:
        return None


def _distinct_or_none(addresses: list[str]) -> list[str] | None:
    return list(dict.fromkeys(addresses)) or None


def _client_ip(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        address = None
    if address is None or "%" in text:
        raise broken_rule(
            "must be an IP address",
            "Send the address that your server sees the caller at, without a port, such as 203.0.113.7 or 2001:db8::1.",
        )
    return text


def _leak_url(text: str) -> str:
    if not is_url(text):
        raise broken_rule(
            f"must be an http or https URL of at most {URL_CHARACTERS} characters without user name and password",
            "Send the address where the keys can be seen, percent-encoded, or omit url.",
        )
    return text


def _several_of(kind: type[StrEnum], plural: str) -> BeforeValidator:
    """Return the parser of a comma-separated list of the values of an enum."""
    known = {member.value for member in kind}

    def parse(value: object) -> tuple[StrEnum, ...]:
        names = [name.strip() for name in str(value).split(",")]
        if not known.issuperset(names):
            raise broken_rule(f"must be a comma-separated list of {plural}", f"Use any of: {', '.join(sorted(known))}.")
        return tuple(kind(name) for name in dict.fromkeys(names))

    return BeforeValidator(parse)


# ---- In bodies -----------------------------------------------------------------------------------------------

Name = Annotated[
    str, Field(min_length=1, max_length=NAME_CHARACTERS), AfterValidator(_encodable), AfterValidator(_trimmed_name)
]
# A named type is a named schema in the OpenAPI description; each deployment puts its own catalogue there.
Permission = TypeAliasType("Permission", Annotated[str, AfterValidator(_permission_of_the_catalogue)])
Permissions = Annotated[list[Permission], Field(min_length=1), AfterValidator(_without_duplicates)]
Metadata = Annotated[
    dict[
        Annotated[str, AfterValidator(_encodable)],
        Annotated[
            MetadataValue,
            PlainValidator(
                _metadata_value,
                json_schema_input_type=Annotated[str, Field(max_length=METADATA_STRING_CHARACTERS)] | float | bool,
            ),
        ],
    ],
    AfterValidator(_bounded_metadata),
]
Moment = Annotated[datetime, BeforeValidator(_moment)]
GracePeriodSeconds = Annotated[int, Field(ge=0, le=MAXIMUM_GRACE_PERIOD_SECONDS), BeforeValidator(_whole_number)]
RateLimitUses = Annotated[int, Field(ge=1, le=limits.HIGHEST_LIMIT), BeforeValidator(_whole_number)]
WindowSeconds = Annotated[int, Field(ge=1, le=limits.LONGEST_WINDOW_SECONDS), BeforeValidator(_whole_number)]
QuotaUses = Annotated[int, Field(ge=1, le=limits.HIGHEST_QUOTA), BeforeValidator(_whole_number)]
QuotaPeriod = Literal["day", "week", "month", "total"]
Reason = Literal["compromised", "superseded", "no_longer_used", "other"]
AllowedIps = Annotated[
    list[Annotated[str, AfterValidator(_allowed_ip)]],
    Field(max_length=MAXIMUM_ALLOWED_IPS),
    AfterValidator(_distinct_or_none),
]
ReportedKeys = Annotated[list[str], Field(min_length=1, max_length=MAXIMUM_REPORTED_KEYS)]
ClientIp = Annotated[str, AfterValidator(_client_ip)]
LeakUrl = Annotated[
    str,
    AfterValidator(_leak_url),
    WithJsonSchema({"type": "string", "maxLength": URL_CHARACTERS, "pattern": URL_PATTERN}),
]
Cost = Annotated[int, Field(ge=0, le=limits.HIGHEST_COST), BeforeValidator(_whole_number)]

# ---- In query strings ----------------------------------------------------------------------------------------

Limit = Annotated[int, Field(ge=1, le=MAXIMUM_LIMIT), BeforeValidator(_limit)]
Cursor = Annotated[UUID | None, BeforeValidator(_cursor)]
BooleanText = Annotated[bool | None, BeforeValidator(_boolean_text)]
Day = Annotated[date, BeforeValidator(_day)]
AuditEvents = Annotated[tuple[AuditEvent, ...], Field(min_length=1), _several_of(AuditEvent, "events")]
ActorTypes = Annotated[tuple[ActorType, ...], Field(min_length=1), _several_of(ActorType, "actor types")]

# ---- In responses --------------------------------------------------------------------------------------------

WrittenMoment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
WrittenDay = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
