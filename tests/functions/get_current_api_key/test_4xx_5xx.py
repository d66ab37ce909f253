"""GET /v1/auth/api-keys/current: every refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import faults
from tests.support.client import UNANSWERED, calling
from tests.support.sample_keys import SampleKey

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("get_current_api_key")

KEY = SampleKey()


def test_401_a_key_deleted_after_its_authorization(call: Call) -> None:
    """A key deleted after its authorization is no longer valid."""
    refusal = call.refused()

    assert 401 == refusal.status
    assert "UNAUTHORIZED" == refusal.code
    assert "Bearer" == call()["headers"]["www-authenticate"]


def test_401_without_an_authorizer(call: Call) -> None:
    """A request without an authorizer's context is refused."""
    KEY.put(call.table)

    assert 401 == call.refused(requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


def test_500_with_a_session_authorizer(call: Call) -> None:
    """A context of the session authorizer is a mistake of the template: 500, without details."""
    KEY.put(call.table)
    session = {"organizationId": KEY.organization_id, "userId": "user_1", "expiresAt": "4102444800"}
    context = {"requestId": "r", "stage": "v1", "domainName": "d", "identity": {"sourceIp": "203.0.113.7"}}

    assert 500 == call.refused(requestContext={**context, "authorizer": session}).status


def test_500_of_a_damaged_item(call: Call) -> None:
    """A damaged item is an error of the service."""
    KEY.put(call.table, metadata="{")

    refusal = call.refused()

    assert 500 == refusal.status
    assert "INTERNAL_SERVER_ERROR" == refusal.code


@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_answer(call: Call, fault: faults.Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer says when to retry."""
    monkeypatch.setattr("keywright.aws.retries.time.sleep", lambda _: None)
    KEY.put(call.table)
    with faults.injected(*[fault] * 100):
        answer = call()

    assert 503 == answer["statusCode"]
    assert "1" == answer["headers"]["retry-after"]
