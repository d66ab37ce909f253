"""POST /v1/auth/api-keys/verify-batch: requests that are not verified."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import faults
from tests.support.client import REQUEST_ID, UNANSWERED, calling
from tests.support.sample_keys import SampleKey, secret_parts
from tests.support.world import SIGNER

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("verify_api_keys")

KEY = SampleKey()
ONE = {"key": "kk_"}


@pytest.mark.parametrize(
    ("body", "message", "reason"),
    [
        ({}, "verifications is required", "verifications: missing"),
        ({"verifications": ONE}, "verifications must be an array", "verifications: list_type"),
        ({"verifications": [ONE, 1]}, "verifications[1] must be an object", "verifications: model_type"),
        ({"verifications": [ONE, {}]}, "verifications[1].key is required", "key: missing"),
        (
            {"verifications": [ONE, {**ONE, "cost": "1"}]},
            "verifications[1].cost must be a whole number",
            "cost: int_type",
        ),
        (
            {"verifications": [{**ONE, "permissions": ["sessions:read", 1]}]},
            "verifications[0].permissions[1] must be a string",
            "permissions: string_type",
        ),
        (
            {"verifications": [{**ONE, "clientIP": "192.0.2.1"}]},
            "verifications[0].clientIP is not a field of this request",
            "unknown field",
        ),
        ({"verifications": [ONE], "cost": 2}, "cost is not a field of this request", "unknown field"),
        ({"verifications": [ONE] * 101}, "verifications must have at most 100 items", "verifications: too_long"),
    ],
    ids=str,
)
def test_400(call: Call, capsys: pytest.CaptureFixture[str], body: Any, message: str, reason: str) -> None:
    """The message names the item, the field and the rule; the log has the field and the rule."""
    with faults.injected() as operations:
        refusal = call.fails(body)

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert message == refusal.message
    assert [] == operations
    assert [reason] == [json.loads(line)["reason"] for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("item", "hint"),
    [
        ({}, "key is the text of an API key."),
        ({**ONE, "permission": []}, "Did you mean permissions?"),
        ({**ONE, "owner": 1}, "The fields are: key, permissions, cost, clientIp."),
        ({**ONE, "clientIp": 1}, "clientIp is the IP address of your caller, a string."),
    ],
    ids=str,
)
def test_400_hints_are_those_of_a_single_verification(call: Call, item: dict[str, object], hint: str) -> None:
    """The hint speaks of the fields of the item."""
    assert hint == call.fails({"verifications": [item]}).hint


def test_400_does_not_repeat_a_misplaced_key(
    call: Call, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key in the wrong place is repeated neither in the answer nor in the log."""
    text = KEY.put(call.table)
    bodies = [{"verifications": [text]}, {"verifications": [{"key": [text]}]}, {"verifications": text}]
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        answers = [call(body) for body in bodies]

    written = capsys.readouterr().out + str(answers) + "".join(str(record.__dict__) for record in caplog.records)
    assert [400] * 3 == [answer["statusCode"] for answer in answers]
    assert not [part for part in secret_parts(text) if part in written]


@pytest.mark.parametrize("identity", [{}, *[{**SIGNER, name: None} for name in SIGNER]], ids=str)
def test_500_without_an_iam_identity(call: Call, identity: dict[str, str | None]) -> None:
    """GIVEN a route that lost its Auth by mistake WHEN a caller verifies a valid key THEN nothing is read."""
    text = KEY.put(call.table)
    context = {
        "requestId": REQUEST_ID,
        "stage": "v1",
        "domainName": "d",
        "identity": {"sourceIp": "203.0.113.7", **identity},
    }
    with faults.injected() as operations:
        answer = call({"verifications": [{"key": text}]}, requestContext=context)

    assert 500 == answer["statusCode"]
    assert [] == operations


@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_answer(call: Call, fault: faults.Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys may be valid: the backend is told when to retry."""
    monkeypatch.setattr("keywright.aws.retries.time.sleep", lambda _: None)
    text = KEY.put(call.table)
    with faults.injected(*[fault] * 100):
        answer = call({"verifications": [{"key": text}]})

    assert 503 == answer["statusCode"]
    assert "1" == answer["headers"]["retry-after"]


def test_503_when_no_time_is_left(call: Call) -> None:
    """The answer comes before Lambda ends the function."""
    text = KEY.put(call.table)
    with faults.injected() as operations:
        assert 503 == call.with_time_left(3_500).fails({"verifications": [{"key": text}]}).status

    assert [] == operations
