"""GET /auth/api-keys/current: errors; and API keys on routes for sessions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import (
    AUDIT_LOGS,
    CANCEL_DELETE,
    CREATE,
    CURRENT,
    KEY,
    REQUEST_DELETE,
    ROTATE,
    VALID_BODY,
    Deployment,
    data,
    values,
)
from tests.api.moments import in_the_future

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

UNAUTHORIZED = (401, "UNAUTHORIZED")


def present(deployment: Deployment, headers: dict[str, str]) -> httpx.Response:
    """Send a request with no other credentials than those in headers."""
    return deployment.request("GET", CURRENT, persona=None, headers=headers)


NO_KEY: dict[str, Callable[[Deployment, str], dict[str, str]]] = {
    "nothing": lambda _, __: {},
    "an empty header": lambda _, __: {"x-api-key": ""},
    "the scheme alone": lambda _, __: {"authorization": "Bearer"},
    "a session token": lambda deployment, _: {"authorization": f"Bearer {deployment.tokens['owner']}"},
    "a session token as a key": lambda deployment, _: {"x-api-key": deployment.tokens["owner"]},
    "no scheme": lambda _, key: {"authorization": key},
    "Basic": lambda _, key: {"authorization": f"Basic {key}"},
    "Bearer in x-api-key": lambda _, key: {"x-api-key": f"Bearer {key}"},
    "two spaces": lambda _, key: {"authorization": f"Bearer  {key}"},
    "two keys": lambda _, key: {"authorization": f"Bearer {key}, Bearer {key}"},
    "two keys in x-api-key": lambda _, key: {"x-api-key": f"{key}, {key}"},
    "a wrong key beside a right one": lambda _, key: {"x-api-key": key[:-1], "authorization": f"Bearer {key}"},
    "mistyped": lambda _, key: {"x-api-key": key[:50] + ("0" if key[50] != "0" else "1") + key[51:]},
    "another header": lambda _, key: {"api-key": key},
    "a cookie": lambda _, key: {"cookie": f"x-api-key={key}"},
}


@pytest.mark.parametrize("headers", NO_KEY.values(), ids=NO_KEY)
def test_401_no_valid_key(deployment: Deployment, headers: Callable[[Deployment, str], dict[str, str]]) -> None:
    """A request without a valid key is refused with a challenge (RFC 6750, section 3)."""
    response = present(deployment, headers(deployment, deployment.create_key()["key"]))

    assert UNAUTHORIZED == deployment.refusal(response)
    assert ["Bearer"] == values(response, "www-authenticate")


def test_401_a_key_in_the_query(deployment: Deployment) -> None:
    """A key in the query is ignored, since queries are logged."""
    key = deployment.create_key()["key"]
    for name in ("x-api-key", "api_key", "key", "access_token"):
        response = deployment.request("GET", f"{CURRENT}?{name}={key}", persona=None)

        assert UNAUTHORIZED == deployment.refusal(response)


def test_401_two_headers_with_an_invalid_last_one(deployment: Deployment) -> None:
    """Of several x-api-key headers the last one is used."""
    key = deployment.create_key()["key"]
    lines = [("x-api-key", key), ("x-api-key", "another")]
    response = deployment.client.get(deployment.base_url + CURRENT, headers=lines)

    assert UNAUTHORIZED == deployment.refusal(response)


REVOKED: dict[str, Callable[[Deployment, str], httpx.Response]] = {
    "disabled": lambda deployment, key_id: deployment.update(key_id, {"enabled": False}),
    "rotated": lambda deployment, key_id: deployment.rotate(key_id),
    "deleted": lambda deployment, key_id: deployment.delete(key_id),
}


@pytest.mark.parametrize("revoke", REVOKED.values(), ids=REVOKED)
@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_401_on_the_next_request(
    deployment: Deployment, revoke: Callable[[Deployment, str], httpx.Response], header: str
) -> None:
    """A revoked key is refused at once: answers of the authorizer are not cached."""
    made = deployment.create_key()
    headers = {header: made["key"] if header == "x-api-key" else f"Bearer {made['key']}"}
    before = present(deployment, headers).status_code
    data(revoke(deployment, made["id"]))

    assert 200 == before
    assert UNAUTHORIZED == deployment.refusal(present(deployment, headers))


def test_401_expired(deployment: Deployment) -> None:
    """A key is refused from its expiry on."""
    key = deployment.create_key(expiresAt=in_the_future(seconds=1))["key"]
    deadline = time.monotonic() + 60
    while (response := deployment.current(key)).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert UNAUTHORIZED == deployment.refusal(response)


def test_403_a_frozen_organization(deployment: Deployment) -> None:
    """Code and message of the gateway's 403 come from the authorizer; canceling the deletion revives the key."""
    key = deployment.create_key()["key"]
    with deployment.frozen() as requested:
        assert data(requested)
        response = deployment.current(key)

    assert (403, "ORGANIZATION_FROZEN") == deployment.refusal(response)
    assert "The organization is scheduled for deletion" == response.json()["error"]["message"]
    assert 200 == deployment.current(key).status_code


MANAGEMENT: list[tuple[str, str, Any]] = [
    ("POST", CREATE, VALID_BODY),
    ("GET", CREATE, None),
    ("GET", KEY, None),
    ("PATCH", KEY, {"name": "Renamed"}),
    ("DELETE", KEY, None),
    ("POST", ROTATE, None),
    ("GET", AUDIT_LOGS, None),
    ("POST", REQUEST_DELETE, None),
    ("POST", CANCEL_DELETE, None),
]


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
@pytest.mark.parametrize(("method", "path", "body"), MANAGEMENT, ids=[f"{row[0]} {row[1]}" for row in MANAGEMENT])
def test_401_a_key_never_manages(deployment: Deployment, method: str, path: str, body: Any, header: str) -> None:
    """Routes for sessions refuse API keys; the key still works afterwards."""
    made = deployment.create_key()
    value = made["key"] if header == "x-api-key" else f"Bearer {made['key']}"
    response = deployment.request(method, path.format(id=made["id"]), json=body, persona=None, headers={header: value})

    assert UNAUTHORIZED == deployment.refusal(response)
    assert made["id"] == data(deployment.current(made["key"]))["id"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_404_another_method(deployment: Deployment, method: str) -> None:
    """Another method of `current` is an unknown route, not the route of the key with the id `current`."""
    response = deployment.request(method, CURRENT, persona="owner")

    assert (404, "NOT_FOUND") == deployment.refusal(response)
