"""Lambda handlers made of typed functions: authenticate, parse, act, answer. Errors are answered in the envelope."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

from pydantic import BaseModel

from keywright import deadline
from keywright.api import cors, envelope, request
from keywright.api.envelope import Listing, Pagination, Replayed, Unwrapped
from keywright.api.fields import DEFAULT_LIMIT
from keywright.api.request import BackendRequest, BodyModel, Caller, Nothing, QueryModel, RawRequest, Request, member
from keywright.api.schemas import PageQuery
from keywright.api.validation import validate
from keywright.errors import INTERNAL_SERVER_ERROR, ServiceError
from keywright.immutable import immutable
from keywright.log import counted, describe, logger, write
from keywright.settings import answer_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keywright.api.documents import Document
    from keywright.api.lambda_types import DirectAnswer, LambdaContext, ProxyAnswer, ProxyEvent
    from keywright.errors import ErrorType

DOCUMENT_SECONDS = 300
"""How long caches can keep a document; a deployment that changes it shows that much later."""

_STAGE = "/v1"
"""Begins the path of every link of an answer whose function does not know the API's address."""
_FIRST_SERVER_ERROR = 500

Outcome = BaseModel | Listing[BaseModel] | Replayed
Handler = Callable[["ProxyEvent", "LambdaContext"], "ProxyAnswer"]
InvocableHandler = Callable[[object, "LambdaContext"], "ProxyAnswer | DirectAnswer"]


@immutable
class Operation:
    """An operation of the API, for its OpenAPI description.

    Attributes:
        act: the decorated function; its return annotation names the model of the answer.
        raises: the errors besides those that every operation of its kind can return.
        has_list_as_body: whether the body is a list of `body`.
    """

    name: str
    act: Callable[..., object]
    body: type[BaseModel] = Nothing
    query: type[BaseModel] = Nothing
    raises: tuple[ErrorType, ...] = ()
    has_list_as_body: bool = False


operations: dict[str, Operation] = {}
"""The operations whose handlers this process has loaded, by name: in Lambda, one."""


def endpoint(
    operation: str,
    *,
    body: type[BodyModel] = Nothing,  # type: ignore[assignment]  # the type variable's own default
    query: type[QueryModel] = Nothing,  # type: ignore[assignment]
    caller: Callable[[ProxyEvent], Caller] = member,  # type: ignore[assignment]
    raises: tuple[ErrorType, ...] = (),
) -> Callable[[Callable[[Request[BodyModel, QueryModel, Caller]], Outcome]], Handler]:
    """Return a decorator that makes a Lambda handler of a function from a request to the data of its answer.

    The handler never raises: a ServiceError becomes its answer, any other exception a 500 whose details are logged.
    It also answers the preflight requests (CORS) of its path.

    Args:
        operation: the name of the function's folder, for the log and the OpenAPI description.
        body: the model of the request body; by default the body is not read.
        query: the model of the query parameters.
        caller: reads the caller from the event: `member`, `key_holder`, `backend` or `anyone`.
        raises: for the OpenAPI description, the errors besides those that every such operation can return.
    """

    def decorate(act: Callable[[Request[BodyModel, QueryModel, Caller]], Outcome]) -> Handler:
        operations[operation] = Operation(operation, act, body, query, raises)
        for model in (body, query):
            model.model_rebuild()  # while the function is initialized; models that no request needs are never built

        def handler(event: ProxyEvent, context: LambdaContext) -> ProxyAnswer:
            call = _Call(operation, event, is_list=issubclass(query, PageQuery))
            with deadline.within(context.get_remaining_time_in_millis()):
                if event["httpMethod"] == "OPTIONS":
                    return call.preflight()
                try:
                    return call.success(act(request.read(event, body, query, caller)))
                except ServiceError as error:
                    return call.failure(error)
                except Exception as error:  # noqa: BLE001 - the one place that answers unexpected exceptions
                    return call.unexpected(error)

        return handler

    return decorate


