"""verify_api_key, invoked by backends without API Gateway: the answers are those over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import data

if TYPE_CHECKING:
    from tests.api.deployment import Deployment

MADE_UP = "kk_" + "0" * 92


def over_http(deployment: Deployment, content: object, request_id: str) -> dict[str, Any]:
    """Send an event as the body of a request; return the response in the form of an invocation's answer."""
    response = deployment.use(content)
    retries = {name: value for name, value in response.headers.items() if name == "retry-after"}
    return {"status": response.status_code, "headers": {"x-request-id": request_id, **retries}, **response.json()}


def invoked(deployment: Deployment, content: object) -> dict[str, Any]:
    """Invoke the function; return its answer, with the whole address where a link is a path, as without PublicUrl."""
    answer = deployment.invoke(content)
    if answer["error"] and answer["error"]["docs"].startswith("/"):
        answer["error"]["docs"] = deployment.base_url.removesuffix("/v1") + answer["error"]["docs"]
    return answer


@pytest.mark.parametrize("permission", ["sessions:read", "sessions:write"])
def test_200_a_key(deployment: Deployment, permission: str) -> None:
    """A valid key has all its fields, and so has one that lacks a permission."""
    content = {"key": deployment.create_key(metadata={"plan": "pro"})["key"], "permissions": [permission]}

    answer = invoked(deployment, content)

    assert over_http(deployment, content, answer["headers"]["x-request-id"]) == answer


@pytest.mark.parametrize(
    "content",
    [
        {"key": MADE_UP},
        {"key": ""},
        {},
        {"key": 1},
        {"key": MADE_UP, "clientIp": "here"},
        {"kee": MADE_UP},
        [],
        None,
        1,
    ],
    ids=str,
)
def test_no_key(deployment: Deployment, content: object) -> None:
    """A text that is no key, and an event that is no request, are answered as over HTTP."""
    answer = invoked(deployment, content)

    assert over_http(deployment, content, answer["headers"]["x-request-id"]) == answer


def test_200_a_revoked_key(deployment: Deployment) -> None:
    """A key that was deleted is unknown on the next invocation."""
    made = deployment.create_key()
    codes = [deployment.invoke({"key": made["key"]})["data"]["code"]]
    data(deployment.delete(made["id"]))

    codes.append(deployment.invoke({"key": made["key"]})["data"]["code"])

    assert ["VALID", "NOT_FOUND"] == codes
