"""Roles of members, and permissions of keys."""

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
    """Return the roles that are at least as powerful as `minimum`."""
    ranked = tuple(Role)
    return ranked[: ranked.index(minimum) + 1]


def effective(granted: Iterable[str]) -> tuple[str, ...]:
    """Return the permissions of a key, each once: the granted ones, and `X:read` for each `X:write`."""
    held: dict[str, None] = {}
    for permission in granted:
        held[permission] = None
        if permission.endswith(_WRITE):
            held[permission.removesuffix(_WRITE) + _READ] = None
    return tuple(held)


def missing(granted: Iterable[str], required: Iterable[str]) -> tuple[str, ...]:
    """Return the required permissions that a key with the granted ones lacks, each once, in their order."""
    held = frozenset(effective(granted))
    return tuple(permission for permission in dict.fromkeys(required) if permission not in held)
