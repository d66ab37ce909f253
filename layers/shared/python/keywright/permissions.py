"""What roles may do in an organization, and what keys may do outside of it."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A member's role, from the most to the least powerful."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


def at_least(minimum: Role) -> tuple[Role, ...]:
    """List the roles that may do what `minimum` may do."""
    ranked = tuple(Role)
    return ranked[: ranked.index(minimum) + 1]
