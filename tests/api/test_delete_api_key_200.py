"""DELETE /auth/api-keys/{id}: successes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.deployment import CREATE, KEY, UNLIMITED, VALID_BODY, Deployment, data


def test_the_key_is_gone(deployment: Deployment) -> None:
    """On the next request, a deleted key is neither shown nor listed."""
    key_id = deployment.create_key()["id"]

    assert {"status": "success", "message": "The API key was deleted"} == data(deployment.delete(key_id))

    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(deployment.request("GET", KEY.format(id=key_id)))
    assert key_id not in [key["id"] for key in deployment.newest(CREATE, since=key_id)]


@pytest.mark.parametrize("change", [{"enabled": False}, {"expiresAt": "2099-01-01T00:00:00Z"}, {"name": "b"}])
def test_deletes_a_key_in_any_state(deployment: Deployment, change: dict[str, object]) -> None:
    """A changed or disabled key can be deleted."""
    key_id = deployment.create_key()["id"]
    assert data(deployment.update(key_id, change))

    assert data(deployment.delete(key_id))


def test_the_others_stay(deployment: Deployment) -> None:
    """Deleting a key does not change another one."""
    first, second = (deployment.create_key()["id"] for _ in range(2))
    before = deployment.get_key(second)
    assert data(deployment.delete(first))

    assert before == deployment.get_key(second)


def test_the_audit_record_has_the_last_state(deployment: Deployment) -> None:
    """The record of a deletion has the key's last state."""
    key_id = deployment.create_key()["id"]
    assert data(deployment.delete(key_id))

    (record,) = deployment.records(key_id, event="api_key.deleted")
    last = {**VALID_BODY, "enabled": True, "metadata": {}, "expiresAt": None, **UNLIMITED}
    assert {"before": last, "after": None} == record["changes"]


def test_once_of_ten_at_once(deployment: Deployment) -> None:
    """One of ten concurrent deletions succeeds; the others get 404."""
    key_id = deployment.create_key()["id"]
    with ThreadPoolExecutor(10) as pool:
        statuses = sorted(response.status_code for response in pool.map(deployment.delete, [key_id] * 10))

    assert [200, *[404] * 9] == statuses
    assert 1 == len(deployment.records(key_id, event="api_key.deleted"))
