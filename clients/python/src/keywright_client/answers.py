"""Answers to requests, and the errors in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from keywright_client import parsing
from keywright_client.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

Way: TypeAlias = Literal["signed", "batch", "token", "lambda"]
UNEXPECTED_ANSWER = "UNEXPECTED_ANSWER"
"""The code of an answer that is not Keywright's."""
_CHECK_FUNCTION = "Check function: it must be the ARN of the stack's VerifyApiKey function."
_OK = 200
_REDIRECTS = range(300, 400)
_FORBIDDEN = 403
_NOT_FOUND = 404
_TOO_MANY = 429
_PASSING = frozenset({500, 502, 503, 504})
_ERROR_TYPE = re.compile(r"[A-Za-z0-9]{1,64}")
_REQUEST_IDS = ("x-request-id", "x-amzn-requestid", "apigw-requestid")


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete HTTP answer. The body is not in the repr: it can hold the text of a key.

    Attributes:
        headers: names can be read in any case.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """No complete answer arrived.

    Attributes:
        reason: why, without anything of the request.
        may_be_sent: whether the request may have arrived and taken effect.
    """

    reason: str
    may_be_sent: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of Keywright, from either transport.

    Attributes:
        body: envelope with `data` and `error`. None if the body is not a JSON object.
        way: how the request went: signed to the API for one key or for a batch, with a token to the API, or to Lambda.
    """

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any] | None = field(repr=False)
    way: Way = "signed"

    @property
    def request_id(self) -> str | None:
        """The id of the request, under which the logs have it."""
        return next((self.headers[name] for name in _REQUEST_IDS if self.headers.get(name)), None)

    @property
    def retry_after_seconds(self) -> int | None:
        """The seconds of `retry-after`, or None."""
        text = self.headers.get("retry-after") or ""
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def over_http(reply: Reply) -> Answer:
    """Return the answer of the API to a signed request."""
    return Answer(reply.status, reply.headers, parsing.json_object(reply.content))


def to_batch(reply: Reply) -> Answer:
    """Return the answer of the API to a signed request for a batch of keys."""
    return Answer(reply.status, reply.headers, parsing.json_object(reply.content), "batch")


def with_token(reply: Reply) -> Answer:
    """Return the answer of the API to a request with a session token."""
    return Answer(reply.status, reply.headers, parsing.json_object(reply.content), "token")


def over_lambda(reply: Reply) -> Answer | ApiError:
    """Return the answer of an invoked function, Lambda's own refusal, or the error of a function that failed."""
    refusal = Answer(reply.status, reply.headers, None, "lambda")
    if reply.status != _OK:
        return refusal
    if reply.headers.get("x-amz-function-error"):
        return ApiError(
            status=503,
            code="SERVICE_UNAVAILABLE",
            message="The function ended with an error or a time-out",
            hint="Look for the request id in the function's log.",
            request_id=refusal.request_id,
        )
    payload = parsing.json_object(reply.content) or {}
    status, headers = payload.get("status"), payload.get("headers")
    if type(status) is not int or type(headers) is not dict:
        return refusal
    texts = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
    return Answer(status, {**_request_id_of(reply), **texts}, payload, "lambda")


def _request_id_of(reply: Reply) -> dict[str, str]:
    request_id = reply.headers.get("x-amzn-requestid")
    return {"x-amzn-requestid": request_id} if request_id else {}


def error_of(answer: Answer) -> ApiError | None:
    """Return the error that an answer says, or None for a success."""
    body = answer.body or {}
    error = body.get("error")
    if answer.status == _OK and body.get("data") is not None and error is None and "error" in body:
        return None
    if answer.status != _OK and isinstance(error, dict) and _is_text(error.get("code")):
        return ApiError(
            status=answer.status,
            code=error["code"],
            message=_text(error.get("message")).removesuffix("."),
            hint=_text(error.get("hint")),
            docs=_text(error.get("docs")) or None,
            request_id=answer.request_id,
            retry_after_seconds=answer.retry_after_seconds,
        )
    return unexpected(answer)


def unexpected(answer: Answer) -> ApiError:
    """Return the error of an answer that is not Keywright's, which says what to check. The body is not in it."""
    message, hint = _explanation(answer)
    error_type = _ERROR_TYPE.match(answer.headers.get("x-amzn-errortype") or "")
    return ApiError(
        status=answer.status,
        code=UNEXPECTED_ANSWER,
        message=f"{message} ({error_type[0]})" if error_type else message,
        hint=hint,
        request_id=answer.request_id,
        retry_after_seconds=answer.retry_after_seconds,
    )


def _explanation(answer: Answer) -> tuple[str, str]:
    if answer.status == _TOO_MANY or answer.status in _PASSING:
        return "AWS answered in place of Keywright", "Repeat the request later."
    if answer.way == "lambda":
        return _explanation_of_lambda(answer.status)
    if answer.status == _FORBIDDEN and answer.way == "token":
        return "The request was refused before it reached Keywright", "Check url, and the firewall in front of it."
    if answer.status == _FORBIDDEN:
        output = "VerifyApiKeysArn" if answer.way == "batch" else "VerifyApiKeyArn"
        hint = f"Allow execute-api:Invoke on the stack's output {output}, and check the AWS credentials and region."
        return "The AWS credentials may not call this API", hint
    message = "The answer is not from Keywright"
    if answer.status in _REDIRECTS:
        message = "The address redirects, which is not followed"
    return message, "Check url: it must be the stack's output ApiUrl."


def _explanation_of_lambda(status: int) -> tuple[str, str]:
    if status == _FORBIDDEN:
        hint = "Allow lambda:InvokeFunction on the function, and check the AWS credentials and region."
        return "The AWS credentials may not invoke the function", hint
    if status == _NOT_FOUND:
        return "The function does not exist", _CHECK_FUNCTION
    if status == _OK:
        return "The function does not answer as Keywright", _CHECK_FUNCTION
    return "Lambda refused the invocation", "Check function and region."


def passes(error: ApiError) -> bool:
    """Return whether the same request may succeed a little later."""
    if error.status == _TOO_MANY:
        return error.code in {"TOO_MANY_REQUESTS", UNEXPECTED_ANSWER}
    return error.status in _PASSING


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
