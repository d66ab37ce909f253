"""Calls to AWS that end in time: the clients' time-outs, and one policy of retrying."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name
from botocore.parsers import ResponseParserError

from keywright import deadline
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.once import once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 2
ATTEMPTS = 8
BACKOFF_SECONDS = 0.05
"""The upper bound of the first wait; it doubles with each further one, up to a second."""
MAXIMUM_BACKOFF_SECONDS = 1.0

ATTEMPT_SECONDS = CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS
"""The longest that one attempt can take."""
_REQUEST_ID_HEADER = "x-amzn-requestid"
_MAXIMUM_CONNECTIONS = 50
_SERVER_ERROR = 500
_RETRYABLE_CODES = frozenset(
    {
        # DynamoDB Developer Guide, "Error handling": the errors that say "OK to retry".
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
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

# The client tries once: retries are made here, where they know the deadline and what a cancelled transaction means.
_CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT_SECONDS,
    read_timeout=READ_TIMEOUT_SECONDS,
    retries={"total_max_attempts": 1, "mode": "standard"},
    max_pool_connections=_MAXIMUM_CONNECTIONS,
    tcp_keepalive=True,
)

Result = TypeVar("Result")


class Retryable(Exception):  # noqa: N818 - a signal between two functions, never an error of its own
    """Raised by a call to say that the same call may succeed in a moment."""


@once
def dynamodb() -> DynamoDBClient:
    """Give this container's DynamoDB client. Tests that change the environment call `dynamodb.cache_clear()`."""
    return boto3.client("dynamodb", config=_CONFIG)


@once
def secrets_manager() -> SecretsManagerClient:
    """Give this container's Secrets Manager client."""
    return boto3.client("secretsmanager", config=_CONFIG)


@once
def queues() -> SQSClient:
    """Give this container's SQS client."""
    return boto3.client("sqs", config=_CONFIG)


def with_retries(call: Callable[[], Result], attempts: int = ATTEMPTS) -> Result:
    """Make a call, again if it failed for a reason that passes, with full jitter between the attempts.

    No attempt is begun that could outlast the invocation, not even the first.

    Args:
        call: what is done; it raises Retryable where botocore sees no failure.
        attempts: how often at the most; 1 for what can as well be done another time.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE once attempts or time are used up; what the last one did is then unknown.
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
        except (Retryable, ConnectionError, HTTPClientError, ResponseParserError) as error:
            failure = error
        except ClientError as error:
            if not _is_transient(error):
                raise
            failure = error
    if failure is None:
        raise ServiceError(SERVICE_UNAVAILABLE, reason="too little time was left to ask AWS")
    raise ServiceError(SERVICE_UNAVAILABLE, reason=f"AWS did not answer: {type(failure).__name__}: {_code(failure)}")


def require_genuine(answer: Mapping[str, Any], *fields: str) -> None:
    """Check that an answer is AWS's own and complete.

    botocore takes any 200 for a success, even one whose body it cannot read.

    Raises:
        Retryable: it is not.
    """
    if _REQUEST_ID_HEADER not in answer["ResponseMetadata"]["HTTPHeaders"] or not answer.keys() >= set(fields):
        raise Retryable("the answer is not complete")


def _is_transient(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _code(error) in _RETRYABLE_CODES or status >= _SERVER_ERROR


def _code(error: Exception) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else str(error)
