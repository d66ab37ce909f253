"""The answers of authorize_api_key, which any API Gateway API of the account can ask about API keys.

It is asked in four ways, and answers each in its own (Amazon API Gateway Developer Guide, "Use API Gateway Lambda
authorizers" and "Control access to HTTP APIs with AWS Lambda authorizers"):

- REST APIs and payload 1.0 of HTTP APIs, TOKEN or REQUEST: an IAM policy and a context; 401 is an exception whose
  message is "Unauthorized".
- Payload 2.0 of HTTP APIs: the same policy, or `{"isAuthorized", "context"}`, as the setting says. There is no 401
  here: who is not known is denied like anybody else.

A policy is right for every route of the API, so it can be reused. A simple answer is right for its own request alone:
an HTTP API that reuses those has to name `$context.routeKey` among its identity sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright import deadline
from keywright.domain import permissions
from keywright.domain.access_rules import access_rules
from keywright.errors import INSUFFICIENT_PERMISSIONS, ORGANIZATION_FROZEN, UNAUTHORIZED, Unauthorized
from keywright.keys.verification import Code, verify_by
from keywright.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keywright.api.lambda_types import AuthorizerAnswer, AuthorizerEvent, LambdaContext, SimpleAnswer, Statement
    from keywright.errors import ErrorType
    from keywright.store.api_keys import ApiKeyRecord

API_KEY_HEADER = "x-api-key"

_AUTHORIZATION = "authorization"
_RESOURCE_CHARACTERS = 512
"""Amazon API Gateway Developer Guide, "Output from an API Gateway Lambda authorizer"; a request's ARN may have 1600."""
_BEARER = "bearer "
_OWN_ROUTES = frozenset({("GET", "/auth/api-keys/current")})
"""Routes of this API that every valid key may call, whatever the rules say; here no answer is reused."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What an authorizer is asked.

    Attributes:
        key: what was presented as a key; None if nothing was.
        arn: of the request.
        is_http_api: whether it comes as payload 2.0.
    """

    key: str | None
    arn: str
    is_http_api: bool

    @property
    def api(self) -> str:
        """What the ARNs of all requests to the stage begin with, its slash included."""
        api, stage, _ = self.arn.split("/", 2)
        return f"{api}/{stage}/"

    @property
    def route(self) -> tuple[str, str]:
        """Method and path of the request; the path begins after the stage, with a slash."""
        method, _, path = self.arn.split("/", 2)[2].partition("/")
        return method, f"/{path}"

    def missing(self, granted: Sequence[str]) -> tuple[str, ...] | None:
        """Return the permissions that a key lacks for the request; None if no key may make it."""
        return () if self.route in _OWN_ROUTES else access_rules().missing(*self.route, granted)


def authorize_api_key(event: AuthorizerEvent, context: LambdaContext) -> AuthorizerAnswer | SimpleAnswer:
    """Answer for the API key of a request.

    Raises:
        Unauthorized: the key is not valid (not in payload 2.0).
        ServiceError: SERVICE_UNAVAILABLE if that could not be found out; API Gateway answers 5xx and does not reuse it.
    """
    question = _read(event)
    with deadline.within(context.get_remaining_time_in_millis()):
        verification = None if question.key is None else verify_by(question.key, question.missing)
    if verification is None or verification.key is None or verification.code in {Code.EXPIRED, Code.DISABLED}:
        if not question.is_http_api:
            raise Unauthorized
        return _denied(question, "unknown", UNAUTHORIZED, {})
    key = verification.key
    about = _about(key)
    if verification.code is Code.ORGANIZATION_FROZEN:
        return _denied(question, str(key.key_id), ORGANIZATION_FROZEN, about)
    return _permitted(question, key, about, is_allowed=verification.code is Code.VALID)


def _permitted(
    question: _Question, key: ApiKeyRecord, about: dict[str, str], *, is_allowed: bool
) -> AuthorizerAnswer | SimpleAnswer:
    """Answer for a valid key: what it may call of the whole API, and whether that is what is asked."""
    # A policy can be reused for a route that it denies, so what it says of a denial is true of every route.
    context = about | _refusal(
        INSUFFICIENT_PERMISSIONS,
        hint=f"Its permissions are: {about['permissions']}. Use a key that has the one this route needs.",
    )
    if question.is_http_api and settings().answers_http_apis_simply:
        return {"isAuthorized": is_allowed, "context": context}
    if question.route in _OWN_ROUTES:  # without the rules' statements: a denial among them could be about this route
        return _policy(str(key.key_id), [_statement("Allow", question.arn)], context)
    statements = access_rules().statements(question.api, key.permissions)
    if not is_allowed:
        statements = [*statements, _statement("Deny", question.arn)]
    return _policy(str(key.key_id), statements, context)


def _denied(
    question: _Question, principal_id: str, error: ErrorType, about: dict[str, str]
) -> AuthorizerAnswer | SimpleAnswer:
    """Answer for a key that may call nothing."""
    context = about | _refusal(error)
    if question.is_http_api and settings().answers_http_apis_simply:
        return {"isAuthorized": False, "context": context}
    return _policy(principal_id, [_statement("Deny", f"{question.api}*")], context)


def _policy(principal_id: str, statements: list[Statement], context: dict[str, str]) -> AuthorizerAnswer:
    return {
        "principalId": principal_id,
        "policyDocument": {"Version": "2012-10-17", "Statement": statements},
        "context": context,
    }


def _statement(effect: str, resource: str) -> Statement:
    if len(resource) > _RESOURCE_CHARACTERS:
        resource = f"{resource[: _RESOURCE_CHARACTERS - 1]}*"
    return {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}


def _about(key: ApiKeyRecord) -> dict[str, str]:
    """Give what the function behind the authorizer learns; API Gateway passes on texts only."""
    return {
        "organizationId": str(key.organization_id),
        "apiKeyId": str(key.key_id),
        "keyName": key.name,
        "permissions": ",".join(permissions.effective(key.permissions)),
    }


def _refusal(error: ErrorType, hint: str | None = None) -> dict[str, str]:
    """Give what the API's ACCESS_DENIED response says; no quotes, since it puts these texts into JSON as they are."""
    return {"code": error.code, "message": error.message, "hint": hint or error.hint}


def _read(event: AuthorizerEvent) -> _Question:
    """Read an event of any of the four forms."""
    is_http_api = event.get("version") == "2.0"
    arn = event["routeArn"] if is_http_api else event["methodArn"]
    if event["type"] == "TOKEN":
        return _Question(_bare(event["authorizationToken"]), arn, is_http_api)
    return _Question(_presented(event.get("headers") or {}), arn, is_http_api)


def _presented(headers: Mapping[str, str]) -> str | None:
    """Give the key of a request: of `x-api-key`, or else of `Authorization: Bearer`."""
    by_name = {name.lower(): value for name, value in headers.items()}
    if API_KEY_HEADER in by_name:
        return by_name[API_KEY_HEADER]
    authorization = by_name.get(_AUTHORIZATION, "")
    return authorization[len(_BEARER) :] if authorization.lower().startswith(_BEARER) else None


def _bare(token: str) -> str:
    """Give the key of a TOKEN authorizer's header, which is `Authorization` or `x-api-key`, as the API has it."""
    return token[len(_BEARER) :] if token.lower().startswith(_BEARER) else token
