"""Turns a typed function into a Lambda handler: authenticate, parse, act, answer; whatever happens, in the envelope."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic
from uuid import UUID

from pydantic import BaseModel
from typing_extensions import TypeVar

from keywright import deadline
from keywright.api import envelope
from keywright.api.envelope import Listing, Pagination, Replayed
from keywright.api.json_body import parse_object
from keywright.api.schemas import DEFAULT_LIMIT, PageQuery, Query, validate
from keywright.domain.principals import Backend, KeyHolder, Member, Origin
from keywright.errors import (
    API_KEY_NOT_FOUND,
    BAD_REQUEST,
    INTERNAL_SERVER_ERROR,
    PAYLOAD_TOO_LARGE,
    UNAUTHORIZED,
    ServiceError,
)
from keywright.ids import parse_uuid
from keywright.log import describe, logger
from keywright.settings import answer_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keywright.api.documents import Document
    from keywright.api.lambda_types import LambdaContext, ProxyAnswer, ProxyEvent
    from keywright.errors import ErrorType

BODY_BYTES = 64 * 1024
PREFLIGHT_SECONDS = 600
DOCUMENT_SECONDS = 300
"""How long a document may be kept by caches; a deployment that changes it is seen that much later."""

_JSON_TYPE = re.compile(r"application/(?:[!#$&^_.+a-z0-9-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")
_METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
_REQUEST_HEADERS = "authorization, content-type, idempotency-key, x-api-key"
_RESPONSE_HEADERS = "x-request-id, retry-after, www-authenticate, idempotent-replayed"


class Nothing(Query):
    """No fields: the body or the query of a request that needs none."""


Body = TypeVar("Body", bound=BaseModel, default=Nothing)
Parameters = TypeVar("Parameters", bound=Query, default=Nothing)
Caller = TypeVar("Caller", default=Member)


@dataclass(frozen=True, slots=True)
class Request(Generic[Body, Parameters, Caller]):
    """A request whose caller is known and whose body and query are valid.

    Attributes:
        caller: a member of an organization unless the endpoint says otherwise.
        path: the parameters of the path, as they came.
        idempotency_header: the Idempotency-Key as it came, if it did.
    """

    caller: Caller
    origin: Origin
    body: Body
    query: Parameters
    path: Mapping[str, str]
    idempotency_header: str | None

    @property
    def member(self: Request[Body, Parameters, Member]) -> Member:
        """The caller, where that is a member of an organization."""
        return self.caller

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key, for operations that know what to do with it.

        Raises:
            ServiceError: BAD_REQUEST if it cannot be one.
        """
        key = self.idempotency_header
        if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
            raise ServiceError(
                BAD_REQUEST,
                "The Idempotency-Key must have 1 to 255 printable ASCII characters",
                hint="Send a fresh UUID with every new request.",
                reason="not an Idempotency-Key",
            )
        return key

    @property
    def key_id(self) -> UUID:
        """The id of the API key that the path names.

        Raises:
            ServiceError: API_KEY_NOT_FOUND if it is not even an id.
        """
        found = parse_uuid(self.path["id"])
        if found is None:
            raise ServiceError(API_KEY_NOT_FOUND)
        return found


Outcome = BaseModel | Listing[BaseModel] | Replayed
Handler = Callable[["ProxyEvent", "LambdaContext"], "ProxyAnswer"]


def member(event: ProxyEvent) -> Member:
    """Read who calls from what authorize_session found.

    API Gateway reuses an authorizer's answer for minutes; the session's own end is therefore checked here again.
    """
    authorizer = _authorizer(event)
    if time.time() >= int(authorizer["expiresAt"]):
        raise ServiceError(
            UNAUTHORIZED,
            "The session token has expired",
            hint="Sign in again for a new token.",
            reason="expired since it was checked",
        )
    return Member(organization_id=UUID(authorizer["organizationId"]), user_id=authorizer["userId"])


def key_holder(event: ProxyEvent) -> KeyHolder:
    """Read who calls from what authorize_api_key found."""
    authorizer = _authorizer(event)
    return KeyHolder(organization_id=UUID(authorizer["organizationId"]), key_id=UUID(authorizer["apiKeyId"]))


