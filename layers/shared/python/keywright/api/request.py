"""Requests: from an API Gateway event to the caller and the validated body and query."""

from __future__ import annotations

import base64
import binascii
import re
import time
from typing import TYPE_CHECKING, Generic, TypeGuard
from uuid import UUID

from pydantic import BaseModel
from typing_extensions import TypeVar

from keywright.api.json_body import parse_object, write
from keywright.api.schemas import Query
from keywright.api.validation import validate
from keywright.domain.principals import Backend, KeyHolder, Member, Origin
from keywright.errors import (
    API_KEY_NOT_FOUND,
    BAD_REQUEST,
    INTERNAL_SERVER_ERROR,
    PAYLOAD_TOO_LARGE,
    SESSION_EXPIRED,
    UNAUTHORIZED,
    UNSUPPORTED_MEDIA_TYPE,
    ServiceError,
)
from keywright.ids import parse_uuid
from keywright.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keywright.api.lambda_types import ProxyEvent

BODY_BYTES = 64 * 1024

_JSON_TYPE = re.compile(r"application/(?:[!#$&^_.+a-z0-9-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_PROXY_FIELDS = frozenset({"httpMethod", "headers", "requestContext", "body", "isBase64Encoded"})
"""Fields of every event of API Gateway (API Gateway Developer Guide, "Input format of a Lambda function")."""
_CONTEXT_FIELDS = frozenset({"requestId", "identity"})
_IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")


class Nothing(Query):
    """No fields: the model of a body or query that is not read."""


BodyModel = TypeVar("BodyModel", bound=BaseModel, default=Nothing)
QueryModel = TypeVar("QueryModel", bound=Query, default=Nothing)
Caller = TypeVar("Caller", default=Member)


@immutable
class Request(Generic[BodyModel, QueryModel, Caller]):
    """A request with an authenticated caller and a valid body and query.

    Attributes:
        path: the path parameters, not validated.
        idempotency_header: the Idempotency-Key header, not validated.
    """

    caller: Caller
    origin: Origin
    body: BodyModel
    query: QueryModel
    path: Mapping[str, str]
    idempotency_header: str | None

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key. Operations that do not support it never read it.

        Raises:
            ServiceError: BAD_REQUEST if it is not valid.
        """
        key = self.idempotency_header
        if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
            raise ServiceError(
                BAD_REQUEST,
                "The Idempotency-Key must have 1 to 255 printable ASCII characters",
                hint="Send a new UUID with each new request.",
                reason="not an Idempotency-Key",
            )
        return key

    @property
    def key_id(self) -> UUID:
        """The API key id in the path.

        Raises:
            ServiceError: API_KEY_NOT_FOUND if it is not an id.
        """
        key_id = parse_uuid(self.path["id"])
        if key_id is None:
            raise ServiceError(API_KEY_NOT_FOUND)
        return key_id


MemberRequest = Request[BodyModel, QueryModel, Member]
"""A request of a member of an organization, with a session token."""
KeyRequest = Request[Nothing, QueryModel, KeyHolder]
"""A request with an API key."""
BackendRequest = Request[BodyModel, Nothing, Backend]
"""A request of a backend, with an AWS signature."""
PublicRequest = Request[BodyModel, Nothing, None]
"""A request without credentials."""


@immutable
class RawRequest:
    """A request in the protocol of its caller.

    Attributes:
        headers: names in lower case.
        body: exactly as it was sent.
    """

    origin: Origin
    headers: Mapping[str, str]
    body: bytes


def read_raw(event: ProxyEvent) -> RawRequest:
    """Return the request in an event, with a body as large as Lambda takes.

    Raises:
        ServiceError: BAD_REQUEST.
    """
    headers = {name.lower(): value for name, value in (event["headers"] or {}).items()}
    return RawRequest(_origin(event), headers, _bytes(event))


def read(
    event: ProxyEvent,
    body: type[BodyModel],
    query: type[QueryModel],
    caller: Callable[[ProxyEvent], Caller],
) -> Request[BodyModel, QueryModel, Caller]:
    """Return the request in an event.

    Args:
        event: the event of API Gateway.
        body: the model of the body.
        query: the model of the query parameters.
        caller: `member`, `key_holder`, `backend` or `anyone`.

    Raises:
        ServiceError: UNAUTHORIZED, BAD_REQUEST, PAYLOAD_TOO_LARGE.
    """
    return Request(
        caller=caller(event),
        origin=_origin(event),
        body=validate(body, _fields(event, body)),
        query=validate(query, query_parameters(event)),
        path=event.get("pathParameters") or {},
        idempotency_header=header(event, "idempotency-key"),
    )


def is_proxy_event(event: object) -> TypeGuard[ProxyEvent]:
    """Return whether an event has all fields of API Gateway's; no body of a request has them."""
    if not (isinstance(event, dict) and event.keys() >= _PROXY_FIELDS):
        return False
    context = event["requestContext"]
    return isinstance(context, dict) and context.keys() >= _CONTEXT_FIELDS


def read_invocation(event: object, body: type[BodyModel]) -> BodyModel:
    """Return the body of a request that is the event itself, by the rules for bodies of requests.

    Args:
        event: any JSON value. Its size is that of JSON without white space, in UTF-8.
        body: the model of the body.

    Raises:
        ServiceError: BAD_REQUEST, PAYLOAD_TOO_LARGE.
    """
    return validate(body, parse_object(_limited(write(event))))


def member(event: ProxyEvent) -> Member:
    """Return the member that authorize_session identified.

    API Gateway caches an authorizer's answer for minutes, so the session's expiry is checked again here.

    Raises:
        ServiceError: UNAUTHORIZED.
    """
    context = _authorizer_context(event)
    if time.time() >= int(context["expiresAt"]):
        raise ServiceError(SESSION_EXPIRED, reason="expired since it was checked")
    return Member(organization_id=UUID(context["organizationId"]), user_id=context["userId"])


def key_holder(event: ProxyEvent) -> KeyHolder:
    """Return the holder of the API key that authorize_api_key verified.

    Raises:
        ServiceError: UNAUTHORIZED.
    """
    context = _authorizer_context(event)
    return KeyHolder(organization_id=UUID(context["organizationId"]), key_id=UUID(context["apiKeyId"]))


def backend(event: ProxyEvent) -> Backend:
    """Return the AWS identity whose signature API Gateway checked.

    Without one the route is not protected by AWS_IAM, which no caller can correct: a 500 raises the alarm of server
    errors, a 403 would go unnoticed.

    Raises:
        ServiceError: INTERNAL_SERVER_ERROR if the event has no IAM identity.
    """
    identity = event["requestContext"]["identity"]
    arn = identity.get("userArn")
    if not (arn and identity.get("accountId") and identity.get("caller")):
        raise ServiceError(INTERNAL_SERVER_ERROR, reason="no IAM identity: the route is not behind AWS_IAM")
    return Backend(arn)


def anyone(_: ProxyEvent) -> None:
    """Return no caller: the route is public."""


def _origin(event: ProxyEvent) -> Origin:
    context = event["requestContext"]
    return Origin(source_ip=context["identity"]["sourceIp"], request_id=context["requestId"])


def _authorizer_context(event: ProxyEvent) -> Mapping[str, str]:
    context = event["requestContext"].get("authorizer")
    if not context:
        raise ServiceError(UNAUTHORIZED, reason="the event holds no authorizer context")
    return context


def _fields(event: ProxyEvent, model: type[BaseModel]) -> dict[str, object]:
    """Return the fields of the body. A body without required fields can be omitted."""
    if model is Nothing:
        return {}
    body = _body(event)
    if not body and not any(field.is_required() for field in model.model_fields.values()):
        return {}
    return parse_object(body)


def _body(event: ProxyEvent) -> bytes:
    content_type = header(event, "content-type")
    if content_type is not None and not _JSON_TYPE.fullmatch(content_type.strip()):
        raise ServiceError(UNSUPPORTED_MEDIA_TYPE, reason="content-type is not JSON")
    return _limited(_bytes(event))


def _limited(body: bytes) -> bytes:
    if len(body) > BODY_BYTES:
        raise ServiceError(PAYLOAD_TOO_LARGE)
    return body


def _bytes(event: ProxyEvent) -> bytes:
    """Return the bytes of a body."""
    text = event["body"] or ""
    if not event["isBase64Encoded"]:
        # surrogatepass leaves text that is not valid Unicode to the JSON checks.
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ServiceError(BAD_REQUEST, "The body is not valid base64", reason="the body is not base64") from None


def query_parameters(event: ProxyEvent) -> dict[str, str]:
    """Return the query parameters, not validated."""
    return event.get("queryStringParameters") or {}


def header(event: ProxyEvent, name: str) -> str | None:
    """Return the value of a header. Header names are case-insensitive (RFC 9110, section 5.1).

    Args:
        event: the event of API Gateway.
        name: in lower case.
    """
    for candidate, value in (event["headers"] or {}).items():
        if candidate.lower() == name:
            return value
    return None
