"""What a handler lives in during a test: a real table behind real HTTP, and Lambda's context."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ORGANIZATION_ID = "5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6"

_read = TypeDeserializer().deserialize
_write = TypeSerializer().serialize


@dataclass(frozen=True, slots=True)
class Context:
    """Lambda's context, with as much time as a test needs."""

    aws_request_id: str = "7d2b8f4e-0000-4000-8000-000000000000"
    remaining_milliseconds: int = 10_000

    def get_remaining_time_in_millis(self) -> int:
        """Say how much time is left."""
        return self.remaining_milliseconds


@dataclass(frozen=True, slots=True)
class Table:
    """The table, read and written as plain Python values."""

    client: DynamoDBClient
    name: str

    def put(self, **item: Any) -> None:
        """Write an item."""
        self.client.put_item(TableName=self.name, Item={name: _write(value) for name, value in item.items()})

    def items(self) -> list[dict[str, Any]]:
        """Read everything, sorted by key."""
        pages = self.client.get_paginator("scan").paginate(TableName=self.name)
        items = [{name: _read(value) for name, value in item.items()} for page in pages for item in page["Items"]]
        return sorted(items, key=lambda item: (item["pk"], item["sk"]))

    def item(self, sort_key: str, organization_id: str = ORGANIZATION_ID) -> dict[str, Any]:
        """Read one item of an organization, which must be there."""
        key = {"pk": _write(f"ORG#{organization_id}"), "sk": _write(sort_key)}
        item = self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True)["Item"]
        return {name: _read(value) for name, value in item.items()}

    def under(self, prefix: str) -> list[dict[str, Any]]:
        """Read the items whose sort key begins so."""
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


@dataclass(frozen=True, slots=True)
class World:
    """Table and context together."""

    table: Table
    context: Context


def create_event(body: object = None, *, user_id: str = "user_1", **changes: Any) -> dict[str, Any]:
    """Make the event of POST /v1/auth/api-keys; a body that is no text is written as JSON."""
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
