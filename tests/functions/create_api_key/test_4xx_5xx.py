"""POST /v1/auth/api-keys: every refusal, and that it leaves nothing behind."""

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
from tests import faults
from tests.calling import VALID_BODY
from tests.world import KEY_ID, ORGANIZATION_ID, Context, create_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.calling import CreateApiKey


def refused(create: CreateApiKey, body: object = None, **changes: Any) -> tuple[int, dict[str, str]]:
    """Send what must be refused; give status and error, and check that the table is as it was."""
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
    """A bad request in the envelope, never a 5xx."""
    assert (400, "BAD_REQUEST") == (refused(create, body)[0], refused(create, body)[1]["code"])


@pytest.mark.parametrize("body", ["AA", "!!!!", base64.b64encode(b'{"name": "\xff"}').decode(), "\N{SNOWMAN}"])
def test_400_wrong_base64(create: CreateApiKey, body: str) -> None:
    """Bytes that are no UTF-8, or base64 that is none."""
    assert 400 == refused(create, body, isBase64Encoded=True)[0]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""]
)
def test_400_another_content_type(create: CreateApiKey, content_type: str) -> None:
    """What says that it is not JSON is not read as JSON; the hint says what to send."""
    status, error = refused(create, headers={"content-type": content_type})

    assert 400 == status
    assert "content-type: application/json" in error["hint"]


@pytest.mark.parametrize("body", [None, ""])
def test_400_no_body(create: CreateApiKey, body: str | None) -> None:
    """API Gateway sends null where there is no body."""
    event = create_event()
    event["body"] = body

    assert 400 == create.handler(event, Context())["statusCode"]


def test_401_an_expired_session_that_the_gateway_still_remembers(create: CreateApiKey) -> None:
    """API Gateway reuses an authorizer's answer for minutes; the session's end counts all the same."""
    event = create_event(VALID_BODY)
    event["requestContext"]["authorizer"]["expiresAt"] = str(int(time.time()))

    answer = create.handler(event, Context())

    assert (401, "Bearer") == (answer["statusCode"], answer["headers"]["www-authenticate"])
    assert not create.world.table.under("KEY#")


def test_401_without_an_authorizer(create: CreateApiKey) -> None:
    """A route that lost its authorizer lets nobody in."""
    event = create_event(VALID_BODY)
    del event["requestContext"]["authorizer"]

    assert 401 == create.handler(event, Context())["statusCode"]


def member(create: CreateApiKey) -> None:
    """A member whose role is too low."""
    create.world.table.put_member("someone", "member")


def suspended(create: CreateApiKey) -> None:
    """An owner who is suspended."""
    create.world.table.put_member("someone", "owner", suspended_at="2026-01-01T00:00:00.000Z")


def outsider(_: CreateApiKey) -> None:
    """Nobody the organization knows."""


def unknown_role(create: CreateApiKey) -> None:
    """A role that does not exist."""
    create.world.table.put_member("someone", "Admin")


def other_organization(create: CreateApiKey) -> None:
    """An owner, elsewhere."""
    create.world.table.put_member("someone", "owner", organization_id="00000000-0000-4000-8000-000000000000")


REFUSED = [member, suspended, outsider, unknown_role, other_organization]


@pytest.mark.parametrize("arrange", REFUSED, ids=lambda arrange: arrange.__name__)
def test_403_is_one_answer_for_all(create: CreateApiKey, arrange: Callable[[CreateApiKey], None]) -> None:
    """Who is not allowed learns that, and not why; the message names the action."""
    arrange(create)

    status, error = refused(create, user_id="someone")

    assert 403 == status
    assert {
        "code": "FORBIDDEN",
        "message": "You are not allowed to create API keys in this organization",
        "hint": "Ask an owner or admin of the organization to do it, or to give you the role.",
        "docs": error["docs"],
    } == error


def test_403_an_organization_that_does_not_exist(create: CreateApiKey) -> None:
    """A membership that outlived its organization is worth nothing."""
    elsewhere = "00000000-0000-4000-8000-000000000000"
    create.world.table.put_member("someone", "owner", organization_id=elsewhere)
    event = create_event(VALID_BODY, user_id="someone")
    event["requestContext"]["authorizer"]["organizationId"] = elsewhere

    assert 403 == create.handler(event, Context())["statusCode"]


def test_410_a_frozen_organization(create: CreateApiKey) -> None:
    """Its admins learn that it is scheduled for deletion."""
    create.world.table.put_organization(pending_deletion_at="2026-12-01T00:00:00.000Z")

    assert (410, "ORGANIZATION_FROZEN") == (refused(create)[0], refused(create)[1]["code"])


@pytest.mark.parametrize("arrange", REFUSED, ids=lambda arrange: arrange.__name__)
def test_403_in_a_frozen_organization_as_well(create: CreateApiKey, arrange: Callable[[CreateApiKey], None]) -> None:
    """Whether an organization is frozen is no business of those who may not act in it."""
    create.world.table.put_organization(pending_deletion_at="2026-12-01T00:00:00.000Z")
    arrange(create)

    assert 403 == refused(create, user_id="someone")[0]


