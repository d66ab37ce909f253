"""POST /auth/orgs/cancel-delete: successes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.deployment import AUDIT_LOGS, Deployment, data, listed

if TYPE_CHECKING:
    import httpx


def test_keys_can_be_changed_again(deployment: Deployment, frozen: httpx.Response) -> None:
    """On the next request after the cancellation, keys can be created, updated, rotated and deleted."""
    assert data(frozen)
    response = deployment.cancel_deletion()

    assert {
        "status": "success",
        "message": "The deletion was canceled. The organization's keys work again",
    } == data(response)
    key_id = deployment.create_key()["id"]
    assert data(deployment.update(key_id, {"name": "b"}))
    assert data(deployment.rotate(key_id))
    assert data(deployment.delete(key_id))


def test_keys_are_unchanged(deployment: Deployment) -> None:
    """A requested and canceled deletion does not change a key."""
    key_id = deployment.create_key()["id"]
    before = deployment.get_key(key_id)
    with deployment.frozen() as response:
        assert data(response)

    assert before == deployment.get_key(key_id)


def test_the_audit_record(deployment: Deployment, frozen: httpx.Response) -> None:
    """A cancellation has its own record, which reverses the changes of the request's record."""
    assert data(frozen)
    response = deployment.cancel_deletion()
    query = {"target_id": deployment.organization_id, "limit": 2}
    (canceled, requested), _ = listed(deployment.request("GET", AUDIT_LOGS, params=query))

    assert "organization.deletion_requested" == requested["event"]
    assert "organization.deletion_canceled" == canceled["event"]
    assert response.headers["x-request-id"] == canceled["requestId"]
    assert {"before": requested["changes"]["after"], "after": requested["changes"]["before"]} == canceled["changes"]


def test_a_deletion_can_be_requested_and_canceled_again(deployment: Deployment) -> None:
    """A canceled deletion can be requested and canceled a second time."""
    for _ in range(2):
        with deployment.frozen() as response:
            assert data(response)
            assert data(deployment.cancel_deletion())
