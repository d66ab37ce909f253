"""Errors: what is raised for each answer, and that none of them shows a secret."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from keywright.errors import CATALOGUE
from keywright_client import ApiConnectionError, ApiError, ConfigurationError, CreatedApiKey, KeywrightError, Use
from keywright_client.results import RotatedApiKey
from tests.clients.python.drivers import (
    FEWER_KINDS,
    FUNCTION,
    KEY_ID,
    KEY_TEXT,
    TOKEN,
    URL,
    details,
    failure,
    invoked,
    leaked,
    pretended,
    shown,
    success,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.clients.python.drivers import Kind

CALLS: dict[str, Callable[[Any], object]] = {
    "create": lambda client: client.create(name="CI", permissions=["sessions:read"]),
    "list": lambda client: list(client.list()),
    "get": lambda client: client.get(KEY_ID),
    "update": lambda client: client.update(KEY_ID, name="New"),
    "rotate": lambda client: client.rotate(KEY_ID),
    "delete": lambda client: client.delete(KEY_ID),
    "audit_logs": lambda client: list(client.audit_logs()),
}
"""Everything that needs a session token."""
LAMBDA_ANSWERS: dict[str, tuple[int, dict[str, str], str]] = {
    "no permission": (403, {"x-amzn-errortype": "AccessDeniedException"}, "Allow lambda:InvokeFunction"),
    "no function": (404, {"x-amzn-errortype": "ResourceNotFoundException:http://x"}, "The function does not exist"),
    "no request": (400, {"x-amzn-errortype": "InvalidRequestContentException"}, "Lambda refused the invocation"),
    "too large": (413, {}, "Lambda refused the invocation"),
    "throttled": (429, {"x-amzn-errortype": "TooManyRequestsException"}, "AWS answered in place of Keywright"),
    "no capacity": (502, {"x-amzn-errortype": "EC2ThrottledException"}, "AWS answered in place of Keywright"),
}

REVEALING: dict[str, httpx.Response | Exception] = {
    "an error": failure(400, "BAD_REQUEST"),
    "another server": httpx.Response(200, content=KEY_TEXT),
    "a broken server": httpx.Response(502, content=KEY_TEXT),
    "a malformed result": success([KEY_TEXT]),
    "no connection": httpx.ConnectError(KEY_TEXT),
    "a reset": httpx.ReadError(TOKEN),
    "a time-out": httpx.ReadTimeout(KEY_TEXT),
    "no HTTP": httpx.RemoteProtocolError(KEY_TEXT),
    "a refused header": httpx.LocalProtocolError(f"Illegal header value {TOKEN}"),
    "a proxy": httpx.ProxyError(TOKEN),
    "a broken encoding": httpx.DecodingError(KEY_TEXT),
}
"""Answers and failures that have a secret in them."""


def caught(call: Callable[[Any], object], client: Any) -> ApiError:
    """Return the error of a call."""
    with pytest.raises(ApiError) as raised:
        call(client)
    return raised.value


def verify(client: Any) -> object:
    """Verify a key."""
    return client.verify(KEY_TEXT)


def verify_batch(client: Any) -> object:
    """Verify two keys."""
    return client.verify_batch([KEY_TEXT, Use(KEY_TEXT)])


@FEWER_KINDS
@pytest.mark.parametrize("code", CATALOGUE)
@pytest.mark.parametrize("transport", ["http", "lambda"])
def test_each_error_of_a_verification(kind: Kind, pauses: list[float], transport: str, code: str) -> None:
    """Each error of Keywright is raised with all that it says, over either transport."""
    entry = CATALOGUE[code]
    retry_after = entry.retry_after_seconds
    headers = {} if retry_after is None else {"retry_after": str(retry_after)}
    response = failure(entry.status, code, entry.message, entry.hint, **headers)
    if transport == "http":
        error = caught(verify, kind.client(URL, handler=pretended(response)))
    else:
        error = caught(verify, kind.client(function=FUNCTION, handler=pretended(invoked(response))))

    assert {
        "status": entry.status,
        "code": code,
        "message": entry.message,
        "hint": entry.hint,
        "docs": f"https://api.example.com/v1/docs#{code}",
        "request_id": "r-1",
        "retry_after_seconds": retry_after,
    } == vars(error)
    assert f"{code} ({entry.status}): {entry.message}. {entry.hint} [x-request-id r-1]" == str(error)
    assert all(seconds >= (retry_after or 0) for seconds in pauses)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.usefixtures("pauses")
def test_an_error_of_each_call(kind: Kind, call: Callable[[Any], object]) -> None:
    """Every method raises the error that Keywright answers with."""
    error = caught(call, kind.client(URL, handler=pretended(failure(409, "CONFLICT"))))

    assert 409 == error.status
    assert "CONFLICT" == error.code
    assert error.retry_after_seconds is None


@pytest.mark.parametrize("location", ["https://[bad", "https://a.example/\x7f", "https://a.example:port/"])
def test_a_redirect_to_no_address(kind: Kind, location: str) -> None:
    """A redirect whose address cannot be read is reported as any other, at once."""
    keywright = pretended(httpx.Response(302, headers={"location": location}))
    error = caught(lambda client: client.verify(KEY_TEXT), kind.client(URL, handler=keywright))

    assert "The address redirects, which is not followed" == error.message
    assert 302 == error.status
    assert 1 == len(keywright.received)


@FEWER_KINDS
@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, "Allow execute-api:Invoke on the stack's output VerifyApiKeyArn"),
        (404, "Check url"),
        (201, "Check url"),
        (204, "Check url"),
        (301, "The address redirects"),
        (307, "The address redirects"),
        (418, "Check url"),
    ],
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>SECRET of the body</html>",
        b'{"message":"SECRET"}',
        b'{"data":null,"error":{"code":"","message":"","hint":"","docs":""}}',
    ],
    ids=["empty", "HTML", "JSON", "an empty envelope"],
)
def test_an_answer_without_an_envelope(kind: Kind, status: int, text: str, content: bytes) -> None:
    """An answer of AWS, or of another server, is UNEXPECTED_ANSWER: it says what to check, and shows no body."""
    headers = {"location": "https://elsewhere.example.com/", "x-amzn-requestid": "a-1"}
    keywright = pretended(httpx.Response(status, headers=headers, content=content))
    error = caught(verify, kind.client(URL, handler=keywright))

    assert "UNEXPECTED_ANSWER" == error.code
    assert status == error.status
    assert "a-1" == error.request_id
    assert text in str(error)
    assert "SECRET" not in str(error)
    assert 1 == len(keywright.received)


def test_a_firewall_in_front_of_the_api(kind: Kind) -> None:
    """A 403 without an envelope to a request with a token is not blamed on AWS credentials, which it does not have."""
    error = caught(CALLS["get"], kind.client(URL, handler=pretended(httpx.Response(403))))

    assert "refused before it reached Keywright" in error.message
    assert "execute-api" not in str(error)


@pytest.mark.parametrize(("status", "headers", "text"), LAMBDA_ANSWERS.values(), ids=LAMBDA_ANSWERS)
@pytest.mark.usefixtures("pauses")
def test_a_refusal_of_lambda(kind: Kind, status: int, headers: dict[str, str], text: str) -> None:
    """An answer of Lambda itself is UNEXPECTED_ANSWER, with the type of Lambda's error and without its body."""
    response = httpx.Response(status, headers=headers, json={"Message": "SECRET"})
    error = caught(verify, kind.client(function=FUNCTION, handler=pretended(response)))

    assert "UNEXPECTED_ANSWER" == error.code
    assert text in str(error)
    assert headers.get("x-amzn-errortype", "").partition(":")[0] in str(error)
    assert "SECRET" not in str(error)


