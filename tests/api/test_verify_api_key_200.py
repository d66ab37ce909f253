"""POST /auth/api-keys/verify, signed with AWS credentials: successes, for valid and invalid keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import UNLIMITED, VALID_BODY, Deployment, data
from tests.api.key_text import unused_id
from tests.api.moments import in_the_future

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

UNKNOWN = {"valid": False, "code": "NOT_FOUND"}


def test_200_valid(deployment: Deployment) -> None:
    """A backend gets all fields of a valid key."""
    expires_at = in_the_future(days=1)
    made = deployment.create_key(name="Verified", metadata={"plan": "pro", "seats": 2**53 + 1}, expiresAt=expires_at)

    assert {
        "valid": True,
        "code": "VALID",
        "id": made["id"],
        "organizationId": deployment.organization_id,
        "name": "Verified",
        "permissions": VALID_BODY["permissions"],
        "missingPermissions": [],
        "metadata": {"plan": "pro", "seats": 2**53 + 1},
        "expiresAt": expires_at,
        **UNLIMITED,
        "leak": None,
        "retryAfterSeconds": None,
    } == data(deployment.verify(made["key"]))


def test_200_permissions(deployment: Deployment) -> None:
    """The required permissions are compared with the granted and implied ones."""
    key = deployment.create_key(permissions=["webhooks:write", "sessions:read"])["key"]

    assert "VALID" == deployment.outcome(key, "webhooks:read", "webhooks:write", "sessions:read")
    answer = data(deployment.verify(key, "sessions:write", "sessions:read", "analytics:read"))
    assert "INSUFFICIENT_PERMISSIONS" == answer["code"]
    assert answer["valid"] is False
    assert ["sessions:write", "analytics:read"] == answer["missingPermissions"]


def test_200_disabled_and_enabled_again(deployment: Deployment) -> None:
    """Disabling and enabling a key takes effect on the next request."""
    made = deployment.create_key()
    codes = []
    for enabled in (False, True):
        data(deployment.update(made["id"], {"enabled": enabled}))
        codes.append(deployment.outcome(made["key"]))

    assert ["DISABLED", "VALID"] == codes


def test_200_changed_permissions(deployment: Deployment) -> None:
    """Changed permissions take effect on the next request."""
    made = deployment.create_key(permissions=["sessions:read"])
    assert "VALID" == deployment.outcome(made["key"], "sessions:read")
    data(deployment.update(made["id"], {"permissions": ["analytics:read"]}))

    assert "INSUFFICIENT_PERMISSIONS" == deployment.outcome(made["key"], "sessions:read")
    assert "VALID" == deployment.outcome(made["key"], "analytics:read")


def test_200_deleted(deployment: Deployment) -> None:
    """On the next request, a deleted key is unknown."""
    made = deployment.create_key()
    assert "VALID" == deployment.outcome(made["key"])
    data(deployment.delete(made["id"]))

    assert UNKNOWN == data(deployment.verify(made["key"]))


def test_200_rotated(deployment: Deployment) -> None:
    """Without a grace period only the new text is valid; within one, also the previous text."""
    made = deployment.create_key()
    second = data(deployment.rotate(made["id"]))["key"]
    third = data(deployment.rotate(made["id"], {"gracePeriodSeconds": 3600}))["key"]

    assert [UNKNOWN["code"], "VALID", "VALID"] == [deployment.outcome(key) for key in (made["key"], second, third)]
    fourth = data(deployment.rotate(made["id"], {"gracePeriodSeconds": 3600}))["key"]
    assert [UNKNOWN["code"], "VALID", "VALID"] == [deployment.outcome(key) for key in (second, third, fourth)]


def test_200_expired(deployment: Deployment) -> None:
    """From its expiry on, the code of a key is EXPIRED."""
    key = deployment.create_key(expiresAt=in_the_future(seconds=1))["key"]
    deadline = time.monotonic() + 60
    while (code := deployment.outcome(key)) == "VALID" and time.monotonic() < deadline:
        time.sleep(0.05)

    assert "EXPIRED" == code


def test_200_frozen(deployment: Deployment) -> None:
    """Keys of a frozen organization stop working at once; they work again when the deletion is canceled."""
    key = deployment.create_key()["key"]
    assert "VALID" == deployment.outcome(key)
    with deployment.frozen() as requested:
        assert data(requested)
        assert "ORGANIZATION_FROZEN" == deployment.outcome(key)
    assert "VALID" == deployment.outcome(key)


def mistyped(key: str) -> str:
    """Return a key with one changed character."""
    return key[:40] + ("0" if key[40] != "0" else "1") + key[41:]


NO_KEY: dict[str, Callable[[str], str]] = {
    "mistyped": mistyped,
    "cut": lambda key: key[:-1],
    "longer": lambda key: key + "0",
    "a space before it": lambda key: f" {key}",
    "another case": str.swapcase,
    "another prefix": lambda key: key.replace("kk_", "sk_"),
    "empty": lambda _: "",
    "made up": lambda _: "kk_" + "z" * 92,
    "an id": lambda _: unused_id(),
    "a full-width character": lambda key: key.replace(key[10], chr(ord(key[10]) + 0xFEE0)),
}


@pytest.mark.parametrize("change", NO_KEY.values(), ids=NO_KEY)
def test_200_unknown_keys(deployment: Deployment, change: Callable[[str], str]) -> None:
    """All unknown keys get the same bytes and headers, except for request ids and time."""
    made = deployment.create_key()
    data(deployment.delete(made["id"]))
    unknown = deployment.verify(made["key"])
    answer = deployment.verify(change(made["key"]))

    assert UNKNOWN == data(answer)
    assert unknown.content == answer.content
    assert constant_headers(unknown) == constant_headers(answer)


def constant_headers(response: httpx.Response) -> list[tuple[str, str]]:
    """Return the headers that do not differ between any two requests."""
    return [
        (name, value)
        for name, value in response.headers.multi_items()
        if name not in {"x-request-id", "x-amzn-requestid", "x-amz-apigw-id", "x-amzn-trace-id", "date"}
    ]
