"""Verifying keys over both transports: what is sent, and what each answer means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, assert_type

import httpx
import pytest

from keywright_client import (
    ApiError,
    Disabled,
    Expired,
    InsufficientPermissions,
    IpNotAllowed,
    NotFound,
    OrganizationFrozen,
    QuotaExceeded,
    QuotaStatus,
    RateLimited,
    RateLimitStatus,
    Refused,
    Valid,
)
from tests.clients.python.drivers import FEWER_KINDS, FUNCTION, KEY_TEXT, URL, invoked, pretended, success, verified

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright_client import Verification
    from tests.clients.python.drivers import Kind

REFUSALS = {
    "EXPIRED": Expired,
    "DISABLED": Disabled,
    "ORGANIZATION_FROZEN": OrganizationFrozen,
    "IP_NOT_ALLOWED": IpNotAllowed,
    "INSUFFICIENT_PERMISSIONS": InsufficientPermissions,
    "RATE_LIMITED": RateLimited,
    "QUOTA_EXCEEDED": QuotaExceeded,
}
MALFORMED: dict[str, object] = {
    "a refusal called VALID": {**verified(), "valid": False},
    "an admission called EXPIRED": {**verified("EXPIRED"), "valid": True},
    "an admission with a new code": {**verified("TOO_YOUNG"), "valid": True},
    "an admission called NOT_FOUND": {"valid": True, "code": "NOT_FOUND"},
    "valid is 1": {**verified(), "valid": 1},
    "valid is a text": {**verified(), "valid": "true"},
    "the code is a list": {**verified(), "code": ["VALID"]},
    "the code is null": {**verified(), "code": None},
    "no details": {"valid": True, "code": "VALID"},
    "no code": {"valid": True},
    "no valid": {"code": "VALID"},
    "nothing": {},
    "a list": [],
    "a text": "VALID",
    "true": True,
    "a number": 1,
    "no time": verified(expiresAt="tomorrow"),
    "no day": verified(expiresAt="2030-02-30T12:00:00.000Z"),
    "a limit that is true": verified(rateLimit={"limit": True, "remaining": 1, "resetSeconds": 1}),
    "a limit without remaining": verified(rateLimit={"limit": 1, "resetSeconds": 1}),
    "a permission that is a number": verified(permissions=[1]),
    "metadata in metadata": verified(metadata={"a": {}}),
    "a refusal without an id": verified("EXPIRED", id=None),
}
MALFORMED |= {
    f"without {missing}": {name: value for name, value in verified().items() if name != missing}
    for missing in verified()
}
MALFORMED |= {f"{name} is 0.5": {**verified(), name: 0.5} for name in verified()}


@pytest.fixture(params=["http", "lambda"])
def answering(request: pytest.FixtureRequest, kind: Kind) -> Callable[[httpx.Response], Any]:
    """Return a function that makes a client of an API, or of a function, that answers so."""
    if request.param == "http":
        return lambda response: kind.client(URL, handler=pretended(response))
    return lambda response: kind.client(function=FUNCTION, handler=pretended(invoked(response)))


def test_a_text_that_is_too_long(kind: Kind) -> None:
    """A text that is longer than any key is not found, without a request; the longest text is asked for."""
    keywright = pretended(success({"valid": False, "code": "NOT_FOUND"}))
    client = kind.client(URL, handler=keywright)

    assert [NotFound(), NotFound()] == [client.verify("k" * length) for length in (4097, 4096)]
    assert [4096] == [len(body["key"]) for body in keywright.bodies()]


def test_what_is_sent_over_http(kind: Kind) -> None:
    """A verification is a POST to the API; what the caller did not say is not sent."""
    keywright = pretended(success(verified()))
    kind.client(URL, handler=keywright).verify(KEY_TEXT)

    assert [("POST", f"{URL}/auth/api-keys/verify")] == [(sent.method, str(sent.url)) for sent in keywright.received]
    assert [{"key": KEY_TEXT}] == keywright.bodies()


def test_what_is_sent_to_lambda(kind: Kind) -> None:
    """An invocation of the function has its ARN encoded in the path, and the same body."""
    keywright = pretended(invoked(success(verified())))
    kind.client(function=FUNCTION, handler=keywright).verify(KEY_TEXT)
    arn = FUNCTION.replace(":", "%3A")

    assert [f"https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/{arn}/invocations"] == [
        str(sent.url) for sent in keywright.received
    ]
    assert [{"key": KEY_TEXT}] == keywright.bodies()


def test_all_arguments_are_sent(kind: Kind) -> None:
    """Permissions, address and cost are in the body."""
    keywright = pretended(success(verified()))
    client = kind.client(URL, handler=keywright)
    client.verify(KEY_TEXT, permissions=iter(["a:read", "b:read"]), client_ip="192.0.2.7", cost=0)

    assert [{"key": KEY_TEXT, "permissions": ["a:read", "b:read"], "clientIp": "192.0.2.7", "cost": 0}] == (
        keywright.bodies()
    )


def test_a_slash_at_the_end_of_the_address(kind: Kind) -> None:
    """The address of the API may end with a slash."""
    keywright = pretended(success(verified()))
    kind.client(f"{URL}/", handler=keywright).verify(KEY_TEXT)

    assert f"{URL}/auth/api-keys/verify" == str(keywright.received[0].url)


def test_only_the_headers_of_the_client_are_sent(kind: Kind) -> None:
    """The request has no cookie and no header but those of HTTP, the client and the signature."""
    keywright = pretended(httpx.Response(200, json={"data": verified(), "error": None}, headers={"set-cookie": "a=b"}))
    client = kind.client(URL, handler=keywright)
    client.verify(KEY_TEXT)
    client.verify(KEY_TEXT)

    assert {
        "accept", "authorization", "connection", "content-length", "content-type", "host", "user-agent", "x-amz-date",
        "x-amz-security-token",
    } == set(keywright.received[1].headers)  # fmt: skip


def test_a_valid_key(answering: Callable[[httpx.Response], Any]) -> None:
    """A valid key comes with all that Keywright says about it."""
    limits: dict[str, Any] = {
        "rateLimit": {"limit": 60, "remaining": 8, "resetSeconds": 2},
        "quota": {"limit": 100, "used": 2, "remaining": 98, "resetsAt": "2026-12-01T00:00:00.000Z"},
    }
    moment = "2030-01-31T12:00:00.250Z"
    result = answering(success(verified(expiresAt=moment, allowedIps=["192.0.2.0/24"], **limits))).verify(KEY_TEXT)

    assert isinstance(result, Valid)
    assert "VALID" == result.code
    assert result.valid is True
    assert datetime(2030, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC) == result.expires_at
    assert ("192.0.2.0/24",) == result.allowed_ips
    assert RateLimitStatus(limit=60, remaining=8, reset_seconds=2) == result.rate_limit
    resets_at = datetime(2026, 12, 1, tzinfo=UTC)
    assert QuotaStatus(limit=100, used=2, remaining=98, resets_at=resets_at) == result.quota
    assert {"plan": "pro"} == result.metadata


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refused_key(answering: Callable[[httpx.Response], Any], code: str) -> None:
    """Each refusal has its own class, with the details of the key."""
    result = answering(success(verified(code, retryAfterSeconds=7))).verify(KEY_TEXT)

    assert type(result) is REFUSALS[code]
    assert isinstance(result, Refused)
    assert code == result.code
    assert result.valid is False
    assert 7 == result.retry_after_seconds
    assert "CI" == result.name


def test_an_unknown_key(answering: Callable[[httpx.Response], Any]) -> None:
    """An unknown key is NotFound, without details."""
    result = answering(success({"valid": False, "code": "NOT_FOUND"})).verify(KEY_TEXT)

    assert NotFound() == result
    assert "NOT_FOUND" == result.code


@pytest.mark.parametrize("more", [{}, {"id": 7}], ids=["alone", "with other details"])
def test_a_code_of_a_newer_keywright(answering: Callable[[httpx.Response], Any], more: dict[str, Any]) -> None:
    """A code that the client does not know is a refusal, with or without details."""
    result = answering(success({"valid": False, "code": "TOO_YOUNG", **more})).verify(KEY_TEXT)

    assert Refused(code="TOO_YOUNG") == result
    assert result.valid is False


def test_fields_of_a_newer_keywright(answering: Callable[[httpx.Response], Any]) -> None:
    """Fields that the client does not know are ignored, at every level."""
    status = {"limit": 60, "remaining": None, "resetSeconds": None, "new": 1}
    result = answering(success(verified(new={"a": 1}, rateLimit=status))).verify(KEY_TEXT)

    assert RateLimitStatus(limit=60, remaining=None, reset_seconds=None) == result.rate_limit


@FEWER_KINDS
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_answer_admits_no_caller(answering: Callable[[httpx.Response], Any], data: object) -> None:
    """An answer that contradicts itself, or lacks a field, is an error, not a result."""
    with pytest.raises(ApiError) as caught:
        answering(success(data)).verify(KEY_TEXT)

    assert "UNEXPECTED_ANSWER" == caught.value.code


@FEWER_KINDS
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"<html>Welcome</html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"data": NaN, "error": null}',
        b'{"data": {"valid": true, "code": "VALID"}}',
        b'{"data": {"valid": false, "code": "NOT_FOUND"}}',
        b'{"data": null, "error": null}',
        b'{"data": {"valid": true, "code": "VALID"}, "error": {"code": "X"}}',
        b'{"error": null}',
    ],
    ids=lambda content: repr(content)[:72],
)
def test_another_server_admits_no_caller(kind: Kind, content: bytes) -> None:
    """A 200 of another server is an error, which says to check the address and shows nothing of the body."""
    with pytest.raises(ApiError) as caught:
        kind.client(URL, handler=pretended(httpx.Response(200, content=content))).verify(KEY_TEXT)

    assert (
        "UNEXPECTED_ANSWER (200): The answer is not from Keywright. Check url: it must be the stack's output ApiUrl."
        == (str(caught.value))
    )


@FEWER_KINDS
@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "VALID",
        {},
        {"data": verified(), "error": None},
        {"status": "200", "headers": {}, "data": verified(), "error": None},
        {"status": True, "headers": {}, "data": verified(), "error": None},
        {"status": 200, "headers": None, "data": verified(), "error": None},
        {"status": 201, "headers": {}, "data": verified(), "error": None},
        {"statusCode": 200, "body": "{}"},
    ],
    ids=repr,
)
def test_another_function_admits_no_caller(kind: Kind, payload: object) -> None:
    """A payload that is not Keywright's is an error."""
    with pytest.raises(ApiError) as caught:
        kind.client(function=FUNCTION, handler=pretended(httpx.Response(200, json=payload))).verify(KEY_TEXT)

    assert "UNEXPECTED_ANSWER" == caught.value.code


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (None, {}),
        (b"kk_", {}),
        ("kk_", {"permissions": "sessions:read"}),
        ("kk_", {"permissions": [1]}),
        ("kk_", {"permissions": None}),
        ("kk_", {"client_ip": 7}),
        ("kk_", {"cost": "1"}),
        ("kk_", {"cost": True}),
        ("kk_", {"cost": 1.5}),
    ],
    ids=repr,
)
def test_arguments_of_wrong_types(kind: Kind, text: Any, options: dict[str, Any]) -> None:
    """An argument of the wrong type is a TypeError, and nothing is sent."""
    keywright = pretended(success(verified()))
    with pytest.raises(TypeError):
        kind.client(URL, handler=keywright).verify(text, **options)

    assert [] == keywright.received


