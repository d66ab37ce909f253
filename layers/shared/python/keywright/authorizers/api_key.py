"""The answers of authorize_api_key, the authorizer of API keys for any API Gateway API of the account.

It takes four forms of events, and answers in the form that belongs to each (Amazon API Gateway Developer Guide, "Use
API Gateway Lambda authorizers" and "Control access to HTTP APIs with AWS Lambda authorizers"):

- REST APIs and payload 1.0 of HTTP APIs, TOKEN or REQUEST: an IAM policy and a context. An exception with the message
  "Unauthorized" becomes 401.
- Payload 2.0 of HTTP APIs: the same policy, or `{"isAuthorized", "context"}`, depending on the setting. There is no 401
  here: an invalid key is denied.

A policy is right for every route of the API and for every address, so it can be reused. A simple answer is right for
one request only: an HTTP API that reuses it must name `$context.routeKey` and `$context.identity.sourceIp` among its
identity sources. An answer that is reused asks no limiter, and a refusal by a limit lasts for as long as it is reused.

The address of a client is what API Gateway saw, never a header. A TOKEN authorizer gets none, so it refuses keys with
allowed addresses.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from keywright import deadline
from keywright.authorizers import policies
from keywright.authorizers.policies import access_rules
from keywright.domain import permissions
from keywright.errors import (
    INSUFFICIENT_PERMISSIONS,
    IP_NOT_ALLOWED,
    ORGANIZATION_FROZEN,
    QUOTA_EXCEEDED,
    RATE_LIMITED,
    UNAUTHORIZED,
    Unauthorized,
)
from keywright.immutable import immutable
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
_REVOCATION = ("DELETE", "/auth/api-keys/current")
"""The route on which a key deletes itself. It is no use of the key, so no limit refuses it."""
_LOOK, _ONE_USE = 0, 1
"""The costs of requests. A look takes nothing of a limit, and is not counted."""
_OWN_ROUTES = frozenset({("GET", "/auth/api-keys/current"), _REVOCATION})
"""Routes of this API that every valid key may call, regardless of the rules. Their answers are not reused."""
_REMEMBERED_REFUSALS = 256
"""As many as policies: one for each combination of permissions."""
_LIMITED = frozenset({Code.RATE_LIMITED, Code.QUOTA_EXCEEDED})
_NO_ADDRESS = IP_NOT_ALLOWED.variant(
    hint="The authorizer of this API does not get the address of the client. The operator of the API must use a "
    "REQUEST authorizer."
)
_ROUTE_OR_ADDRESS = "The API key does not have permission for this route, or may not be used from this address"


@immutable
class _Request:
    """The request that an authorizer is asked about.

    Attributes:
        text: the text of the API key; None if the request has none.
        arn: of the request.
        stage: the start of the ARNs of all requests to the stage, with its slash.
        route: method and path. The path begins after the stage, with a slash.
        address: of the client; None for TOKEN authorizers.
        is_payload_2: whether the event is payload 2.0 of an HTTP API.
        is_rest: whether the event is that of a REST API.
    """

    text: str | None
    arn: str
    stage: str
    route: tuple[str, str]
    address: str | None
    is_payload_2: bool
    is_rest: bool

    @property
    def is_answered_simply(self) -> bool:
        """Whether the answer is a simple one instead of a policy."""
        return self.is_payload_2 and settings().answers_http_apis_simply

    @property
    def lets_in_limited(self) -> bool:
        """Whether the backend answers 429 to a key whose limit is reached. This API's own routes do not."""
        return settings().lets_in_limited and self.route not in _OWN_ROUTES

    def missing(self, granted: Sequence[str]) -> tuple[str, ...] | RouteClosed:
        """Return the permissions that a key lacks for the request."""
        return () if self.route in _OWN_ROUTES else access_rules().missing(*self.route, granted)


def authorize_api_key(event: AuthorizerEvent, context: LambdaContext) -> AuthorizerAnswer | SimpleAnswer:
    """Return the answer for the API key of a request.

    Raises:
        Unauthorized: the key is not valid (not in payload 2.0).
        ServiceError: SERVICE_UNAVAILABLE if the key or its quota could not be read; API Gateway answers 5xx and does
            not reuse it.
    """
    request = _read(event)
    use = Use(request.missing, request.address, _LOOK if request.route == _REVOCATION else _ONE_USE)
    with deadline.within(context.get_remaining_time_in_millis()):
        verification = None if request.text is None else verify(request.text, use)
    if not isinstance(verification, IdentifiedKey) or verification.code in {Code.EXPIRED, Code.DISABLED}:
        if not request.is_payload_2:
            raise Unauthorized
        return _denial(request, "unknown", _refusal(UNAUTHORIZED))
    refusal = _refusal_everywhere(request, verification)
    if refusal is not None:
        key = verification.key
        return _denial(request, str(key.key_id), _identity(key) | refusal)
    return _verdict(request, verification)


def _denial(request: _Request, principal_id: str, context: dict[str, str]) -> AuthorizerAnswer | SimpleAnswer:
    """Return the answer for a key that may call nothing."""
    if request.is_answered_simply:
        return {"isAuthorized": False, "context": context}
    return policies.answer(principal_id, [policies.deny(f"{request.stage}*")], context)


