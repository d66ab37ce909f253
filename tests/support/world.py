"""The surroundings of a handler in a test: a table over real HTTP, and Lambda's context."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from tests.support import moto_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

ORGANIZATION_ID = "5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6"
OTHER_ORGANIZATION_ID = "00000000-0000-4000-8000-000000000000"
KEY_ID = "01980000-0000-7000-8000-000000000001"
HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$Y3VycmVudGN1cnJlbnRjdXJyZW50Y3VycmVudDE"
PREVIOUS_HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$cHJldmlvdXNwcmV2aW91c3ByZXZpb3VzcHJldmk"
PENDING_DELETION_AT = "2099-12-01T00:00:00.000Z"

ANSWER_SECONDS = 120
"""Timeout for the emulated services, and so for the functions, on a busy machine."""

_read = TypeDeserializer().deserialize
_write = TypeSerializer().serialize


@dataclass(frozen=True, slots=True)
class Context:
    """Lambda's context, with as much time as a test needs."""

    aws_request_id: str = "7d2b8f4e-0000-4000-8000-000000000000"
    remaining_milliseconds: int = 2 * ANSWER_SECONDS * 1000

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left."""
        return self.remaining_milliseconds


def audit_item(record_id: str, organization_id: str = ORGANIZATION_ID, **attributes: Any) -> dict[str, Any]:
    """Return the item of an audit record, by default of a new key."""
    return {
        "pk": f"ORG#{organization_id}",
        "sk": f"AUDIT#{record_id}",
        "event": "api_key.created",
        "actor_type": "user",
        "actor_id": "user_9",
        "target_type": "api_key",
        "target_id": KEY_ID,
        "changes": '{"before": null, "after": {"name": "CI"}}',
        "source_ip": "203.0.113.7",
        "request_id": "r-1",
        "created_at": "2026-01-02T03:04:05.678Z",
        "received_at": "2026-01-02T03:04:05.678Z",
        **attributes,
    }


@dataclass(frozen=True, slots=True)
class Table:
    """The table, with items as plain Python values.

    Items of moto in this process are read and written in its memory, those of another DynamoDB over HTTP.
    """

    client: DynamoDBClient
    name: str

    def put(self, **item: Any) -> None:
        """Write an item."""
        attributes = {name: _write(value) for name, value in item.items()}
        if moto_memory.has_table(self.name):
            moto_memory.put(self.name, attributes)
        else:
            self.client.put_item(TableName=self.name, Item=attributes)

    def items(self) -> list[dict[str, Any]]:
        """Return all items, sorted by key."""
        items: Iterable[Mapping[str, Any]]
        if moto_memory.has_table(self.name):
            items = moto_memory.items(self.name)
        else:
            pages = self.client.get_paginator("scan").paginate(TableName=self.name)
            items = [item for page in pages for item in page["Items"]]
        return sorted(map(_plain, items), key=lambda item: (item["pk"], item["sk"]))

    def item(self, sort_key: str, organization_id: str = ORGANIZATION_ID) -> dict[str, Any]:
        """Return one item of an organization, which must exist."""
        key = {"pk": _write(f"ORG#{organization_id}"), "sk": _write(sort_key)}
        if moto_memory.has_table(self.name):
            return _plain(moto_memory.get(self.name, key))
        return _plain(self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True)["Item"])

    def partition(self, organization_id: str = ORGANIZATION_ID) -> dict[str, dict[str, Any]]:
        """Return all items of an organization by sort key, in that order."""
        partition_key = _write(f"ORG#{organization_id}")
        items: Iterable[Mapping[str, Any]]
        if moto_memory.has_table(self.name):
            items = moto_memory.items(self.name, partition_key)
        else:
            pages = self.client.get_paginator("query").paginate(
                TableName=self.name,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": partition_key},
                ConsistentRead=True,
            )
            items = [item for page in pages for item in page["Items"]]
        by_sort_key = {item["sk"]: item for item in map(_plain, items)}
        return dict(sorted(by_sort_key.items()))

    def under(self, prefix: str) -> list[dict[str, Any]]:
        """Return the items whose sort key has a prefix."""
        return [item for item in self.items() if item["sk"].startswith(prefix)]

    def put_organization(self, organization_id: str = ORGANIZATION_ID, **attributes: Any) -> None:
        """Write an organization."""
        self.put(
            pk=f"ORG#{organization_id}", sk="ORG", name="Acme", created_at="2026-01-01T00:00:00.000Z", **attributes
        )

    def put_member(
        self, user_id: str = "user_1", role: str = "admin", organization_id: str = ORGANIZATION_ID, **attributes: Any
    ) -> None:
        """Write a member."""
        self.put(pk=f"ORG#{organization_id}", sk=f"MEMBER#{user_id}", role=role, **attributes)

    def put_key(
        self, key_id: str = KEY_ID, organization_id: str = ORGANIZATION_ID, **attributes: Any
    ) -> dict[str, Any]:
        """Write a key, by default enabled and without expiry; return its item."""
        item = {
            "pk": f"ORG#{organization_id}",
            "sk": f"KEY#{key_id}",
            "name": "CI",
            "permissions": ["sessions:read"],
            "metadata": '{"plan":"pro"}',
            "enabled": True,
            "hash": HASH,
            "generation": 0,
            "hint": "kk_...wxyz",
            "created_by": "user_9",
            "created_at": "2026-01-02T03:04:05.678Z",
            "updated_at": "2026-01-02T03:04:05.678Z",
            "version": 1,
        } | attributes
        self.put(**item)
        return item

    def put_usage(self, key_id: str = KEY_ID, organization_id: str = ORGANIZATION_ID, **attributes: Any) -> None:
        """Write the usage of a key."""
        self.put(
            **{
                "pk": f"ORG#{organization_id}",
                "sk": f"USAGE#{key_id}",
                "request_count": 42,
                "last_used_at": "2026-06-01T12:00:00.000Z",
                "days": {},
            }
            | attributes
        )

    def put_unused(self, key_id: str = KEY_ID, organization_id: str = ORGANIZATION_ID) -> None:
        """Write the usage of a key that was never used."""
        self.put(pk=f"ORG#{organization_id}", sk=f"USAGE#{key_id}", request_count=0, days={})

    def put_audit(self, record_id: str, organization_id: str = ORGANIZATION_ID, **attributes: Any) -> None:
        """Write an audit record."""
        self.put(**audit_item(record_id, organization_id, **attributes))

    def freeze(self) -> None:
        """Schedule the organization for deletion."""
        self.put_organization(pending_deletion_at=PENDING_DELETION_AT)
        self.put(pk="DELETIONS", sk=f"{PENDING_DELETION_AT}#{ORGANIZATION_ID}")


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _read(value) for name, value in item.items()}


def nth_id(number: int) -> str:
    """Return an id of version 7 that sorts by its number."""
    return f"01980000-0000-7000-8000-{number:012x}"


def member(table: Table) -> None:
    """Make `someone` a member whose role is too low."""
    table.put_member("someone", "member")


def suspended(table: Table) -> None:
    """Make `someone` an owner who is suspended."""
    table.put_member("someone", "owner", suspended_at="2026-01-01T00:00:00.000Z")


def outsider(_: Table) -> None:
    """Leave `someone` unknown to the organization."""


def removed(table: Table) -> None:
    """Make `someone` a former owner, whose removal the table records."""
    table.put(
        pk=f"ORG#{ORGANIZATION_ID}",
        sk="MEMBER#someone",
        last_role="owner",
        role_as_of="2026-01-01T00:00:00.000Z#1",
        membership_as_of="2026-01-02T00:00:00.000Z#2",
    )


def unknown_role(table: Table) -> None:
    """Set the role of `someone` to one that does not exist."""
    table.put_member("someone", "Admin")


def other_organization(table: Table) -> None:
    """Make `someone` an owner of another organization."""
    table.put_organization(OTHER_ORGANIZATION_ID)
    table.put_member("someone", "owner", OTHER_ORGANIZATION_ID)


STRANGERS = [member, suspended, outsider, removed, unknown_role, other_organization]
"""Callers who may not manage keys; each makes `someone` one of them."""


@dataclass(frozen=True, slots=True)
class World:
    """A table and a context."""

    table: Table
    context: Context


BACKEND = "arn:aws:sts::123456789012:assumed-role/backend/worker-1"
SIGNER = {"accountId": "123456789012", "caller": "AROAEXAMPLEBACKEND0001:worker-1", "userArn": BACKEND}
"""Fields that API Gateway adds to an event's identity on a route with AWS_IAM."""


def signed(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event as that of a route with AWS_IAM: with an identity instead of an authorizer."""
    context = {name: value for name, value in event["requestContext"].items() if name != "authorizer"}
    return event | {"requestContext": context | {"identity": context["identity"] | SIGNER}}


def create_event(body: object = None, *, user_id: str = "user_1", **changes: Any) -> dict[str, Any]:
    """Return the event of POST /v1/auth/api-keys; a body other than text is written as JSON."""
    return {
        "resource": "/auth/api-keys",
        "path": "/auth/api-keys",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"},
        "body": body if isinstance(body, str | None) else json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "stage": "v1",
            "domainName": "abc.execute-api.eu-central-1.amazonaws.com",
            "identity": {"sourceIp": "203.0.113.7"},
            "authorizer": {
                "organizationId": ORGANIZATION_ID,
                "userId": user_id,
                "expiresAt": str(int(time.time()) + 600),
            },
        },
    } | changes
