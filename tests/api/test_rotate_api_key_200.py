"""POST /auth/api-keys/{id}/rotate: successes."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.deployment import Deployment, data
from tests.api.key_text import generation, hint, key_bytes
from tests.api.moments import CLOCK_SECONDS, in_the_future, moment


def test_another_secret_of_the_same_key(deployment: Deployment) -> None:
    """The new text has the same organization and id, the next generation, and another secret."""
    created = deployment.create_key()
    rotated = data(deployment.rotate(created["id"]))
    before, after = key_bytes(created["key"]), key_bytes(rotated["key"])

    assert {
        "status": "success",
        "message": "The API key was rotated",
        "apiKey": deployment.get_key(created["id"]),
        "id": created["id"],
        "key": rotated["key"],
        "previousKeyExpiresAt": None,
    } == rotated
    assert before[2:34] == after[2:34]
    assert 1 == generation(rotated["key"])
    assert sum(a != b for a, b in zip(before[36:], after[36:], strict=True)) > len(before[36:]) // 2


def test_changes_nothing_but_the_secret(deployment: Deployment) -> None:
    """A rotation changes the hint and the time of the last change, and no other field."""
    created = deployment.create_key(expiresAt="2099-01-31T12:00:00Z", metadata={"plan": "pro"})
    assert data(deployment.update(created["id"], {"enabled": False}))
    before = deployment.get_key(created["id"])
    rotated = data(deployment.rotate(created["id"]))
    after = deployment.get_key(created["id"])

    assert {**before, "hint": hint(rotated["key"]), "updatedAt": after["updatedAt"]} == after
    assert moment(after["updatedAt"]) > moment(before["updatedAt"])


@pytest.mark.parametrize("seconds", [1, 3600, 604_800])
def test_grace_period(deployment: Deployment, seconds: int) -> None:
    """Response and key show the end of the requested grace period."""
    key_id = deployment.create_key()["id"]
    until = moment(data(deployment.rotate(key_id, {"gracePeriodSeconds": seconds}))["previousKeyExpiresAt"])

    assert abs(until - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=CLOCK_SECONDS)
    assert moment(deployment.get_key(key_id)["updatedAt"]) + timedelta(seconds=seconds) == until


@pytest.mark.parametrize("body", [None, {}, {"gracePeriodSeconds": 0}], ids=str)
def test_no_grace_period(deployment: Deployment, body: Any) -> None:
    """By default a rotation has no grace period."""
    key_id = deployment.create_key()["id"]

    assert data(deployment.rotate(key_id, body))["previousKeyExpiresAt"] is None
    assert deployment.get_key(key_id)["previousKeyExpiresAt"] is None


def test_a_grace_period_ends_with_the_key(deployment: Deployment) -> None:
    """A grace period ends at the expiry of the key at the latest."""
    expires_at = in_the_future(hours=1)
    key_id = deployment.create_key(expiresAt=expires_at)["id"]

    assert expires_at == data(deployment.rotate(key_id, {"gracePeriodSeconds": 7200}))["previousKeyExpiresAt"]


def test_again_within_a_grace_period(deployment: Deployment) -> None:
    """A second rotation replaces the grace period, also by a shorter one."""
    key_id = deployment.create_key()["id"]
    first = data(deployment.rotate(key_id, {"gracePeriodSeconds": 3600}))
    second = data(deployment.rotate(key_id, {"gracePeriodSeconds": 60}))

    assert [1, 2] == [generation(rotated["key"]) for rotated in (first, second)]
    assert moment(second["previousKeyExpiresAt"]) < moment(first["previousKeyExpiresAt"])
    assert second["previousKeyExpiresAt"] == deployment.get_key(key_id)["previousKeyExpiresAt"]


def test_the_audit_log_has_the_generations(deployment: Deployment) -> None:
    """The record says which secret followed which, and shows neither."""
    key_id = deployment.create_key()["id"]
    rotated = data(deployment.rotate(key_id, {"gracePeriodSeconds": 60}))

    (record,) = deployment.records(key_id, event="api_key.rotated")
    assert {
        "before": {"generation": 0},
        "after": {"generation": 1, "previousKeyExpiresAt": rotated["previousKeyExpiresAt"]},
    } == record["changes"]


def test_repeated_with_its_idempotency_key(deployment: Deployment) -> None:
    """A repeat gets the very same bytes, secret included, is told that it is one, and rotates nothing."""
    key_id, headers = deployment.create_key()["id"], {"idempotency-key": str(uuid.uuid4())}
    responses = [deployment.rotate(key_id, {"gracePeriodSeconds": 60}, headers=headers) for _ in range(3)]

    assert 1 == generation(data(responses[0])["key"])
    assert [(200, responses[0].content)] * 3 == [(response.status_code, response.content) for response in responses]
    assert [None, "true", "true"] == [response.headers.get("idempotent-replayed") for response in responses]
    assert hint(data(responses[0])["key"]) == deployment.get_key(key_id)["hint"]


def test_twenty_repeats_at_once(deployment: Deployment) -> None:
    """A client that loses patience gets one new secret, however many of its requests arrive."""
    key_id, headers = deployment.create_key()["id"], {"idempotency-key": str(uuid.uuid4())}
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: deployment.rotate(key_id, headers=headers), range(20)))

    assert [(200, responses[0].content)] * 20 == [(response.status_code, response.content) for response in responses]
    assert 1 == len(deployment.records(key_id, event="api_key.rotated"))


def test_repeated_after_the_key_is_gone(deployment: Deployment) -> None:
    """A repeated request gets the same answer even if its key no longer works."""
    key_id, headers = deployment.create_key()["id"], {"idempotency-key": str(uuid.uuid4())}
    first = deployment.rotate(key_id, headers=headers)
    assert data(deployment.delete(key_id))

    assert data(first) == data(deployment.rotate(key_id, headers=headers))


def test_five_at_once(deployment: Deployment) -> None:
    """Each concurrent rotation gets the next secret or a 409; no two get the same generation."""
    key_id = deployment.create_key()["id"]
    with ThreadPoolExecutor(5) as pool:
        responses = list(pool.map(deployment.rotate, [key_id] * 5))
    texts = [data(response)["key"] for response in responses if response.status_code == 200]

    assert {response.status_code for response in responses} <= {200, 409}
    assert list(range(1, len(texts) + 1)) == sorted(generation(text) for text in texts)
    assert hint(max(texts, key=generation)) == deployment.get_key(key_id)["hint"]
