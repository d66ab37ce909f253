"""Retries end within the invocation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from keywright import deadline
from keywright.aws import retries
from keywright.aws.client import AwsError
from keywright.aws.transport import NoAnswerError
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keywright.aws.client import HttpClient


def failing(*errors: Exception) -> tuple[Callable[[], str], list[int]]:
    """Return a call that fails a number of times and then succeeds, and the list of its attempts."""
    remaining: Iterator[Exception] = iter(errors)
    attempts: list[int] = []

    def call() -> str:
        attempts.append(1)
        for error in remaining:
            raise error
        return "done"

    return call, attempts


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace waits with a list of their lengths."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


TRANSIENT = [
    AwsError("ThrottlingException", 400, {}),
    AwsError("ProvisionedThroughputExceededException", 400, {}),
    AwsError("TransactionInProgressException", 400, {}),
    AwsError("RequestThrottled", 400, {}),
    AwsError("InternalServerError", 500, {}),
    AwsError("Unlisted", 503, {}),
    AwsError("400", 400, {}),
    NoAnswerError("TimeoutError"),
    retries.Retryable("TransactionConflict"),
]


RETRIED_CODES = [
    "InternalServerError",
    "InternalServiceError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
]
"""Errors that AWS documents as temporary (DynamoDB Developer Guide, "Error handling with DynamoDB")."""
FINAL_CODES = [
    "AccessDeniedException",
    "ConditionalCheckFailedException",
    "IdempotentParameterMismatchException",
    "ResourceNotFoundException",
    "SerializationException",
    "TransactionCanceledException",
    "ValidationException",
]


@pytest.mark.parametrize("code", RETRIED_CODES)
def test_a_temporary_error_is_tried_again(code: str) -> None:
    """Each error that may pass is retried by its code, with any status."""
    call, attempts = failing(AwsError(code, 400, {}))

    assert "done" == retries.with_retries(call)
    assert 2 == len(attempts)


@pytest.mark.parametrize("code", FINAL_CODES)
def test_a_final_error_is_not_tried_again(code: str) -> None:
    """A mistake of a request is raised unchanged: no retry could help."""
    call, attempts = failing(AwsError(code, 400, {}))

    with pytest.raises(AwsError, match=code):
        retries.with_retries(call)
    assert 1 == len(attempts)


@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
def test_what_passes_is_tried_again(error: Exception) -> None:
    """Throttling, conflicts, server errors, time-outs and broken connections are retried."""
    call, attempts = failing(error, error)

    assert "done" == retries.with_retries(call)
    assert 3 == len(attempts)


@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
def test_what_does_not_pass_is_unavailable(error: Exception) -> None:
    """Persistent failures end with 503 after the last attempt."""
    call, attempts = failing(*[error] * 100)

    with pytest.raises(ServiceError) as caught:
        retries.with_retries(call)
    assert SERVICE_UNAVAILABLE is caught.value.error
    assert 8 == len(attempts)


def test_waits_are_jittered_and_bounded(no_waiting: list[float]) -> None:
    """Waits have full jitter below 50, 100, 200, 400, 800 milliseconds, then a second."""
    call, _ = failing(*[TRANSIENT[0]] * 1000)
    for _ in range(50):
        with pytest.raises(ServiceError):
            retries.with_retries(call)

    by_attempt = [no_waiting[index::7] for index in range(7)]
    assert all(max(waits) <= min(0.05 * 2**index, 1) for index, waits in enumerate(by_attempt))
    assert all(len(set(waits)) > 1 for waits in by_attempt)


@pytest.mark.parametrize(("milliseconds", "expected"), [(0, 0), (3_900, 0), (4_500, 1), (7_900, 2)])
def test_no_attempt_is_begun_that_could_outlast_the_invocation(
    monkeypatch: pytest.MonkeyPatch, milliseconds: int, expected: int
) -> None:
    """GIVEN attempts of 3 seconds, the longest possible THEN one begins with 4 seconds left at least."""
    call, attempts = failing(*[TRANSIENT[0]] * 100)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + 3 * len(attempts))

    with deadline.within(milliseconds), pytest.raises(ServiceError) as caught:
        retries.with_retries(call)

    assert SERVICE_UNAVAILABLE is caught.value.error
    assert expected == len(attempts)


@pytest.mark.parametrize("client", [retries.dynamodb, retries.secrets_manager, retries.queues])
@pytest.mark.usefixtures("environment")
def test_an_attempt_takes_three_seconds_at_most(client: Callable[[], HttpClient]) -> None:
    """Every client gives up connecting after a second, and a read after two."""
    made = client()

    assert 1 == made.host.connect_timeout_seconds
    assert 2 == made.host.read_timeout_seconds
