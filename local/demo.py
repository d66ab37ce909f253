"""Demo organizations, and a session token for each persona."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, WriteRequestTypeDef

    from local.identity_provider import IdentityProvider

# Fixed, so that commands and tokens still work after a restart.
ACTIVE_ORGANIZATION_ID = "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01"
FROZEN_ORGANIZATION_ID = "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c02"

_WRONG_AUDIENCE = "https://another-service.example"
_EXPIRED_SECONDS = -86400


@dataclass(frozen=True, slots=True)
class Persona:
    """A user to call the service as.

    Attributes:
        name: name of the token in the stack file.
        expectation: the answer when this persona creates a key.
        role: role in the organization; None if not a member.
        ttl_seconds, audience: of the token; None for the defaults.
    """

    name: str
    user_id: str
    expectation: str
    organization_id: str = ACTIVE_ORGANIZATION_ID
    role: str | None = None
    is_suspended: bool = False
    ttl_seconds: int | None = None
    audience: str | None = None


PERSONAS = (
    Persona("owner", "demo-owner", "200", role="owner"),
    Persona("admin", "demo-admin", "200", role="admin"),
    Persona("member", "demo-member", "403, the role is too low", role="member"),
    Persona("suspended", "demo-suspended", "403, a suspended admin", role="admin", is_suspended=True),
    Persona("outsider", "demo-outsider", "403, not a member of the organization"),
    Persona("expired", "demo-admin", "401, the admin, token expired", ttl_seconds=_EXPIRED_SECONDS),
    Persona("wrong_audience", "demo-admin", "401, the admin, token for another service", audience=_WRONG_AUDIENCE),
    Persona(
        "frozen_admin",
        "demo-frozen-admin",
        "410, an organization scheduled for deletion",
        organization_id=FROZEN_ORGANIZATION_ID,
        role="admin",
    ),
)


def tokens(provider: IdentityProvider, ttl_seconds: int) -> dict[str, str]:
    """Return a session token for every persona, by name."""
    return {
        persona.name: provider.mint(
            persona.user_id,
            persona.organization_id,
            ttl_seconds=ttl_seconds if persona.ttl_seconds is None else persona.ttl_seconds,
            audience=persona.audience,
        )
        for persona in PERSONAS
    }


def users() -> dict[str, str]:
    """Return the user id of every persona, by name."""
    return {persona.name: persona.user_id for persona in PERSONAS}


def write_demo_data(client: DynamoDBClient, table_name: str, now: datetime | None = None) -> None:
    """Write the demo organizations and their members, unless they exist.

    A scheduled deletion that still stands is put off, so that it is never carried out between two starts.
    """
    now = datetime.now(UTC) if now is None else now
    existing = [_existing(client, table_name, name) for name in (ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID)]
    if all(existing):
        until = existing[1].get("pending_deletion_at")
        if until is None:  # canceled by the user
            return
        client.delete_item(
            TableName=table_name,
            Key={"pk": {"S": "DELETIONS"}, "sk": {"S": f"{until['S']}#{FROZEN_ORGANIZATION_ID}"}},
        )
        _write(client, table_name, list(_frozen_organization(now)))
        return
    _write(client, table_name, list(demo_items(now)))


def _existing(client: DynamoDBClient, table_name: str, organization_id: str) -> dict[str, AttributeValueTypeDef]:
    key: dict[str, AttributeValueTypeDef] = {"pk": {"S": f"ORG#{organization_id}"}, "sk": {"S": "ORG"}}
    return client.get_item(TableName=table_name, Key=key, ConsistentRead=True).get("Item", {})


def _write(client: DynamoDBClient, table_name: str, items: list[dict[str, str]]) -> None:
    requests: list[WriteRequestTypeDef] = [
        {"PutRequest": {"Item": {name: {"S": value} for name, value in item.items()}}} for item in items
    ]
    client.batch_write_item(RequestItems={table_name: requests})


def _frozen_organization(now: datetime) -> Iterable[dict[str, str]]:
    until = _timestamp(now + timedelta(days=30))
    yield {
        "pk": f"ORG#{FROZEN_ORGANIZATION_ID}",
        "sk": "ORG",
        "name": "Demo organization, scheduled for deletion",
        "created_at": _timestamp(now),
        "pending_deletion_at": until,
    }
    yield {"pk": "DELETIONS", "sk": f"{until}#{FROZEN_ORGANIZATION_ID}"}


def demo_items(now: datetime) -> Iterable[dict[str, str]]:
    """Return the items of both organizations and their members."""
    created = _timestamp(now)
    yield {
        "pk": f"ORG#{ACTIVE_ORGANIZATION_ID}",
        "sk": "ORG",
        "name": "Demo organization",
        "created_at": created,
    }
    yield from _frozen_organization(now)
    members = {(persona.organization_id, persona.user_id): persona for persona in PERSONAS if persona.role}
    for (organization_id, user_id), persona in members.items():
        member = {
            "pk": f"ORG#{organization_id}",
            "sk": f"MEMBER#{user_id}",
            "role": persona.role or "",
            "created_at": created,
        }
        yield {**member, "suspended_at": created} if persona.is_suspended else member


def _timestamp(moment: datetime) -> str:
    """Write a time as the service does: RFC 3339, UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
