"""A client of a running deployment: HTTP with session tokens, API keys and AWS signatures."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from tests.api.moments import written
from tests.api.signing import signed
from tests.support import api_description

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CREATE = "/auth/api-keys"
"""A POST creates a key, a GET lists them."""
KEY = "/auth/api-keys/{id}"
ROTATE = "/auth/api-keys/{id}/rotate"
USAGE = "/auth/api-keys/{id}/usage"
VERIFY = "/auth/api-keys/verify"
VERIFY_BATCH = "/auth/api-keys/verify-batch"
CURRENT = "/auth/api-keys/current"
AUDIT_LOGS = "/auth/orgs/audit-logs"
ORGANIZATION = "/auth/orgs/current"
REQUEST_DELETE = "/auth/orgs/request-delete"
CANCEL_DELETE = "/auth/orgs/cancel-delete"
LEAKS = "/leaks"
LEAKS_OF_GITHUB = "/leaks/github"
OPENAPI = "/openapi.json"
DOCS = "/docs"
CONSOLE = "/console"
CONSOLE_SCRIPT = "/console/keywright.js"
PATHS = (
    CREATE,
    KEY,
    ROTATE,
    USAGE,
    CURRENT,
    ORGANIZATION,
    AUDIT_LOGS,
    REQUEST_DELETE,
    CANCEL_DELETE,
    LEAKS,
    OPENAPI,
    DOCS,
)
"""The paths that web pages may call: all but those for backends."""

VALID_BODY: dict[str, Any] = {"name": "HTTP suite", "permissions": ["sessions:read"]}
UNLIMITED: dict[str, Any] = {"rateLimit": None, "quota": None, "allowedIps": None}
"""How a key without limits is shown."""
TIMEOUT_SECONDS = 30
"""API Gateway's integration timeout is 29 seconds."""

ERROR_FIELDS = {"code", "message", "hint", "docs"}
FIRST_PAGE = {"limit": 10, "has_more": False, "next_cursor": None}
"""The pagination of an empty list, and of an error of a list; the limit is that of the request, or 10."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as described by stack.json, with an HTTP client.

    Attributes:
        base_url: address with the stage, without a trailing slash.
        organization_id: organization of all personas except frozen_admin.
        tokens: a session token for each persona.
        iam: the AWS credentials of a backend.
        invocations: address that backends invoke verify_api_key at.
    """

    base_url: str
    organization_id: str
    tokens: Mapping[str, str]
    iam: Mapping[str, str]
    invocations: str
    client: httpx.Client

    @classmethod
    def read(cls, stack_file: Path) -> Deployment:
        """Read a stack.json."""
        stack = json.loads(stack_file.read_text(encoding="utf-8"))
        # The user's proxy cannot reach the loopback interface of this machine.
        client = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=not is_here(stack["base_url"]))
        lambda_url = stack["lambda_url"] or f"https://lambda.{stack['iam']['region']}.amazonaws.com"
        invocations = f"{lambda_url}/2015-03-31/functions/{quote(stack['function_arn'], safe='')}/invocations"
        return cls(stack["base_url"], stack["organization_id"], stack["tokens"], stack["iam"], invocations, client)

    def request(
        self,
        method: str,
        path: str,
        *,
        persona: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        **content: Any,
    ) -> httpx.Response:
        """Send a request as a persona; None sends no token. `headers` override the default ones."""
        token = {} if persona is None else {"authorization": f"Bearer {self.tokens[persona]}"}
        response = self.client.request(method, self.base_url + path, headers={**token, **(headers or {})}, **content)
        assert_described(method, path, response)
        return response

    def create(self, body: Any = None, **options: Any) -> httpx.Response:
        """Send a body to the endpoint that creates keys: bytes as they are, anything else as JSON; valid by default."""
        content = body if isinstance(body, bytes) else json.dumps(VALID_BODY if body is None else body).encode()
        headers = {"content-type": "application/json", **options.pop("headers", {})}
        return self.request("POST", CREATE, content=content, headers=headers, **options)

    def create_key(self, persona: str = "admin", **fields: Any) -> dict[str, Any]:
        """Create a key; return its id and text."""
        return data(self.create({**VALID_BODY, **fields}, persona=persona))

    def get_key(self, key_id: str) -> dict[str, Any]:
        """Return a key."""
        return data(self.request("GET", KEY.format(id=key_id)))

    def update(self, key_id: str, body: Any, **options: Any) -> httpx.Response:
        """Change a key."""
        return self.request("PATCH", KEY.format(id=key_id), json=body, **options)

    def delete(self, key_id: str, **options: Any) -> httpx.Response:
        """Delete a key."""
        return self.request("DELETE", KEY.format(id=key_id), **options)

    def rotate(self, key_id: str, body: Any = None, **options: Any) -> httpx.Response:
        """Rotate a key, by default without a body."""
        return self.request("POST", ROTATE.format(id=key_id), json=body, **options)

    def verify(self, key: Any, *permissions: str, **iam: str) -> httpx.Response:
        """Verify a key as a backend; `iam` overrides parts of the credentials."""
        return self.use({"key": key, **({"permissions": permissions} if permissions else {})}, **iam)

    def use(self, content: Any, **iam: str) -> httpx.Response:
        """Send a body to the endpoint that verifies a key, as a backend."""
        return self.send_signed(VERIFY, content, **iam)

    def send_signed(self, path: str, content: Any, **iam: str) -> httpx.Response:
        """Send a body to an endpoint for backends."""
        body = json.dumps(content).encode()
        url = self.base_url + path
        return self.client.post(url, content=body, headers=signed(url, body, {**self.iam, **iam}))

    def invoke(self, content: Any) -> dict[str, Any]:
        """Invoke the function that verifies keys with a body as its event, as a backend; return its answer."""
        body = json.dumps(content).encode()
        headers = signed(self.invocations, body, self.iam, service="lambda")
        response = self.client.post(self.invocations, content=body, headers=headers)
        assert 200 == response.status_code, response.text
        assert "x-amz-function-error" not in response.headers, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def outcome(self, key: Any, *permissions: str) -> str:
        """Verify a key; return the code."""
        code: str = data(self.verify(key, *permissions))["code"]
        return code

    def current(self, key: str) -> httpx.Response:
        """Request the current key as its holder."""
        return self.request("GET", CURRENT, persona=None, headers={"x-api-key": key})

    def revoke_current(
        self, key: str = "", *, headers: Mapping[str, str] | None = None, **query: str
    ) -> httpx.Response:
        """Delete the current key as its holder."""
        return self.request("DELETE", CURRENT, persona=None, headers=headers or {"x-api-key": key}, params=query)

    def delete_organization(self) -> httpx.Response:
        """Request the deletion of the organization as its owner."""
        return self.request("POST", REQUEST_DELETE, persona="owner")

    def cancel_deletion(self, persona: str = "owner") -> httpx.Response:
        """Cancel the scheduled deletion of the organization."""
        return self.request("POST", CANCEL_DELETE, persona=persona)

    @contextmanager
    def frozen(self) -> Iterator[httpx.Response]:
        """Freeze the organization while the context is open; yield the response to the deletion request."""
        try:
            yield self.delete_organization()
        finally:
            self.cancel_deletion()

    def newest(self, path: str, *, since: str = "", **query: Any) -> list[dict[str, Any]]:
        """Return the items of all pages of a list, newest first, down to the id `since`.

        The deployment may be shared and have any number of older items, which are not read.
        """
        items: list[dict[str, Any]] = []
        while True:
            page, pagination = listed(self.request("GET", path, params=query))
            items += [item for item in page if item["id"] >= since]
            if pagination["next_cursor"] is None or pagination["next_cursor"] < since:
                return items
            query["starting_after"] = pagination["next_cursor"]

    def records(self, key_id: str, **query: Any) -> list[dict[str, Any]]:
        """Return the audit records of a key, newest first, searching only since its creation."""
        made_at = datetime.fromtimestamp((uuid.UUID(key_id).int >> 80) / 1000, UTC)
        return self.newest(AUDIT_LOGS, **{"target_id": key_id, "created_from": written(made_at), **query})

    def refusal(self, response: httpx.Response, pagination: object = None) -> tuple[int, str]:
        """Return status and code of an error after checking envelope, headers and link.

        Args:
            response: the response.
            pagination: expected pagination, which only errors of functions that list have.
        """
        body = response.json()
        assert {"data", "error"} | ({"pagination"} if pagination else set()) == body.keys(), body
        assert pagination == body.get("pagination")
        assert body["data"] is None
        assert ERROR_FIELDS == body["error"].keys()
        assert all(isinstance(text, str) and text for text in body["error"].values()), body
        assert f"{self.base_url}/docs#{body['error']['code']}" == body["error"]["docs"]
        assert_headers_of_the_contract(response)
        return response.status_code, body["error"]["code"]


