"""Validation of parsed input against a model: pydantic's errors become a sentence and a hint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from keywright.api.fields import (
    MAXIMUM_ALLOWED_IPS,
    MAXIMUM_GRACE_PERIOD_SECONDS,
    MAXIMUM_REPORTED_KEYS,
    MAXIMUM_VERIFICATIONS,
    NAME_CHARACTERS,
)
from keywright.api.json_body import quoted
from keywright.api.schemas import Query, Quota, RateLimitInput, VerifyApiKey, field_names, spelling
from keywright.domain.limits import HIGHEST_COST, HIGHEST_LIMIT, HIGHEST_QUOTA, LONGEST_WINDOW_SECONDS, Period
from keywright.domain.revocation_reason import RevocationReason
from keywright.errors import BAD_REQUEST, ServiceError
from keywright.settings import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)

_REPORTED_ERRORS = 3
_UNKNOWN = "extra_forbidden"
"""pydantic's type of the error of an unknown field."""
_LIKENESS = 0.7
"""The ratio from which names are alike: gracePeriod and gracePeriodSeconds are, version and permissions are not."""
_SIMPLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


def validate(model: type[Model], values: Mapping[str, object]) -> Model:
    """Return a parsed body, or query parameters, as a model.

    Raises:
        ServiceError: BAD_REQUEST. The message names up to three fields and the rules they break.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # Without inputs, which pydantic's own text would repeat.
        details = error.errors(include_url=False, include_input=False)
    reported = details[:_REPORTED_ERRORS]
    problems = [f"{_path(detail['loc'])} {_rule(detail, model)}" for detail in reported]
    if len(details) > _REPORTED_ERRORS:
        problems.append(f"and {len(details) - _REPORTED_ERRORS} more")
    hints = dict.fromkeys(hint for hint in (_hint(detail, model) for detail in reported) if hint)
    raise ServiceError(
        BAD_REQUEST,
        "; ".join(problems),
        hint=" ".join(hints) or None,
        reason=", ".join(dict.fromkeys(_logged(detail, model) for detail in details)),
    )


def not_in_future(field: str) -> ServiceError:
    """Return the error of a time in the past.

    Models do not check this: a request that is repeated with its Idempotency-Key can arrive after its own time.
    """
    return ServiceError(
        BAD_REQUEST,
        f"{field} must be in the future",
        hint="Times are compared with the clock of this service, in UTC.",
    )


def _logged(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """Return a problem for the log, without names that the caller chose: they can contain anything, even a key."""
    if detail["type"] == _UNKNOWN:
        return f"unknown {_kind(model)}"
    return f"{_path(_innermost(detail['loc'])[:1])}: {detail['type']}"


def _hint(detail: ErrorDetails, model: type[BaseModel]) -> str | None:
    """Return how to correct a problem: the hint of the broken rule, or else what the field takes."""
    if detail["type"] == _UNKNOWN:
        return _hint_of_unknown(detail["loc"], model)
    if rule_hint := detail.get("ctx", {}).get("hint"):
        return str(rule_hint)
    place = _innermost(detail["loc"])
    describe = _FIELDS.get(str(place[0])) if place else None
    return describe() if describe else None


def _hint_of_unknown(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """Return the known name that an unknown one most likely stands for, or else all known names."""
    *places, name = map(str, _innermost(location))
    if len(places) + 1 < len(location):
        model = _ITEMS[str(location[0])]
    if places:
        model = _PARTS[places[0]]
    known = field_names(model)
    if not known:
        return f"This request has no {_kind(model)}s."
    for candidate in known:
        if spelling(candidate) == spelling(name):
            return f"Did you mean {candidate}?"
    import difflib  # noqa: PLC0415 - few requests need it

    if nearest := difflib.get_close_matches(name, known, n=1, cutoff=_LIKENESS):
        return f"Did you mean {nearest[0]}?"
    return f"The {_kind(model)}s{f' of {places[0]}' if places else ''} are: {', '.join(known)}."


def _innermost(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return a place within the item that it is in, or within the body."""
    match location:
        case (str(name), int(), _, *_) if name in _ITEMS:
            return location[2:]
    return location


