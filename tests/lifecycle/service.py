"""The service as callers and operators see it: functions by name, and their table."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keywright import clock
from keywright.aws import retries
from keywright.store import api_keys
from tests.support import faults
from tests.support.world import create_event, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from botocore.awsrequest import AWSPreparedRequest

    from keywright.store.api_keys import ApiKeyRecord
    from tests.support.world import World

METHODS = {
    "create_api_key": "POST",
    "list_api_keys": "GET",
    "get_api_key": "GET",
    "update_api_key": "PATCH",
    "delete_api_key": "DELETE",
    "rotate_api_key": "POST",
    "list_audit_logs": "GET",
    "request_organization_deletion": "POST",
    "cancel_organization_deletion": "POST",
    "verify_api_key": "POST",
    "get_current_api_key": "GET",
}
READS = {name for name, method in METHODS.items() if method == "GET"}

VALID_BODY: dict[str, Any] = {"name": "CI", "permissions": ["sessions:read", "webhooks:write"]}

_BATCH = 25  # Amazon DynamoDB API Reference, BatchWriteItem


class SteppedClock:
    """A clock that tests advance; it replaces the `time` module."""

    def __init__(self) -> None:
        self.milliseconds = 1_780_000_000_123

    def time_ns(self) -> int:
        """Return nanoseconds since the Unix epoch."""
        return self.milliseconds * 1_000_000 + 456_789  # a fraction that no answer shows

    def time(self) -> float:
        """Return seconds since the Unix epoch."""
        return self.milliseconds / 1000

    def advance(self, *, seconds: float) -> None:
        """Advance the clock; negative seconds stand for a switch to a machine with a slower clock."""
        self.milliseconds += round(seconds * 1000)


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with a session."""

    organization_id: str
    user_id: str = "user_1"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the service."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def content(self) -> dict[str, Any]:
        """Return the parsed body."""
        content: dict[str, Any] = json.loads(self.body)
        return content

    @property
    def data(self) -> Any:
        """Return the data of a success."""
        assert 200 == self.status, self.body
        return self.content["data"]

    @property
    def code(self) -> str:
        """Return the code of a failure."""
        code: str = self.content["error"]["code"]
        return code

    @property
    def is_replayed(self) -> bool:
        """Return whether this is an earlier answer, returned again."""
        return self.headers.get("idempotent-replayed") == "true"


