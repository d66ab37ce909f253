"""Parse the JSON object in a body strictly (RFC 8259), and write one.

The standard library's parser has the hooks for it: integers of any size stay exact, and NaN and duplicate names, which
other parsers silently change or drop, are errors.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

from keywright.errors import BAD_REQUEST, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXACT_INTEGER_CHARACTERS = 400
"""Longer integers exceed every double, and Python refuses to parse more than 4,300 digits (CVE-2020-10735)."""


def parse_object(body: bytes) -> dict[str, object]:
    """Parse a JSON object (RFC 8259).

    Raises:
        ServiceError: BAD_REQUEST. The message names the problem and its position.
    """
    if not body:
        raise ServiceError(
            BAD_REQUEST,
            "The request has no body",
            hint="Send a JSON object with content-type: application/json.",
            reason="no body",
        )
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise ServiceError(
            BAD_REQUEST,
            f"The body is not valid UTF-8: byte {error.start} cannot be decoded",
            hint="Encode the body as UTF-8 (RFC 8259, section 8.1).",
            reason="not UTF-8",
        ) from None
    except json.JSONDecodeError as error:
        raise ServiceError(
            BAD_REQUEST,
            f"The body is not valid JSON: {error.msg}, at line {error.lineno}, column {error.colno}",
            hint="Check quotes, commas and brackets near that position.",
            reason="not JSON",
        ) from None
    except RecursionError:
        raise _nested_too_deeply() from None
    if not isinstance(value, dict):
        raise ServiceError(
            BAD_REQUEST,
            "The body must be a JSON object",
            hint='Send an object with the fields of the request, such as {"name": "..."}.',
            reason="not a JSON object",
        )
    return value


def write(value: object) -> bytes:
    """Return a parsed JSON value as JSON, without white space.

    Raises:
        ServiceError: BAD_REQUEST if the value is nested too deeply.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise _nested_too_deeply() from None
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate becomes its JSON escape


def _nested_too_deeply() -> ServiceError:
    return ServiceError(
        BAD_REQUEST,
        "The body is nested too deeply",
        hint="Arrays and objects can be nested a few hundred levels deep.",
        reason="nested too deeply",
    )


def _object(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for name, value in pairs:
        if name in result:
            raise ServiceError(
                BAD_REQUEST,
                f"The body contains {quoted(name)} twice in one object",
                hint="Send each name once per object (RFC 8259, section 4).",
                reason="duplicate name in an object",
            )
        result[name] = value
    return result


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _EXACT_INTEGER_CHARACTERS else float(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ServiceError(
        BAD_REQUEST,
        f"The body is not valid JSON: {name} is not a JSON value",
        hint="Omit the field, or send the value as a string.",
        reason="not JSON: NaN or Infinity",
    )


def quoted(name: str, limit: int = 60) -> str:
    """Return a name that the caller chose for use in a message: quoted, escaped and cut to `limit` characters."""
    return json.dumps(name if len(name) <= limit else name[:limit] + "...")