@pytest.mark.usefixtures("pauses")
def test_a_function_that_fails(kind: Kind) -> None:
    """A crash or time-out of the function is an unavailable service. Its payload is not shown."""
    headers = {"x-amz-function-error": "Unhandled", "x-amzn-requestid": "l-1"}
    response = httpx.Response(200, headers=headers, json={"errorMessage": KEY_TEXT, "status": 200, "headers": {}})
    keywright = pretended(response)
    error = caught(verify, kind.client(function=FUNCTION, handler=keywright))

    assert 503 == error.status
    assert "SERVICE_UNAVAILABLE" == error.code
    assert "l-1" == error.request_id
    assert 3 == len(keywright.received)
    assert [] == leaked(shown(error))


@FEWER_KINDS
@pytest.mark.parametrize("answer", REVEALING.values(), ids=REVEALING)
@pytest.mark.parametrize("call", [verify, verify_batch, *CALLS.values()], ids=["verify", "verify_batch", *CALLS])
@pytest.mark.usefixtures("pauses")
def test_no_error_shows_a_secret(
    kind: Kind,
    call: Callable[[Any], object],
    answer: httpx.Response | Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the text, the attributes and the chained errors of an error, nor any log, have a key or credentials."""
    caplog.set_level(logging.DEBUG)

    def handler(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.RequestError):
            answer.request = request  # as httpx sets it
            raise answer
        assert isinstance(answer, httpx.Response)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    with pytest.raises(KeywrightError) as raised:
        call(kind.client(URL, handler=handler, retries=1))

    assert [] == leaked(shown(raised.value))
    assert [] == leaked(caplog.text)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_new_texts_are_not_in_a_repr(kind: Kind) -> None:
    """The text of a new key does not get into a log by the repr of the result."""
    created = kind.client(URL, handler=pretended(success({"id": KEY_ID, "key": KEY_TEXT}))).create(
        name="CI", permissions=["sessions:read"]
    )
    rotation = {"id": KEY_ID, "key": KEY_TEXT, "previousKeyExpiresAt": None, "apiKey": details()}
    rotated = kind.client(URL, handler=pretended(success(rotation))).rotate(KEY_ID)

    assert isinstance(created, CreatedApiKey)
    assert isinstance(rotated, RotatedApiKey)
    assert KEY_TEXT == created.key == rotated.key
    assert [] == leaked(repr(created) + repr(rotated))


def test_a_client_does_not_show_its_token(kind: Kind) -> None:
    """The repr of a client has neither token nor credentials."""
    client = kind.client(URL)

    assert [] == leaked(repr(getattr(client, "client", client)))


@pytest.mark.parametrize(
    "error",
    [
        ApiError(status=404, code="NOT_FOUND", message="No", hint="Do it.", request_id="r-1", retry_after_seconds=1),
        ApiConnectionError("timed out", "api.example.com"),
        ConfigurationError("url: no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_sent_to_another_process(error: KeywrightError) -> None:
    """An error can be pickled, as process pools and task queues do."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - written a moment ago

    assert str(error) == str(copy)
    assert vars(error) == vars(copy)
