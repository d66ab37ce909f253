"""What holds for the integrations of all frameworks: status, headers and body of every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.integrations.answers import CODES, KEY, QUOTA, RATE_LIMIT, REQUIRED, Failure, verification
from tests.support.in_process import ADDRESS

if TYPE_CHECKING:
    import httpx

    from tests.clients.integrations.answers import Service
    from tests.support.in_process import Get

WITH_KEY = {"x-api-key": KEY.encode()}
INVALID = (401, "UNAUTHORIZED", {"www-authenticate": 'Bearer error="invalid_token"'})
EXPECTED = {
    "NOT_FOUND": INVALID,
    "EXPIRED": INVALID,
    "DISABLED": INVALID,
    "SOMETHING_NEW": INVALID,
    "ORGANIZATION_FROZEN": (403, "ORGANIZATION_FROZEN", {}),
    "IP_NOT_ALLOWED": (403, "IP_NOT_ALLOWED", {}),
    "INSUFFICIENT_PERMISSIONS": (
        403,
        "INSUFFICIENT_PERMISSIONS",
        {"www-authenticate": 'Bearer error="insufficient_scope", scope="analytics:read reports:read"'},
    ),
    "RATE_LIMITED": (429, "RATE_LIMITED", {"retry-after": "7"}),
    "QUOTA_EXCEEDED": (429, "QUOTA_EXCEEDED", {"retry-after": "7"}),
}
"""Status, code and headers of the answer to each refusal."""
HEADERS = ("www-authenticate", "retry-after", "ratelimit", "ratelimit-policy")
"""The headers that say something about a key."""


def told(response: httpx.Response) -> dict[str, str]:
    """Return the headers of a response that say something about a key."""
    return {name: response.headers[name] for name in HEADERS if name in response.headers}


def code_of(response: httpx.Response) -> str:
    """Return the code in the body of a refusal, which frameworks put at different places."""
    body = response.json()
    error = body.get("error") or body["detail"]
    code: str = error["code"] if isinstance(error, dict) else body["code"]
    return code


# ---- The key -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": KEY},
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY} "},
        {"x-api-key": KEY, "authorization": "Bearer another"},
        {"x-api-key": "", "authorization": f"Bearer {KEY}"},
    ],
    ids=str,
)
def test_the_key_is_verified_once_with_what_the_route_needs(
    get: Get, service: Service, headers: dict[str, str]
) -> None:
    """The key of either header is verified with the permissions and the cost of the route and the caller's address."""
    response = get({name: value.encode() for name, value in headers.items()})

    assert 200 == response.status_code, response.text
    assert [{"key": KEY, "permissions": REQUIRED, "clientIp": ADDRESS, "cost": 3}] == service.asked


def test_the_route_gets_the_result(get: Get, service: Service) -> None:
    """The route finds the details of the valid key."""
    service.answer = verification("VALID", id="another")

    assert {"id": "another"} == get(WITH_KEY).json()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": b""},
        {"authorization": b""},
        {"authorization": b"Bearer"},
        {"authorization": b"Bearer "},
        {"authorization": b"Basic dTpw"},
        {"x-forwarded-for": b"192.0.2.1"},
    ],
    ids=str,
)
def test_a_request_without_a_key_is_401(get: Get, service: Service, headers: dict[str, bytes]) -> None:
    """A request without a key is refused without asking Keywright; the challenge names the scheme."""
    response = get(headers)

    assert 401 == response.status_code
    assert {"www-authenticate": "Bearer"} == told(response)
    assert "UNAUTHORIZED" == code_of(response)
    assert "The request has no API key" in response.text
    assert [] == service.asked


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
@pytest.mark.parametrize("text", [b"\xff\xfe\x80", "ключ".encode(), b'"\\', b"%00", b"a,b"], ids=str)
def test_a_text_that_is_no_key_is_401(get: Get, service: Service, header: str, text: bytes) -> None:
    """A text with any bytes is asked for and refused as a key that does not exist."""
    service.answer = verification("NOT_FOUND")
    response = get({header: text if header == "x-api-key" else b"Bearer " + text})

    assert 401 == response.status_code
    assert INVALID[2] == told(response)
    assert 1 == len(service.asked)


@pytest.mark.deep
def test_any_byte_in_a_text_is_401(get: Get, service: Service) -> None:
    """A text with any byte that a server lets through is refused, and never crashes the backend."""
    service.answer = verification("NOT_FOUND")
    texts = [b"kk_" + bytes([byte]) + b"1" for byte in range(256) if byte not in b"\0\r\n"]

    assert [401] * len(texts) == [get({"x-api-key": text}).status_code for text in texts]


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_a_huge_text_is_401(get: Get, service: Service, header: str) -> None:
    """A text that is too long for a key is refused without asking Keywright, which would not read it."""
    response = get({header: b"Bearer " + b"\xff" * 100_000})

    assert 401 == response.status_code
    assert INVALID[2] == told(response)
    assert [] == service.asked


