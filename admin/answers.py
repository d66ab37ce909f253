"""What `--json` prints. docs/schemas/admin holds the JSON Schemas that are made of these models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ConfigDict
from pydantic.json_schema import GenerateJsonSchema

from keywright.api import schemas
from keywright.api.schemas import Answer, WrittenMoment

if TYPE_CHECKING:
    from pydantic import BaseModel

    from keywright.operators import administration


class Organization(Answer):
    """An organization; times are RFC 3339, and null for what is not known or not so."""

    model_config = ConfigDict(extra="forbid")

    id: str
    name: str | None
    created_at: WrittenMoment | None
    pending_deletion_at: WrittenMoment | None


class Member(Answer):
    """Somebody in an organization."""

    model_config = ConfigDict(extra="forbid")

    user_id: str
    role: str
    added_at: WrittenMoment | None
    suspended_at: WrittenMoment | None


class Key(schemas.ApiKeyDetails):
    """An API key, as the API shows it."""

    model_config = ConfigDict(extra="forbid")


class Organizations(Answer):
    """`organizations list`: all of them, by creation."""

    model_config = ConfigDict(extra="forbid")

    organizations: list[Organization]


class Members(Answer):
    """`members list`: all of an organization, by their ids."""

    model_config = ConfigDict(extra="forbid")

    members: list[Member]


class Keys(Answer):
    """`keys list`: newest first."""

    model_config = ConfigDict(extra="forbid")

    keys: list[Key]


class ChangedOrganization(Answer):
    """What a change of an organization has come to; `changed` is false if it was so already."""

    model_config = ConfigDict(extra="forbid")

    changed: bool
    organization: Organization


class ChangedMember(Answer):
    """What a change of a member has come to; `changed` is false if it was so already, `member` null once removed."""

    model_config = ConfigDict(extra="forbid")

    changed: bool
    organization_id: str
    user_id: str
    member: Member | None


class RevokedKeys(Answer):
    """`keys revoke`: the ids of the keys that are gone now."""

    model_config = ConfigDict(extra="forbid")

    organization_id: str
    revoked: list[str]


SCHEMAS: dict[str, type[BaseModel]] = {
    "changed-member": ChangedMember,
    "changed-organization": ChangedOrganization,
    "key": Key,
    "keys": Keys,
    "members": Members,
    "organization": Organization,
    "organizations": Organizations,
    "revoked-keys": RevokedKeys,
}
"""The published schemas, by the names of their files."""


def schema(name: str) -> dict[str, object]:
    """Give a JSON Schema as it is published."""
    made = SCHEMAS[name].model_json_schema(by_alias=True, mode="serialization", schema_generator=_Untitled)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of the fields' names."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """Never set one."""
        del schema
        return False


def organization(found: administration.Organization) -> Organization:
    """Tell of an organization."""
    return Organization(
        id=str(found.id),
        name=found.name,
        created_at=found.created_at,
        pending_deletion_at=found.pending_deletion_at,
    )


def member(found: administration.Member) -> Member:
    """Tell of a member."""
    return Member(user_id=found.user_id, role=found.role, added_at=found.added_at, suspended_at=found.suspended_at)


def key(found: schemas.ApiKeyDetails) -> Key:
    """Tell of a key."""
    return Key.model_validate(found.model_dump())
