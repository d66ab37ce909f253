"""The bodies of requests and responses, and the sentences that say what is wrong with one."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar, cast
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from keywright import clock
from keywright.api.json_body import quoted
from keywright.domain.audit_event import AuditEvent
from keywright.errors import BAD_REQUEST, ServiceError
from keywright.ids import parse_uuid
from keywright.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic.config import JsonDict
    from pydantic_core import ErrorDetails

NAME_CHARACTERS = 120
METADATA_STRING_CHARACTERS = 512
METADATA_BYTES = 16 * 1024
MAXIMUM_GRACE_PERIOD_SECONDS = 7 * 24 * 3600
DEFAULT_LIMIT = 10
MAXIMUM_LIMIT = 100

_REPORTED_ERRORS = 3
_SWITCH = {"true": True, "false": False}
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Category Cc, the separators of lines and paragraphs, and overrides of the direction of text (Unicode Standard Annex
9, "Directional Formatting Characters"): they make a list or a log line show what it does not say. The rest of category
Cf is allowed: emoji and several scripts are written with zero width joiners and directional marks."""
_SIMPLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")

MetadataValue = str | int | float | bool
Model = TypeVar("Model", bound=BaseModel)


def metadata_text(metadata: Mapping[str, MetadataValue]) -> str:
    """Write metadata as it is stored: JSON text, which keeps every number and every character as it was sent."""
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _wrong(rule: str, hint: str) -> PydanticCustomError:
    # Braces would be taken for placeholders, so rule and hint travel as values.
    return PydanticCustomError("rule", "{rule}", {"rule": rule, "hint": hint})


def _trimmed(name: str) -> str:
    trimmed = name.strip()
    if not trimmed:
        raise _wrong("must not be blank", "Give the key a name that people will recognize it by.")
    if _CONTROL_CHARACTERS.search(trimmed):
        raise _wrong(
            "must not hold control characters",
            "Leave out line breaks, tabs, other control characters, and overrides of the direction of text.",
        )
    return trimmed


def _listed(permission: str) -> str:
    catalogue = settings().permissions
    if permission not in catalogue:
        raise _wrong("is not a permission of this service", f"Use any of: {', '.join(catalogue)}.")
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
            raise _wrong("must be a finite number", "Numbers go up to about 1.797e308; send larger ones as strings.")
        case str() if len(value) > METADATA_STRING_CHARACTERS:
            raise _wrong(
                f"must have at most {METADATA_STRING_CHARACTERS} characters",
                f"Shorten it; metadata strings have at most {METADATA_STRING_CHARACTERS} characters.",
            )
        case str():
            return _encodable(value)
        case _:
            raise _wrong(
                "must be a string, a number or a boolean",
                "Metadata is flat: no null, no arrays and no objects in it.",
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
        raise _wrong(
            "holds a lone surrogate", "Send whole characters: a \\uD800 to \\uDFFF escape alone is not one."
        ) from None
    return text


def _bounded(metadata: dict[str, MetadataValue]) -> dict[str, MetadataValue]:
    size = len(metadata_text(metadata).encode())
    if size > METADATA_BYTES:
        raise _wrong(
            f"has {size} bytes as JSON text, and {METADATA_BYTES} are allowed",
            "Store what is long elsewhere.",
        )
    return metadata


def _moment(value: object) -> datetime:
    moment = clock.parse(value) if isinstance(value, str) else None
    if moment is None:
        raise _wrong("must be a time of RFC 3339", _hint_for_a_moment(value))
    return moment


def _hint_for_a_moment(value: object) -> str:
    if isinstance(value, str) and clock.parse(value.replace(" ", "+")) is not None:
        return "A + in a query means a space: write it as %2B, or the time in UTC with a Z at its end."
    return "Write it with its zone, as 2030-01-31T12:00:00Z."


def _limit(value: object) -> int:
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or not 1 <= int(text) <= MAXIMUM_LIMIT:
        raise _wrong(
            f"must be a whole number from 1 to {MAXIMUM_LIMIT}", f"Without it, a page has {DEFAULT_LIMIT} items."
        )
    return int(text)


def _id(value: object) -> UUID:
    found = parse_uuid(str(value))
    if found is None:
        raise _wrong("must be an id of the list", "Take it from next_cursor of the page before.")
    return found


def _switch(value: object) -> bool:
    if value not in _SWITCH:
        raise _wrong("must be true or false", "Leave it out to get both.")
    return _SWITCH[str(value)]


def _whole(value: object) -> object:
    """Take 60.0 for 60, which is the same number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _events(value: object) -> tuple[AuditEvent, ...]:
    names = [name.strip() for name in str(value).split(",")]
    known = {event.value for event in AuditEvent}
    if not known.issuperset(names):
        raise _wrong("must list events, separated by commas", f"Use any of: {', '.join(sorted(known))}.")
    return tuple(AuditEvent(name) for name in dict.fromkeys(names))


Name = Annotated[
    str, Field(min_length=1, max_length=NAME_CHARACTERS), AfterValidator(_encodable), AfterValidator(_trimmed)
]
# A type with a name of its own has one in the API's description, where a deployment's catalogue is put in.
Permission = TypeAliasType("Permission", Annotated[str, AfterValidator(_listed)])
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
    AfterValidator(_bounded),
]

Moment = Annotated[datetime, BeforeValidator(_moment)]
WrittenMoment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
GracePeriodSeconds = Annotated[int, Field(ge=0, le=MAXIMUM_GRACE_PERIOD_SECONDS), BeforeValidator(_whole)]


def _at_least_one(schema: JsonDict) -> None:
    """Say that one of the properties has to be there, whichever."""
    schema["anyOf"] = [{"required": [name]} for name in cast("JsonDict", schema["properties"])]


class Body(BaseModel):
    """A request body. Fields that it does not name are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)


