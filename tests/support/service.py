"""The whole service: its functions by name, called as API Gateway calls them, over one table."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from keywright import clock
from tests.support.audit_log import audit_log
from tests.support.client import VALID_BODY
from tests.support.world import ORGANIZATION_ID, Context, create_event, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.world import World

METHODS = {
    "create_api_key": "POST",
    "list_api_keys": "GET",
    "get_api_key": "GET",
    "get_api_key_usage": "GET",
    "update_api_key": "PATCH",
    "delete_api_key": "DELETE",
    "rotate_api_key": "POST",
    "get_current_organization": "GET",
    "list_audit_logs": "GET",
    "request_organization_deletion": "POST",
    "cancel_organization_deletion": "POST",
    "verify_api_key": "POST",
    "verify_api_keys": "POST",
    "get_current_api_key": "GET",
    "revoke_current_api_key": "DELETE",
}
"""The functions that callers reach, with the methods of their routes."""
FOR_BACKENDS = {"verify_api_key", "verify_api_keys"}
"""Those whose callers sign their requests with AWS credentials."""
READS = {name for name, method in METHODS.items() if method == "GET"}


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
    def refusal(self) -> str:
        """Return status and code of a failure."""
        return f"{self.status} {self.code}"

    @property
    def is_replayed(self) -> bool:
        """Return whether this is an earlier answer, returned again."""
        return self.headers.get("idempotent-replayed") == "true"


@dataclass(frozen=True, slots=True)
class Service:
    """All functions of the service, and its table."""

    world: World
    handlers: Mapping[str, Callable[..., Any]]

    @classmethod
    def opened(
        cls, world: World, load_handler: Callable[[str], Callable[..., Any]], *further: str, seconds: int
    ) -> Service:
        """Return the functions that callers reach, and further ones, with that much time for each invocation."""
        context = Context(remaining_milliseconds=seconds * 1000)
        return cls(replace(world, context=context), {name: load_handler(name) for name in [*METHODS, *further]})

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
        if function in FOR_BACKENDS:
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

    def freeze(self, organization_id: str = ORGANIZATION_ID) -> Answer:
        """Request the deletion of an organization, as its owner."""
        return self.call("request_organization_deletion", Caller(organization_id, "owner"))

    def new_key(self, caller: Caller) -> str:
        """Create a key and return its id."""
        key_id: str = self.create(caller).data["id"]
        return key_id

    def open_organization(self, organization_id: str, **roles: str) -> None:
        """Write an organization and its members."""
        self.world.table.put_organization(organization_id)
        for user_id, role in roles.items():
            self.world.table.put_member(user_id, role, organization_id)

    def partition(self, organization_id: str = ORGANIZATION_ID) -> dict[str, dict[str, Any]]:
        """Read all items of an organization, ordered by sort key."""
        return self.world.table.partition(organization_id)

    def key_items(self, organization_id: str = ORGANIZATION_ID) -> list[dict[str, Any]]:
        """Return the items of an organization's keys, oldest first."""
        return [item for sort_key, item in self.partition(organization_id).items() if sort_key.startswith("KEY#")]

    def audit_log(self, organization_id: str = ORGANIZATION_ID) -> list[dict[str, Any]]:
        """Return an organization's audit records as the API shows them, oldest first."""
        return audit_log(self.partition(organization_id))

    def audited_events(self, organization_id: str = ORGANIZATION_ID) -> list[str]:
        """Return the events of an organization's audit log, oldest first."""
        return [record["event"] for record in self.audit_log(organization_id)]

    def delete_item(self, organization_id: str, sort_key: str) -> None:
        """Delete an item, as an operator could."""
        self.world.table.client.delete_item(
            TableName=self.world.table.name, Key={"pk": {"S": f"ORG#{organization_id}"}, "sk": {"S": sort_key}}
        )
