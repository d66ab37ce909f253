"""Failures of DynamoDB, injected where botocore sends: before the request has gone out, or after it took effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from keywright.store import aws

Fault = Callable[[AWSPreparedRequest], AWSResponse]


class _Raw:
    """A response body that was read already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        """Give the body in one piece."""
        yield self._content


def answer(status: int, body: dict[str, Any] | bytes) -> Fault:
    """Answer in DynamoDB's place."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        headers = HeadersDict({"content-type": "application/x-amz-json-1.0"})
        return AWSResponse(request.url, status, headers, _Raw(content))  # type: ignore[arg-type]  # a wrong stub

    fault.__name__ = f"{status} {content.decode()}"  # which pytest shows
    return fault


def error(code: str, status: int = 400) -> Fault:
    """Answer with an error of DynamoDB's."""
    return answer(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"})


def canceled(*codes: str) -> Fault:
    """Cancel a transaction for these reasons, one for each of its items."""
    reasons = [{"Code": code} for code in codes]
    return answer(
        400,
        {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "injected",
            "CancellationReasons": reasons,
        },
    )


def timeout(request: AWSPreparedRequest) -> AWSResponse:
    """Never answer; the request is lost."""
    raise ReadTimeoutError(endpoint_url=request.url)


def refused(request: AWSPreparedRequest) -> AWSResponse:
    """Nobody listens."""
    raise EndpointConnectionError(endpoint_url=request.url)


def lost_answer(request: AWSPreparedRequest) -> AWSResponse:
    """Let the request take effect, and lose its answer."""
    URLLib3Session().send(request)
    raise ConnectionClosedError(endpoint_url=request.url)


@contextmanager
def injected(*faults: Fault | None) -> Iterator[list[str]]:
    """Apply the faults to the next requests to DynamoDB, one each; None lets a request through, as does the end.

    Between attempts nobody waits meanwhile: how long the service would is told in tests/keywright/store/test_aws.py.

    Gives a list that the operations' names are added to as they are sent.
    """
    remaining = iter(faults)
    operations: list[str] = []

    def hook(request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        operations.append(event_name.rpartition(".")[2])
        fault = next(remaining, None)
        return fault(request) if fault else None

    events: Any = aws.dynamodb().meta.events  # the stubs do not know that a hook may answer
    events.register("before-send.dynamodb", hook)
    waiting, aws.BACKOFF_SECONDS = aws.BACKOFF_SECONDS, 0
    try:
        yield operations
    finally:
        aws.BACKOFF_SECONDS = waiting
        events.unregister("before-send.dynamodb", hook)
