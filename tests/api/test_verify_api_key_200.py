"""POST /v1/auth/api-keys/verify over HTTP, signed with AWS credentials: what a backend learns of a key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import CANCEL_DELETE, VALID_BODY, data
from tests.api.key_text import unused_id
from tests.api.moments import in_the_future

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.api.deployment import Deployment

UNKNOWN = {"valid": False, "code": "NOT_FOUND"}


def test_200_valid(deployment: Deployment) -> None:
    """All fields, as they were given when the key was made."""
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
    } == data(deployment.verify(made["key"]))


def test_200_permissions(deployment: Deployment) -> None:
    """The required permissions are compared with the granted and implied ones."""
    key = deployment.create_key(permissions=["webhooks:write", "sessions:read"])["key"]

    assert "VALID" == deployment.outcome(key, "webhooks:read", "webhooks:write", "sessions:read")
    answer = data(deployment.verify(key, "sessions:write", "sessions:read", "analytics:read"))
    assert ("INSUFFICIENT_PERMISSIONS", False, ["sessions:write", "analytics:read"]) == (
        answer["code"],
        answer["valid"],
        answer["missingPermissions"],
    )


def test_200_disabled_and_enabled_again(deployment: Deployment) -> None:
    """Each on the very next request."""
    made = deployment.create_key()
    codes = []
    for enabled in (False, True):
        data(deployment.update(made["id"], {"enabled": enabled}))
        codes.append(deployment.outcome(made["key"]))

    assert ["DISABLED", "VALID"] == codes


def test_200_permissions_that_were_taken_and_given(deployment: Deployment) -> None:
    """They are those of the key as it is now."""
    made = deployment.create_key(permissions=["sessions:read"])
    assert "VALID" == deployment.outcome(made["key"], "sessions:read")
    data(deployment.update(made["id"], {"permissions": ["analytics:read"]}))

    assert "INSUFFICIENT_PERMISSIONS" == deployment.outcome(made["key"], "sessions:read")
    assert "VALID" == deployment.outcome(made["key"], "analytics:read")


def test_200_deleted(deployment: Deployment) -> None:
    """As if it had never been."""
    made = deployment.create_key()
    assert "VALID" == deployment.outcome(made["key"])
    data(deployment.delete(made["id"]))

    assert UNKNOWN == data(deployment.verify(made["key"]))


def test_200_rotated(deployment: Deployment) -> None:
    """Without a grace period only the new text works; within one, both."""
    made = deployment.create_key()
    second = data(deployment.rotate(made["id"]))["key"]
    third = data(deployment.rotate(made["id"], {"gracePeriodSeconds": 3600}))["key"]

    assert [UNKNOWN["code"], "VALID", "VALID"] == [deployment.outcome(key) for key in (made["key"], second, third)]
    fourth = data(deployment.rotate(made["id"], {"gracePeriodSeconds": 3600}))["key"]
    assert [UNKNOWN["code"], "VALID", "VALID"] == [deployment.outcome(key) for key in (second, third, fourth)]


def test_200_expired(deployment: Deployment) -> None:
    """Its holder may know; from then on, however often it is asked."""
    key = deployment.create_key(expiresAt=in_the_future(seconds=1))["key"]
    deadline = time.monotonic() + 60
    while (code := deployment.outcome(key)) == "VALID" and time.monotonic() < deadline:
        time.sleep(0.05)

    assert "EXPIRED" == code


def test_200_frozen(deployment: Deployment) -> None:
    """All keys of the organization stop working at once, and work again when the deletion is canceled."""
    key = deployment.create_key()["key"]
    codes = [deployment.outcome(key)]
    try:
        data(deployment.request("POST", "/auth/orgs/request-delete", persona="owner"))
        codes.append(deployment.outcome(key))
    finally:
        deployment.request("POST", CANCEL_DELETE, persona="owner")
    codes.append(deployment.outcome(key))

    assert ["VALID", "ORGANIZATION_FROZEN", "VALID"] == codes


def mistyped(key: str) -> str:
    """Change a character in the middle."""
    return key[:40] + ("0" if key[40] != "0" else "1") + key[41:]


NO_KEY: dict[str, Callable[[str], str]] = {
    "mistyped": mistyped,
    "cut": lambda key: key[:-1],
    "longer": lambda key: key + "0",
    "a space before it": lambda key: f" {key}",
    "another case": str.swapcase,
    "another prefix": lambda key: key.replace("kk_", "sk_"),
    "empty": lambda _: "",
    "made up": lambda _: "kk_" + "z" * 86,
    "an id": lambda _: unused_id(),
    "a full-width character": lambda key: key.replace(key[10], chr(ord(key[10]) + 0xFEE0)),
}


@pytest.mark.parametrize("change", NO_KEY.values(), ids=NO_KEY)
def test_200_what_is_no_key(deployment: Deployment, change: Callable[[str], str]) -> None:
    """One answer, the same bytes and the same headers but for the id of the request and its time."""
    made = deployment.create_key()
    data(deployment.delete(made["id"]))
    unknown = deployment.verify(made["key"])
    answer = deployment.verify(change(made["key"]))

    assert UNKNOWN == data(answer)
    assert unknown.content == answer.content
    assert told(unknown) == told(answer)


def told(response: httpx.Response) -> list[tuple[str, str]]:
    """Return the headers, without those that differ with every request."""
    return [
        (name, value)
        for name, value in response.headers.multi_items()
        if name not in {"x-request-id", "x-amzn-requestid", "x-amz-apigw-id", "x-amzn-trace-id", "date"}
    ]
