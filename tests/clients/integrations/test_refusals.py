"""The HTTP answers to refused keys, without a framework."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from keywright_client import (
    ApiConnectionError,
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
    Undecided,
    Valid,
)
from keywright_client.refusals import INVALID_KEY, limit_headers, presented_key, refusal, unavailable
from tests.clients.integrations.structured_fields import parse

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
DETAILS: dict[str, Any] = {
    "id": "01a20a38-9585-719d-81cb-3b8af1c594c2",
    "organization_id": "5f0c2c0e-3f0e-4bd4-a5a4-6e5d5a3c1b11",
    "name": "CI",
    "permissions": ("analytics:read",),
    "missing_permissions": (),
    "metadata": {},
    "expires_at": None,
    "allowed_ips": None,
    "rate_limit": None,
    "quota": None,
    "retry_after_seconds": None,
    "leak": None,
}
RATE_LIMIT = RateLimitStatus(limit=60, remaining=8, reset_seconds=2)
QUOTA = QuotaStatus(limit=100_000, used=2, remaining=99_998, resets_at=NOW + timedelta(days=1))


def details(**fields: Any) -> dict[str, Any]:
    """Return the fields of a result for an existing key."""
    return {**DETAILS, **fields}


# ---- The key of a request ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x_api_key", "authorization", "key"),
    [
        (None, None, None),
        ("", None, None),
        ("k", None, "k"),
        ("k", "Bearer other", "k"),
        ("", "Bearer k", "k"),
        (None, "Bearer k", "k"),
        (None, "bEARER  k ", "k"),
        (None, "Bearer", None),
        (None, "Bearer  ", None),
        (None, "Basic dTpw", None),
        (None, "Bearerk", None),
        (None, "", None),
    ],
)
def test_the_key_of_a_request(x_api_key: str | None, authorization: str | None, key: str | None) -> None:
    """The key is in `x-api-key`, or else in `Authorization: Bearer`; an empty header has none."""
    assert key == presented_key(x_api_key, authorization)


# ---- Refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verification",
    [NotFound(), Expired(**DETAILS), Disabled(**details(rate_limit=RATE_LIMIT)), Refused(code="SOMETHING_NEW")],
    ids=lambda verification: verification.code,
)
def test_a_key_that_does_not_work_is_refused_without_the_reason(verification: Refused) -> None:
    """A thief does not learn whether a text was once a key: all answers are one."""
    assert INVALID_KEY == refusal(verification, ["a"], NOW)


def test_a_key_that_does_not_work_is_401() -> None:
    """The answer for a key that does not work names the error of RFC 6750."""
    assert 401 == INVALID_KEY.status
    assert {"www-authenticate": 'Bearer error="invalid_token"'} == INVALID_KEY.headers
    assert {"error": {"code": "UNAUTHORIZED", "message": "The API key is not valid"}} == INVALID_KEY.body


def test_a_missing_permission_is_403_with_what_is_required() -> None:
    """The challenge names all permissions that the request needs, separated by spaces, as in RFC 6750."""
    answer = refusal(InsufficientPermissions(**DETAILS), ["reports:read", "users:write"], NOW)

    assert 403 == answer.status
    assert "INSUFFICIENT_PERMISSIONS" == answer.code
    assert {"www-authenticate": 'Bearer error="insufficient_scope", scope="reports:read users:write"'} == answer.headers


@pytest.mark.parametrize("kind", [IpNotAllowed, OrganizationFrozen])
def test_a_key_that_may_not_be_used_is_403(kind: type[IpNotAllowed | OrganizationFrozen]) -> None:
    """A key that works, but not here or not now, is 403 with the reason as code."""
    answer = refusal(kind(**DETAILS), (), NOW)

    assert 403 == answer.status
    assert kind(**DETAILS).code == answer.code
    assert {} == answer.headers


@pytest.mark.parametrize("kind", [RateLimited, QuotaExceeded])
@pytest.mark.parametrize(("seconds", "headers"), [(None, {}), (0, {"retry-after": "0"}), (7, {"retry-after": "7"})])
def test_a_key_above_its_limits_is_429(
    kind: type[RateLimited | QuotaExceeded], seconds: int | None, headers: dict[str, str]
) -> None:
    """The answer above a limit says when to come back, if there is such a time."""
    verification = kind(**details(retry_after_seconds=seconds))
    answer = refusal(verification, (), NOW)

    assert 429 == answer.status
    assert verification.code == answer.code
    assert headers == answer.headers


def test_an_answer_above_a_limit_shows_the_limits() -> None:
    """The answer above a limit has the headers of the limits besides the time to wait."""
    verification = RateLimited(**details(rate_limit=RATE_LIMIT, quota=QUOTA, retry_after_seconds=1))

    assert {"retry-after": "1", **limit_headers(verification, NOW)} == refusal(verification, (), NOW).headers


def test_a_rate_that_refused_a_use_names_the_time_of_retry_after() -> None:
    """A caller that waits for one use is not told to wait until the whole burst is free."""
    refused, valid = (
        limit_headers(kind(**details(rate_limit=RATE_LIMIT, retry_after_seconds=1)), NOW)
        for kind in (RateLimited, Valid)
    )

    assert ";t=1" == refused["ratelimit"][-4:]
    assert f";t={RATE_LIMIT.reset_seconds}" in valid["ratelimit"]


# ---- No answer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ApiConnectionError("connection refused", "127.0.0.1:1"), "1"),
        (ApiError(status=403, code="UNEXPECTED_ANSWER", message="secret"), None),
        (ApiError(status=503, code="SERVICE_UNAVAILABLE", message="secret", retry_after_seconds=0), "0"),
        (ApiError(status=429, code="TOO_MANY_REQUESTS", message="secret", retry_after_seconds=20), "20"),
    ],
    ids=str,
)
def test_a_key_that_cannot_be_verified_is_503(error: ApiError | ApiConnectionError, seconds: str | None) -> None:
    """The caller is asked to come back if that helps, as Keywright says or in a second. It learns no reason."""
    answer = unavailable(error)

    assert 503 == answer.status
    assert ({} if seconds is None else {"retry-after": seconds}) == answer.headers
    assert {
        "error": {"code": "SERVICE_UNAVAILABLE", "message": "API keys cannot be verified at the moment"}
    } == answer.body


def test_a_key_that_was_left_undecided_is_503() -> None:
    """A key of a batch that could not be verified is not called invalid: its caller is asked to come back."""
    assert unavailable(ApiConnectionError("timed out", "127.0.0.1:1")) == refusal(Undecided(), (), NOW)


# ---- Limits --------------------------------------------------------------------------------------------------


def test_limits_are_structured_fields() -> None:
    """Both limits are in both headers, with the seconds until they are whole again."""
    headers = limit_headers(Valid(**details(rate_limit=RATE_LIMIT, quota=QUOTA)), NOW)

    assert {"ratelimit-policy", "ratelimit"} == headers.keys()
    assert [("rate", {"q": 60}), ("quota", {"q": 100_000})] == parse(headers["ratelimit-policy"])
    assert [("rate", {"r": 8, "t": 2}), ("quota", {"r": 99_998, "t": 86_400})] == parse(headers["ratelimit"])


def test_a_limiter_without_an_answer_leaves_the_policy() -> None:
    """If it is not known what is left of a limit, the limit is in the policy only."""
    rate_limit = RateLimitStatus(limit=60, remaining=None, reset_seconds=None)

    assert {"ratelimit-policy": '"rate";q=60'} == limit_headers(Valid(**details(rate_limit=rate_limit)), NOW)


def test_a_quota_without_an_end_has_no_time() -> None:
    """A quota that never begins anew has no seconds until then."""
    quota = QuotaStatus(limit=10**12, used=10**12, remaining=0, resets_at=None)
    headers = limit_headers(QuotaExceeded(**details(quota=quota)), NOW)

    assert [("quota", {"q": 10**12})] == parse(headers["ratelimit-policy"])
    assert [("quota", {"r": 0})] == parse(headers["ratelimit"])


@pytest.mark.parametrize(
    ("resets_at", "seconds"),
    [
        (NOW + timedelta(milliseconds=1), 1),
        (NOW + timedelta(seconds=1), 1),
        (NOW - timedelta(seconds=5), 0),
        ((NOW + timedelta(seconds=9)).astimezone(timezone(timedelta(hours=3))), 9),
    ],
)
def test_the_seconds_of_a_quota_are_whole_and_not_negative(resets_at: datetime, seconds: int) -> None:
    """The seconds until a quota begins anew are rounded up; 0 if that is over by the clock of this machine."""
    quota = QuotaStatus(limit=10, used=2, remaining=8, resets_at=resets_at)

    assert [("quota", {"r": 8, "t": seconds})] == parse(limit_headers(Valid(**details(quota=quota)), NOW)["ratelimit"])


@pytest.mark.parametrize("verification", [NotFound(), Refused(code="SOMETHING_NEW"), Valid(**DETAILS)])
def test_a_key_without_limits_has_no_headers(verification: Refused | Valid) -> None:
    """A key that is unknown or has no limits adds no header."""
    assert {} == limit_headers(verification, NOW)