def _refusal_everywhere(request: _Request, verification: IdentifiedKey) -> dict[str, str] | None:
    """Return why a key may call no route from any address; None if it may call some."""
    match verification.code:
        case Code.ORGANIZATION_FROZEN:
            return _refusal(ORGANIZATION_FROZEN)
        # A policy with the key's addresses would let in requests that no verification has seen.
        case Code.IP_NOT_ALLOWED if request.address is None:
            return _refusal(_NO_ADDRESS)
        case Code.RATE_LIMITED | Code.QUOTA_EXCEEDED if not request.lets_in_limited:
            return _refusal_by_limit(verification)
    return None


def _verdict(request: _Request, verification: IdentifiedKey) -> AuthorizerAnswer | SimpleAnswer:
    """Return the answer for a key: for the request, and in a policy for every other route and address."""
    key, code = verification.key, verification.code
    if code in _LIMITED:
        context = _identity(key) | _refusal_by_limit(verification) | {"limited": "true"}
    else:
        context = _identity(key) | _refusal_elsewhere(request, verification)
    if request.is_answered_simply:
        return {"isAuthorized": code is Code.VALID or code in _LIMITED, "context": context}
    usage_plan_key = verification.usage_plan_key if request.is_rest else None
    return policies.answer(str(key.key_id), _statements(request, key), context, usage_plan_key)


def _statements(request: _Request, key: ApiKeyRecord) -> list[Statement]:
    if request.route in _OWN_ROUTES:  # without the statements of the rules, which could deny this route
        return policies.only_from(key.allowed_ips, [policies.allow(request.arn)])
    statements = policies.statements_for(key.permissions, access_rules(), request.stage)
    if request.missing(key.permissions):
        statements = [*statements, policies.deny(request.arn)]
    return policies.only_from(key.allowed_ips, statements)


def _refusal_elsewhere(request: _Request, verification: IdentifiedKey) -> dict[str, str]:
    """Return why a request is refused if this answer refuses it.

    A policy can be reused for a route or an address that it denies, so its message and hint are true of all of them.
    The code is that of this request; if it is allowed, that of the other routes.
    """
    key = verification.key
    if not key.allowed_ips:
        return _refusal_of_routes(key.permissions)
    is_by_address = verification.code is Code.IP_NOT_ALLOWED
    if not access_rules().rules or (request.is_answered_simply and is_by_address):
        return _refusal(IP_NOT_ALLOWED)
    if request.is_answered_simply:
        return _refusal_of_routes(key.permissions)
    error = IP_NOT_ALLOWED if is_by_address else INSUFFICIENT_PERMISSIONS
    needed = "Use a key that has the one this route needs, from one of the key's allowed addresses."
    hint = f"{_held(key.permissions)} {needed}"
    return _refusal(error.variant(message=_ROUTE_OR_ADDRESS, hint=hint))


@lru_cache(_REMEMBERED_REFUSALS)
def _refusal_of_routes(granted: tuple[str, ...]) -> dict[str, str]:
    """Return why a key with these permissions is refused on other routes; every answer that lets it in says so too."""
    hint = f"{_held(granted)} Use a key that has the one this route needs."
    return _refusal(INSUFFICIENT_PERMISSIONS.variant(hint=hint))


def _held(granted: tuple[str, ...]) -> str:
    return f"Its permissions are: {','.join(permissions.effective(granted))}."


def _refusal_by_limit(verification: IdentifiedKey) -> dict[str, str]:
    """Return why a limit refuses a key, and in how many seconds it would not; an empty text stands for never."""
    error = RATE_LIMITED if verification.code is Code.RATE_LIMITED else QUOTA_EXCEEDED
    seconds = verification.admission.retry_after_seconds if verification.admission else None
    return _refusal(error) | {"retryAfterSeconds": "" if seconds is None else str(seconds)}


def _identity(key: ApiKeyRecord) -> dict[str, str]:
    """Return what the function behind the authorizer learns of a key. API Gateway passes on texts only."""
    return {
        "organizationId": str(key.organization_id),
        "apiKeyId": str(key.key_id),
        "keyName": key.name,
        "permissions": ",".join(permissions.effective(key.permissions)),
    }


def _refusal(error: ErrorType) -> dict[str, str]:
    """Return what the API's ACCESS_DENIED response says. No quotes, because it puts these texts into JSON unescaped."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _read(event: AuthorizerEvent) -> _Request:
    """Read an event of any of the four forms."""
    is_payload_2 = event.get("version") == "2.0"
    arn = event["routeArn"] if is_payload_2 else event["methodArn"]
    is_token = event["type"] == "TOKEN"
    text = _without_scheme(event["authorizationToken"]) if is_token else _text(event.get("headers") or {})
    stage = policies.stage_of(arn)
    method, _, path = arn.removeprefix(stage).partition("/")
    is_rest = "version" not in event
    return _Request(text, arn, stage, (method, f"/{path}"), _address(event), is_payload_2, is_rest)


def _address(event: AuthorizerEvent) -> str | None:
    """Return the address of the client, as API Gateway saw it."""
    context = event.get("requestContext")
    if context is None:
        return None
    seen = context.get("http") if event.get("version") == "2.0" else context.get("identity")
    return None if seen is None else seen["sourceIp"]


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
