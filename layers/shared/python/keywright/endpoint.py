"""Turns a typed function into a Lambda handler: authenticate, parse, act, answer; whatever happens, in the envelope."""

from __future__ import annotations

import base64
import binascii
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel

from keywright import deadline, envelope
from keywright.errors import (
    BAD_REQUEST,
    INTERNAL_SERVER_ERROR,
    PAYLOAD_TOO_LARGE,
    UNAUTHORIZED,
    ServiceError,
)
from keywright.jsonbody import parse_object
from keywright.models import validate
from keywright.observability import describe, logger
from keywright.principal import Member, Origin
from keywright.settings import answer_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright.apigateway import LambdaContext, ProxyAnswer, ProxyEvent

BODY_BYTES = 64 * 1024
PREFLIGHT_SECONDS = 600

_JSON_TYPE = re.compile(r"application/(?:[!#$&^_.+a-z0-9-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
_REQUEST_HEADERS = "authorization, content-type"
_RESPONSE_HEADERS = "x-request-id, retry-after, www-authenticate"

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Request(Generic[Body]):
    """A request whose caller is known and whose body is valid."""

    member: Member
    origin: Origin
    body: Body


def endpoint(
    operation: str, *, body: type[Body]
) -> Callable[[Callable[[Request[Body]], BaseModel]], Callable[[ProxyEvent, LambdaContext], ProxyAnswer]]:
    """Make a Lambda handler of a function that takes a request and returns the data of its answer.

    The handler never raises: a ServiceError becomes its answer, anything else a 500 whose details go to the log.
    It also answers the preflight requests (CORS) of its path, comparing the origin with the allowed ones.

    Args:
        operation: the name of the function's folder, for the log.
        body: the model of the request body.
    """

    def decorate(
        act: Callable[[Request[Body]], BaseModel],
    ) -> Callable[[ProxyEvent, LambdaContext], ProxyAnswer]:
        def handler(event: ProxyEvent, context: LambdaContext) -> ProxyAnswer:
            call = _Call(operation, event)
            with deadline.within(context.get_remaining_time_in_millis()):
                if event["httpMethod"] == "OPTIONS":
                    return call.preflight()
                try:
                    request = Request(_member(event), _origin(event), validate(body, parse_object(_body(event))))
                    return call.success(act(request))
                except ServiceError as error:
                    return call.failure(error)
                except Exception as error:  # noqa: BLE001 - the one place where the unexpected becomes an answer
                    return call.unexpected(error)

        return handler

    return decorate


@dataclass(frozen=True, slots=True)
class _Call:
    """One invocation, from the side of its answer."""

    operation: str
    event: ProxyEvent

    def success(self, data: BaseModel) -> ProxyAnswer:
        self._log(200, "OK", None)
        return envelope.success(data.model_dump(mode="json", by_alias=True), self._headers())

    def failure(self, error: ServiceError) -> ProxyAnswer:
        self._log(error.error.status, error.error.code, error.reason or error.message)
        return envelope.failure(error, self._base_url(), self._headers())

    def unexpected(self, error: Exception) -> ProxyAnswer:
        logger().error(
            "unexpected error",
            extra={"operation": self.operation, "request_id": self._request_id, "details": describe(error)},
        )
        return self.failure(ServiceError(INTERNAL_SERVER_ERROR))

    def preflight(self) -> ProxyAnswer:
        headers = {"cache-control": "no-store", **self._headers()}
        if "access-control-allow-origin" in headers:
            headers |= {
                "access-control-allow-methods": _METHODS,
                "access-control-allow-headers": _REQUEST_HEADERS,
                "access-control-max-age": str(PREFLIGHT_SECONDS),
            }
        return {"statusCode": 204, "headers": headers, "body": ""}

    @property
    def _request_id(self) -> str:
        return self.event["requestContext"]["requestId"]

    def _headers(self) -> dict[str, str]:
        headers = {"x-request-id": self._request_id}
        allowed = answer_settings().allowed_origins
        if not allowed:
            return headers
        headers["vary"] = "origin"
        origin = _header(self.event, "origin")
        if origin in allowed:
            headers["access-control-allow-origin"] = origin
            headers["access-control-expose-headers"] = _RESPONSE_HEADERS
        return headers

    def _base_url(self) -> str:
        context = self.event["requestContext"]
        return answer_settings().public_url or f"https://{context['domainName']}/{context['stage']}"

    def _log(self, status: int, code: str, reason: str | None) -> None:
        authorizer = self.event["requestContext"].get("authorizer") or {}
        logger().info(
            "request",
            extra={
                "operation": self.operation,
                "request_id": self._request_id,
                "status": status,
                "code": code,
                "reason": reason,
                "organization_id": authorizer.get("organizationId"),
                "user_id": authorizer.get("userId"),
            },
        )


def _member(event: ProxyEvent) -> Member:
    """Read who calls from what the authorizer found.

    API Gateway reuses an authorizer's answer for minutes; the session's own end is therefore checked here again.
    """
    authorizer = event["requestContext"].get("authorizer")
    if not authorizer:
        raise ServiceError(UNAUTHORIZED, reason="the event holds no authorizer context")
    if time.time() >= int(authorizer["expiresAt"]):
        raise ServiceError(UNAUTHORIZED, "The session token has expired", hint="Sign in again for a new token.")
    return Member(organization_id=UUID(authorizer["organizationId"]), user_id=authorizer["userId"])


def _origin(event: ProxyEvent) -> Origin:
    context = event["requestContext"]
    return Origin(source_ip=context["identity"]["sourceIp"], request_id=context["requestId"])


def _body(event: ProxyEvent) -> bytes:
    content_type = _header(event, "content-type")
    if content_type is not None and not _JSON_TYPE.fullmatch(content_type.strip()):
        raise ServiceError(
            BAD_REQUEST,
            "The body must be JSON, and content-type says it is not",
            hint="Send the header 'content-type: application/json'.",
        )
    text = event["body"] or ""
    if not event["isBase64Encoded"]:
        # API Gateway hands over text; surrogatepass lets the JSON checks answer for what is no proper text.
        body = text.encode("utf-8", "surrogatepass")
    else:
        try:
            body = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ServiceError(BAD_REQUEST, "The body is marked as base64 and is not") from None
    if len(body) > BODY_BYTES:
        raise ServiceError(PAYLOAD_TOO_LARGE)
    return body


def _header(event: ProxyEvent, name: str) -> str | None:
    """Give a header's value whatever the case of its name (RFC 9110, section 5.1)."""
    for candidate, value in (event["headers"] or {}).items():
        if candidate.lower() == name:
            return value
    return None
