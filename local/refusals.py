"""The responses that API Gateway makes itself, worded by the template's GatewayResponses.

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
    "INVALID_SIGNATURE": (403, _WRONG_SIGNATURE),
    "MISSING_AUTHENTICATION_TOKEN": (403, "Missing Authentication Token"),
    "REQUEST_TOO_LARGE": (413, "Request Too Long"),
    "UNAUTHORIZED": (401, "Unauthorized"),
}
_FIRST_SERVER_ERROR = 500

HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""What a header can hold."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response. Header names are as written by whoever made it; no content-length yet."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class RefusalError(Exception):
    """API Gateway answers by itself.

    Attributes:
        kind: the gateway response type, such as UNAUTHORIZED.
        status: what AWS answers if the template does not say.
        message: what `$context.error.message` holds.
        authorizer: what `$context.authorizer` holds: the context that an authorizer gave, even with a denial.
    """

    def __init__(self, kind: str, *, status: int | None = None, authorizer: Mapping[str, Json] | None = None) -> None:
        default_status, message = _AWS_DEFAULTS[kind]
        super().__init__(kind)
        self.kind = kind
        self.status = default_status if status is None else status
        self.message = message
        self.authorizer = dict(authorizer or {})


def word(
    refusal: RefusalError, responses: Mapping[str, GatewayResponse], context: dict[str, Json], request: Request | None
) -> Answer:
    """Word a refusal as the template says, or as AWS does where it says nothing.

    Args:
        refusal: what is refused, and why.
        responses: the template's GatewayResponses.
        context: what `$context` holds; the error is added, and what the refusal has of an authorizer.
        request: where `method.request.header.X` looks; None for a request that could not be read.
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
    return Answer(response.status or refusal.status, tuple(headers.items()), body.encode(errors="replace"))


def _variable(dotted: str, variables: dict[str, Json]) -> str:
    value = _look_up(dotted[1:], variables)
    # The one comes with its quotes. The other is an author's, who may well mean it to be JSON, and API Gateway
    # processes no template language here: it puts in what there is.
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
