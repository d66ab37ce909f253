"""Errors that the gateway returns itself, without a function. Emulators of API Gateway can differ here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import CREATE, VALID_BODY, values

if TYPE_CHECKING:
    from tests.api.deployment import Deployment

GATEWAY_LIMIT_BYTES = 10 * 1024 * 1024


UNKNOWN = ["/nothing", "/auth", "/auth/api-key", "/AUTH/API-KEYS", f"{CREATE}/a/b/c"]


@pytest.mark.parametrize("path", UNKNOWN)
def test_404_unknown_route(deployment: Deployment, path: str) -> None:
    """An unknown route is a 404 without a token too."""
    response = deployment.request("POST", path, json=VALID_BODY, persona=None)

    assert (404, "NOT_FOUND") == deployment.refusal(response)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_404_unknown_method(deployment: Deployment, method: str) -> None:
    """API Gateway does not tell a method that a path lacks from a path that is not there."""
    response = deployment.request(method, CREATE, json=VALID_BODY, persona=None)

    assert (404, "NOT_FOUND") == deployment.refusal(response)


@pytest.mark.parametrize(("method", "path"), [("POST", "/nothing"), ("PUT", CREATE)])
def test_404_unknown_route_or_method_with_a_token(deployment: Deployment, method: str, path: str) -> None:
    """The same with a token. API Gateway may take it for an AWS signature there, and answer 400 or 401 instead."""
    response = deployment.request(method, path, json=VALID_BODY)

    assert (404, "NOT_FOUND") == deployment.refusal(response)


def test_401_challenges_once(deployment: Deployment) -> None:
    """A refusal for want of a token says, once, how to present one (RFC 6750, section 3)."""
    response = deployment.create(persona=None)

    assert (401, "UNAUTHORIZED") == deployment.refusal(response)
    assert ["Bearer"] == values(response, "www-authenticate")


@pytest.mark.parametrize("persona", ["admin", None])
def test_413_more_than_the_gateway_takes(deployment: Deployment, persona: str | None) -> None:
    """A body of 11 MiB never reaches a function."""
    response = deployment.create(b"x" * (GATEWAY_LIMIT_BYTES + 1024 * 1024), persona=persona)

    assert (413, "PAYLOAD_TOO_LARGE") == deployment.refusal(response)


def test_request_ids_of_refusals_differ(deployment: Deployment) -> None:
    """Each refusal can be told from any other in the log."""
    ids = {deployment.create(persona=None).headers["x-request-id"] for _ in range(3)}

    assert 3 == len(ids)


@pytest.mark.parametrize("name", ["x-powered-by", "server"])
def test_the_gateway_does_not_say_what_it_runs_on(deployment: Deployment, name: str) -> None:
    """No header names a product."""
    assert [] == values(deployment.create(persona=None), name)


def test_401_two_headers_the_last_of_which_is_not_valid(deployment: Deployment) -> None:
    """Of several Authorization headers the last one counts."""
    lines = [("authorization", f"Bearer {deployment.tokens['admin']}"), ("authorization", "Basic eDp5")]
    response = deployment.client.post(deployment.base_url + CREATE, json=VALID_BODY, headers=lines)

    assert (401, "UNAUTHORIZED") == deployment.refusal(response)