def invocable(
    operation: str, *, body: type[BodyModel], raises: tuple[ErrorType, ...] = ()
) -> Callable[[Callable[[BodyModel], BaseModel]], InvocableHandler]:
    """Return a decorator that makes a Lambda handler of a function from a body to the data of its answer.

    For backends, which call the route with an AWS signature, or invoke the function itself with the body as the event.
    Both ways, status, data and error are the same. The function cannot tell who its caller is: IAM has admitted it.

    Args:
        operation: the name of the function's folder, for the log and the OpenAPI description.
        body: the model of the request body.
        raises: as of `endpoint`.
    """

    def decorate(act: Callable[[BodyModel], BaseModel]) -> InvocableHandler:
        @wraps(act)
        def act_on_request(received: BackendRequest[BodyModel]) -> BaseModel:
            return act(received.body)

        by_route = endpoint(operation, body=body, caller=request.backend, raises=raises)(act_on_request)

        def handler(event: object, context: LambdaContext) -> ProxyAnswer | DirectAnswer:
            if request.is_proxy_event(event):
                return by_route(event, context)
            invocation = _Invocation(operation, context.aws_request_id)
            with deadline.within(context.get_remaining_time_in_millis()):
                try:
                    return invocation.success(act(request.read_invocation(event, body)))
                except ServiceError as error:
                    return invocation.failure(error)
                except Exception as error:  # noqa: BLE001 - as above
                    return invocation.unexpected(error)

        return handler

    return decorate


def document(operation: str, *, raises: tuple[ErrorType, ...] = ()) -> Callable[[Callable[[str], Document]], Handler]:
    """Return a decorator that makes a Lambda handler of a function from this API's address to a document.

    Documents are public and answered outside of the envelope; errors are answered in it.

    Args:
        operation: the name of the function's folder, for the log and the OpenAPI description.
        raises: as of `endpoint`.
    """

    def decorate(act: Callable[[str], Document]) -> Handler:
        operations[operation] = Operation(operation, act, raises=raises)

        def handler(event: ProxyEvent, context: LambdaContext) -> ProxyAnswer:
            call = _Call(operation, event, is_list=False)
            with deadline.within(context.get_remaining_time_in_millis()):
                if event["httpMethod"] == "OPTIONS":
                    return call.preflight()
                try:
                    return call.document(act(call.base_url))
                except ServiceError as error:
                    return call.failure(error)
                except Exception as error:  # noqa: BLE001 - as above
                    return call.unexpected(error)

        return handler

    return decorate


def webhook(
    operation: str, *, item: type[BaseModel], raises: tuple[ErrorType, ...] = ()
) -> Callable[[Callable[[RawRequest], Unwrapped[BaseModel]]], Handler]:
    """Return a decorator that makes a Lambda handler of a function from a raw request to a list.

    For callers with a protocol of their own; errors are answered in the envelope.

    Args:
        operation: the name of the function's folder, for the log and the OpenAPI description.
        item: for the OpenAPI description, the model of an item of the body, which is a list.
        raises: as of `endpoint`.
    """

    def decorate(act: Callable[[RawRequest], Unwrapped[BaseModel]]) -> Handler:
        operations[operation] = Operation(operation, act, item, raises=raises, has_list_as_body=True)

        def handler(event: ProxyEvent, context: LambdaContext) -> ProxyAnswer:
            call = _Call(operation, event, is_list=False)
            with deadline.within(context.get_remaining_time_in_millis()):
                if event["httpMethod"] == "OPTIONS":
                    return call.preflight()
                try:
                    return call.unwrapped(act(request.read_raw(event)))
                except ServiceError as error:
                    return call.failure(error)
                except Exception as error:  # noqa: BLE001 - as above
                    return call.unexpected(error)

        return handler

    return decorate


