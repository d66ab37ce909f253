"""After an update with changed parameters the new values apply, and earlier data is still there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.api.deployment import AUDIT_LOGS, CANCEL_DELETE, REQUEST_DELETE, Deployment, data, listed


def test_new_keys_begin_with_the_new_prefix(deployment: Deployment) -> None:
    """Functions have the updated parameters."""
    assert deployment.create_key()["key"].startswith("changed_")


def test_earlier_keys_are_still_there(deployment: Deployment) -> None:
    """Table and pepper are kept: earlier keys are listed and can be rotated."""
    page, _ = listed(deployment.request("GET", "/auth/api-keys", params={"limit": "100"}))
    before = [item for item in page if item["hint"].startswith("kk_")]

    assert before
    assert data(deployment.rotate(before[0]["id"]))["key"].startswith("changed_")


def test_the_new_grace_period_applies(deployment: Deployment) -> None:
    """Answer and audit log show a grace period of a week instead of a month."""
    message = data(deployment.request("POST", REQUEST_DELETE, persona="owner"))["message"]
    data(deployment.request("POST", CANCEL_DELETE, persona="owner"))

    week = datetime.now(UTC) + timedelta(days=7)
    assert any(f"{moment:%Y-%m-%d}" in message for moment in (week, week - timedelta(minutes=10)))
    (record, *_), _ = listed(deployment.request("GET", AUDIT_LOGS, params={"limit": "1"}))
    assert "organization.deletion_canceled" == record["event"]


def test_gateway_responses_are_still_the_templates(deployment: Deployment) -> None:
    """A request without a token gets the error of the template."""
    assert (401, "UNAUTHORIZED") == deployment.refusal(deployment.create(persona=None))