def assert_described(method: str, path: str, response: httpx.Response) -> None:
    """Check that docs/openapi.json describes a response. Unknown routes are not described."""
    operation = api_description.find(method, path)
    if operation is not None:
        is_json = response.headers["content-type"] == "application/json"
        assert [] == api_description.problems(operation, response.status_code, response.json() if is_json else None)


def is_here(base_url: str) -> bool:
    """Return whether a deployment runs on this machine."""
    return httpx.URL(base_url).host in {"127.0.0.1", "localhost", "::1"}


def data(response: httpx.Response) -> dict[str, Any]:
    """Return the data of a success after checking the envelope and headers."""
    body = response.json()
    assert 200 == response.status_code, body
    assert {"data", "error"} == body.keys()
    assert body["error"] is None
    assert_headers_of_the_contract(response)
    content: dict[str, Any] = body["data"]
    return content


def listed(response: httpx.Response) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return items and pagination of a page after checking the envelope and headers."""
    body = response.json()
    assert 200 == response.status_code, body
    assert {"data", "error", "pagination"} == body.keys()
    assert body["error"] is None
    pagination: dict[str, Any] = body["pagination"]
    assert {"limit", "has_more", "next_cursor"} == pagination.keys()
    assert pagination["has_more"] is (pagination["next_cursor"] is not None)
    assert_headers_of_the_contract(response)
    items: list[dict[str, Any]] = body["data"]
    assert len(items) <= pagination["limit"]
    return items, pagination


def assert_headers_of_the_contract(response: httpx.Response) -> None:
    """Check that each header of the contract is present, once."""
    assert ["application/json"] == values(response, "content-type")
    assert ["no-store"] == values(response, "cache-control")
    (request_id,) = values(response, "x-request-id")
    assert request_id


def values(response: httpx.Response, name: str) -> list[str]:
    """Return the value of each line of a header."""
    return [value for header, value in response.headers.multi_items() if header == name]
