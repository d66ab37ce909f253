"""DELETE /auth/api-keys/{id}: errors. test_hostile_ids.py has more of them."""

from __future__ import annotations

from tests.api.deployment import Deployment, data


def test_404_the_second_time(deployment: Deployment) -> None:
    """A deleted key cannot be deleted again."""
    key_id = deployment.create_key()["id"]
    assert data(deployment.delete(key_id))

    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(deployment.delete(key_id))


def test_403_leaves_the_key(deployment: Deployment) -> None:
    """A refused deletion does not change the key."""
    key_id = deployment.create_key()["id"]
    before = deployment.get_key(key_id)

    assert (403, "FORBIDDEN") == deployment.refusal(deployment.delete(key_id, persona="member"))
    assert before == deployment.get_key(key_id)
