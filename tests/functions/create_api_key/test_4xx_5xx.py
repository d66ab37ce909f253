"""POST /v1/auth/api-keys: refusals that only it has, and what is logged of a request."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from keywright.aws import retries
from keywright.keys import create as key_create
from keywright.store import audit
from keywright.store import pepper as store_pepper
from tests.support import faults
from tests.support.client import VALID_BODY, calling
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.support.client import Call

call = calling("create_api_key")


def test_400_five_thousand_unknown_permissions(call: Call) -> None:
    """A body with thousands of mistakes gets a short answer."""
    refusal = call.refused({"name": "a", "permissions": ["x"] * 5000})

    assert 400 == refusal.status
    assert len(refusal.message) < 500


@pytest.mark.parametrize("name", ["key", "audit record"])
def test_409_when_an_id_is_taken(call: Call, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Should an id repeat, the existing item stays unchanged and nothing else is written."""
    call.table.put_key() if name == "key" else call.table.put_audit(KEY_ID)
    monkeypatch.setattr(key_create if name == "key" else audit, "uuid7", lambda *_: UUID(KEY_ID))

    refusal = call.refused(VALID_BODY)

    assert 409 == refusal.status
    assert "CONFLICT" == refusal.code


def test_500_a_misconfigured_function(call: Call, setting: Callable[[str, str], None]) -> None:
    """A function with an unreadable environment still answers in the envelope."""
    setting("TABLE_NAME", "")

    assert 500 == call.fails(VALID_BODY).status


def test_503_after_lost_responses_is_all_or_nothing(call: Call) -> None:
    """When every response is lost, key and audit record are both there, or neither."""
    with faults.injected(faults.lost_answer, *[faults.timeout] * 100):
        refusal = call.fails(VALID_BODY)

    assert 503 == refusal.status
    assert 1 == len(call.table.under("KEY#"))
    assert 1 == len(call.table.under("AUDIT#"))


def test_503_within_the_functions_time(call: Call) -> None:
    """With little time left, no attempt begins that could outlast it."""
    store_pepper.keyring()
    with faults.injected(*[faults.timeout] * 100) as operations:
        refusal = call.with_time_left(3900).refused(VALID_BODY)

    assert 503 == refusal.status
    assert [] == operations


def test_503_in_time_when_everything_is_slow(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """When Secrets Manager is slow and DynamoDB silent, both together stay within the function's time."""
    elapsed = 0.0
    clock = time.monotonic

    def slow_pepper(_request: AWSPreparedRequest, _operation: str) -> None:
        nonlocal elapsed
        elapsed += 5.5

    def slow_table(request: AWSPreparedRequest) -> AWSResponse:
        nonlocal elapsed
        elapsed += retries.ATTEMPT_SECONDS
        return faults.timeout(request)

    monkeypatch.setattr(time, "monotonic", lambda: clock() + elapsed)
    pepper = faults.intercepted(retries.secrets_manager(), slow_pepper)
    with pepper, faults.injected(*[slow_table] * 100) as operations:
        refusal = call.with_time_left(10_000).fails(VALID_BODY)

    assert 503 == refusal.status
    assert 1 == len(operations)
    assert elapsed < 10


def test_a_refusal_is_one_line_of_the_log(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """The log line of a refusal names the caller, the operation and the reason."""
    answer = call({"name": "", "permissions": ["sessions:read"]})
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert {
        "level": "INFO",
        "message": "request",
        "operation": "create_api_key",
        "request_id": answer["headers"]["x-request-id"],
        "status": 400,
        "code": "BAD_REQUEST",
        "reason": "name: string_too_short",
        "organization_id": ORGANIZATION_ID,
        "user_id": "user_1",
    }.items() <= line.items()


def test_a_success_is_one_line_of_the_log(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """The log line of a success has no reason."""
    call(VALID_BODY)
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert {"operation": "create_api_key", "status": 200, "code": "OK"}.items() <= line.items()
    assert "reason" not in line
