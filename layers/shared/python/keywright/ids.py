"""Identifiers: UUIDv7 for items that sort by creation, and UUIDs for the organizations of an identity provider."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import TypeIs

MAXIMUM_ID_BYTES = 255
"""Limit of a subject in OpenID Connect Core 1.0, section 2; organizations have the same."""

ORGANIZATION_NAMESPACE = uuid.UUID("8d1f2c6a-3b0e-5e4b-9a57-6b6579777269")
"""The UUIDv5 namespace of organization names. Another one would orphan every organization with a name."""

_DERIVED_VERSION = 5
_QUOTING = frozenset('"\\')
_UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)

_NANOSECONDS_PER_MILLISECOND = 1_000_000
_RAND_A_VALUES = 1 << 12
_RAND_B_BITS = 62


def uuid7(now_nanoseconds: int | None = None, random_bits: int | None = None) -> uuid.UUID:
    """Return a new UUID of version 7 (RFC 9562, section 5.7).

    The 12 bits of rand_a hold the fraction of the millisecond (section 6.2, method 3), so that ids of one process sort
    by creation, to about a quarter of a microsecond.

    Args:
        now_nanoseconds: nanoseconds since the Unix epoch; the current time if absent.
        random_bits: 62 random bits; from the operating system if absent.
    """
    now = time.time_ns() if now_nanoseconds is None else now_nanoseconds
    milliseconds, rest = divmod(now, _NANOSECONDS_PER_MILLISECOND)
    fraction = rest * _RAND_A_VALUES // _NANOSECONDS_PER_MILLISECOND
    tail = secrets.randbits(_RAND_B_BITS) if random_bits is None else random_bits
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | tail)


def uuid7_bounds(now_nanoseconds: int) -> tuple[uuid.UUID, uuid.UUID]:
    """Return the lowest and the highest UUID of version 7 in the millisecond of a time."""
    start = now_nanoseconds // _NANOSECONDS_PER_MILLISECOND * _NANOSECONDS_PER_MILLISECOND
    end = start + _NANOSECONDS_PER_MILLISECOND - 1
    return uuid7(start, 0), uuid7(end, (1 << _RAND_B_BITS) - 1)


def parse_uuid(text: str) -> uuid.UUID | None:
    """Parse a UUID in its form of 36 characters, in either case. Return None for any other text.

    `uuid.UUID` alone would also accept braces, URNs and missing hyphens: several spellings of one id.
    """
    return uuid.UUID(text) if _UUID_TEXT.fullmatch(text) else None


def organization_uuid(name: str) -> uuid.UUID:
    """Return the UUID of an organization, different for each name that an identity provider may use.

    A UUID in the form of RFC 9562 (lower case, with hyphens) is the organization's UUID, unless its version is 5. Any
    other text (`org_2abc`, `acme`) becomes its UUIDv5. Otherwise a tenant who may choose a name could choose the UUIDv5
    of another organization's name, or another organization's UUID in upper case.
    """
    parsed = parse_uuid(name)
    if parsed is None or str(parsed) != name or parsed.version == _DERIVED_VERSION:
        return uuid.uuid5(ORGANIZATION_NAMESPACE, name)
    return parsed


def may_be_derived(text: str) -> bool:
    """Return whether a text has the form of a UUID that `organization_uuid` derives from a name."""
    parsed = parse_uuid(text)
    return parsed is not None and str(parsed) == text and parsed.version == _DERIVED_VERSION


def is_id(value: object) -> TypeIs[str]:
    """Return whether a value can be an identity provider's id of a person or an organization."""
    return isinstance(value, str) and 0 < len(value.encode("utf-8", "replace")) <= MAXIMUM_ID_BYTES


def is_plain(text: str) -> bool:
    """Return whether a text can stand between quotes in API Gateway's access log, which does not escape it."""
    return text.isprintable() and not _QUOTING.intersection(text)
