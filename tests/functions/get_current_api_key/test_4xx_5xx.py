"""GET /v1/auth/api-keys/current: every refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import faults
from tests.calling import UNANSWERED
from tests.keys import SampleKey

if TYPE_CHECKING:
    from tests.calling import Call

KEY = SampleKey()


def test_401_a_key_that_was_deleted_a_moment_ago(call: Call) -> None:
    """The authorizer let it in, and now it is gone: its holder has no valid credentials any more."""
    refusal = call.refused()

    assert (401, "UNAUTHORIZED") == (refusal.status, refusal.code)
    assert "Bearer" == call()["headers"]["www-authenticate"]


def test_401_without_an_authorizer(call: Call) -> None:
    """A route that lost its authorizer lets nobody in."""
    KEY.put(call.table)

    assert 401 == call.refused(requestContext={"requestId": "r", "stage": "v1", "domainName": "d"}).status


def test_500_with_a_sessions_authorizer_instead(call: Call) -> None:
    """A session is not a key: the route with the wrong authorizer is a mistake of the template, and shows nothing."""
    KEY.put(call.table)
    session = {"organizationId": KEY.organization_id, "userId": "user_1", "expiresAt": "4102444800"}
    context = {"requestId": "r", "stage": "v1", "domainName": "d", "identity": {"sourceIp": "203.0.113.7"}}

    assert 500 == call.refused(requestContext={**context, "authorizer": session}).status


def test_500_of_a_damaged_item(call: Call) -> None:
    """An error of the service."""
    KEY.put(call.table, metadata="{")

    assert (500, "INTERNAL_SERVER_ERROR") == ((refusal := call.refused()).status, refusal.code)


@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_answer(call: Call, fault: faults.Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting may help, and the caller is told for how long."""
    monkeypatch.setattr("keywright.aws.retries.time.sleep", lambda _: None)
    KEY.put(call.table)
    with faults.injected(*[fault] * 100):
        answer = call()

    assert (503, "1") == (answer["statusCode"], answer["headers"]["retry-after"])
