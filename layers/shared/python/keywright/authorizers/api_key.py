"""The answers of authorize_api_key, the authorizer of API keys for any API Gateway API of the account.

It takes four forms of events, and answers in the form that belongs to each (Amazon API Gateway Developer Guide, "Use
API Gateway Lambda authorizers" and "Control access to HTTP APIs with AWS Lambda authorizers"):

- REST APIs and payload 1.0 of HTTP APIs, TOKEN or REQUEST: an IAM policy and a context. An exception with the message
  "Unauthorized" becomes 401.
- Payload 2.0 of HTTP APIs: the same policy, or `{"isAuthorized", "context"}`, depending on the setting. There is no 401
  here: an invalid key is denied.

A policy is right for every route of the API, so it can be reused. A simple answer is right for one request only: an
HTTP API that reuses it must name `$context.routeKey` among its identity sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright import deadline
from keywright.authorizers import policies
from keywright.authorizers.policies import access_rules
from keywright.domain import permissions
from keywright.errors import INSUFFICIENT_PERMISSIONS, ORGANIZATION_FROZEN, UNAUTHORIZED, Unauthorized
from keywright.keys.outcome import Code, IdentifiedKey
from keywright.keys.verification import Use, verify
from keywright.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keywright.api.lambda_types import AuthorizerAnswer, AuthorizerEvent, LambdaContext, SimpleAnswer, Statement
    from keywright.domain.access_rules import RouteClosed
    from keywright.errors import ErrorType
    from keywright.store.api_keys import ApiKeyRecord

_API_KEY = "x-api-key"
_AUTHORIZATION = "authorization"
_BEARER = "bearer "
_OWN_ROUTES = frozenset({("GET", "/auth/api-keys/current")})
"""Routes of this API that every valid key may call, regardless of the rules. Their answers are not reused."""


@dataclass(frozen=True, slots=True)
class _Request:
    """The request that an authorizer is asked about.

    Attributes:
        text: the text of the API key; None if the request has none.
        arn: of the request.
        stage: the start of the ARNs of all requests to the stage, with its slash.
        route: method and path. The path begins after the stage, with a slash.
        is_payload_2: whether the event is payload 2.0 of an HTTP API.
    """

    text: str | None
    arn: str
    stage: str
    route: tuple[str, str]
    is_payload_2: bool

    @property
    def is_answered_simply(self) -> bool:
        """Whether the answer is a simple one instead of a policy."""
        return self.is_payload_2 and settings().answers_http_apis_simply

    def missing(self, granted: Sequence[str]) -> tuple[str, ...] | RouteClosed:
        """Return the permissions that a key lacks for the request."""
        return () if self.route in _OWN_ROUTES else access_rules().missing(*self.route, granted)


def authorize_api_key(event: AuthorizerEvent, context: LambdaContext) -> AuthorizerAnswer | SimpleAnswer:
    """Return the answer for the API key of a request.

    Raises:
        Unauthorized: the key is not valid (not in payload 2.0).
        ServiceError: SERVICE_UNAVAILABLE if the key could not be read; API Gateway answers 5xx and does not reuse it.
    """
    request = _read(event)
    with deadline.within(context.get_remaining_time_in_millis()):
        verification = None if request.text is None else verify(request.text, Use(request.missing))
    if not isinstance(verification, IdentifiedKey) or verification.code in {Code.EXPIRED, Code.DISABLED}:
        if not request.is_payload_2:
            raise Unauthorized
        return _denial(request, "unknown", _refusal(UNAUTHORIZED))
    key = verification.key
    if verification.code is Code.ORGANIZATION_FROZEN:
        return _denial(request, str(key.key_id), _identity(key) | _refusal(ORGANIZATION_FROZEN))
    return _verdict(request, key, is_allowed=verification.code is Code.VALID)


def _denial(request: _Request, principal_id: str, context: dict[str, str]) -> AuthorizerAnswer | SimpleAnswer:
    """Return the answer for a key that may call nothing."""
    if request.is_answered_simply:
        return {"isAuthorized": False, "context": context}
    return policies.answer(principal_id, [policies.deny(f"{request.stage}*")], context)


def _verdict(request: _Request, key: ApiKeyRecord, *, is_allowed: bool) -> AuthorizerAnswer | SimpleAnswer:
    """Return the answer for a valid key: for the request, and in a policy for every other route."""
    identity = _identity(key)
    # The policy can be reused for a route that it denies, so its refusal is true of every route.
    context = identity | _refusal(
        INSUFFICIENT_PERMISSIONS,
        hint=f"Its permissions are: {identity['permissions']}. Use a key that has the one this route needs.",
    )
    if request.is_answered_simply:
        return {"isAuthorized": is_allowed, "context": context}
    return policies.answer(str(key.key_id), _statements(request, key, is_allowed=is_allowed), context)


def _statements(request: _Request, key: ApiKeyRecord, *, is_allowed: bool) -> list[Statement]:
    if request.route in _OWN_ROUTES:  # without the statements of the rules, which could deny this route
        return [policies.allow(request.arn)]
    statements = policies.statements_for(key.permissions, access_rules(), request.stage)
    return statements if is_allowed else [*statements, policies.deny(request.arn)]


def _identity(key: ApiKeyRecord) -> dict[str, str]:
    """Return what the function behind the authorizer learns of a key. API Gateway passes on texts only."""
    return {
        "organizationId": str(key.organization_id),
        "apiKeyId": str(key.key_id),
        "keyName": key.name,
        "permissions": ",".join(permissions.effective(key.permissions)),
    }


def _refusal(error: ErrorType, hint: str | None = None) -> dict[str, str]:
    """Return what the API's ACCESS_DENIED response says. No quotes, because it puts these texts into JSON unescaped."""
    return {"code": error.code, "message": error.message, "hint": hint or error.hint}


def _read(event: AuthorizerEvent) -> _Request:
    """Read an event of any of the four forms."""
    is_payload_2 = event.get("version") == "2.0"
    arn = event["routeArn"] if is_payload_2 else event["methodArn"]
    is_token = event["type"] == "TOKEN"
    text = _without_scheme(event["authorizationToken"]) if is_token else _text(event.get("headers") or {})
    stage = policies.stage_of(arn)
    method, _, path = arn.removeprefix(stage).partition("/")
    return _Request(text, arn, stage, (method, f"/{path}"), is_payload_2)


def _text(headers: Mapping[str, str]) -> str | None:
    """Return the key text of a request: of `x-api-key`, or else of `Authorization: Bearer`."""
    by_name = {name.lower(): value for name, value in headers.items()}
    if _API_KEY in by_name:
        return by_name[_API_KEY]
    authorization = by_name.get(_AUTHORIZATION, "")
    return _without_scheme(authorization) if _has_scheme(authorization) else None


def _without_scheme(value: str) -> str:
    """Return a header's value without `Bearer`, which the header of a TOKEN authorizer may have."""
    return value[len(_BEARER) :] if _has_scheme(value) else value


def _has_scheme(value: str) -> bool:
    return value.lower().startswith(_BEARER)
