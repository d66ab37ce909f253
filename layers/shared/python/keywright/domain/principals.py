"""Who calls, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


class ActorType(StrEnum):
    """The kinds of those who do something; their names are part of the API."""

    USER = "user"
    API_KEY = "api_key"
    OPERATOR = "operator"
    IDENTITY_PROVIDER = "identity_provider"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, for the audit record."""

    type: ActorType
    id: str


@dataclass(frozen=True, slots=True)
class Member:
    """A person with a session in an organization; what they may do there is decided by the table, never here."""

    organization_id: UUID
    user_id: str

    @property
    def actor(self) -> Actor:
        """The same, as the one who does something."""
        return Actor(ActorType.USER, self.user_id)


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whoever presented an API key, which the authorizer has verified."""

    organization_id: UUID
    key_id: UUID


@dataclass(frozen=True, slots=True)
class Backend:
    """A program with AWS credentials, whose signature API Gateway has checked."""

    arn: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for the audit record."""

    source_ip: str
    request_id: str