class CreateApiKeyRequest(Body):
    """What a new key shall be.

    Attributes:
        name: what people recognize the key by; white space around it is removed, control characters are refused.
        permissions: what the key may do; `X:write` includes `X:read`, and duplicates count once.
        metadata: whatever you want to know of the key later; up to 16 KiB as JSON text.
        expires_at: when the key stops working, a time in the future; without it, never.
    """

    name: Name
    permissions: Permissions
    metadata: Metadata = Field(default_factory=dict)
    expires_at: Moment | None = Field(default=None, alias="expiresAt")


class UpdateApiKeyRequest(Body):
    """What of a key shall change; what is absent stays.

    Attributes:
        name: what people recognize the key by; white space around it is removed, control characters are refused.
        enabled: whether the key works.
        permissions: all that the key may do from now on.
        metadata: all of the key's metadata from now on.
        expires_at: when the key stops working, a time in the future; null takes the expiry away.
    """

    model_config = ConfigDict(json_schema_extra=_at_least_one)

    name: Name = ""
    enabled: bool = True
    permissions: Permissions = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict)
    expires_at: Moment | None = Field(default=None, alias="expiresAt")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise _wrong("changes nothing", "Send one or more of: name, enabled, permissions, metadata, expiresAt.")
        return self


class RotateApiKeyRequest(Body):
    """How the key's text shall change.

    Attributes:
        grace_period_seconds: how long the previous text goes on working, up to 7 days; without it, not at all.
    """

    grace_period_seconds: GracePeriodSeconds = Field(default=0, alias="gracePeriodSeconds")


class VerifyApiKeyRequest(Body):
    """A key, and what it must be permitted to do.

    Attributes:
        key: what somebody presented as a key.
        permissions: what the key must be permitted, each of them; nothing in particular if there are none.
    """

    key: str = Field(repr=False)
    permissions: list[Permission] = Field(default_factory=list)


