"""GET /v1/auth/api-keys/current over HTTP, and API keys where they do not belong: every refusal."""

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
    data,
    values,
)
from tests.api.moments import in_the_future

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.api.deployment import Deployment

UNAUTHORIZED = (401, "UNAUTHORIZED")


def present(deployment: Deployment, headers: dict[str, str]) -> httpx.Response:
    """Ask with these headers alone."""
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
def test_401_what_is_no_key(deployment: Deployment, headers: Callable[[Deployment, str], dict[str, str]]) -> None:
    """One answer for all of them, with a challenge (RFC 6750, section 3)."""
    response = present(deployment, headers(deployment, deployment.create_key()["key"]))

    assert UNAUTHORIZED == deployment.refusal(response)
    assert ["Bearer"] == values(response, "www-authenticate")


def test_401_a_key_in_the_query(deployment: Deployment) -> None:
    """It would end up in logs."""
    key = deployment.create_key()["key"]
    for name in ("x-api-key", "api_key", "key", "access_token"):
        response = deployment.request("GET", f"{CURRENT}?{name}={key}", persona=None)

        assert UNAUTHORIZED == deployment.refusal(response)


def test_401_two_headers_of_which_the_last_is_no_key(deployment: Deployment) -> None:
    """Of several lines the last one counts."""
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
def test_401_on_the_very_next_request(
    deployment: Deployment, revoke: Callable[[Deployment, str], httpx.Response], header: str
) -> None:
    """No answer of the authorizer is reused."""
    made = deployment.create_key()
    headers = {header: made["key"] if header == "x-api-key" else f"Bearer {made['key']}"}
    before = present(deployment, headers).status_code
    data(revoke(deployment, made["id"]))

    assert (200, UNAUTHORIZED) == (before, deployment.refusal(present(deployment, headers)))


def test_401_expired(deployment: Deployment) -> None:
    """From that moment on."""
    key = deployment.create_key(expiresAt=in_the_future(seconds=1))["key"]
    deadline = time.monotonic() + 60
    while (response := deployment.current(key)).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert UNAUTHORIZED == deployment.refusal(response)


def test_403_a_frozen_organization(deployment: Deployment) -> None:
    """The caller is known: the gateway's 403 has the authorizer's code, message and hint."""
    key = deployment.create_key()["key"]
    try:
        data(deployment.request("POST", REQUEST_DELETE, persona="owner"))
        response = deployment.current(key)
    finally:
        deployment.request("POST", CANCEL_DELETE, persona="owner")

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
    """A key cannot change any key, not even itself; only sessions can. The key stays as it was."""
    made = deployment.create_key()
    value = made["key"] if header == "x-api-key" else f"Bearer {made['key']}"
    response = deployment.request(method, path.format(id=made["id"]), json=body, persona=None, headers={header: value})

    assert UNAUTHORIZED == deployment.refusal(response)
    assert made["id"] == data(deployment.current(made["key"]))["id"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_404_another_method(deployment: Deployment, method: str) -> None:
    """`current` is not the id of a key: the route of keys with an id does not step in."""
    response = deployment.request(method, CURRENT, persona="owner")

    assert (404, "NOT_FOUND") == deployment.refusal(response)