def test_409_an_item_that_is_there_already(create: CreateApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should an id ever repeat, the existing key is not overwritten."""
    created = json.loads(create()["body"])["data"]
    monkeypatch.setattr(key_create, "uuid7", lambda: created["id"])
    monkeypatch.setattr(key_text, "payload", lambda **_: bytes(58))

    assert (409, "CONFLICT") == (refused(create)[0], refused(create)[1]["code"])


def test_409_an_audit_record_that_is_there_already(create: CreateApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should an audit record's id ever repeat, no key is made without a record of its own."""
    create()
    (record,) = create.world.table.under("AUDIT#")
    monkeypatch.setattr(audit, "uuid7", lambda _: record["sk"].removeprefix("AUDIT#"))

    assert (409, "CONFLICT") == (refused(create)[0], refused(create)[1]["code"])


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1_000_000])
def test_413_a_large_body(create: CreateApiKey, size: int) -> None:
    """More than 64 KiB, counted in bytes."""
    body = json.dumps(VALID_BODY | {"filler": ""})
    body = body[:-2] + "x" * (size - len(body)) + body[-2:]

    assert (413, "PAYLOAD_TOO_LARGE") == (refused(create, body)[0], refused(create, body)[1]["code"])


def test_64_kib_exactly_are_accepted(create: CreateApiKey) -> None:
    """The limit itself is allowed."""
    body = json.dumps(VALID_BODY | {"filler": ""})
    body = body[:-2] + "x" * (64 * 1024 - len(body)) + body[-2:]

    assert 200 == create(body)["statusCode"]


def test_500_shows_nothing(
    create: CreateApiKey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets the contract's sentence; the log gets the exception, with what looks secret taken out."""
    secret = "A" * 86

    def broken(*_: object) -> None:
        raise RuntimeError(f"cannot handle kk_{secret}")

    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.INFO, logger="keywright"):
        status, error = refused(create)

    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert (500, "INTERNAL_SERVER_ERROR", "An unexpected error occurred") == (status, error["code"], error["message"])
    assert "RuntimeError: cannot handle [redacted]" in logged
    assert secret not in logged


def test_500_a_misconfigured_function(create: CreateApiKey, setting: Callable[[str, str], None]) -> None:
    """Even an environment that cannot be read gives the envelope."""
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
    """Nothing was written, waiting may help, and the caller is told for how long."""
    before = create.world.table.items()
    with faults.injected(*[fault] * 100):
        answer = create()

    assert (503, "1") == (answer["statusCode"], answer["headers"]["retry-after"])
    assert before == create.world.table.items()


def test_503_after_lost_answers_is_all_or_nothing(create: CreateApiKey) -> None:
    """If nobody can tell whether it happened, key and audit record are both there, or neither."""
    with faults.injected(faults.lost_answer, *[faults.timeout] * 100):
        answer = create()

    assert 503 == answer["statusCode"]
    assert (1, 1) == (len(create.world.table.under("KEY#")), len(create.world.table.under("AUDIT#")))


def test_503_comes_before_the_functions_time_is_over(create: CreateApiKey) -> None:
    """With little time left, no attempt is begun that could outlast it."""
    store_pepper.keyring()
    with faults.injected(*[faults.timeout] * 100) as operations:
        answer = create.handler(create_event(VALID_BODY), Context(remaining_milliseconds=3900))

    assert (503, 0) == (answer["statusCode"], len(operations))


def test_503_comes_in_time_when_everything_is_slow(create: CreateApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets Manager answers late, DynamoDB never: together they take no longer than the function has."""
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

    assert (503, 1) == (answer["statusCode"], len(operations))
    assert elapsed < 10


@pytest.mark.parametrize("name", ["key", "audit record"])
def test_409_when_an_id_is_taken(create: CreateApiKey, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Should an id ever be drawn twice, what exists stays as it is, and nothing else is written."""
    table = create.world.table
    table.put_key() if name == "key" else table.put_audit(KEY_ID)
    monkeypatch.setattr(key_create if name == "key" else audit, "uuid7", lambda *_: UUID(KEY_ID))

    assert (409, "CONFLICT") == (refused(create)[0], refused(create)[1]["code"])


@pytest.mark.parametrize("text", ["eyJuYW1l!!!", "e", "not base64", "{}"])
def test_400_when_base64_is_not(create: CreateApiKey, text: str) -> None:
    """What is marked as base64 must be nothing else."""
    status, error = refused(create, text, isBase64Encoded=True)

    assert (400, "The body is marked as base64 and is not") == (status, error["message"])


def test_a_refusal_is_one_line_of_the_log(create: CreateApiKey, capsys: pytest.CaptureFixture[str]) -> None:
    """Who asked for what, and why it was refused: enough for an operator to answer the caller."""
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
    """As above, without a reason."""
    create()
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert {"operation": "create_api_key", "status": 200, "code": "OK"}.items() <= line.items()
