"""A running deployment, as its clients see it: HTTP, session tokens, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CREATE = "/auth/api-keys"
VALID_BODY: dict[str, Any] = {"name": "HTTP suite", "permissions": ["sessions:read"]}
TIMEOUT_SECONDS = 30
"""API Gateway itself gives up after 29."""

ERROR_FIELDS = {"code", "message", "hint", "docs"}


@dataclass(frozen=True, slots=True)
class Deployment:
    """What stack.json says of a deployment, and a client to call it with.

    Attributes:
        base_url: with the stage, without a slash at its end.
        organization_id: the organization of all personas but frozen_admin.
        tokens: a session token for each persona.
    """

    base_url: str
    organization_id: str
    tokens: Mapping[str, str]
    client: httpx.Client

    @classmethod
    def read(cls, stack_file: Path) -> Deployment:
        """Read a stack.json."""
        stack = json.loads(stack_file.read_text(encoding="utf-8"))
        # A proxy of the user's could not reach the loopback interface of this machine.
        client = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=not is_here(stack["base_url"]))
        return cls(stack["base_url"], stack["organization_id"], stack["tokens"], client)

    def request(
        self,
        method: str,
        path: str,
        *,
        persona: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        **content: Any,
    ) -> httpx.Response:
        """Send a request as somebody; None sends no token. `headers` win over what is sent otherwise."""
        token = {} if persona is None else {"authorization": f"Bearer {self.tokens[persona]}"}
        return self.client.request(method, self.base_url + path, headers={**token, **(headers or {})}, **content)

    def create(self, body: Any = None, **options: Any) -> httpx.Response:
        """Send a body to the endpoint that creates keys: as JSON, or as it is if it is bytes; valid by default."""
        content = body if isinstance(body, bytes) else json.dumps(VALID_BODY if body is None else body).encode()
        headers = {"content-type": "application/json", **options.pop("headers", {})}
        return self.request("POST", CREATE, content=content, headers=headers, **options)

    def refusal(self, response: httpx.Response) -> tuple[int, str]:
        """Give status and code of a refusal that keeps to the contract: envelope, headers and link."""
        body = response.json()
        assert {"data", "error"} == body.keys()
        assert body["data"] is None
        assert ERROR_FIELDS == body["error"].keys()
        assert all(isinstance(text, str) and text for text in body["error"].values()), body
        assert f"{self.base_url}/docs#{body['error']['code']}" == body["error"]["docs"]
        assert_headers_of_the_contract(response)
        return response.status_code, body["error"]["code"]


def is_here(base_url: str) -> bool:
    """Tell whether a deployment runs on this machine."""
    return httpx.URL(base_url).host in {"127.0.0.1", "localhost", "::1"}


def data(response: httpx.Response) -> dict[str, Any]:
    """Give the data of a success that keeps to the contract."""
    body = response.json()
    assert 200 == response.status_code, body
    assert {"data", "error"} == body.keys()
    assert body["error"] is None
    assert_headers_of_the_contract(response)
    content: dict[str, Any] = body["data"]
    return content


def assert_headers_of_the_contract(response: httpx.Response) -> None:
    """Check the headers that every answer has, each of them once."""
    assert ["application/json"] == values(response, "content-type")
    assert ["no-store"] == values(response, "cache-control")
    (request_id,) = values(response, "x-request-id")
    assert request_id


def values(response: httpx.Response, name: str) -> list[str]:
    """Give the value of each line of a header."""
    return [value for header, value in response.headers.multi_items() if header == name]
