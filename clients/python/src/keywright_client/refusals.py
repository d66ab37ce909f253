"""HTTP answers to requests whose API key is refused, and headers that show what is left of its limits.

The integrations of this package are made of it. An integration of another framework can be, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright_client.errors import ApiError
from keywright_client.results import (
    InsufficientPermissions,
    IpNotAllowed,
    OrganizationFrozen,
    QuotaExceeded,
    RateLimited,
    Undecided,
    VerifiedApiKey,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from keywright_client.errors import ApiConnectionError
    from keywright_client.results import RateLimitStatus, Refused, Valid

_TOO_MANY = 429
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that is not admitted.

    Attributes:
        status: the HTTP status: 401, 403, 429 or 503.
        headers: headers of the answer, with names in lower case. Those of the content are not among them.
        code: the reason, for programs.
        message: the reason, for people.
    """

    status: int
    headers: Mapping[str, str]
    code: str
    message: str

    @property
    def body(self) -> dict[str, dict[str, str]]:
        """Return the content of the answer, to be written as JSON."""
        return {"error": {"code": self.code, "message": self.message}}


NO_KEY = Refusal(401, {"www-authenticate": "Bearer"}, "UNAUTHORIZED", "The request has no API key")
"""The answer to a request without a key."""
INVALID_KEY = Refusal(
    401, {"www-authenticate": 'Bearer error="invalid_token"'}, "UNAUTHORIZED", "The API key is not valid"
)
"""The answer for a key that does not exist, does not work any more or was refused for a reason unknown to this version.

It is the same for all of them, so that a thief does not learn whether a text was once a key.
"""


def presented_key(x_api_key: str | None, authorization: str | None) -> str | None:
    """Return the key of a request, from `x-api-key` or else `Authorization: Bearer`; None if there is none.

    Keywright's own routes and its authorizer read the same headers, in the same order.

    Args:
        x_api_key: the value of `x-api-key`. An empty one counts as none.
        authorization: the value of `authorization`.
    """
    if x_api_key:
        return x_api_key
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def refusal(verification: Refused | Undecided, permissions: Iterable[str], now: datetime) -> Refusal:
    """Return the answer to a request with a key that does not admit it.

    Args:
        verification: why the key was refused, or that it could not be verified, which is a 503.
        permissions: the permissions that the request needs.
        now: the time, with a time zone.
    """
    match verification:
        case InsufficientPermissions(code=code):
            challenge = f'Bearer error="insufficient_scope", scope="{" ".join(permissions)}"'  # RFC 6750, section 3
            message = "The API key does not have permission for this request"
            return Refusal(403, {"www-authenticate": challenge}, code, message)
        case IpNotAllowed(code=code):
            return Refusal(403, {}, code, "The API key may not be used from this address")
        case OrganizationFrozen(code=code):
            return Refusal(403, {}, code, "The organization of the API key is scheduled for deletion")
        case RateLimited() | QuotaExceeded():
            return _limited(verification, now)
        case Undecided():
            return _unavailable(1)
        case _:
            return INVALID_KEY


def _limited(verification: RateLimited | QuotaExceeded, now: datetime) -> Refusal:
    message = "The quota of the API key or of its organization is used up"
    if isinstance(verification, RateLimited):
        message = "The API key or its organization has reached its rate limit"
    headers = {**_retry_after(verification.retry_after_seconds), **limit_headers(verification, now)}
    return Refusal(429, headers, verification.code, message)


def _retry_after(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"retry-after": str(seconds)}


def unavailable(error: ApiError | ApiConnectionError) -> Refusal:
    """Return the answer to a request whose key could not be verified: the key may be valid, so it is not a 401.

    `retry-after` is there if waiting helps. It does not if, for example, the AWS credentials lack a permission.

    Args:
        error: why it could not be verified. The answer does not show it: it is for the log.
    """
    passes, seconds = True, None
    if isinstance(error, ApiError):
        passes = error.status == _TOO_MANY or error.status >= _SERVER_ERROR
        seconds = error.retry_after_seconds
    return _unavailable((1 if seconds is None else seconds) if passes else None)


def _unavailable(retry_after_seconds: int | None) -> Refusal:
    message = "API keys cannot be verified at the moment"
    return Refusal(503, _retry_after(retry_after_seconds), "SERVICE_UNAVAILABLE", message)


def limit_headers(verification: Valid | Refused, now: datetime) -> dict[str, str]:
    """Return the headers that show the limits of a key and what is left of them; none if it has no limits.

    They are the structured fields of draft-ietf-httpapi-ratelimit-headers-10: `ratelimit-policy` has the limits, and
    `ratelimit` what is left (`r`) and the seconds until a limit is whole again (`t`), or until the use would be
    admitted that the rate limit refused. A limit of which it is not known what is left is in the first only.

    Args:
        verification: the result of verifying the key.
        now: the time, with a time zone.
    """
    if not isinstance(verification, VerifiedApiKey):
        return {}
    policies, limits = [], []
    if rate := verification.rate_limit:
        policies.append(f'"rate";q={rate.limit}')
        if rate.remaining is not None:
            limits.append(_limit("rate", rate.remaining, _seconds_of(rate, verification)))
    if quota := verification.quota:
        policies.append(f'"quota";q={quota.limit}')
        limits.append(_limit("quota", quota.remaining, _seconds_until(quota.resets_at, now)))
    fields = {"ratelimit-policy": ", ".join(policies), "ratelimit": ", ".join(limits)}
    return {name: value for name, value in fields.items() if value}


def _seconds_of(rate: RateLimitStatus, verification: VerifiedApiKey) -> int | None:
    """Return when a rate is whole again; of a use that it refused, what `retry-after` says, which is earlier."""
    if isinstance(verification, RateLimited) and verification.retry_after_seconds is not None:
        return verification.retry_after_seconds
    return rate.reset_seconds


def _limit(name: str, remaining: int, reset_seconds: int | None) -> str:
    reset = "" if reset_seconds is None else f";t={reset_seconds}"
    return f'"{name}";r={remaining}{reset}'


def _seconds_until(moment: datetime | None, now: datetime) -> int | None:
    """Return the seconds from now to a moment; 0 if it is over, by a clock that is ahead of Keywright's."""
    return None if moment is None else max(0, math.ceil((moment - now).total_seconds()))
