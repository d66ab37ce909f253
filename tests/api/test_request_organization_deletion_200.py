"""POST /auth/orgs/request-delete: 200, and its effect until it is canceled."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import (
    AUDIT_LOGS,
    CANCEL_DELETE,
    CREATE,
    KEY,
    REQUEST_DELETE,
    ROTATE,
    VALID_BODY,
    data,
    listed,
)
from tests.api.moments import moment

if TYPE_CHECKING:
    import httpx

    from tests.api.deployment import Deployment

WRITES: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", CREATE, VALID_BODY),
    "update": ("PATCH", KEY, {"enabled": True}),
    "rotate": ("POST", ROTATE, None),
    "delete": ("DELETE", KEY, None),
}


@pytest.fixture
def key_id(deployment: Deployment) -> str:
    """A key that was made before the organization is frozen."""
    created: str = deployment.create_key()["id"]
    return created


def deletion_time(response: httpx.Response) -> str:
    """Return the time in the answer to a deletion request."""
    message: str = data(response)["message"]
    return message.removeprefix("The organization will be deleted at ").partition(". ")[0]


def test_says_when(frozen: httpx.Response) -> None:
    """The answer names the time, which is days away."""
    assert {"status", "message"} == data(frozen).keys()
    assert "success" == data(frozen)["status"]
    assert (moment(deletion_time(frozen)) - datetime.now(UTC)).days >= 0


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("persona", ["owner", "admin"])
def test_every_write_is_410(
    deployment: Deployment, key_id: str, frozen: httpx.Response, write: tuple[str, str, Any], persona: str
) -> None:
    """From the next request on nothing can be changed, whoever asks; and nothing is."""
    method, path, body = write
    before = deployment.get_key(key_id)
    response = deployment.request(method, path.format(id=key_id), json=body, persona=persona)

    assert 200 == frozen.status_code
    assert (410, "ORGANIZATION_FROZEN") == deployment.refusal(response)
    assert before == deployment.get_key(key_id)


@pytest.mark.parametrize("path", [CREATE, AUDIT_LOGS])
def test_lists_are_200(deployment: Deployment, key_id: str, frozen: httpx.Response, path: str) -> None:
    """Reading goes on."""
    items, _ = listed(deployment.request("GET", path, params={"limit": 100}))

    assert 200 == frozen.status_code
    assert key_id in {item.get("targetId", item["id"]) for item in items}


def test_get_is_200(deployment: Deployment, key_id: str, frozen: httpx.Response) -> None:
    """A key stays what it is; it only does not work."""
    assert 200 == frozen.status_code
    assert (key_id, True) == (deployment.get_key(key_id)["id"], deployment.get_key(key_id)["enabled"])


def test_the_audit_log_has_it(deployment: Deployment, frozen: httpx.Response) -> None:
    """The record has the requester and the time of the deletion."""
    query = {"target_id": deployment.organization_id, "limit": 1}
    (record,), _ = listed(deployment.request("GET", AUDIT_LOGS, params=query))

    assert ("organization.deletion_requested", "organization") == (record["event"], record["targetType"])
    assert frozen.headers["x-request-id"] == record["requestId"]
    assert {
        "before": {"pendingDeletionAt": None},
        "after": {"pendingDeletionAt": deletion_time(frozen)},
    } == record["changes"]


def test_outsiders_and_members_do_not_learn_of_it(deployment: Deployment, frozen: httpx.Response) -> None:
    """They get the answer that they always get."""
    refused = [deployment.refusal(deployment.create(persona=persona)) for persona in ("outsider", "member")]

    assert 200 == frozen.status_code
    assert [(403, "FORBIDDEN")] * 2 == refused


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\xff"])
def test_a_body_is_ignored(deployment: Deployment, content: bytes) -> None:
    """A request that needs no body is not refused for the one that it has."""
    try:
        response = deployment.request("POST", REQUEST_DELETE, content=content, persona="owner")
    finally:
        deployment.request("POST", CANCEL_DELETE, persona="owner")

    assert "success" == data(response)["status"]


def test_410_for_repeats_until_it_is_canceled(deployment: Deployment) -> None:
    """A repeat under its Idempotency-Key is a write like any other; what was kept for it is not lost."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    first = data(deployment.create(headers=headers))
    try:
        data(deployment.request("POST", REQUEST_DELETE, persona="owner"))
        repeated = deployment.create(headers=headers)
    finally:
        deployment.request("POST", CANCEL_DELETE, persona="owner")

    assert (410, "ORGANIZATION_FROZEN") == deployment.refusal(repeated)
    assert first == data(deployment.create(headers=headers))
