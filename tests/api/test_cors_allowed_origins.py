"""Requests of pages whose origins are allowed; only for the local service, whose parameters are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import CREATE, FIRST_PAGE, PATHS, data, values
from tests.support.local_service import ALLOWED_ORIGINS

if TYPE_CHECKING:
    from tests.api.deployment import Deployment


@pytest.mark.parametrize("origin", ALLOWED_ORIGINS)
def test_200_may_be_read(deployment: Deployment, origin: str) -> None:
    """Each allowed origin is named back, once, and caches are told that the answer depends on it."""
    response = deployment.create(headers={"origin": origin})

    assert {"id", "key"} == data(response).keys()
    assert ([origin], ["origin"]) == (values(response, "access-control-allow-origin"), values(response, "vary"))


@pytest.mark.parametrize("origin", ALLOWED_ORIGINS)
@pytest.mark.parametrize("path", PATHS)
def test_204_preflight(deployment: Deployment, path: str, origin: str) -> None:
    """The browser learns what it may send, without a token being asked for."""
    requested = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
    }
    response = deployment.request(
        "OPTIONS", path.format(id="any"), persona=None, headers={"origin": origin, **requested}
    )

    assert (204, b"", [origin]) == (
        response.status_code,
        response.content,
        values(response, "access-control-allow-origin"),
    )
    assert {"GET", "POST", "PATCH", "DELETE"} <= set(response.headers["access-control-allow-methods"].split(", "))
    assert {"authorization", "content-type", "idempotency-key", "x-api-key"} == set(
        response.headers["access-control-allow-headers"].split(", ")
    )


def test_200_shows_the_headers_that_say_something(deployment: Deployment) -> None:
    """A page may read what tells it of a repeat, of a wait and of the request's id."""
    response = deployment.create(headers={"origin": ALLOWED_ORIGINS[0]})

    assert {"x-request-id", "retry-after", "idempotent-replayed"} <= set(
        response.headers["access-control-expose-headers"].split(", ")
    )


def test_400_of_a_list_may_be_read(deployment: Deployment) -> None:
    """A list's refusals can be read like its pages."""
    response = deployment.request("GET", f"{CREATE}?limit=0", headers={"origin": ALLOWED_ORIGINS[1]})

    assert (400, "BAD_REQUEST") == deployment.refusal(response, FIRST_PAGE)
    assert [ALLOWED_ORIGINS[1]] == values(response, "access-control-allow-origin")


def test_401_may_be_read_by_the_first(deployment: Deployment) -> None:
    """The gateway's own answers can name only one origin; a page of it can tell that its session is over."""
    response = deployment.create(persona=None, headers={"origin": ALLOWED_ORIGINS[0]})

    assert (401, [ALLOWED_ORIGINS[0]]) == (response.status_code, values(response, "access-control-allow-origin"))
    assert "origin" in response.headers["vary"].lower()


def test_403_may_be_read(deployment: Deployment) -> None:
    """A function's refusals can be read like its successes."""
    response = deployment.create(persona="member", headers={"origin": ALLOWED_ORIGINS[1]})

    assert (403, [ALLOWED_ORIGINS[1]]) == (response.status_code, values(response, "access-control-allow-origin"))


def test_credentials_mode_is_not_allowed(deployment: Deployment) -> None:
    """Tokens are sent by the page, never by the browser on its own."""
    response = deployment.create(headers={"origin": ALLOWED_ORIGINS[0]})

    assert [] == values(response, "access-control-allow-credentials")
