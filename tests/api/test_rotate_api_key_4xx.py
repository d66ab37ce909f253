"""POST /auth/api-keys/{id}/rotate: errors, which do not change the secret."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.api.deployment import ROTATE, Deployment, data
from tests.api.key_text import unused_id


@pytest.mark.parametrize("value", [-1, 604_801, 2**64, 1.5, "60", True, None, [], 1e300], ids=str)
def test_400_grace_period(deployment: Deployment, value: Any) -> None:
    """The grace period is an integer of seconds, from 0 to seven days."""
    key_id = deployment.create_key()["id"]
    before = deployment.get_key(key_id)
    response = deployment.rotate(key_id, {"gracePeriodSeconds": value})

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert "gracePeriodSeconds" == response.json()["error"]["message"].split(" ")[0]
    assert before == deployment.get_key(key_id)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b"\xff", b'{"gracePeriodSeconds": NaN}', b"[" * 30_000],
    ids=["not json", "array", "null", "no UTF-8", "NaN", "30,000 arrays that are never closed"],
)
def test_400_hostile_bodies(deployment: Deployment, body: bytes) -> None:
    """A body, if any, is a JSON object."""
    headers = {"content-type": "application/json"}
    response = deployment.request("POST", ROTATE.format(id=unused_id()), content=body, headers=headers)

    assert (400, "BAD_REQUEST") == deployment.refusal(response)


def test_400_idempotency_key(deployment: Deployment) -> None:
    """An Idempotency-Key has 255 characters at the most."""
    response = deployment.rotate(deployment.create_key()["id"], headers={"idempotency-key": "x" * 256})

    assert (400, "BAD_REQUEST") == deployment.refusal(response)


def test_404_deleted(deployment: Deployment) -> None:
    """A deleted key cannot be rotated."""
    key_id = deployment.create_key()["id"]
    assert data(deployment.delete(key_id))

    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(deployment.rotate(key_id))


def test_413_more_than_64_kib(deployment: Deployment) -> None:
    """The size is checked before the body is parsed."""
    response = deployment.request("POST", ROTATE.format(id=unused_id()), content=b" " * (64 * 1024 + 1))

    assert (413, "PAYLOAD_TOO_LARGE") == deployment.refusal(response)


def test_422_another_body(deployment: Deployment) -> None:
    """An Idempotency-Key belongs to one request; another body with it is refused and changes nothing."""
    key_id, headers = deployment.create_key()["id"], {"idempotency-key": str(uuid.uuid4())}
    assert data(deployment.rotate(key_id, headers=headers))
    before = deployment.get_key(key_id)

    response = deployment.rotate(key_id, {"gracePeriodSeconds": 60}, headers=headers)

    assert (422, "IDEMPOTENCY_KEY_REUSED") == deployment.refusal(response)
    assert before == deployment.get_key(key_id)


def test_422_another_key(deployment: Deployment) -> None:
    """The Idempotency-Key of a rotation is refused for another key."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    first, second = (deployment.create_key()["id"] for _ in range(2))
    assert data(deployment.rotate(first, headers=headers))

    assert (422, "IDEMPOTENCY_KEY_REUSED") == deployment.refusal(deployment.rotate(second, headers=headers))
