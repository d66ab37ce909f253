"""DELETE /v1/auth/api-keys/current: every refusal, none of which writes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import faults
from tests.support.client import UNANSWERED, calling

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("revoke_current_api_key")


@pytest.mark.parametrize("reason", ["leaked", "", "Compromised"])
def test_400_another_reason(call: Call, reason: str) -> None:
    """The hint has the reasons."""
    call.table.put_key()

    refusal = call.refused(query={"reason": reason})

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert "reason is one of: compromised, superseded, no_longer_used, other." == refusal.hint


def test_401_a_key_deleted_after_its_authorization(call: Call) -> None:
    """A key deleted after its authorization is no longer valid."""
    refusal = call.refused()

    assert 401 == refusal.status
    assert "UNAUTHORIZED" == refusal.code
    assert "Bearer" == call()["headers"]["www-authenticate"]


def test_410_an_organization_frozen_after_the_authorization(call: Call) -> None:
    """The authorizer refuses keys of a frozen organization; one that is frozen afterwards keeps its key."""
    call.table.put_key()
    call.table.freeze()

    refusal = call.refused()

    assert 410 == refusal.status
    assert "ORGANIZATION_FROZEN" == refusal.code


def test_500_with_a_session_authorizer(call: Call) -> None:
    """A context of the session authorizer is a mistake of the template: 500, without details."""
    call.table.put_key()
    session = {"organizationId": "o", "userId": "user_1", "expiresAt": "4102444800"}
    context = {"requestId": "r", "stage": "v1", "domainName": "d", "identity": {"sourceIp": "203.0.113.7"}}

    assert 500 == call.refused(requestContext={**context, "authorizer": session}).status


@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_answer(call: Call, fault: faults.Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer says when to retry."""
    monkeypatch.setattr("keywright.aws.retries.time.sleep", lambda _: None)
    call.table.put_key()
    with faults.injected(*[fault] * 100):
        answer = call()

    assert 503 == answer["statusCode"]
    assert "1" == answer["headers"]["retry-after"]