def backend(event: ProxyEvent) -> Backend:
    """Read whose signature API Gateway has checked.

    Without an IAM identity the route is not behind AWS_IAM. No caller can mend that, so it is a 500, which the alarm
    of the API's errors sees, rather than a 403, which no operator would.

    Raises:
        ServiceError: INTERNAL_SERVER_ERROR if the event names no IAM identity.
    """
    identity = event["requestContext"]["identity"]
    arn = identity.get("userArn")
    if not (arn and identity.get("accountId") and identity.get("caller")):
        raise ServiceError(INTERNAL_SERVER_ERROR, reason="no IAM identity: the route is not behind AWS_IAM")
    return Backend(arn)


def _authorizer(event: ProxyEvent) -> Mapping[str, str]:
    authorizer = event["requestContext"].get("authorizer")
    if not authorizer:
        raise ServiceError(UNAUTHORIZED, reason="the event holds no authorizer context")
    return authorizer


@dataclass(frozen=True, slots=True)
class Operation:
    """What a handler says of itself; the API's description is written from it.

    Attributes:
        act: the function that was made a handler; its annotations name the model of the answer.
        raises: the refusals that not every operation of its kind can give.
    """

    name: str
    act: Callable[..., object]
    body: type[BaseModel] = Nothing
    query: type[BaseModel] = Nothing
    raises: tuple[ErrorType, ...] = ()


operations: dict[str, Operation] = {}
"""The operations whose handlers this process has loaded, by their names: in Lambda, one."""


def endpoint(
    operation: str,
    *,
    body: type[Body] = Nothing,  # type: ignore[assignment]  # what the type variable's own default says
    query: type[Parameters] = Nothing,  # type: ignore[assignment]
    caller: Callable[[ProxyEvent], Caller] = member,  # type: ignore[assignment]
    raises: tuple[ErrorType, ...] = (),
) -> Callable[[Callable[[Request[Body, Parameters, Caller]], Outcome]], Handler]:
    """Make a Lambda handler of a function that takes a request and returns the data of its answer.

    The handler never raises: a ServiceError becomes its answer, anything else a 500 whose details go to the log.
    It also answers the preflight requests (CORS) of its path, comparing the origin with the allowed ones.

    Args:
        operation: the name of the function's folder, for the log and the API's description.
        body: the model of the request body; by default the body is not looked at.
        query: the model of the query parameters.
        caller: reads from the event who calls: `member`, `key_holder` or `backend`.
        raises: for the API's description: refusals besides those that every such operation can give.
    """

    def decorate(act: Callable[[Request[Body, Parameters, Caller]], Outcome]) -> Handler:
        operations[operation] = Operation(operation, act, body, query, raises)

        def handler(event: ProxyEvent, context: LambdaContext) -> ProxyAnswer:
            call = _Call(operation, event, is_list=issubclass(query, PageQuery))
            with deadline.within(context.get_remaining_time_in_millis()):
                if event["httpMethod"] == "OPTIONS":
                    return call.preflight()
                try:
                    return call.success(act(_request(event, body, query, caller)))
                except ServiceError as error:
                    return call.failure(error)
                except Exception as error:  # noqa: BLE001 - the one place where the unexpected becomes an answer
                    return call.unexpected(error)

        return handler

    return decorate


def document(operation: str) -> Callable[[Callable[[str], Document]], Handler]:
    """Make a Lambda handler of a function that takes the address of this API and returns a document.

    Everybody may have it, and it is answered outside of the envelope; what goes wrong is answered as ever.

    Args:
        operation: the name of the function's folder, for the log and the API's description.
    """

    def decorate(act: Callable[[str], Document]) -> Handler:
        operations[operation] = Operation(operation, act)

        def handler(event: ProxyEvent, context: LambdaContext) -> ProxyAnswer:
            call = _Call(operation, event, is_list=False)
            with deadline.within(context.get_remaining_time_in_millis()):
                if event["httpMethod"] == "OPTIONS":
                    return call.preflight()
                try:
                    return call.document(act(call.base_url))
                except Exception as error:  # noqa: BLE001 - as above
                    return call.unexpected(error)

        return handler

    return decorate


