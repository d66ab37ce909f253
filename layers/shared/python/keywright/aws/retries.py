"""AWS clients with time-outs, and the one retry policy."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, TypeVar

from keywright import deadline
from keywright.aws.client import AwsError, HttpClient
from keywright.aws.endpoints import DYNAMODB, EVENTBRIDGE, SECRETS_MANAGER, SQS
from keywright.aws.object_client import ObjectClient
from keywright.aws.transport import NoAnswerError
from keywright.cache import once
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.settings import archive_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright.aws.client import Answer
    from keywright.aws.endpoints import Service

CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 2
OBJECT_TIMEOUT_SECONDS = 10
"""Of S3: an object has several megabytes."""
ATTEMPTS = 8
BACKOFF_SECONDS = 0.05
"""Upper bound of the first wait. It doubles with each retry, up to MAXIMUM_BACKOFF_SECONDS."""
MAXIMUM_BACKOFF_SECONDS = 1.0

ATTEMPT_SECONDS = CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS
"""Longest duration of one attempt."""
OBJECT_ATTEMPT_SECONDS = CONNECT_TIMEOUT_SECONDS + 2 * OBJECT_TIMEOUT_SECONDS
"""Longest duration of one attempt to write an object: S3 takes its bytes, and then answers."""
_REQUEST_ID_HEADER = "x-amzn-requestid"
_SERVER_ERROR = 500
_THROTTLING_CODES = frozenset({"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"})
_RETRYABLE_CODES = _THROTTLING_CODES | frozenset(
    {
        # DynamoDB Developer Guide, "Error handling": the errors that say "OK to retry".
        "InternalServerError",
        "LimitExceededException",
        "ServiceUnavailable",
        "TransactionInProgressException",
        # Errors of Secrets Manager, SQS and EventBridge, and of signatures delayed by a proxy or a slow clock.
        "InternalException",
        "InternalFailure",
        "InternalServiceError",
        "RequestTimeout",
        "RequestTimeoutException",
        "RequestThrottled",
        "Throttling",
        "TooManyRequestsException",
        # Of S3, with status 409: another request is writing the object (API Reference, "PutObject").
        "ConditionalRequestConflict",
        "OperationAborted",
    }
)

Result = TypeVar("Result")


class Retryable(Exception):  # noqa: N818 - a signal between two functions, never seen by callers
    """A failure that a retry of the same call may resolve."""


class Throttled(Retryable):
    """A retryable failure that a smaller request may avoid."""


class ThrottledError(ServiceError):
    """SERVICE_UNAVAILABLE after a throttled last attempt: a smaller request may succeed."""


@once
def dynamodb() -> HttpClient:
    """Return this container's DynamoDB client. Tests that change the environment call `dynamodb.cache_clear()`."""
    return _http(DYNAMODB)


@once
def secrets_manager() -> HttpClient:
    """Return this container's Secrets Manager client."""
    return _http(SECRETS_MANAGER)


@once
def queues() -> HttpClient:
    """Return this container's SQS client."""
    return _http(SQS)


@once
def event_buses() -> HttpClient:
    """Return this container's EventBridge client."""
    return _http(EVENTBRIDGE)


@once
def archive_bucket() -> ObjectClient:
    """Return this container's client of the bucket with the archive of the audit log."""
    return ObjectClient(
        archive_settings().audit_archive_bucket,
        os.environ,
        connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds=OBJECT_TIMEOUT_SECONDS,
    )


def _http(service: Service) -> HttpClient:
    return HttpClient(
        service,
        os.environ,
        connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds=READ_TIMEOUT_SECONDS,
    )


def with_retries(
    call: Callable[[], Result], attempts: int = ATTEMPTS, attempt_seconds: float = ATTEMPT_SECONDS
) -> Result:
    """Make a call and retry temporary failures, with full jitter between attempts.

    No attempt starts that could outlast the invocation, not even the first.

    Args:
        call: call to make. It raises Retryable for failures that AWS does not report as errors.
        attempts: maximum number of attempts; 1 for calls that can be made again later.
        attempt_seconds: longest duration of one attempt.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE after the last attempt or without time for another. The outcome of the
            last attempt is unknown.
        ThrottledError: SERVICE_UNAVAILABLE, and the last attempt was throttled.
    """
    backoff_seconds = BACKOFF_SECONDS
    failure: Exception | None = None
    for attempt in range(attempts):
        if attempt:
            time.sleep(random.uniform(0, backoff_seconds))  # noqa: S311 - jitter needs no secrecy
            backoff_seconds = min(2 * backoff_seconds, MAXIMUM_BACKOFF_SECONDS)
        if deadline.remaining_seconds() < attempt_seconds:
            break
        try:
            return call()
        except Exception as error:
            if not _passes(error):
                raise
            failure = error
    if failure is None:
        raise ServiceError(SERVICE_UNAVAILABLE, reason="too little time was left to ask AWS")
    unavailable = ThrottledError if _is_throttling(failure) else ServiceError
    raise unavailable(SERVICE_UNAVAILABLE, reason=f"AWS did not answer: {type(failure).__name__}: {failure}")


def require_genuine(answer: Answer, *fields: str) -> None:
    """Check that an answer with status 200 is complete and comes from AWS, not from a proxy.

    Raises:
        Retryable: the request id or one of the fields is missing.
    """
    if _REQUEST_ID_HEADER not in answer.headers or not answer.content.keys() >= set(fields):
        raise Retryable("the answer is not complete")


def _passes(error: Exception) -> bool:
    """Return whether a retry of the same call may succeed."""
    if isinstance(error, AwsError):
        # AWS errors have a code. An error without one was cut off, or comes from a proxy.
        is_named = error.code != str(error.status)
        return error.code in _RETRYABLE_CODES or error.status >= _SERVER_ERROR or not is_named
    return isinstance(error, Retryable | NoAnswerError)


def _is_throttling(error: Exception) -> bool:
    """Return whether a smaller request may succeed."""
    return isinstance(error, Throttled) or (isinstance(error, AwsError) and error.code in _THROTTLING_CODES)
