"""Handlers of endpoints: what the log has of an error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from keywright.api import endpoint
from keywright.errors import BAD_REQUEST, ServiceError
from tests.support.world import Context, create_event

if TYPE_CHECKING:
    from pydantic import BaseModel

    from keywright.api.lambda_types import LambdaContext, ProxyEvent
    from keywright.api.request import MemberRequest


@pytest.fixture
def operations(environment: pytest.MonkeyPatch) -> None:
    """The known operations, without those of the test."""
    environment.setattr(endpoint, "operations", {})


@pytest.mark.usefixtures("operations")
@pytest.mark.parametrize("reason", [None, "not a name"])
def test_the_log_has_no_message(capsys: pytest.CaptureFixture[str], reason: str | None) -> None:
    """GIVEN an error whose message and hint repeat what the caller sent THEN the log has its code and reason only."""

    @endpoint.endpoint("probe")
    def handler(_: MemberRequest) -> BaseModel:
        raise ServiceError(BAD_REQUEST, "what the caller sent", hint="do not send what the caller sent", reason=reason)

    answer = handler(cast("ProxyEvent", create_event()), cast("LambdaContext", Context()))
    line: dict[str, Any] = json.loads(capsys.readouterr().out)

    assert "what the caller sent" == json.loads(answer["body"])["error"]["message"]
    assert "BAD_REQUEST" == line["code"]
    assert reason == line.get("reason")
    assert "what the caller sent" not in str(line)