@immutable
class _Call:
    """One invocation of a handler."""

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

    def unwrapped(self, content: Unwrapped[BaseModel]) -> ProxyAnswer:
        self._log(200, "OK", None)
        return envelope.unwrapped(content, self._headers())

    def document(self, content: Document) -> ProxyAnswer:
        self._log(200, "OK", None)
        return {
            "statusCode": 200,
            "headers": {
                "content-type": content.media_type,
                "cache-control": f"public, max-age={DOCUMENT_SECONDS}",
                "x-content-type-options": "nosniff",
                **content.headers,
                **self._headers(),
            },
            "body": content.text,
        }

    def failure(self, error: ServiceError) -> ProxyAnswer:
        self._log(error.error.status, error.error.code, error.reason)
        return envelope.failure(error, self.base_url, self._headers(), self._pagination())

    def unexpected(self, error: Exception) -> ProxyAnswer:
        _log_unexpected(self.operation, self._request_id, error)
        return self.failure(ServiceError(INTERNAL_SERVER_ERROR))

    def preflight(self) -> ProxyAnswer:
        headers = {
            "cache-control": "no-store",
            "x-request-id": self._request_id,
            **cors.preflight_headers(request.header(self.event, "origin")),
        }
        return {"statusCode": 204, "headers": headers, "body": ""}

    @property
    def base_url(self) -> str:
        context = self.event["requestContext"]
        return answer_settings().public_url or f"https://{context['domainName']}/{context['stage']}"

    @property
    def _request_id(self) -> str:
        return self.event["requestContext"]["requestId"]

    def _headers(self) -> dict[str, str]:
        return {"x-request-id": self._request_id, **cors.response_headers(request.header(self.event, "origin"))}

    def _pagination(self) -> Pagination | None:
        """Return the pagination of a failed list, with the requested limit if it is valid."""
        if not self.is_list:
            return None
        limit = {name: value for name, value in request.query_parameters(self.event).items() if name == "limit"}
        try:
            return Pagination(validate(PageQuery, limit).limit)
        except ServiceError:
            return Pagination(DEFAULT_LIMIT)

    def _log(self, status: int, code: str, reason: str | None) -> None:
        context = self.event["requestContext"]
        authorizer = context.get("authorizer") or {}
        caller = {
            "organization_id": authorizer.get("organizationId"),
            "user_id": authorizer.get("userId"),
            "api_key_id": authorizer.get("apiKeyId"),
            "caller_arn": context.get("identity", {}).get("userArn"),
        }
        _log_answer(self.operation, self._request_id, (status, code, reason), caller)


@immutable
class _Invocation:
    """One direct invocation of a handler. Its caller is in the data events of CloudTrail only."""

    operation: str
    request_id: str

    def success(self, data: BaseModel) -> DirectAnswer:
        self._log(200, "OK", None)
        return {"status": 200, "headers": self._headers(), "data": _json(data), "error": None}

    def failure(self, error: ServiceError) -> DirectAnswer:
        kind = error.error
        self._log(kind.status, kind.code, error.reason)
        return {
            "status": kind.status,
            "headers": {**self._headers(), **envelope.retry_header(error)},
            "data": None,
            "error": envelope.error_body(error, answer_settings().public_url or _STAGE),
        }

    def unexpected(self, error: Exception) -> DirectAnswer:
        _log_unexpected(self.operation, self.request_id, error)
        return self.failure(ServiceError(INTERNAL_SERVER_ERROR))

    def _headers(self) -> dict[str, str]:
        return {"x-request-id": self.request_id}

    def _log(self, status: int, code: str, reason: str | None) -> None:
        # For Lambda an answer is a success, whatever it says: without this metric, no alarm would notice failures.
        failed = counted("FailedInvocations") if status >= _FIRST_SERVER_ERROR else {}
        _log_answer(self.operation, self.request_id, (status, code, reason), failed)


def _log_answer(
    operation: str, request_id: str, answer: tuple[int, str, str | None], more: Mapping[str, object]
) -> None:
    """Write the line of a request.

    Args:
        operation: the name of the function's folder.
        request_id: the `x-request-id` of the answer.
        answer: status, code and reason. Not the message, which can contain what the caller sent.
        more: other fields, such as those that say who the caller is.
    """
    status, code, reason = answer
    fields = {"operation": operation, "request_id": request_id, "status": status, "code": code, "reason": reason}
    write("request", {**fields, **more})


def _log_unexpected(operation: str, request_id: str, error: Exception) -> None:
    logger().error(
        "unexpected error",
        extra={"operation": operation, "request_id": request_id, "details": describe(error)},
    )


def _json(data: BaseModel) -> dict[str, object]:
    return data.model_dump(mode="json", by_alias=True)
