"""Failures of DynamoDB, injected where requests are sent: before the request is sent, or after it took effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse, HeadersDict
from botocore.httpsession import URLLib3Session

from keywright.aws import retries
from keywright.aws.transport import NoAnswerError, Response
from tests.support import dynamodb_errors

if TYPE_CHECKING:
    from keywright.aws.client import HttpClient

Fault = Callable[[AWSPreparedRequest], AWSResponse]
Hook = Callable[[AWSPreparedRequest, str], AWSResponse | None]
"""A function of a request and its operation's name; returns a response in its place, or None to send it."""


_HOOKS: WeakKeyDictionary[HttpClient, list[Hook]] = WeakKeyDictionary()


class _Raw:
    """A response body that was read already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        """Yield the body in one piece."""
        yield self._content


def answer(status: int, body: dict[str, Any] | bytes) -> Fault:
    """Respond in place of DynamoDB."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        headers = HeadersDict({"content-type": "application/x-amz-json-1.0"})
        return AWSResponse(request.url, status, headers, _Raw(content))  # type: ignore[arg-type]  # the stub is wrong

    fault.__name__ = f"{status} {content.decode()}"  # shown by pytest
    return fault


def error(code: str, status: int = 400) -> Fault:
    """Respond with an error of DynamoDB."""
    return answer(status, dynamodb_errors.error(code))


def canceled(*codes: str) -> Fault:
    """Cancel a transaction, with one reason for each of its items."""
    return answer(400, dynamodb_errors.canceled(*codes))


def timeout(request: AWSPreparedRequest) -> AWSResponse:
    """Lose the request: no response arrives."""
    raise NoAnswerError(f"TimeoutError: {request.url}")


def refused(request: AWSPreparedRequest) -> AWSResponse:
    """Refuse the connection."""
    raise NoAnswerError(f"ConnectionRefusedError: {request.url}")


def lost_answer(request: AWSPreparedRequest) -> AWSResponse:
    """Let the request take effect and drop its response."""
    URLLib3Session().send(request)
    raise NoAnswerError(f"RemoteDisconnected: {request.url}")


@contextmanager
def injected(*faults: Fault | None) -> Iterator[list[str]]:
    """Apply faults to the next requests to DynamoDB, one each; None lets a request through, as does the end.

    Retries do not wait meanwhile; tests/keywright/aws/test_retries.py cover the waits.

    Yield a list of the operations' names, filled as they are sent.
    """
    apply = scripted(*faults)
    operations: list[str] = []

    def hook(request: AWSPreparedRequest, operation: str) -> AWSResponse | None:
        operations.append(operation)
        return apply(request, operation)

    waiting, retries.BACKOFF_SECONDS = retries.BACKOFF_SECONDS, 0
    try:
        with intercepted(retries.dynamodb(), hook):
            yield operations
    finally:
        retries.BACKOFF_SECONDS = waiting


def scripted(*faults: Fault | None) -> Hook:
    """Apply faults to the next requests, one each; None lets a request through, as does the end."""
    remaining = iter(faults)

    def hook(request: AWSPreparedRequest, _: str) -> AWSResponse | None:
        fault = next(remaining, None)
        return fault(request) if fault else None

    return hook


@contextmanager
def intercepted(client: HttpClient, hook: Hook) -> Iterator[None]:
    """Let a hook intercept a client's requests; the response it returns replaces the request.

    Hooks run in the order of their installation.
    """
    hooks = _HOOKS.get(client)
    if hooks is None:
        hooks = _HOOKS[client] = []
        client.send = _asking(hooks, client)  # type: ignore[method-assign,assignment]  # for the client's lifetime
    hooks.append(hook)
    try:
        yield
    finally:
        hooks.remove(hook)


def _asking(hooks: list[Hook], client: HttpClient) -> Callable[[Mapping[str, str], bytes], Response]:
    original, url = client.send, client.endpoint.url

    def send(headers: Mapping[str, str], body: bytes) -> Response:
        request = AWSRequest("POST", url, dict(headers), body).prepare()
        operation = headers["x-amz-target"].rpartition(".")[2]
        for hook in list(hooks):
            response = hook(request, operation)
            if response is not None:
                answered = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status_code, answered, response.content)
        return original(headers, body)

    return send