@dataclass(frozen=True, slots=True)
class Service:
    """All functions of the service, and its table."""

    world: World
    handlers: Mapping[str, Callable[..., Any]]

    def call(  # noqa: PLR0913 - what a request is made of
        self,
        function: str,
        caller: Caller,
        *,
        body: object = None,
        key_id: str | None = None,
        query: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        authorizer: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call a function as API Gateway does, with a session that lasts another ten minutes.

        `authorizer` adds fields to the authorizer's context.
        """
        event = create_event(
            body,
            httpMethod=METHODS[function],
            pathParameters=None if key_id is None else {"id": key_id},
            queryStringParameters=dict(query) if query else None,
        )
        event["requestContext"]["authorizer"] = {
            "organizationId": caller.organization_id,
            "userId": caller.user_id,
            "expiresAt": str(int(clock.now().timestamp()) + 600),
            **(authorizer or {}),
        }
        if idempotency_key is not None:
            event["headers"]["Idempotency-Key"] = idempotency_key
        event["headers"] |= headers or {}
        if function == "verify_api_key":
            event = signed(event)
        answer = self.handlers[function](event, self.world.context)
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def create(self, caller: Caller, body: object = None, *, idempotency_key: str | None = None) -> Answer:
        """Create a key, by default with a valid body."""
        return self.call(
            "create_api_key", caller, body=VALID_BODY if body is None else body, idempotency_key=idempotency_key
        )

    def rotate(
        self, caller: Caller, key_id: str, grace_period_seconds: int = 0, *, idempotency_key: str | None = None
    ) -> Answer:
        """Rotate a key."""
        body = {"gracePeriodSeconds": grace_period_seconds}
        return self.call("rotate_api_key", caller, key_id=key_id, body=body, idempotency_key=idempotency_key)

    def update(self, caller: Caller, key_id: str, **changes: object) -> Answer:
        """Change a key."""
        return self.call("update_api_key", caller, key_id=key_id, body=changes)

    def delete(self, caller: Caller, key_id: str) -> Answer:
        """Delete a key."""
        return self.call("delete_api_key", caller, key_id=key_id)

    def new_key(self, caller: Caller) -> str:
        """Create a key and return its id."""
        key_id: str = self.create(caller).data["id"]
        return key_id

    def open_organization(self, organization_id: str, **roles: str) -> None:
        """Write an organization and its members."""
        self.world.table.put_organization(organization_id)
        for user_id, role in roles.items():
            self.world.table.put_member(user_id, role, organization_id)

    def partition(self, organization_id: str) -> dict[str, dict[str, Any]]:
        """Read all items of an organization, ordered by sort key."""
        return self.world.table.partition(organization_id)

    def keys(self, organization_id: str) -> list[dict[str, Any]]:
        """Return the items of an organization's keys, oldest first."""
        return [item for sort_key, item in self.partition(organization_id).items() if sort_key.startswith("KEY#")]

    def audit_log(self, organization_id: str) -> list[dict[str, Any]]:
        """Return an organization's audit records as the API shows them, oldest first."""
        return [
            audit_record(item)
            for sort_key, item in self.partition(organization_id).items()
            if sort_key.startswith("AUDIT#")
        ]

    def delete_item(self, organization_id: str, sort_key: str) -> None:
        """Delete an item, as an operator could."""
        self.world.table.client.delete_item(
            TableName=self.world.table.name, Key={"pk": {"S": f"ORG#{organization_id}"}, "sk": {"S": sort_key}}
        )

    def put_keys(self, records: Sequence[ApiKeyRecord]) -> None:
        """Write items of keys."""
        name = self.world.table.name
        requests: Any = [{"PutRequest": {"Item": api_keys.put(record).request["Item"]}} for record in records]
        for start in range(0, len(requests), _BATCH):
            self.world.table.client.batch_write_item(RequestItems={name: requests[start : start + _BATCH]})


def audit_record(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an audit item as the API shows it."""
    return {
        "id": item["sk"].removeprefix("AUDIT#"),
        "event": item["event"],
        "actor": {"type": item["actor_type"], "id": item["actor_id"]},
        "targetId": item["target_id"],
        "targetType": item["target_type"],
        "changes": json.loads(item["changes"]),
        "sourceIp": item.get("source_ip"),
        "requestId": item.get("request_id"),
        "createdAt": item["created_at"],
        "receivedAt": item["received_at"],
    }


def replayed(log: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the state of every key that an audit log, replayed from its first record to its last, describes.

    Also check each record against those before it: its `before` must be the state that they describe.
    """
    keys: dict[str, dict[str, Any]] = {}
    for record in log:
        target, before, after = record["targetId"], record["changes"]["before"], record["changes"]["after"]
        match record["event"]:
            case "api_key.created":
                assert target not in keys
                keys[target] = {**after, "generation": 0, "previousKeyExpiresAt": None}
            case "api_key.updated" | "api_key.rotated":
                assert before == {name: keys[target][name] for name in before}
                keys[target] |= after
            case "api_key.deleted":
                assert before == {name: keys[target][name] for name in before}
                del keys[target]
    return keys


def audited(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a key's item that audit records hold."""
    return {
        "name": item["name"],
        "enabled": item["enabled"],
        "permissions": item["permissions"],
        "metadata": json.loads(item["metadata"]),
        "expiresAt": item.get("expires_at"),
        "generation": int(item["generation"]),
        "previousKeyExpiresAt": item.get("previous_expires_at"),
    }


@contextmanager
def meanwhile(*acts: Callable[[], object]) -> Iterator[None]:
    """Run one act before each of the next transactions, between the reads and the writes of the call.

    The transactions of the acts themselves are not intercepted.
    """
    remaining = iter(acts)
    is_acting = False

    def hook(_request: AWSPreparedRequest, operation: str) -> None:
        nonlocal is_acting
        act = None if is_acting or operation != "TransactWriteItems" else next(remaining, None)
        if act is not None:
            is_acting = True
            act()
            is_acting = False

    with faults.intercepted(retries.dynamodb(), hook):
        yield
    assert not list(remaining), "not every act had its moment"
