"""POST /auth/orgs/request-delete: successes, and the effect until the deletion is canceled."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import AUDIT_LOGS, CREATE, KEY, REQUEST_DELETE, ROTATE, VALID_BODY, Deployment, data, listed
from tests.api.moments import moment

if TYPE_CHECKING:
    import httpx

WRITES: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", CREATE, VALID_BODY),
    "update": ("PATCH", KEY, {"enabled": True}),
    "rotate": ("POST", ROTATE, None),
    "delete": ("DELETE", KEY, None),
}


@pytest.fixture
def key_id(deployment: Deployment) -> str:
    """The id of a key created before the organization is frozen."""
    created: str = deployment.create_key()["id"]
    return created


def deletion_time(response: httpx.Response) -> str:
    """Return the time in the answer to a deletion request."""
    message: str = data(response)["message"]
    return message.removeprefix("The organization will be deleted at ").partition(". ")[0]


def test_the_response_has_the_time(frozen: httpx.Response) -> None:
    """The response contains the time of the deletion, which is in the future."""
    assert {"status", "message"} == data(frozen).keys()
    assert "success" == data(frozen)["status"]
    assert (moment(deletion_time(frozen)) - datetime.now(UTC)).days >= 0


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("persona", ["owner", "admin"])
def test_every_write_is_refused(
    deployment: Deployment, key_id: str, frozen: httpx.Response, write: tuple[str, str, Any], persona: str
) -> None:
    """On the next request, every write of every member is refused with 410 and changes nothing."""
    method, path, body = write
    before = deployment.get_key(key_id)
    response = deployment.request(method, path.format(id=key_id), json=body, persona=persona)

    assert 200 == frozen.status_code
    assert (410, "ORGANIZATION_FROZEN") == deployment.refusal(response)
    assert before == deployment.get_key(key_id)


@pytest.mark.parametrize("path", [CREATE, AUDIT_LOGS])
def test_lists_can_be_read(deployment: Deployment, key_id: str, frozen: httpx.Response, path: str) -> None:
    """Lists of a frozen organization can be read."""
    items, _ = listed(deployment.request("GET", path, params={"limit": 100}))

    assert 200 == frozen.status_code
    assert key_id in {item.get("targetId", item["id"]) for item in items}


def test_a_key_can_be_read(deployment: Deployment, key_id: str, frozen: httpx.Response) -> None:
    """A key of a frozen organization is shown, still enabled."""
    shown = deployment.get_key(key_id)

    assert 200 == frozen.status_code
    assert key_id == shown["id"]
    assert shown["enabled"]


def test_the_audit_record(deployment: Deployment, frozen: httpx.Response) -> None:
    """The record has the request id of the response and the time of the deletion."""
    query = {"target_id": deployment.organization_id, "limit": 1}
    (record,), _ = listed(deployment.request("GET", AUDIT_LOGS, params=query))

    assert "organization.deletion_requested" == record["event"]
    assert "organization" == record["targetType"]
    assert frozen.headers["x-request-id"] == record["requestId"]
    assert {
        "before": {"pendingDeletionAt": None},
        "after": {"pendingDeletionAt": deletion_time(frozen)},
    } == record["changes"]


def test_outsiders_and_members_still_get_403(deployment: Deployment, frozen: httpx.Response) -> None:
    """Callers who cannot manage keys do not learn of the deletion."""
    refused = [deployment.refusal(deployment.create(persona=persona)) for persona in ("outsider", "member")]

    assert 200 == frozen.status_code
    assert [(403, "FORBIDDEN")] * 2 == refused


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\xff"])
def test_a_body_is_ignored(deployment: Deployment, content: bytes) -> None:
    """The request has no body; any body is ignored."""
    try:
        response = deployment.request("POST", REQUEST_DELETE, content=content, persona="owner")
    finally:
        deployment.cancel_deletion()

    assert "success" == data(response)["status"]


def test_410_for_repeats_until_canceled(deployment: Deployment) -> None:
    """A repeat with its Idempotency-Key is refused while frozen, and gets the first response afterwards."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    first = data(deployment.create(headers=headers))
    with deployment.frozen() as requested:
        assert data(requested)
        repeated = deployment.create(headers=headers)

    assert (410, "ORGANIZATION_FROZEN") == deployment.refusal(repeated)
    assert first == data(deployment.create(headers=headers))
