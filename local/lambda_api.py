"""Lambda's Invoke on one machine: backends invoke the functions of routes with AWS_IAM without API Gateway.

Sources: AWS Lambda API Reference, "Invoke" (path, headers, statuses and names of errors) and "Common Error Types"
(403 for a missing or wrong signature); AWS Lambda Developer Guide, "Lambda quotas" (6 MB for a synchronous invocation)
and "Identity-based IAM policies for Lambda" (lambda:InvokeFunction on the ARN of a function).

The access key of the local service stands for a backend whose policy allows lambda:InvokeFunction on these functions,
unqualified, and on no others. On AWS, such a backend gets AccessDeniedException for a function that does not exist too.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qsl, unquote

from local import logs, sigv4
from local.functions import FunctionError
from local.gateway import received, status_line
from local.intrinsics import ACCOUNT_ID, REGION, arn
from local.server import HOST
from local.sigv4 import Defect
from local.template import IAM_AUTHORIZER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from local.events import Request
    from local.intrinsics import Json
    from local.template import Function, Stack

PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024

_SERVICE = "lambda"
_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
_NAME = re.compile(
    rf"(?:arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:|{ACCOUNT_ID}:function:|{ACCOUNT_ID}:)?"
    r"(?P<name>[A-Za-z0-9_-]+)(?P<qualifier>:.*)?"
)
"""The forms of a FunctionName in this account and region."""
_SIGNATURE_ERRORS = {
    Defect.MISSING: "MissingAuthenticationTokenException",
    Defect.INCOMPLETE: "IncompleteSignatureException",
    Defect.NOT_CURRENT: "InvalidSignatureException",
    Defect.WRONG: "InvalidSignatureException",
}


class _InvokeError(Exception):
    """Lambda answers the request itself."""

    def __init__(self, status: HTTPStatus, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer of Lambda. The reason is for the terminal."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    body: bytes
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class LambdaApi:
    """Lambda's Invoke for the functions of a template.

    Attributes:
        stack: the template.
        invoke: invokes the function with a logical id on an event, with the id of the request.
        credential: access key that must sign invocations.
        port: port of the service.
        announce: called with one line for each invocation.
    """

    stack: Stack
    invoke: Callable[[str, Json, str], Json]
    credential: sigv4.SigningCredential
    port: int
    announce: Callable[[str], None]

    def in_front_of(self, application: WSGIApplication) -> WSGIApplication:
        """Return an application that answers invocations, and forwards everything else."""

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            path = _PATH.fullmatch(environ["REQUEST_URI"].partition("?")[0])
            if path is None or environ["REQUEST_METHOD"] != "POST":
                return application(environ, start_response)
            return self._answer(environ, start_response, unquote(path[1]))

        return answer

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse, name: str) -> Iterable[bytes]:
        started = time.perf_counter()
        request = received(environ, f"{HOST}:{self.port}", self.port)
        try:
            answer = self._invoked(request, name)
        except _InvokeError as error:
            answer = _failure(error)
        self.announce(logs.line("POST", request.path, answer.status, started, answer.reason))
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(answer.body))),
            ("x-amzn-requestid", request.request_id),
            *answer.headers,
        ]
        start_response(status_line(answer.status), headers)
        return [answer.body]

    def _invoked(self, request: Request, name: str) -> _Answer:
        """Check a request as Lambda does, from signature to payload, and invoke the function.

        Raises:
            _InvokeError: the request is refused.
        """
        try:
            sigv4.check(request, self.credential, _SERVICE)
        except sigv4.SignatureError as error:
            raise _InvokeError(HTTPStatus.FORBIDDEN, _SIGNATURE_ERRORS[error.defect], str(error)) from error
        function = self._function(name, request.query)
        kind = request.header("x-amz-invocation-type") or "RequestResponse"
        if kind != "RequestResponse":
            raise _InvokeError(
                HTTPStatus.BAD_REQUEST,
                "InvalidParameterValueException",
                f"the local service has RequestResponse only, not {kind}",
            )
        if len(request.body) > PAYLOAD_LIMIT_BYTES:
            raise _InvokeError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "RequestTooLargeException",
                f"Request must be smaller than {PAYLOAD_LIMIT_BYTES} bytes for the InvokeFunction operation",
            )
        headers = (("x-amz-executed-version", "$LATEST"),)
        with logs.collected() as lines:
            try:
                result = self.invoke(function.logical_id, _payload(request.body), request.request_id)
            except FunctionError as error:
                report = {"errorMessage": error.message, "errorType": error.kind, "requestId": request.request_id}
                body = json.dumps({**report, "stackTrace": []}).encode()
                unhandled = (*headers, ("x-amz-function-error", "Unhandled"))
                return _Answer(HTTPStatus.OK, unhandled, body, "the function raised, see the log")
        status = result.get("status") if isinstance(result, dict) else None
        reason = logs.reason(lines, status if isinstance(status, int) else HTTPStatus.OK)
        return _Answer(HTTPStatus.OK, headers, json.dumps(result).encode(), reason)

    def _function(self, named: str, query: str) -> Function:
        """Return the function that the access key may invoke by this name.

        Raises:
            _InvokeError: it is another one, or there is none.
        """
        name = _NAME.fullmatch(named)
        qualifier = next((value for key, value in parse_qsl(query) if key == "Qualifier"), None)
        functions = {function.name: function for function in self.stack.functions.values()}
        if name is None or name["qualifier"] or qualifier or name["name"] not in functions:
            found = named if named.startswith("arn:") else arn("AWS::Serverless::Function", named)
            raise _InvokeError(HTTPStatus.NOT_FOUND, "ResourceNotFoundException", f"Function not found: {found}")
        function = functions[name["name"]]
        if function not in invocable(self.stack):
            raise _InvokeError(
                HTTPStatus.FORBIDDEN,
                "AccessDeniedException",
                f"User: {sigv4.USER_ARN} is not authorized to perform: lambda:InvokeFunction on resource: "
                f"{function.arn} because no identity-based policy allows the lambda:InvokeFunction action",
            )
        return function


def invocable(stack: Stack) -> list[Function]:
    """Return the functions that backends may invoke: those of routes with AWS_IAM whose ARN is an output."""
    routes = [route for route in stack.api.routes if route.authorizer == IAM_AUTHORIZER]
    return [
        stack.functions[name] for name in dict.fromkeys(route.function for route in routes) if name in stack.published
    ]


def _payload(body: bytes) -> Json:
    """Return the event of an invocation. Without a payload it is an empty object.

    Raises:
        _InvokeError: the payload is not JSON.
    """
    try:
        event: Json = json.loads(body.decode() or "{}", parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _InvokeError(
            HTTPStatus.BAD_REQUEST,
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
        ) from error
    return event


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _failure(error: _InvokeError) -> _Answer:
    # The names of these fields differ from error to error, as in Lambda's own description of its API.
    field = "Message" if error.kind in {"AccessDeniedException", "ResourceNotFoundException"} else "message"
    body = json.dumps({"Type": "User", field: error.message}).encode()
    return _Answer(error.status, (("x-amzn-errortype", error.kind),), body, f"{error.kind}: {error.message}")
