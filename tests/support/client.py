"""Functions called as API Gateway calls them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.httpsession import URLLib3Session

from local.template import IAM_AUTHORIZER
from tests.support import faults
from tests.support.world import KEY_ID, ORGANIZATION_ID, Context, create_event, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from local.template import Route
    from tests.support.world import Table, World

REQUEST_ID = "request-1"
"""The request id of every request made by `Call`."""

API_KEY_AUTHORIZER = "ApiKeyAuthorizer"
KEY_CONTEXT = {
    "principalId": KEY_ID,
    "organizationId": ORGANIZATION_ID,
    "apiKeyId": KEY_ID,
    "keyName": "CI",
    "permissions": "sessions:read",
}
"""The context of the API key authorizer, in place of that of a session."""

VALID_BODY: dict[str, Any] = {"name": "CI", "permissions": ["sessions:read", "webhooks:write"]}


@dataclass(frozen=True, slots=True)
class CreateApiKey:
    """create_api_key, in an organization with one admin."""

    handler: Callable[..., Any]
    world: World

    def __call__(self, body: object = None, **changes: Any) -> dict[str, Any]:
        """Call with a body, by default a valid one."""
        event = create_event(VALID_BODY if body is None else body, **changes)
        answer: dict[str, Any] = self.handler(event, self.world.context)
        return answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """The content of an answer other than 200.

    Attributes:
        pagination: None for an answer without it.
    """

    status: int
    code: str
    message: str
    hint: str
    pagination: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function called as API Gateway calls it, in an organization with one admin, user_1.

    Attributes:
        route: its route in the template.
    """

    route: Route
    handler: Callable[..., Any]
    world: World

    @property
    def table(self) -> Table:
        """The table of the function."""
        return self.world.table

    def __call__(
        self,
        body: object = None,
        *,
        key_id: str = KEY_ID,
        query: Mapping[str, str] | None = None,
        user_id: str = "user_1",
        authorizer: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        """Call the function; a body other than text is sent as JSON.

        Args:
            body: the body; none by default.
            key_id: the path parameter, if the route has one.
            query: the query parameters.
            user_id: the caller.
            authorizer: further fields of the authorizer's context.
            changes: top-level fields of the event.
        """
        has_id = "{id}" in self.route.path
        event = create_event(
            body,
            user_id=user_id,
            resource=self.route.path,
            path=self.route.path.replace("{id}", key_id),
            httpMethod=self.route.method,
            pathParameters={"id": key_id} if has_id else None,
            queryStringParameters=None if query is None else dict(query),
        )
        event["requestContext"]["authorizer"] |= {"organizationId": ORGANIZATION_ID, **(authorizer or {})}
        event["requestContext"]["requestId"] = REQUEST_ID
        if self.route.authorizer == API_KEY_AUTHORIZER:
            event["requestContext"]["authorizer"] = dict(KEY_CONTEXT)
        if self.route.authorizer == IAM_AUTHORIZER:
            event = signed(event)
        answer: dict[str, Any] = self.handler(event | changes, self.world.context)
        return answer

    def with_time_left(self, milliseconds: int) -> Call:
        """Return the same function, with less time left."""
        return replace(self, world=replace(self.world, context=Context(remaining_milliseconds=milliseconds)))

    def data(self, *arguments: Any, **keywords: Any) -> Any:
        """Call and return the data of the successful answer."""
        answer = self(*arguments, **keywords)
        assert 200 == answer["statusCode"], answer["body"]
        content = json.loads(answer["body"])
        assert {"data": content["data"], "error": None} == content
        return content["data"]

    def page(self, *arguments: Any, **keywords: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Call and return items and pagination of the successful answer."""
        answer = self(*arguments, **keywords)
        assert 200 == answer["statusCode"], answer["body"]
        content = json.loads(answer["body"])
        assert {"data": content["data"], "error": None, "pagination": content["pagination"]} == content
        return content["data"], content["pagination"]

    def ids(self, query: Mapping[str, str] | None = None) -> list[str]:
        """Call for a page of a list and return the ids of its items."""
        return [item["id"] for item in self.page(query=query)[0]]

    def refused(self, *arguments: Any, **keywords: Any) -> Refusal:
        """Call and return the refusal, which must be in the envelope; check that the table is unchanged."""
        before = self.table.items()
        refusal = self.fails(*arguments, **keywords)
        assert before == self.table.items()
        return refusal

    def fails(self, *arguments: Any, **keywords: Any) -> Refusal:
        """Call and return the refusal; the table may change."""
        answer = self(*arguments, **keywords)
        content = json.loads(answer["body"])
        error, pagination = content["error"], content.pop("pagination", None)
        assert {"data": None, "error": error} == content
        assert {"code", "message", "hint", "docs"} == error.keys()
        assert all(isinstance(value, str) and value for value in error.values())
        assert error["docs"].endswith(f"/v1/docs#{error['code']}")
        return Refusal(answer["statusCode"], error["code"], error["message"], error["hint"], pagination)


def calling(name: str, role: str = "admin") -> object:
    """Return a fixture for a test module: a function by its folder's name, where user_1 has a role."""

    @pytest.fixture
    def call(functions: Callable[[str], Call]) -> Call:
        """The function under test, called as API Gateway calls it."""
        function = functions(name)
        function.table.put_member("user_1", role)
        return function

    return call


def meanwhile(change: Callable[[], object]) -> faults.Fault:
    """Run an act just before a request is sent, such as a concurrent change."""

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        change()
        return URLLib3Session().send(request)

    return fault


UNANSWERED: list[faults.Fault] = [
    faults.error("ProvisionedThroughputExceededException"),
    faults.error("ThrottlingException"),
    faults.error("InternalServerError", 500),
    faults.answer(503, b""),
    faults.answer(200, b'{"cut of'),
    faults.timeout,
    faults.refused,
]
"""Failures of DynamoDB and its network that a retry may overcome."""
