"""The requests of the API: what is sent for the arguments of a method."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

from keywright_client import parsing
from keywright_client.results import Quota, RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keywright_client.results import ApiKeyDetails, BatchResult, CreatedApiKey, RotatedApiKey, Verification
    from keywright_client.uses import Use

Result = TypeVar("Result")

KEYS = "/auth/api-keys"
VERIFY = "/auth/api-keys/verify"
VERIFY_BATCH = "/auth/api-keys/verify-batch"
AUDIT_LOGS = "/auth/orgs/audit-logs"
LARGEST_BODY_BYTES = 64 * 1024
"""Keywright refuses larger bodies."""
_HIGHEST_COST = 1_000_000
_LARGEST_PAGE = 100
_LONGEST_KEY_CHARACTERS = 512
"""The longest text that an imported key can have. Those of keys that Keywright issues are shorter."""
_IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")
_OTHER_RESOURCES = frozenset({"", ".", "..", "current", "verify", "verify-batch"})
"""Segments of a path that are not ids: they would address another resource."""


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""A field that stays as it is. None removes a limit or an expiry instead."""
Unchanged: TypeAlias = Literal[Unset.UNSET]


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """A request, before it gets its credentials. The body is not in the repr: it can hold the text of a key.

    Attributes:
        method: HTTP method.
        path: encoded path and query, below the address of the API.
        parse: parses the `data` of a success, or the envelope if `is_list`.
        body: JSON, or None.
        idempotency_key: makes a repeated request safe, or None.
        is_deletion: whether "not found" is a success after an attempt that may have taken effect.
        is_list: whether the answer is a page.
    """

    method: str
    path: str
    parse: Callable[[Any], Result]
    body: bytes | None = field(default=None, repr=False)
    idempotency_key: str | None = field(default=None, repr=False)
    is_deletion: bool = False
    is_list: bool = False


# ---- Calls ---------------------------------------------------------------------------------------------------


def verify(use: Use) -> Call[Verification]:
    """Verify a key."""
    return Call("POST", VERIFY, parsing.verification, _json(_verification(use, use.text)))


def verify_batch(uses: Sequence[Use]) -> Call[tuple[BatchResult, ...]]:
    """Verify several keys.

    An empty text stands for each text that no key has: those of strangers would otherwise fill many requests.
    """
    verifications = [_verification(use, use.text if _may_be_key(use.text) else "") for use in uses]
    body = _json({"verifications": verifications})
    return Call("POST", VERIFY_BATCH, parsing.batch_of(len(uses)), body)


def _may_be_key(text: str) -> bool:
    return len(text) <= _LONGEST_KEY_CHARACTERS and text.isascii() and text.isprintable()


def _verification(use: Use, text: str) -> dict[str, object]:
    body: dict[str, object] = {"key": text}
    if use.permissions:
        body["permissions"] = use.permissions
    if use.client_ip is not None:
        body["clientIp"] = use.client_ip
    if use.cost != 1:
        body["cost"] = use.cost
    return body


def create(fields: Mapping[str, object], idempotency_key: str | None) -> Call[CreatedApiKey]:
    """Create a key. Fields that are None are left out."""
    body = {_camel(name): _value(name, value) for name, value in fields.items() if value is not None}
    return Call("POST", KEYS, parsing.created_api_key, _json(body), _idempotency_key(idempotency_key))


def get(key_id: str) -> Call[ApiKeyDetails]:
    """Get a key."""
    return Call("GET", _path(key_id), parsing.api_key_details)


def update(key_id: str, fields: Mapping[str, object]) -> Call[ApiKeyDetails]:
    """Change a key. Fields that are UNSET are left out; None is sent."""
    body = {_camel(name): _value(name, value) for name, value in fields.items() if value is not UNSET}
    return Call("PATCH", _path(key_id), parsing.updated_api_key, _json(body))


def rotate(
    key_id: str, grace_period_seconds: int, reason: str | None, idempotency_key: str | None
) -> Call[RotatedApiKey]:
    """Rotate a key."""
    body: dict[str, object] = {"gracePeriodSeconds": grace_period_seconds}
    if reason is not None:
        body["reason"] = reason
    key = _idempotency_key(idempotency_key)
    return Call("POST", f"{_path(key_id)}/rotate", parsing.rotated_api_key, _json(body), key)