class Answer(BaseModel):
    """The data of an answer, in camelCase."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,  # answers always have all their fields
    )


class CreatedApiKey(Answer):
    """A new key.

    Attributes:
        id: names the key in this API and in the audit log.
        key: the key itself. This is the only time it is shown.
    """

    id: str
    key: str = Field(repr=False)


class RotatedApiKey(CreatedApiKey):
    """A key with a new text.

    Attributes:
        previous_key_expires_at: until when the previous text works; null if it does not any more.
    """

    previous_key_expires_at: WrittenMoment | None


class Done(Answer):
    """That something was done.

    Attributes:
        message: what was done, for people.
    """

    status: Literal["success"] = "success"
    message: str


class ApiKeySummary(Answer):
    """A key as lists show it.

    Attributes:
        id: names the key in this API and in the audit log.
        enabled: whether the key works, as far as that is a person's decision.
        permissions: what the key was given.
        expires_at: when it stops working; null for never.
        last_used_at: when it was last verified, to the minute or so; null for never.
        request_count: how often it was verified.
        hint: how the key's text begins and ends.
    """

    id: str
    name: str
    enabled: bool
    permissions: list[str]
    metadata: dict[str, MetadataValue]
    created_at: WrittenMoment
    updated_at: WrittenMoment
    expires_at: WrittenMoment | None
    last_used_at: WrittenMoment | None
    request_count: int
    hint: str


class ApiKeyDetails(ApiKeySummary):
    """A key as it is shown alone.

    Attributes:
        created_by: the id of the user who made it.
        previous_key_expires_at: until when the text before the last rotation works; null if it does not.
    """

    created_by: str
    previous_key_expires_at: WrittenMoment | None


class UnknownApiKey(Answer):
    """That a text is not a key of this service, or not any more. Why not is nobody's business."""

    valid: Literal[False] = False
    code: Literal["NOT_FOUND"] = "NOT_FOUND"


class VerifiedApiKey(Answer):
    """What became of the verification of a key.

    Attributes:
        valid: whether the key works and is permitted what was asked.
        code: VALID, or why it is not.
        permissions: what the key was given.
        missing_permissions: what was asked and is not permitted.
        expires_at: when the key stops working; null for never.
    """

    valid: bool
    code: Literal["VALID", "EXPIRED", "DISABLED", "ORGANIZATION_FROZEN", "INSUFFICIENT_PERMISSIONS"]
    id: str
    organization_id: str
    name: str
    permissions: list[str]
    missing_permissions: list[str]
    metadata: dict[str, MetadataValue]
    expires_at: WrittenMoment | None


class CurrentApiKey(Answer):
    """A key as its holder sees it.

    Attributes:
        permissions: what the key was given.
        hint: how the key's text begins and ends.
        expires_at: when the key stops working; null for never.
    """

    id: str
    organization_id: str
    name: str
    permissions: list[str]
    metadata: dict[str, MetadataValue]
    hint: str
    created_at: WrittenMoment
    expires_at: WrittenMoment | None


class Actor(Answer):
    """Who did something.

    Attributes:
        type: `user`, `api_key`, `operator`, `identity_provider` or `system`.
    """

    type: str
    id: str


class AuditLog(Answer):
    """One record of the audit log.

    Attributes:
        event: what happened.
        target_id: what it happened to.
        target_type: what kind of thing that is, as `api_key`.
        changes: the fields that changed, `before` and `after`.
        source_ip: where the request came from; null if there was none.
        request_id: the `x-request-id` of the request; null if there was none.
        created_at: when it happened; for events of the identity provider, as the provider says.
        received_at: when this record was written; for events of the identity provider, this can be much later.
    """

    id: str
    event: str
    actor: Actor
    target_id: str
    target_type: str
    changes: dict[str, object]
    source_ip: str | None
    request_id: str | None
    created_at: WrittenMoment
    received_at: WrittenMoment


class Query(BaseModel):
    """Query parameters, which arrive as text; those that it does not name are ignored."""

    model_config = ConfigDict(frozen=True)


class PageQuery(Query):
    """Which page of a list.

    Attributes:
        limit: how many items a page has.
        starting_after: the `next_cursor` of the page before.
    """

    limit: Annotated[int, Field(ge=1, le=MAXIMUM_LIMIT), BeforeValidator(_limit)] = DEFAULT_LIMIT
    starting_after: Annotated[UUID | None, BeforeValidator(_id)] = None


class ListApiKeysQuery(PageQuery):
    """Which keys.

    Attributes:
        enabled: only keys that are, or are not.
        permission: only keys that were given it, itself.
    """

    enabled: Annotated[bool | None, BeforeValidator(_switch)] = None
    permission: Permission | None = None


