"""POST /v1/auth/api-keys: every refusal, none of which writes anything."""

from __future__ import annotations

import base64
import json
import logging
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from keywright.aws import retries
from keywright.domain import key_text
from keywright.keys import create as key_create
from keywright.store import audit, table
from keywright.store import pepper as store_pepper
from tests.support import faults
from tests.support.client import VALID_BODY
from tests.support.world import KEY_ID, ORGANIZATION_ID, Context, create_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.support.client import CreateApiKey


def refused(create: CreateApiKey, body: object = None, **changes: Any) -> tuple[int, dict[str, str]]:
    """Send a request that must be refused, check that the table is unchanged, and return status and error."""
    before = create.world.table.items()
    answer = create(body, **changes)
    assert before == create.world.table.items()
    content = json.loads(answer["body"])
    assert {"data": None, "error": content["error"]} == content
    assert {"code", "message", "hint", "docs"} == content["error"].keys()
    assert all(isinstance(value, str) and value for value in content["error"].values())
    assert content["error"]["docs"].endswith(f"/v1/docs#{content['error']['code']}")
    return answer["statusCode"], content["error"]


HOSTILE_BODIES = {
    "empty": "",
    "array": "[]",
    "null": "null",
    "text": "name=CI",
    "not json": "{",
    "NaN": '{"name": NaN}',
    "1e400 in metadata": '{"name":"a","permissions":["sessions:read"],"metadata":{"a":1e400}}',
    "10,000 digits in metadata": '{"name":"a","permissions":["sessions:read"],"metadata":{"a":%s}}' % ("9" * 10_000),
    "duplicate key": '{"name":"a","name":"b","permissions":["sessions:read"]}',
    "lone surrogate": '{"name":"\\ud800","permissions":["sessions:read"]}',
    "lone surrogate, raw": '{"name":"\ud800","permissions":["sessions:read"]}',
    "30,000 nested arrays": "[" * 30_000 + "]" * 30_000,
    "nested in metadata": '{"name":"a","permissions":["sessions:read"],"metadata":{"a":' + "[" * 500 + "]" * 500 + "}}",
    "byte order mark": "\ufeff" + json.dumps(VALID_BODY),
    "unknown permission": '{"name":"a","permissions":["root"]}',
    "five thousand unknown permissions": json.dumps({"name": "a", "permissions": ["x"] * 5000}),
}


@pytest.mark.parametrize("body", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES.keys())
def test_400_hostile_bodies(create: CreateApiKey, body: str) -> None:
    """A hostile body gets a 400 in the envelope, never a 5xx."""
    assert 400 == refused(create, body)[0]
    assert "BAD_REQUEST" == refused(create, body)[1]["code"]


@pytest.mark.parametrize("body", ["AA", "!!!!", base64.b64encode(b'{"name": "\xff"}').decode(), "\N{SNOWMAN}"])
def test_400_invalid_base64(create: CreateApiKey, body: str) -> None:
    """Invalid base64 and bytes that are not UTF-8 are refused."""
    assert 400 == refused(create, body, isBase64Encoded=True)[0]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""]
)
def test_400_another_content_type(create: CreateApiKey, content_type: str) -> None:
    """A body with another content type is not parsed as JSON; the hint names the right one."""
    status, error = refused(create, headers={"content-type": content_type})

    assert 400 == status
    assert "content-type: application/json" in error["hint"]


@pytest.mark.parametrize("body", [None, ""])
def test_400_no_body(create: CreateApiKey, body: str | None) -> None:
    """A missing body, for which API Gateway sends null, is refused."""
    event = create_event()
    event["body"] = body

    assert 400 == create.handler(event, Context())["statusCode"]


def test_401_an_expired_session_in_the_gateways_cache(create: CreateApiKey) -> None:
    """An expired session is refused even while API Gateway caches the authorizer's answer."""
    event = create_event(VALID_BODY)
    event["requestContext"]["authorizer"]["expiresAt"] = str(int(time.time()))

    answer = create.handler(event, Context())

    assert 401 == answer["statusCode"]
    assert "Bearer" == answer["headers"]["www-authenticate"]
    assert not create.world.table.under("KEY#")


def test_401_without_an_authorizer(create: CreateApiKey) -> None:
    """A request without an authorizer's context is refused."""
    event = create_event(VALID_BODY)
    del event["requestContext"]["authorizer"]

    assert 401 == create.handler(event, Context())["statusCode"]


