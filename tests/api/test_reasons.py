"""Reasons of disabling, rotating and deleting keys, and reports of leaks, as members send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import CREATE, KEY, Deployment, data

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

REASONS = ["compromised", "superseded", "no_longer_used", "other"]
HINT = "reason is one of: compromised, superseded, no_longer_used, other."

WITH_A_REASON: dict[str, Callable[[Deployment, str, str], httpx.Response]] = {
    "api_key.updated": lambda deployment, key_id, reason: deployment.update(
        key_id, {"enabled": False, "reason": reason}
    ),
    "api_key.rotated": lambda deployment, key_id, reason: deployment.rotate(key_id, {"reason": reason}),
    "api_key.deleted": lambda deployment, key_id, reason: deployment.delete(key_id, params={"reason": reason}),
}
each_change = pytest.mark.parametrize("event", WITH_A_REASON)


@pytest.mark.parametrize("reason", REASONS)
@each_change
def test_a_reason_is_in_the_audit_log(deployment: Deployment, event: str, reason: str) -> None:
    """The record of the change has the reason; that of the creation has none."""
    key_id = deployment.create_key()["id"]
    data(WITH_A_REASON[event](deployment, key_id, reason))

    assert [(event, reason), ("api_key.created", None)] == [
        (record["event"], record["reason"]) for record in deployment.records(key_id)
    ]


@pytest.mark.parametrize("reason", ["leaked", "", "Compromised", "compromised "])
@each_change
def test_400_another_reason(deployment: Deployment, event: str, reason: str) -> None:
    """The message names the place, the hint has the reasons; the key is unchanged."""
    key_id = deployment.create_key()["id"]
    before = deployment.get_key(key_id)
    response = WITH_A_REASON[event](deployment, key_id, reason)

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert response.json()["error"]["message"].startswith("reason must be 'compromised'")
    assert HINT == response.json()["error"]["hint"]
    assert before == deployment.get_key(key_id)


@pytest.mark.parametrize("reason", [None, 1, ["compromised"], {}], ids=str)
@pytest.mark.parametrize("others", [{"enabled": False}, {"enabled": True}, {}], ids=str)
def test_400_a_reason_of_another_type(deployment: Deployment, others: dict[str, bool], reason: Any) -> None:
    """A reason is a text, not null: it is omitted if there is none."""
    response = deployment.update(deployment.create_key()["id"], {**others, "reason": reason})

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert HINT == response.json()["error"]["hint"]


@pytest.mark.parametrize("changes", [{}, {"name": "b"}, {"enabled": True}, {"leak": None}], ids=str)
def test_400_a_reason_without_disabling(deployment: Deployment, changes: dict[str, Any]) -> None:
    """A reason belongs to a PATCH that disables the key, and the message names it."""
    key_id = deployment.create_key()["id"]
    response = deployment.update(key_id, {**changes, "reason": "compromised"})

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert "reason is only for disabling a key" == response.json()["error"]["message"]


def test_a_reason_of_disabling_beside_other_changes(deployment: Deployment) -> None:
    """The order of the fields does not matter, and the reason is no field of the key."""
    key_id = deployment.create_key()["id"]
    answer = data(deployment.update(key_id, {"reason": "superseded", "name": "b", "enabled": False}))

    (record, _) = deployment.records(key_id)
    assert "superseded" == record["reason"]
    assert {"name": "b", "enabled": False} == record["changes"]["after"]
    assert "reason" not in answer["apiKey"]


def test_a_repeated_rotation_is_the_same_with_the_same_reason(deployment: Deployment) -> None:
    """With an Idempotency-Key, another reason is another request."""
    key_id = deployment.create_key()["id"]
    headers = {"idempotency-key": key_id}
    first = deployment.rotate(key_id, {"reason": "compromised"}, headers=headers)
    again = deployment.rotate(key_id, {"reason": "compromised", "gracePeriodSeconds": 0}, headers=headers)
    other = [deployment.rotate(key_id, body, headers=headers) for body in ({"reason": "other"}, None)]

    assert data(first) == data(again)
    assert "true" == again.headers["idempotent-replayed"]
    assert [(422, "IDEMPOTENCY_KEY_REUSED")] * 2 == [deployment.refusal(response) for response in other]


# ---- Leaks ---------------------------------------------------------------------------------------------------


def test_a_key_without_a_leak(deployment: Deployment) -> None:
    """A key that was never reported has null, alone, in lists and for a backend; its holder sees no such field."""
    made = deployment.create_key()
    (listed,) = (key for key in deployment.newest(CREATE, since=made["id"]) if key["id"] == made["id"])

    assert [None] * 3 == [
        shown["leak"] for shown in (deployment.get_key(made["id"]), listed, data(deployment.verify(made["key"])))
    ]
    assert "leak" not in data(deployment.current(made["key"]))


def test_clearing_no_leak(deployment: Deployment) -> None:
    """`leak` alone is a change, also of a key that has none: the audit record says that nothing differs."""
    key_id = deployment.create_key()["id"]
    answer = data(deployment.update(key_id, {"leak": None}))

    (record, _) = deployment.records(key_id)
    assert answer["apiKey"]["leak"] is None
    assert {"before": {}, "after": {}} == record["changes"]


@pytest.mark.parametrize(
    "leak", [{}, {"source": "report"}, "report", True, False, 0, []], ids=lambda leak: str(leak)[:20]
)
def test_400_a_leak_is_only_cleared(deployment: Deployment, leak: Any) -> None:
    """Members cannot report a leak by a PATCH: the text of the key proves a report."""
    key_id = deployment.create_key()["id"]
    response = deployment.update(key_id, {"leak": leak})

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert "leak must be null" == response.json()["error"]["message"]
    assert "leak can only be null, which clears the report of a leak." == response.json()["error"]["hint"]
    assert deployment.request("GET", KEY.format(id=key_id)).json()["data"]["leak"] is None