def delete(key_id: str, reason: str | None) -> Call[None]:
    """Delete a key."""
    return Call("DELETE", _path(key_id) + _query({"reason": reason}), parsing.done, is_deletion=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[Result]):
    """A page of a list.

    Attributes:
        next_cursor: cursor of the next page, or None after the last one.
    """

    items: tuple[Result, ...]
    next_cursor: str | None


def page(
    path: str, query: Mapping[str, object], cursor: str | None, parse: Callable[[object], Result]
) -> Call[Page[Result]]:
    """Get a page of a list.

    Args:
        path: path of the list.
        query: parameters. None and empty ones are left out.
        cursor: cursor of the page, or None for the first one.
        parse: parses an item.
    """

    def parsed(envelope: dict[str, Any]) -> Page[Result]:
        following = parsing.next_cursor(envelope.get("pagination"))
        if following is not None and following == cursor:  # it would never end
            raise parsing.MalformedError
        return Page(parsing.items(envelope["data"], parse), following)

    return Call("GET", path + _query({**query, "starting_after": cursor}), parsed, is_list=True)


# ---- Values --------------------------------------------------------------------------------------------------


def texts(name: str, value: object) -> tuple[str, ...]:
    """Return an iterable of strings as a tuple.

    Raises:
        TypeError: it is a string itself, whose characters are not meant, or has other items.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list of strings, not {type(value).__name__}")
    items = tuple(value)
    for item in items:
        text(name, item)
    return items


def text(name: str, value: object) -> str:
    """Return a string.

    Raises:
        TypeError: it is something else, which the message does not show.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    return value


def number(name: str, value: object, least: int, most: int) -> int:
    """Return a whole number of a range.

    Raises:
        TypeError: it is something else.
        ValueError: it is out of the range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least:,} to {most:,}")
    return value


def seconds(name: str, value: object, least: float, most: float) -> float:
    """Return a number of seconds of a range.

    Raises:
        TypeError: it is not a number.
        ValueError: it is out of the range, or not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least:,g} to {most:,g} seconds")
    return value


def cost(value: object) -> int:
    """Return how much a use takes of the limits of a key, 0 to 1,000,000.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is out of its range.
    """
    return number("cost", value, 0, _HIGHEST_COST)


def page_size(value: object) -> int:
    """Return the number of items in a request for a list, 1 to 100.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is out of its range.
    """
    return number("page_size", value, 1, _LARGEST_PAGE)


def moment(name: str, value: datetime) -> str:
    """Return a time in RFC 3339, in UTC.

    Raises:
        TypeError: it is not a datetime.
        ValueError: it has no time zone.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be a datetime, not {type(value).__name__}")
    if value.utcoffset() is None:
        raise ValueError(f"{name} must have a time zone, such as that of datetime.now(timezone.utc)")
    return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _value(name: str, value: object) -> object:
    match value:
        case datetime():
            return moment(name, value)
        case RateLimit():
            return {"limit": value.limit, "windowSeconds": value.window_seconds, "burst": value.burst}
        case Quota():
            return {"limit": value.limit, "period": value.period}
        case Mapping():
            return dict(value)
    is_list = name in {"permissions", "allowed_ips"} and value is not None
    return texts(name, value) if is_list else value


def _json(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def _idempotency_key(value: str | None) -> str:
    if value is None:
        return str(uuid.uuid4())
    if not _IDEMPOTENCY_KEY.fullmatch(text("idempotency_key", value)):
        raise ValueError("idempotency_key must be 1 to 255 printable ASCII characters")
    return value


def _path(key_id: str) -> str:
    if text("id", key_id) in _OTHER_RESOURCES:
        raise ValueError("id must be the id of an API key")
    return f"{KEYS}/{quote(key_id, safe='')}"


def _query(parameters: Mapping[str, object]) -> str:
    written = {name: _parameter(name, value) for name, value in parameters.items() if value not in (None, ())}
    return f"?{urlencode(written, quote_via=quote)}" if written else ""


def _parameter(name: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return moment(name, value)
        case tuple():
            return ",".join(value)
    return str(value)
