"""Requests of web pages whose origin no deployment allows."""

from __future__ import annotations

import pytest

from tests.api.deployment import PATHS, Deployment, data

FOREIGN = ["https://elsewhere.invalid", "null", "https://app.example.com.elsewhere.invalid"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_200_has_no_cors_headers(deployment: Deployment, origin: str) -> None:
    """A function's response to a foreign origin has no CORS headers, so the browser hides it from the page."""
    response = deployment.create(headers={"origin": origin})

    assert {"id", "key"} == data(response).keys()
    assert [] == [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", FOREIGN)
def test_401_allows_no_foreign_origin(deployment: Deployment, origin: str) -> None:
    """A gateway response allows neither all origins nor the foreign origin of the request."""
    response = deployment.create(persona=None, headers={"origin": origin})

    assert response.headers.get("access-control-allow-origin") not in {origin, "*"}


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("path", PATHS)
def test_204_preflight_allows_nothing(deployment: Deployment, path: str, origin: str) -> None:
    """A preflight needs no credentials; to a foreign origin it allows nothing."""
    headers = {"origin": origin, "access-control-request-method": "POST"}
    response = deployment.request("OPTIONS", path.format(id="any"), persona=None, headers=headers)

    assert 204 == response.status_code
    assert b"" == response.content
    assert [] == [name for name in response.headers if name.startswith("access-control-")]