def member(create: CreateApiKey) -> None:
    """Make `someone` a member, whose role is too low."""
    create.world.table.put_member("someone", "member")


def suspended(create: CreateApiKey) -> None:
    """Make `someone` a suspended owner."""
    create.world.table.put_member("someone", "owner", suspended_at="2026-01-01T00:00:00.000Z")


def outsider(_: CreateApiKey) -> None:
    """Leave `someone` unknown to the organization."""


def unknown_role(create: CreateApiKey) -> None:
    """Set the role of `someone` to one that does not exist."""
    create.world.table.put_member("someone", "Admin")


def other_organization(create: CreateApiKey) -> None:
    """Make `someone` an owner of another organization."""
    create.world.table.put_member("someone", "owner", organization_id="00000000-0000-4000-8000-000000000000")


REFUSED = [member, suspended, outsider, unknown_role, other_organization]


@pytest.mark.parametrize("arrange", REFUSED, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(create: CreateApiKey, arrange: Callable[[CreateApiKey], None]) -> None:
    """Every forbidden caller gets the same answer, without a reason; the message names the action."""
    arrange(create)

    status, error = refused(create, user_id="someone")

    assert 403 == status
    assert {
        "code": "FORBIDDEN",
        "message": "You are not allowed to do this in this organization",
        "hint": "Ask an owner or admin of the organization to do it, or to change your role.",
        "docs": error["docs"],
    } == error


def test_403_an_organization_that_does_not_exist(create: CreateApiKey) -> None:
    """A membership without its organization grants nothing."""
    elsewhere = "00000000-0000-4000-8000-000000000000"
    create.world.table.put_member("someone", "owner", organization_id=elsewhere)
    event = create_event(VALID_BODY, user_id="someone")
    event["requestContext"]["authorizer"]["organizationId"] = elsewhere

    assert 403 == create.handler(event, Context())["statusCode"]


def test_410_a_frozen_organization(create: CreateApiKey) -> None:
    """Admins are told that the organization is scheduled for deletion."""
    create.world.table.put_organization(pending_deletion_at="2026-12-01T00:00:00.000Z")

    assert 410 == refused(create)[0]
    assert "ORGANIZATION_FROZEN" == refused(create)[1]["code"]


@pytest.mark.parametrize("arrange", REFUSED, ids=lambda arrange: arrange.__name__)
def test_403_in_a_frozen_organization(create: CreateApiKey, arrange: Callable[[CreateApiKey], None]) -> None:
    """A forbidden caller gets 403 and does not learn that the organization is frozen."""
    create.world.table.put_organization(pending_deletion_at="2026-12-01T00:00:00.000Z")
    arrange(create)

    assert 403 == refused(create, user_id="someone")[0]


def test_409_an_existing_key(create: CreateApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should an id repeat, the existing key is not overwritten."""
    created = json.loads(create()["body"])["data"]
    monkeypatch.setattr(key_create, "uuid7", lambda: created["id"])
    monkeypatch.setattr(key_text, "payload", lambda **_: bytes(58))

    assert 409 == refused(create)[0]
    assert "CONFLICT" == refused(create)[1]["code"]


def test_409_an_existing_audit_record(create: CreateApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the id of an audit record repeat, no key is created."""
    create()
    (record,) = create.world.table.under("AUDIT#")
    monkeypatch.setattr(audit, "uuid7", lambda _: record["sk"].removeprefix("AUDIT#"))

    assert 409 == refused(create)[0]
    assert "CONFLICT" == refused(create)[1]["code"]


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1_000_000])
def test_413_a_large_body(create: CreateApiKey, size: int) -> None:
    """A body of more than 64 KiB, counted in bytes, is refused."""
    body = json.dumps(VALID_BODY | {"filler": ""})
    body = body[:-2] + "x" * (size - len(body)) + body[-2:]

    assert 413 == refused(create, body)[0]
    assert "PAYLOAD_TOO_LARGE" == refused(create, body)[1]["code"]


def test_exactly_64_kib_are_accepted(create: CreateApiKey) -> None:
    """A body of exactly 64 KiB is accepted."""
    body = json.dumps(VALID_BODY | {"filler": ""})
    body = body[:-2] + "x" * (64 * 1024 - len(body)) + body[-2:]

    assert 200 == create(body)["statusCode"]


