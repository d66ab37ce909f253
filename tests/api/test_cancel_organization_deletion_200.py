"""POST /auth/orgs/cancel-delete: 200."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.deployment import AUDIT_LOGS, CANCEL_DELETE, REQUEST_DELETE, data, listed

if TYPE_CHECKING:
    import httpx

    from tests.api.deployment import Deployment


def test_everything_is_as_before(deployment: Deployment, frozen: httpx.Response) -> None:
    """From the next request on the organization can be changed again; what was in it is still there."""
    assert data(frozen)
    response = deployment.request("POST", CANCEL_DELETE, persona="owner")

    assert {
        "status": "success",
        "message": "The deletion was canceled. The organization's keys work again",
    } == data(response)
    key_id = deployment.create_key()["id"]
    assert data(deployment.update(key_id, {"name": "b"}))
    assert data(deployment.rotate(key_id))
    assert data(deployment.delete(key_id))


def test_a_key_survives_it_unchanged(deployment: Deployment) -> None:
    """A requested and canceled deletion does not change a key."""
    key_id = deployment.create_key()["id"]
    before = deployment.get_key(key_id)
    try:
        assert data(deployment.request("POST", REQUEST_DELETE, persona="owner"))
    finally:
        deployment.request("POST", CANCEL_DELETE, persona="owner")

    assert before == deployment.get_key(key_id)


def test_the_audit_log_has_it(deployment: Deployment, frozen: httpx.Response) -> None:
    """The record is the counterpart of the one of the request."""
    assert data(frozen)
    response = deployment.request("POST", CANCEL_DELETE, persona="owner")
    query = {"target_id": deployment.organization_id, "limit": 2}
    (canceled, requested), _ = listed(deployment.request("GET", AUDIT_LOGS, params=query))

    assert ("organization.deletion_canceled", "organization.deletion_requested") == (
        canceled["event"],
        requested["event"],
    )
    assert response.headers["x-request-id"] == canceled["requestId"]
    assert {"before": requested["changes"]["after"], "after": requested["changes"]["before"]} == canceled["changes"]


def test_again_and_again(deployment: Deployment) -> None:
    """A canceled deletion can be requested and canceled again."""
    paths = [REQUEST_DELETE, CANCEL_DELETE] * 2
    try:
        statuses = [deployment.request("POST", path, persona="owner").status_code for path in paths]
    finally:
        deployment.request("POST", CANCEL_DELETE, persona="owner")

    assert [200] * 4 == statuses
