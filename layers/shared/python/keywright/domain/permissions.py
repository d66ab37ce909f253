"""What roles may do in an organization, and what keys may do outside of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WRITE = ":write"
_READ = ":read"


class Role(StrEnum):
    """A member's role, from the most to the least powerful."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


def at_least(minimum: Role) -> tuple[Role, ...]:
    """List the roles that may do what `minimum` may do."""
    ranked = tuple(Role)
    return ranked[: ranked.index(minimum) + 1]


def effective(granted: Iterable[str]) -> tuple[str, ...]:
    """List what a key may do: what it was given, and the reading that each `X:write` implies; no duplicates."""
    found: dict[str, None] = {}
    for permission in granted:
        found[permission] = None
        if permission.endswith(_WRITE):
            found[permission.removesuffix(_WRITE) + _READ] = None
    return tuple(found)


def missing(granted: Iterable[str], required: Iterable[str]) -> tuple[str, ...]:
    """List the required permissions that a key with the granted ones lacks, in the order they are required."""
    had = frozenset(effective(granted))
    return tuple(permission for permission in dict.fromkeys(required) if permission not in had)