@pytest.mark.parametrize("cost", [-1, 1_000_001])
def test_a_cost_out_of_range(kind: Kind, cost: int) -> None:
    """A cost that Keywright would refuse is a ValueError that says the range, and nothing is sent."""
    keywright = pretended(success(verified()))
    with pytest.raises(ValueError, match="cost must be from 0 to 1,000,000"):
        kind.client(URL, handler=keywright).verify(KEY_TEXT, cost=cost)

    assert [] == keywright.received


def test_the_highest_cost(kind: Kind) -> None:
    """The end of the range is in it."""
    keywright = pretended(success(verified()))
    kind.client(URL, handler=keywright).verify(KEY_TEXT, cost=1_000_000)

    assert [{"key": KEY_TEXT, "cost": 1_000_000}] == keywright.bodies()


def test_type_checkers_narrow_a_result() -> None:
    """`valid`, isinstance and match all narrow the union of results; mypy checks this test."""

    def name(result: Verification) -> str | None:
        if result.valid:
            assert_type(result, Valid)
            return result.organization_id
        match result:
            case NotFound():
                return None
            case RateLimited(retry_after_seconds=seconds):
                assert_type(seconds, int | None)
        return result.code

    assert "TOO_YOUNG" == name(Refused(code="TOO_YOUNG"))