# ---- Refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
def test_each_refusal_has_its_answer(get: Get, service: Service, code: str) -> None:
    """Each code of a refusal has its status, its headers, and a code in the body."""
    service.answer = verification(code, retryAfterSeconds=7)
    response = get(WITH_KEY)
    status, expected, headers = EXPECTED[code]

    assert status == response.status_code
    assert expected == code_of(response)
    assert headers == told(response)
    assert "application/json" == response.headers["content-type"]


def test_keys_that_do_not_work_look_the_same(get: Get, service: Service) -> None:
    """The answers for unknown, expired and disabled keys and for a new code are equal, byte for byte."""
    answers = set()
    for code in ("NOT_FOUND", "EXPIRED", "DISABLED", "SOMETHING_NEW"):
        service.answer = verification(code)
        response = get(WITH_KEY)
        answers.add((response.status_code, response.content, tuple(sorted(response.headers.multi_items()))))

    assert 1 == len(answers)


@pytest.mark.parametrize("code", ["RATE_LIMITED", "QUOTA_EXCEEDED"])
def test_a_use_that_is_never_admitted_has_no_time_to_wait(get: Get, service: Service, code: str) -> None:
    """The answer above a limit has no `Retry-After` if waiting does not help."""
    service.answer = verification(code, retryAfterSeconds=None)
    response = get(WITH_KEY)

    assert 429 == response.status_code
    assert {} == told(response)


@pytest.mark.parametrize("code", ["VALID", "RATE_LIMITED", "QUOTA_EXCEEDED"])
def test_what_is_left_of_the_limits_is_shown(get: Get, service: Service, code: str) -> None:
    """The headers of limits are on admitted requests and on those above a limit."""
    service.answer = verification(code, rateLimit=RATE_LIMIT, quota=QUOTA)
    shown = told(get(WITH_KEY))

    assert '"rate";q=60, "quota";q=100000' == shown["ratelimit-policy"]
    assert '"rate";r=8;t=2, "quota";r=99998' == shown["ratelimit"]


# ---- No answer -----------------------------------------------------------------------------------------------


UNREACHABLE = None
FAILURES = [
    (UNREACHABLE, "1", "127.0.0.1"),
    (Failure(503, "SERVICE_UNAVAILABLE", {"retry-after": "4", "x-request-id": "r-1"}), "4", "r-1"),
    (Failure(400, "BAD_REQUEST", {"x-request-id": "r-2"}), None, "r-2"),
    (Failure(429, "TOO_MANY_REQUESTS"), "1", "TOO_MANY_REQUESTS"),
    (Failure(403, None), None, "403"),
    (Failure(200, None), None, "200"),
]
"""Why a key cannot be verified; the seconds to wait, if that helps; a part of the log."""


@pytest.mark.parametrize(("failure", "seconds"), [(failure, seconds) for failure, seconds, _ in FAILURES], ids=str)
def test_a_key_that_cannot_be_verified_is_503(
    get: Get, service: Service, failure: Failure | None, seconds: str | None
) -> None:
    """If Keywright does not answer, the caller is neither admitted nor blamed, and does not learn the reason."""
    service.answer = failure
    response = get(WITH_KEY)

    assert 503 == response.status_code
    assert ({} if seconds is None else {"retry-after": seconds}) == told(response)
    assert "SERVICE_UNAVAILABLE" == code_of(response)
    assert "of Keywright" not in response.text


@pytest.mark.parametrize(("failure", "reason"), [(failure, reason) for failure, _, reason in FAILURES], ids=str)
def test_the_reason_is_logged_once_without_the_key(
    get: Get, service: Service, caplog: pytest.LogCaptureFixture, failure: Failure | None, reason: str
) -> None:
    """The log of the backend has one line that says why a key was not verified, and the key in none, at any level."""
    caplog.set_level(0)
    service.answer = failure
    get(WITH_KEY)
    (message,) = [record.getMessage() for record in caplog.records if record.name == "keywright_client"]

    assert reason in message
    assert KEY not in caplog.text


def test_a_refusal_is_not_logged(get: Get, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """A refused key is not an error of the backend: callers cannot fill its log."""
    service.answer = verification("NOT_FOUND")
    get(WITH_KEY)

    assert [] == [record for record in caplog.records if record.name == "keywright_client"]
