"""Calls to AWS that end in time: the clients' time-outs, and one policy of retrying."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, TypeVar

from keywright import deadline
from keywright.aws.client import AwsError, HttpClient
from keywright.aws.endpoints import DYNAMODB, SECRETS_MANAGER, SQS
from keywright.aws.transport import NoAnswerError
from keywright.cache import once
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright.aws.client import Answer
    from keywright.aws.endpoints import Service

CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 2
ATTEMPTS = 8
BACKOFF_SECONDS = 0.05
"""The upper bound of the first wait; it doubles with each further one, up to a second."""
MAXIMUM_BACKOFF_SECONDS = 1.0

ATTEMPT_SECONDS = CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS
"""The longest that one attempt can take."""
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
        # Secrets Manager's and SQS's, and those of signing behind a proxy or with a slow clock.
        "InternalServiceError",
        "RequestTimeout",
        "RequestTimeoutException",
        "RequestThrottled",
        "Throttling",
        "TooManyRequestsException",
    }
)

Result = TypeVar("Result")


class Retryable(Exception):  # noqa: N818 - a signal between two functions, never an error of its own
    """Raised by a call to say that the same call may succeed in a moment."""


class Throttled(Retryable):
    """Raised by a call in place of Retryable where less at once would have passed."""


class ThrottledError(ServiceError):
    """SERVICE_UNAVAILABLE because the last of all attempts was throttled: a smaller request may pass."""


@once
def dynamodb() -> HttpClient:
    """Return this container's client of DynamoDB. Tests that change the environment call `dynamodb.cache_clear()`."""
    return _http(DYNAMODB)


@once
def secrets_manager() -> HttpClient:
    """Return this container's client of Secrets Manager."""
    return _http(SECRETS_MANAGER)


@once
def queues() -> HttpClient:
    """Return this container's client of SQS."""
    return _http(SQS)


def _http(service: Service) -> HttpClient:
    return HttpClient(
        service,
        os.environ,
        connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds=READ_TIMEOUT_SECONDS,
    )


def with_retries(call: Callable[[], Result], attempts: int = ATTEMPTS) -> Result:
    """Make a call, again if it failed for a reason that passes, with full jitter between the attempts.

    No attempt is begun that could outlast the invocation, not even the first.

    Args:
        call: what is done; it raises Retryable for what is no failure to AWS.
        attempts: how often at the most; 1 for what can as well be done another time.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE once attempts or time are used up; what the last one did is then unknown.
        ThrottledError: the same, if the last attempt was throttled.
    """
    backoff_seconds = BACKOFF_SECONDS
    failure: Exception | None = None
    for attempt in range(attempts):
        if attempt:
            time.sleep(random.uniform(0, backoff_seconds))  # noqa: S311 - jitter needs no secrecy
            backoff_seconds = min(2 * backoff_seconds, MAXIMUM_BACKOFF_SECONDS)
        if deadline.remaining_seconds() < ATTEMPT_SECONDS:
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
    """Check that an answer is AWS's own and complete: whatever else answers 200 is no success.

    Raises:
        Retryable: it is not.
    """
    if _REQUEST_ID_HEADER not in answer.headers or not answer.content.keys() >= set(fields):
        raise Retryable("the answer is not complete")


def _passes(error: Exception) -> bool:
    """Tell whether the same call may succeed in a moment."""
    if isinstance(error, AwsError):
        # AWS names its errors: one without a name was cut off on the way, or is somebody else's.
        is_named = error.code != str(error.status)
        return error.code in _RETRYABLE_CODES or error.status >= _SERVER_ERROR or not is_named
    return isinstance(error, Retryable | NoAnswerError)


def _is_throttling(error: Exception) -> bool:
    """Return whether a smaller request may have passed."""
    return isinstance(error, Throttled) or (isinstance(error, AwsError) and error.code in _THROTTLING_CODES)
