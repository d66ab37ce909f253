"""DELETE /auth/api-keys/current: successes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.deployment import KEY, Deployment, data


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_the_key_is_gone(deployment: Deployment, header: str) -> None:
    """On the next request, a key that deleted itself is refused, and its organization does not have it."""
    made = deployment.create_key()
    headers = {header: made["key"] if header == "x-api-key" else f"Bearer {made['key']}"}

    answered = data(deployment.revoke_current(headers=headers))

    assert {"status": "success", "message": "The API key was deleted"} == answered
    assert 401 == deployment.current(made["key"]).status_code
    assert "NOT_FOUND" == deployment.outcome(made["key"])
    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(deployment.request("GET", KEY.format(id=made["id"])))


def test_the_audit_record_names_the_key(deployment: Deployment) -> None:
    """The actor is the key itself, with the name that it had, and the reason is what the request said."""
    made = deployment.create_key()
    data(deployment.update(made["id"], {"name": "Renamed"}))
    data(deployment.revoke_current(made["key"], reason="compromised"))

    (record,) = deployment.records(made["id"], actor_type="api_key")
    assert {"type": "api_key", "id": made["id"], "name": "Renamed"} == record["actor"]
    assert "compromised" == record["reason"]


@pytest.mark.parametrize(
    "limits",
    [{"rateLimit": {"limit": 1, "windowSeconds": 3600}}, {"quota": {"limit": 1, "period": "total"}}],
    ids=["rate limit", "quota"],
)
def test_a_key_whose_limit_is_reached(deployment: Deployment, limits: dict[str, Any]) -> None:
    """A key that can do nothing else can still be deleted by its holder."""
    made = deployment.create_key(**limits)
    statuses = [deployment.current(made["key"]).status_code for _ in range(2)]

    assert [200, 403] == statuses
    assert data(deployment.revoke_current(made["key"]))


def test_the_previous_text_within_its_grace_period(deployment: Deployment) -> None:
    """Both texts of a rotated key work, so both delete it."""
    made = deployment.create_key()
    rotated = data(deployment.rotate(made["id"], {"gracePeriodSeconds": 3600}))

    assert data(deployment.revoke_current(made["key"]))
    assert 401 == deployment.current(rotated["key"]).status_code


def test_once_of_ten_at_once(deployment: Deployment) -> None:
    """One of ten concurrent requests deletes the key; for the others it is no valid key any more."""
    made = deployment.create_key()
    with ThreadPoolExecutor(10) as pool:
        responses = pool.map(deployment.revoke_current, [made["key"]] * 10)

    assert [200, *[401] * 9] == sorted(response.status_code for response in responses)
    assert 1 == len(deployment.records(made["id"], event="api_key.deleted"))