class ListAuditLogsQuery(PageQuery):
    """Which records; all conditions together.

    Attributes:
        event: only these events, separated by commas.
        actor_user_id: only what this user did.
        actor_api_key_id: only what this key did.
        target_id: only what happened to this key, member or organization.
        created_from: only from this time on.
        created_to: only until this time.
    """

    event: Annotated[tuple[AuditEvent, ...], Field(min_length=1), BeforeValidator(_events)] = ()
    actor_user_id: str | None = None
    actor_api_key_id: str | None = None
    target_id: str | None = None
    created_from: Moment | None = None
    created_to: Moment | None = None


def validate(model: type[Model], values: Mapping[str, object]) -> Model:
    """Turn a parsed body, or query parameters, into their model.

    Raises:
        ServiceError: BAD_REQUEST; the message names each field and the rule it breaks, three at the most.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # Inputs stay out: pydantic's own text would repeat them.
        details = error.errors(include_url=False, include_input=False)
    problems = [f"{_path(detail['loc'])} {_rule(detail)}" for detail in details[:_REPORTED_ERRORS]]
    if len(details) > _REPORTED_ERRORS:
        problems.append(f"and {len(details) - _REPORTED_ERRORS} more")
    raise ServiceError(
        BAD_REQUEST,
        "; ".join(problems),
        hint=_hint(details[0]),
        # For the log the field alone: names inside metadata are the caller's, and may be anything.
        reason=", ".join(dict.fromkeys(f"{_path(detail['loc'][:1])}: {detail['type']}" for detail in details)),
    )


def _hint(detail: ErrorDetails) -> str | None:
    """Say how to put the first problem right: in the words of the rule that it breaks, or else of its field."""
    if rule_hint := detail.get("ctx", {}).get("hint"):
        return str(rule_hint)
    describe = _FIELDS.get(str(detail["loc"][0])) if detail["loc"] else None
    return describe() if describe else None


_FIELDS: dict[str, Callable[[], str]] = {
    "name": lambda: f"name takes a string of 1 to {NAME_CHARACTERS} characters.",
    "permissions": lambda: f"permissions takes an array of one or more of: {', '.join(settings().permissions)}.",
    "metadata": lambda: "metadata takes an object whose values are strings, finite numbers or booleans.",
    "key": lambda: "key takes the text of an API key, as its holder presented it.",
    "enabled": lambda: "enabled takes true or false, without quotes.",
    "gracePeriodSeconds": lambda: (
        f"gracePeriodSeconds takes a whole number from 0 to {MAXIMUM_GRACE_PERIOD_SECONDS} (7 days)."
    ),
}


def not_in_future(field: str) -> ServiceError:
    """Give the error of a time that is over.

    It is no part of validation: a request that is repeated with its Idempotency-Key may come after its own time.
    """
    return ServiceError(
        BAD_REQUEST, f"{field} must be in the future", hint="Times are compared with this service's clock, in UTC."
    )


_RULES: dict[str, Callable[[Mapping[str, object]], str]] = {
    "missing": lambda _: "is required",
    "string_type": lambda _: "must be a string",
    "string_unicode": lambda _: "holds a lone surrogate, which is not a character",
    "string_too_short": lambda context: f"must have at least {context['min_length']} character",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "list_type": lambda _: "must be an array",
    "too_short": lambda context: f"must have at least {context['min_length']} item",
    "dict_type": lambda _: "must be an object",
    "model_type": lambda _: "must be an object",
    "literal_error": lambda context: f"must be {context['expected']}",
    "bool_type": lambda _: "must be true or false",
    "int_type": lambda _: "must be a whole number",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
}


def _rule(detail: ErrorDetails) -> str:
    describe = _RULES.get(detail["type"])
    return describe(detail.get("ctx", {})) if describe else detail["msg"]


def _path(location: tuple[int | str, ...]) -> str:
    """Write where a value stands, as a program would reach it: permissions[0], metadata.plan, metadata["a b"]."""
    if not location:
        return "the body"
    if location[2:] == ("[key]",):  # pydantic's mark for a dictionary's key; the key itself is already named
        location = location[:2]
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _SIMPLE_NAME.fullmatch(step):
            path += f".{step}" if path else step
        else:
            path += f"[{quoted(step)}]"
    return path
