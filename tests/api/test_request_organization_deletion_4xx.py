"""POST /auth/orgs/request-delete: errors. test_personas.py has the callers that are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.deployment import AUDIT_LOGS, REQUEST_DELETE, Deployment, data, listed

if TYPE_CHECKING:
    import httpx


def test_410_requested_already(deployment: Deployment, frozen: httpx.Response) -> None:
    """A second request is refused and does not postpone the deletion."""
    assert data(frozen)
    query = {"target_id": deployment.organization_id, "limit": 1}
    before = listed(deployment.request("GET", AUDIT_LOGS, params=query))

    response = deployment.delete_organization()

    assert (410, "ORGANIZATION_FROZEN") == deployment.refusal(response)
    assert before == listed(deployment.request("GET", AUDIT_LOGS, params=query))


def test_403_changes_nothing(deployment: Deployment) -> None:
    """An admin's request is refused and does not freeze the organization."""
    response = deployment.request("POST", REQUEST_DELETE, persona="admin")

    assert (403, "FORBIDDEN") == deployment.refusal(response)
    assert {"id", "key"} == data(deployment.create()).keys()
