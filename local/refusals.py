"""The gateway responses of API Gateway, with which it answers requests that do not reach a function.

Source: Amazon API Gateway Developer Guide, "Gateway response types" and "Set up a gateway response".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.template import GatewayResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.events import Request
    from local.intrinsics import Json

_DEFAULT_BODY = '{"message":$context.error.messageString}'
_CONTEXT_VARIABLE = re.compile(r"\$context((?:\.[A-Za-z0-9_-]+)+)")
_WRONG_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_AWS_DEFAULTS = {
    "ACCESS_DENIED": (403, "User is not authorized to access this resource"),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, "Internal server error"),
    "AUTHORIZER_FAILURE": (500, "Internal server error"),
    "DEFAULT_4XX": (400, "Bad Request"),
    "DEFAULT_5XX": (502, "Internal server error"),
    "INVALID_API_KEY": (403, "Forbidden"),
    "INVALID_SIGNATURE": (403, _WRONG_SIGNATURE),
    "MISSING_AUTHENTICATION_TOKEN": (403, "Missing Authentication Token"),
    "REQUEST_TOO_LARGE": (413, "Request Too Long"),
    "UNAUTHORIZED": (401, "Unauthorized"),
}
_FIRST_SERVER_ERROR = 500

HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""The characters that a header value may have."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response, still without a content-length header.

    Attributes:
        reason: why the request was refused, for the terminal.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    reason: str | None = None


class RefusalError(Exception):
    """API Gateway answers the request itself.

    Attributes:
        kind: the gateway response type, such as UNAUTHORIZED.
        status: the status unless the template sets one.
        message: value of `$context.error.message`.
        authorizer: value of `$context.authorizer`: the context from the authorizer, also with a denial.
        reason: for the terminal; None if the log of a function has it.
    """

    def __init__(
        self,
        kind: str,
        *,
        status: int | None = None,
        authorizer: Mapping[str, Json] | None = None,
        reason: str | None = None,
    ) -> None:
        default_status, message = _AWS_DEFAULTS[kind]
        super().__init__(kind)
        self.kind = kind
        self.status = default_status if status is None else status
        self.message = message
        self.authorizer = dict(authorizer or {})
        self.reason = reason


def render(
    refusal: RefusalError, responses: Mapping[str, GatewayResponse], context: dict[str, Json], request: Request | None
) -> HttpResponse:
    """Return the gateway response of a refusal: the template's, or the default of AWS.

    Args:
        refusal: the type of the response, and its defaults.
        responses: the template's GatewayResponses.
        context: value of `$context`, to which the error and the authorizer's context are added.
        request: the request, for `method.request.header.X`; None if it is malformed.
    """
    fallback = "DEFAULT_5XX" if refusal.status >= _FIRST_SERVER_ERROR else "DEFAULT_4XX"
    response = responses.get(refusal.kind) or responses.get(fallback) or GatewayResponse(None, {}, None)
    error: dict[str, Json] = {
        "message": refusal.message,
        "messageString": json.dumps(refusal.message),
        "responseType": refusal.kind,
    }
    variables: dict[str, Json] = {**context, "error": error}
    if refusal.authorizer:
        variables["authorizer"] = refusal.authorizer
    headers = {"content-type": "application/json", "x-amzn-errortype": refusal.kind}
    for name, expression in response.headers.items():
        value = _header(expression, variables, request)
        if value is not None and HEADER_VALUE.fullmatch(value):
            headers[name.lower()] = value
    body = _CONTEXT_VARIABLE.sub(lambda match: _variable(match[1], variables), response.body or _DEFAULT_BODY)
    status = response.status or refusal.status
    return HttpResponse(status, tuple(headers.items()), body.encode(errors="replace"), refusal.reason)


def _variable(dotted: str, variables: dict[str, Json]) -> str:
    value = _look_up(dotted[1:], variables)
    # messageString includes its quotes, and the authorizer's context may be JSON itself: API Gateway inserts both
    # without escaping.
    if dotted == ".error.messageString" or dotted.startswith(".authorizer."):
        return value
    return json.dumps(value)[1:-1]


def _look_up(path: str, variables: dict[str, Json]) -> str:
    value: Json = variables
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _header(expression: str, variables: dict[str, Json], request: Request | None) -> str | None:
    if expression.startswith("'") and expression.endswith("'"):
        return expression[1:-1]
    if expression.startswith("context."):
        return _look_up(expression.removeprefix("context."), variables) or None
    if expression.startswith("method.request.header.") and request is not None:
        return request.header(expression.removeprefix("method.request.header."))
    return None
