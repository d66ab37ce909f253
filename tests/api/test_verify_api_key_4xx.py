"""POST /auth/api-keys/verify: errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import VERIFY, Deployment
from tests.api.signing import signed

if TYPE_CHECKING:
    import httpx

BODY = json.dumps({"key": "kk_" + "0" * 92}).encode()


def send(deployment: Deployment, headers: dict[str, str], body: bytes = BODY) -> httpx.Response:
    """Send a body with no other credentials than those in headers."""
    return deployment.client.post(
        deployment.base_url + VERIFY, content=body, headers={"content-type": "application/json", **headers}
    )


def test_404_unsigned(deployment: Deployment) -> None:
    """Without a signature, a route for backends looks like an unknown route."""
    assert (404, "NOT_FOUND") == deployment.refusal(send(deployment, {}))


@pytest.mark.parametrize(
    "iam",
    [{"secret_access_key": "another"}, {"access_key_id": "AKIDANOTHER000000000"}, {"region": "eu-west-3"}],
    ids=lambda iam: next(iter(iam)),
)
def test_401_signed_with_something_else(deployment: Deployment, iam: dict[str, str]) -> None:
    """A signature with another secret, access key or region is refused."""
    assert (401, "UNAUTHORIZED") == deployment.refusal(deployment.verify("kk_" + "0" * 92, **iam))


def test_401_signed_for_another_body(deployment: Deployment) -> None:
    """The signature covers the body, so the key cannot be replaced."""
    headers = signed(deployment.base_url + VERIFY, b'{"key": "another"}', deployment.iam)

    assert (401, "UNAUTHORIZED") == deployment.refusal(send(deployment, headers))


@pytest.mark.parametrize("credential", ["a session", "an API key"])
def test_401_other_credentials(deployment: Deployment, credential: str) -> None:
    """Neither a session token nor an API key may verify keys."""
    token = deployment.tokens["owner"] if credential == "a session" else deployment.create_key()["key"]

    assert (401, "UNAUTHORIZED") == deployment.refusal(send(deployment, {"authorization": f"Bearer {token}"}))


def test_404_an_api_key_in_x_api_key(deployment: Deployment) -> None:
    """An API key in x-api-key is not a signature."""
    key = deployment.create_key()["key"]

    assert (404, "NOT_FOUND") == deployment.refusal(send(deployment, {"x-api-key": key}))


@pytest.mark.parametrize("body", [{}, {"key": 1}, {"key": "kk_", "permissions": ["x"]}, [], "kk_"], ids=str)
def test_400_invalid_bodies(deployment: Deployment, body: Any) -> None:
    """A signed request with an invalid body is refused."""
    content = json.dumps(body).encode()
    headers = signed(deployment.base_url + VERIFY, content, deployment.iam)

    assert (400, "BAD_REQUEST") == deployment.refusal(send(deployment, headers, content))


def test_413_more_than_64_kib(deployment: Deployment) -> None:
    """A signed body of more than 64 KiB is refused."""
    content = json.dumps({"key": "k" * 65_536}).encode()
    headers = signed(deployment.base_url + VERIFY, content, deployment.iam)

    assert (413, "PAYLOAD_TOO_LARGE") == deployment.refusal(send(deployment, headers, content))


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_404_another_method(deployment: Deployment, method: str) -> None:
    """Another method of `verify` is an unknown route, not the route of the key with the id `verify`."""
    headers = signed(deployment.base_url + VERIFY, b"", deployment.iam, method)
    response = deployment.client.request(method, deployment.base_url + VERIFY, headers=headers)

    assert (404, "NOT_FOUND") == deployment.refusal(response)