def test_500_hides_the_exception(
    create: CreateApiKey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets a generic message; the log gets the exception, with secrets redacted."""
    secret = "A" * 86

    def broken(*_: object) -> None:
        raise RuntimeError(f"cannot handle kk_{secret}")

    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        status, error = refused(create)

    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert 500 == status
    assert "INTERNAL_SERVER_ERROR" == error["code"]
    assert "An unexpected error occurred" == error["message"]
    assert "RuntimeError: cannot handle [redacted]" in logged
    assert secret not in logged


def test_500_a_misconfigured_function(create: CreateApiKey, setting: Callable[[str, str], None]) -> None:
    """A function with an unreadable environment still answers in the envelope."""
    setting("TABLE_NAME", "")
    event = create_event(VALID_BODY)

    assert 500 == create.handler(event, Context())["statusCode"]


FOREVER = [
    faults.canceled("None", "None", "TransactionConflict", "None"),
    faults.canceled("None", "None", "None", "ProvisionedThroughputExceeded"),
    faults.error("ProvisionedThroughputExceededException"),
    faults.error("RequestLimitExceeded"),
    faults.error("InternalServerError", 500),
    faults.answer(500, b"<html>"),
    faults.timeout,
    faults.refused,
]


@pytest.mark.parametrize("fault", FOREVER)
def test_503_when_dynamodb_does_not_recover(create: CreateApiKey, fault: faults.Fault) -> None:
    """Nothing is written, and the answer says when to retry."""
    before = create.world.table.items()
    with faults.injected(*[fault] * 100):
        answer = create()

    assert 503 == answer["statusCode"]
    assert "1" == answer["headers"]["retry-after"]
    assert before == create.world.table.items()


def test_503_after_lost_responses_is_all_or_nothing(create: CreateApiKey) -> None:
    """When every response is lost, key and audit record are both there, or neither."""
    with faults.injected(faults.lost_answer, *[faults.timeout] * 100):
        answer = create()

    assert 503 == answer["statusCode"]
    assert 1 == len(create.world.table.under("KEY#"))
    assert 1 == len(create.world.table.under("AUDIT#"))


def test_503_within_the_functions_time(create: CreateApiKey) -> None:
    """With little time left, no attempt begins that could outlast it."""
    store_pepper.keyring()
    with faults.injected(*[faults.timeout] * 100) as operations:
        answer = create.handler(create_event(VALID_BODY), Context(remaining_milliseconds=3900))

    assert 503 == answer["statusCode"]
    assert 0 == len(operations)


def test_503_in_time_when_everything_is_slow(create: CreateApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
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
        answer = create.handler(create_event(VALID_BODY), Context(remaining_milliseconds=10_000))

    assert 503 == answer["statusCode"]
    assert 1 == len(operations)
    assert elapsed < 10


@pytest.mark.parametrize("name", ["key", "audit record"])
def test_409_when_an_id_is_taken(create: CreateApiKey, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Should an id repeat, the existing key stays unchanged and nothing else is written."""
    table = create.world.table
    table.put_key() if name == "key" else table.put_audit(KEY_ID)
    monkeypatch.setattr(key_create if name == "key" else audit, "uuid7", lambda *_: UUID(KEY_ID))

    assert 409 == refused(create)[0]
    assert "CONFLICT" == refused(create)[1]["code"]


@pytest.mark.parametrize("text", ["eyJuYW1l!!!", "e", "not base64", "{}"])
def test_400_a_body_wrongly_marked_as_base64(create: CreateApiKey, text: str) -> None:
    """A body marked as base64 must be valid base64."""
    status, error = refused(create, text, isBase64Encoded=True)

    assert 400 == status
    assert "The body is not valid base64" == error["message"]


def test_a_refusal_is_one_line_of_the_log(create: CreateApiKey, capsys: pytest.CaptureFixture[str]) -> None:
    """The log line of a refusal names the caller, the operation and the reason."""
    answer = create({"name": "", "permissions": ["sessions:read"]})
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


def test_a_success_is_one_line_of_the_log(create: CreateApiKey, capsys: pytest.CaptureFixture[str]) -> None:
    """The log line of a success has no reason."""
    create()
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert {"operation": "create_api_key", "status": 200, "code": "OK"}.items() <= line.items()
