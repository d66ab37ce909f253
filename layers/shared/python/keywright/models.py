"""The bodies of requests and responses, and the sentences that say what is wrong with one."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from keywright.errors import BAD_REQUEST, ServiceError
from keywright.jsonbody import quoted
from keywright.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import ErrorDetails

NAME_CHARACTERS = 120
METADATA_STRING_CHARACTERS = 512
METADATA_BYTES = 16 * 1024

_REPORTED_ERRORS = 3
_SIMPLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

MetadataValue = str | int | float | bool
RequestBody = TypeVar("RequestBody", bound=BaseModel)


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


Name = Annotated[
    str, Field(min_length=1, max_length=NAME_CHARACTERS), AfterValidator(_encodable), AfterValidator(_trimmed)
]
Permissions = Annotated[
    list[Annotated[str, AfterValidator(_listed)]], Field(min_length=1), AfterValidator(_without_duplicates)
]
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


class CreateApiKeyRequest(BaseModel):
    """What a new key shall be. Fields that are not named here are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)

    name: Name
    permissions: Permissions
    metadata: Metadata = Field(default_factory=dict)


class CreatedApiKey(BaseModel):
    """A new key's id, and its text: the only time it is shown."""

    model_config = ConfigDict(frozen=True)

    id: str
    key: str = Field(repr=False)


def validate(model: type[RequestBody], body: Mapping[str, object]) -> RequestBody:
    """Turn a parsed body into its model.

    Raises:
        ServiceError: BAD_REQUEST; the message names each field and the rule it breaks, three at the most.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        # Inputs stay out: pydantic's own text would repeat them.
        details = error.errors(include_url=False, include_input=False)
    problems = [f"{_path(detail['loc'])} {_rule(detail)}" for detail in details[:_REPORTED_ERRORS]]
    if len(details) > _REPORTED_ERRORS:
        problems.append(f"and {len(details) - _REPORTED_ERRORS} more")
    raise ServiceError(BAD_REQUEST, "; ".join(problems), hint=_hint(details[0]))


def _hint(detail: ErrorDetails) -> str | None:
    """Say how to put the first problem right: in the words of the rule that it breaks, or else of its field."""
    if rule_hint := detail.get("ctx", {}).get("hint"):
        return str(rule_hint)
    match detail["loc"][:1]:
        case ("name",):
            return f"name takes a string of 1 to {NAME_CHARACTERS} characters."
        case ("permissions",):
            return f"permissions takes an array of one or more of: {', '.join(settings().permissions)}."
        case ("metadata",):
            return "metadata takes an object whose values are strings, finite numbers or booleans."
    return None


_RULES: dict[str, Callable[[Mapping[str, object]], str]] = {
    "missing": lambda _: "is required",
    "string_type": lambda _: "must be a string",
    "string_unicode": lambda _: "holds a lone surrogate, which is not a character",
    "string_too_short": lambda context: f"must have at least {context['min_length']} character",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "list_type": lambda _: "must be an array",
    "too_short": lambda context: f"must have at least {context['min_length']} item",
    "dict_type": lambda _: "must be an object",
}


def _rule(detail: ErrorDetails) -> str:
    describe = _RULES.get(detail["type"])
    return describe(detail.get("ctx", {})) if describe else detail["msg"]


def _path(location: tuple[int | str, ...]) -> str:
    """Write where a value stands, as a program would reach it: permissions[0], metadata.plan, metadata["a b"]."""
    path = ""
    for step in location:
        if step == "[key]":  # pydantic's mark for a dictionary's key; the key itself is already named
            continue
        if isinstance(step, int):
            path += f"[{step}]"
        elif _SIMPLE_NAME.fullmatch(step):
            path += f".{step}" if path else step
        else:
            path += f"[{quoted(step)}]"
    return path