@dataclass(frozen=True, slots=True)
class _Call:
    """One invocation, from the side of its answer."""

    operation: str
    event: ProxyEvent
    is_list: bool

    def success(self, outcome: Outcome) -> ProxyAnswer:
        self._log(200, "OK", None)
        match outcome:
            case Listing(items, pagination):
                return envelope.success([_json(item) for item in items], self._headers(), pagination)
            case Replayed(data):
                return envelope.success(_json(data), {**self._headers(), "idempotent-replayed": "true"})
            case data:
                return envelope.success(_json(data), self._headers())

    def document(self, found: Document) -> ProxyAnswer:
        self._log(200, "OK", None)
        return {
            "statusCode": 200,
            "headers": {
                "content-type": found.media_type,
                "cache-control": f"public, max-age={DOCUMENT_SECONDS}",
                "x-content-type-options": "nosniff",
                **found.headers,
                **self._headers(),
            },
            "body": found.text,
        }

    def failure(self, error: ServiceError) -> ProxyAnswer:
        # Never its message: that is for the caller, and may hold what the caller sent.
        self._log(error.error.status, error.error.code, error.reason)
        return envelope.failure(error, self.base_url, self._headers(), self._pagination())

    def unexpected(self, error: Exception) -> ProxyAnswer:
        logger().error(
            "unexpected error",
            extra={"operation": self.operation, "request_id": self._request_id, "details": describe(error)},
        )
        return self.failure(ServiceError(INTERNAL_SERVER_ERROR))

    def _pagination(self) -> Pagination | None:
        """Give the pagination of a list that failed: the limit that was asked for, if it is one."""
        if not self.is_list:
            return None
        asked = {name: value for name, value in _query(self.event).items() if name == "limit"}
        try:
            return Pagination(validate(PageQuery, asked).limit)
        except ServiceError:
            return Pagination(DEFAULT_LIMIT)

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

    @property
    def base_url(self) -> str:
        context = self.event["requestContext"]
        return answer_settings().public_url or f"https://{context['domainName']}/{context['stage']}"

    def _log(self, status: int, code: str, reason: str | None) -> None:
        context = self.event["requestContext"]
        authorizer = context.get("authorizer") or {}
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
                "api_key_id": authorizer.get("apiKeyId"),
                "caller_arn": context.get("identity", {}).get("userArn"),
            },
        )


def _request(
    event: ProxyEvent, body: type[Body], query: type[Parameters], caller: Callable[[ProxyEvent], Caller]
) -> Request[Body, Parameters, Caller]:
    return Request(
        caller=caller(event),
        origin=_origin(event),
        body=validate(body, _content(event, body)),
        query=validate(query, _query(event)),
        path=event.get("pathParameters") or {},
        idempotency_header=_header(event, "idempotency-key"),
    )


def _content(event: ProxyEvent, model: type[BaseModel]) -> dict[str, object]:
    """Parse the body; a request whose fields are all optional may come without one."""
    if model is Nothing:
        return {}
    body = _body(event)
    if not body and not any(field.is_required() for field in model.model_fields.values()):
        return {}
    return parse_object(body)


def _query(event: ProxyEvent) -> dict[str, str]:
    return event.get("queryStringParameters") or {}


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
            reason="content-type is not JSON",
        )
    text = event["body"] or ""
    if not event["isBase64Encoded"]:
        # API Gateway hands over text; surrogatepass lets the JSON checks answer for what is no proper text.
        body = text.encode("utf-8", "surrogatepass")
    else:
        try:
            body = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ServiceError(
                BAD_REQUEST, "The body is marked as base64 and is not", reason="the body is not base64"
            ) from None
    if len(body) > BODY_BYTES:
        raise ServiceError(PAYLOAD_TOO_LARGE)
    return body


def _json(data: BaseModel) -> dict[str, object]:
    return data.model_dump(mode="json", by_alias=True)


def _header(event: ProxyEvent, name: str) -> str | None:
    """Give a header's value whatever the case of its name (RFC 9110, section 5.1)."""
    for candidate, value in (event["headers"] or {}).items():
        if candidate.lower() == name:
            return value
    return None
