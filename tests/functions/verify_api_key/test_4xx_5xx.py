"""POST /v1/auth/api-keys/verify: requests that are not verified."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from keywright.settings import settings
from tests.support import faults
from tests.support.client import REQUEST_ID, UNANSWERED, Refusal, calling
from tests.support.environment import new_container
from tests.support.sample_keys import SampleKey, secret_parts
from tests.support.world import SIGNER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("verify_api_key")

KEY = SampleKey()
CATALOG = "webhooks:read, webhooks:write, sessions:read, sessions:write, analytics:read"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "key is required"),
        ({"key": None}, "key must be a string"),
        ({"key": 1}, "key must be a string"),
        ({"key": ["KEY"]}, "key must be a string"),
        ({"key": "KEY", "permissions": None}, "permissions must be an array"),
        ({"key": "KEY", "permissions": "sessions:read"}, "permissions must be an array"),
        ({"key": "KEY", "permissions": [1]}, "permissions[0] must be a string"),
        ({"key": "KEY", "permissions": ["sessions:read", "x"]}, "permissions[1] is not a permission of this service"),
        ({"permissions": ["x"]}, "key is required; permissions[0] is not a permission of this service"),
        ([], "The body must be a JSON object"),
        ("", "The request has no body"),
        ("{", "The body is not valid JSON: Expecting property name enclosed in double quotes, at line 1, column 2"),
    ],
    ids=str,
)
def test_400(call: Call, body: Any, message: str) -> None:
    """The message names the field and the rule, and no request reaches DynamoDB."""
    text = KEY.put(call.table)
    filled = body if isinstance(body, str) else json.loads(json.dumps(body).replace("KEY", text))
    with faults.injected() as operations:
        refusal = call.fails(filled)

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert message == refusal.message
    assert [] == operations


def test_400_hints_list_the_permissions(call: Call) -> None:
    """The hint lists the catalog of permissions, so a typo is not mistaken for a missing permission."""
    refusal = call.refused({"key": KEY.put(call.table), "permissions": ["session:read"]})

    assert f"Use any of: {CATALOG}." == refusal.hint


def test_400_does_not_repeat_a_misplaced_key(
    call: Call, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key in the wrong field is repeated neither in the answer nor in the log."""
    text = KEY.put(call.table)
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        answers = [call({"key": [text]}), call({"key": text, "permissions": [text]}), call(f'{{"key": {text}}}')]

    written = capsys.readouterr().out + str(answers) + "".join(str(record.__dict__) for record in caplog.records)
    assert [400] * 3 == [answer["statusCode"] for answer in answers]
    assert not [part for part in secret_parts(text) if part in written]


@pytest.mark.parametrize(
    "identity",
    [
        {},
        dict.fromkeys(SIGNER),
        dict.fromkeys(SIGNER, ""),
        *[{**SIGNER, name: nothing} for name in SIGNER for nothing in (None, "")],
        {"cognitoIdentityId": "eu-central-1:5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01", "user": "AROA"},
    ],
    ids=str,
)
def test_500_without_an_iam_identity(
    call: Call, capsys: pytest.CaptureFixture[str], identity: dict[str, str | None]
) -> None:
    """GIVEN a route that lost its Auth by mistake WHEN a caller verifies a valid key THEN nothing is read."""
    text = KEY.put(call.table)
    context = {
        "requestId": REQUEST_ID,
        "stage": "v1",
        "domainName": "d",
        "identity": {"sourceIp": "203.0.113.7", **identity},
    }
    with faults.injected() as operations:
        answer = call({"key": text}, requestContext=context)

    assert 500 == answer["statusCode"]
    assert "INTERNAL_SERVER_ERROR" == json.loads(answer["body"])["error"]["code"]
    assert [] == operations
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "no IAM identity: the route is not behind AWS_IAM" == line["reason"]


def test_500_of_a_damaged_item(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged item is a 500, not NOT_FOUND, and its hash is not logged."""
    damaged = KEY.hash()[:-10]  # 33 of the 43 characters are left: not valid base64, while 34 could be another hash
    text = KEY.put(call.table, hash=damaged)
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        refusal = call.refused({"key": text})

    assert (
        Refusal(
            status=500,
            code="INTERNAL_SERVER_ERROR",
            message="An unexpected error occurred",
            hint="Repeat the request. If it fails again, report the x-request-id of this response.",
            pagination=None,
        )
        == refusal
    )
    assert damaged[-10:] not in "".join(str(record.__dict__) for record in caplog.records)


def test_500_of_a_secret_without_a_pepper(call: Call) -> None:
    """A secret without a pepper is a configuration error, not an invalid key."""
    text = KEY.put(call.table)
    secret = json.dumps({"current": 2})
    boto3.client("secretsmanager").put_secret_value(SecretId=settings().pepper_secret_id, SecretString=secret)
    new_container()

    assert 500 == call.refused({"key": text}).status


@pytest.mark.parametrize("fault", UNANSWERED)
def test_503_when_dynamodb_does_not_answer(call: Call, fault: faults.Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key may be valid: the backend is told when to retry."""
    monkeypatch.setattr("keywright.aws.retries.time.sleep", lambda _: None)
    text = KEY.put(call.table)
    with faults.injected(*[fault] * 100):
        answer = call({"key": text})

    assert 503 == answer["statusCode"]
    assert "1" == answer["headers"]["retry-after"]


def test_503_when_no_time_is_left(call: Call) -> None:
    """The answer comes before Lambda ends the function."""
    text = KEY.put(call.table)
    with faults.injected() as operations:
        assert 503 == call.with_time_left(3_500).fails({"key": text}).status

    assert [] == operations


def test_503_when_secrets_manager_does_not_answer(call: Call, setting: Callable[[str, str], None]) -> None:
    """Without the pepper no text can be verified."""
    text = KEY.put(call.table)
    new_container()
    setting("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")

    assert 503 == call.with_time_left(4_500).fails({"key": text}).status
