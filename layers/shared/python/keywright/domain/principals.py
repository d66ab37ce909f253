"""Principals: callers, and the origin of their requests."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from keywright.immutable import immutable

if TYPE_CHECKING:
    from uuid import UUID


class ActorType(StrEnum):
    """Types of actors.

    `user` is a member of the organization, `api_key` the holder of a key, `operator` a person or program with the
    command line, `identity_provider` the service that users sign in with, and `system` a job of Keywright.
    """

    USER = "user"
    API_KEY = "api_key"
    OPERATOR = "operator"
    IDENTITY_PROVIDER = "identity_provider"
    SYSTEM = "system"


@immutable
class Actor:
    """The one who makes a change, for the audit record."""

    type: ActorType
    id: str


@immutable
class Member:
    """A person with a session in an organization. The table decides what they may do there."""

    organization_id: UUID
    user_id: str

    @property
    def actor(self) -> Actor:
        """The member as an actor."""
        return Actor(ActorType.USER, self.user_id)


@immutable
class KeyHolder:
    """The holder of an API key that the authorizer has verified."""

    organization_id: UUID
    key_id: UUID

    @property
    def actor(self) -> Actor:
        """The holder as an actor: the key itself."""
        return Actor(ActorType.API_KEY, str(self.key_id))


@immutable
class Backend:
    """A program with AWS credentials. API Gateway has checked its signature."""

    arn: str


@immutable
class Origin:
    """The origin of a request, for the audit record."""

    source_ip: str
    request_id: str
