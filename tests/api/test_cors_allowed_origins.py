"""Requests of web pages whose origins are allowed: only on the local service, whose parameters are known."""

from __future__ import annotations

import pytest

from tests.api.deployment import CREATE, FIRST_PAGE, PATHS, Deployment, data, values
from tests.support.local_service import ALLOWED_ORIGINS


@pytest.mark.parametrize("origin", ALLOWED_ORIGINS)
def test_200_may_be_read(deployment: Deployment, origin: str) -> None:
    """A response names the allowed origin of the request, once, and varies by origin."""
    response = deployment.create(headers={"origin": origin})

    assert {"id", "key"} == data(response).keys()
    assert [origin] == values(response, "access-control-allow-origin")
    assert ["origin"] == values(response, "vary")


@pytest.mark.parametrize("origin", ALLOWED_ORIGINS)
@pytest.mark.parametrize("path", PATHS)
def test_204_preflight(deployment: Deployment, path: str, origin: str) -> None:
    """A preflight needs no token and lists the methods and headers that a page may send."""
    requested = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
    }
    response = deployment.request(
        "OPTIONS", path.format(id="any"), persona=None, headers={"origin": origin, **requested}
    )

    assert 204 == response.status_code
    assert b"" == response.content
    assert [origin] == values(response, "access-control-allow-origin")
    assert {"GET", "POST", "PATCH", "DELETE"} <= set(response.headers["access-control-allow-methods"].split(", "))
    assert {"authorization", "content-type", "idempotency-key", "x-api-key"} == set(
        response.headers["access-control-allow-headers"].split(", ")
    )


def test_200_exposes_headers(deployment: Deployment) -> None:
    """A page may read the headers for repeated requests, waiting times and request ids."""
    response = deployment.create(headers={"origin": ALLOWED_ORIGINS[0]})

    assert {"x-request-id", "retry-after", "idempotent-replayed"} <= set(
        response.headers["access-control-expose-headers"].split(", ")
    )


def test_400_of_a_list_may_be_read(deployment: Deployment) -> None:
    """A page can read the errors of a list."""
    response = deployment.request("GET", f"{CREATE}?limit=0", headers={"origin": ALLOWED_ORIGINS[1]})

    assert (400, "BAD_REQUEST") == deployment.refusal(response, FIRST_PAGE)
    assert [ALLOWED_ORIGINS[1]] == values(response, "access-control-allow-origin")


def test_401_may_be_read_by_the_first_origin(deployment: Deployment) -> None:
    """Gateway responses can name only one origin; its pages learn that their session has expired."""
    response = deployment.create(persona=None, headers={"origin": ALLOWED_ORIGINS[0]})

    assert 401 == response.status_code
    assert [ALLOWED_ORIGINS[0]] == values(response, "access-control-allow-origin")
    assert "origin" in response.headers["vary"].lower()


def test_403_may_be_read(deployment: Deployment) -> None:
    """A page can read the errors of a function."""
    response = deployment.create(persona="member", headers={"origin": ALLOWED_ORIGINS[1]})

    assert 403 == response.status_code
    assert [ALLOWED_ORIGINS[1]] == values(response, "access-control-allow-origin")


def test_credentials_mode_is_not_allowed(deployment: Deployment) -> None:
    """Browsers must not add credentials themselves: pages send tokens."""
    response = deployment.create(headers={"origin": ALLOWED_ORIGINS[0]})

    assert [] == values(response, "access-control-allow-credentials")
