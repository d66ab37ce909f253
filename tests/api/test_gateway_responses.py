"""Errors that API Gateway returns itself, without a function."""

from __future__ import annotations

import pytest

from tests.api.deployment import CREATE, VALID_BODY, Deployment, values

GATEWAY_LIMIT_BYTES = 10 * 1024 * 1024


UNKNOWN = ["/nothing", "/auth", "/auth/api-key", "/AUTH/API-KEYS", f"{CREATE}/a/b/c"]


@pytest.mark.parametrize("path", UNKNOWN)
def test_404_unknown_route(deployment: Deployment, path: str) -> None:
    """An unknown route is a 404, also without a token."""
    response = deployment.request("POST", path, json=VALID_BODY, persona=None)

    assert (404, "NOT_FOUND") == deployment.refusal(response)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_404_unknown_method(deployment: Deployment, method: str) -> None:
    """An unknown method of a path is an unknown route."""
    response = deployment.request(method, CREATE, json=VALID_BODY, persona=None)

    assert (404, "NOT_FOUND") == deployment.refusal(response)


@pytest.mark.parametrize(("method", "path"), [("POST", "/nothing"), ("PUT", CREATE)])
def test_404_unknown_route_or_method_with_a_token(deployment: Deployment, method: str, path: str) -> None:
    """An unknown route is a 404 with a token. API Gateway may parse it as an AWS signature: 400 or 401."""
    response = deployment.request(method, path, json=VALID_BODY)

    assert (404, "NOT_FOUND") == deployment.refusal(response)


def test_401_challenges_once(deployment: Deployment) -> None:
    """The response to a request without a token has one challenge (RFC 6750, section 3)."""
    response = deployment.create(persona=None)

    assert (401, "UNAUTHORIZED") == deployment.refusal(response)
    assert ["Bearer"] == values(response, "www-authenticate")


@pytest.mark.parametrize("persona", ["admin", None])
def test_413_more_than_the_gateway_takes(deployment: Deployment, persona: str | None) -> None:
    """A body of 11 MiB never reaches a function."""
    response = deployment.create(b"x" * (GATEWAY_LIMIT_BYTES + 1024 * 1024), persona=persona)

    assert (413, "PAYLOAD_TOO_LARGE") == deployment.refusal(response)


def test_request_ids_differ(deployment: Deployment) -> None:
    """Every gateway response has its own request id."""
    ids = {deployment.create(persona=None).headers["x-request-id"] for _ in range(3)}

    assert 3 == len(ids)


@pytest.mark.parametrize("name", ["x-powered-by", "server"])
def test_no_product_is_named(deployment: Deployment, name: str) -> None:
    """No header names the software of the gateway."""
    assert [] == values(deployment.create(persona=None), name)


def test_401_two_headers_with_an_invalid_last_one(deployment: Deployment) -> None:
    """Of several Authorization headers the last one is used."""
    lines = [("authorization", f"Bearer {deployment.tokens['admin']}"), ("authorization", "Basic eDp5")]
    response = deployment.client.post(deployment.base_url + CREATE, json=VALID_BODY, headers=lines)

    assert (401, "UNAUTHORIZED") == deployment.refusal(response)