def _kind(model: type[BaseModel]) -> str:
    return "query parameter" if issubclass(model, Query) else "field"


_PARTS: dict[str, type[BaseModel]] = {"rateLimit": RateLimitInput, "quota": Quota}
"""The models of fields that are objects with fixed names."""

_ITEMS: dict[str, type[BaseModel]] = {"verifications": VerifyApiKey}
"""The models of the items of fields that are lists of objects."""

_FIELDS: dict[str, Callable[[], str]] = {
    "name": lambda: f"name is a string of 1 to {NAME_CHARACTERS} characters.",
    "permissions": lambda: f"permissions is an array of one or more of: {', '.join(catalogue())}.",
    "metadata": lambda: "metadata is an object whose values are strings, finite numbers or booleans.",
    "key": lambda: "key is the text of an API key.",
    "enabled": lambda: "enabled is true or false, without quotes.",
    "gracePeriodSeconds": lambda: (
        f"gracePeriodSeconds is a whole number from 0 to {MAXIMUM_GRACE_PERIOD_SECONDS} (7 days)."
    ),
    "rateLimit": lambda: (
        f"rateLimit is an object of limit (1 to {HIGHEST_LIMIT}), windowSeconds (1 to {LONGEST_WINDOW_SECONDS}) and, "
        "optionally, burst (1 to limit), all whole numbers."
    ),
    "quota": lambda: (
        f"quota is an object of limit, a whole number from 1 to {HIGHEST_QUOTA}, and period, one of: "
        f"{', '.join(Period)}."
    ),
    "allowedIps": lambda: (
        f"allowedIps is an array of up to {MAXIMUM_ALLOWED_IPS} IP addresses and ranges, such as 192.0.2.0/24."
    ),
    "clientIp": lambda: "clientIp is the IP address of your caller, a string.",
    "keys": lambda: f"keys is an array of 1 to {MAXIMUM_REPORTED_KEYS} texts of API keys.",
    "verifications": lambda: (
        f"verifications is an array of 1 to {MAXIMUM_VERIFICATIONS} objects with the fields: "
        f"{', '.join(field_names(VerifyApiKey))}."
    ),
    "url": lambda: "url is the address where the keys were found, a string.",
    "cost": lambda: f"cost is a whole number from 0 to {HIGHEST_COST}.",
    "leak": lambda: "leak can only be null, which clears the report of a leak.",
    "reason": lambda: f"reason is one of: {', '.join(RevocationReason)}.",
}

_RULES: dict[str, Callable[[Mapping[str, object]], str]] = {
    "missing": lambda _: "is required",
    "string_type": lambda _: "must be a string",
    "string_unicode": lambda _: "contains a lone surrogate, which is not a character",
    "string_too_short": lambda context: f"must have at least {context['min_length']} character",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "list_type": lambda _: "must be an array",
    "too_short": lambda context: f"must have at least {context['min_length']} item",
    "too_long": lambda context: f"must have at most {context['max_length']} items",
    "dict_type": lambda _: "must be an object",
    "model_type": lambda _: "must be an object",
    "literal_error": lambda context: f"must be {context['expected']}",
    "none_required": lambda _: "must be null",
    "bool_type": lambda _: "must be true or false",
    "int_type": lambda _: "must be a whole number",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
}
"""How each of pydantic's errors continues a sentence that begins with the field."""


def _rule(detail: ErrorDetails, model: type[BaseModel]) -> str:
    if detail["type"] == _UNKNOWN:
        return f"is not a {_kind(model)} of this request"
    describe = _RULES.get(detail["type"])
    return describe(detail.get("ctx", {})) if describe else detail["msg"]


def _path(location: tuple[int | str, ...]) -> str:
    """Return the place of a value, as a program would access it: permissions[0], metadata.plan, metadata["a b"]."""
    if not location:
        return "the body"
    if location[2:] == ("[key]",):  # pydantic's mark for a dictionary's key, which is already in the path
        location = location[:2]
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _SIMPLE_NAME.fullmatch(step):
            path += f".{step}" if path else step
        else:
            path += f"[{quoted(step)}]" if path else quoted(step)
    return path
