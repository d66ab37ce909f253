"""The one catalogue of errors: every code a caller can see, with its status, message and hint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorType:
    """One entry of the catalogue.

    Attributes:
        code: what a program branches on; never changes once published.
        status: the HTTP status that always goes with the code.
        message: what happened, in one sentence, when the raiser knows nothing more precise.
        hint: what the caller can do about it.
        retry_after_seconds: sent as `retry-after` where waiting helps.
    """

    code: str
    status: int
    message: str
    hint: str
    retry_after_seconds: int | None = None


BAD_REQUEST = ErrorType(
    code="BAD_REQUEST",
    status=400,
    message="The request is not valid",
    hint="Compare the request with the reference and send it again.",
)
UNAUTHORIZED = ErrorType(
    code="UNAUTHORIZED",
    status=401,
    message="The request carries no valid credentials",
    hint="Send 'authorization: Bearer <token>' with a session token that has not expired.",
)
FORBIDDEN = ErrorType(
    code="FORBIDDEN",
    status=403,
    message="You are not allowed to do this in this organization",
    hint="Ask an owner or admin of the organization to do it, or to give you the role.",
)
INSUFFICIENT_PERMISSIONS = ErrorType(
    code="INSUFFICIENT_PERMISSIONS",
    status=403,
    message="The API key is not permitted to do this",
    hint="Use a key that has the permission, or ask an admin of the organization to give it to this one.",
)
NOT_FOUND = ErrorType(
    code="NOT_FOUND",
    status=404,
    message="There is no such route",
    hint="Check the method and the path, which begins with the version, as in /v1/auth/api-keys; "
    "routes for backends take requests with an AWS signature.",
)
API_KEY_NOT_FOUND = ErrorType(
    code="API_KEY_NOT_FOUND",
    status=404,
    message="There is no such API key in this organization",
    hint="List the organization's keys to find its id; a key that was deleted is gone.",
)
CONFLICT = ErrorType(
    code="CONFLICT",
    status=409,
    message="What you are changing was changed by somebody else at the same time",
    hint="Read it again, then repeat the request.",
)
ORGANIZATION_FROZEN = ErrorType(
    code="ORGANIZATION_FROZEN",
    status=410,
    message="The organization is scheduled for deletion",
    hint="An owner can cancel the deletion; until then nothing in the organization can be changed.",
)
PAYLOAD_TOO_LARGE = ErrorType(
    code="PAYLOAD_TOO_LARGE",
    status=413,
    message="The request body is larger than 64 KiB",
    hint="Send less: metadata may take up to 16 KiB.",
)
IDEMPOTENCY_KEY_REUSED = ErrorType(
    code="IDEMPOTENCY_KEY_REUSED",
    status=422,
    message="This Idempotency-Key was used for another request within the last 24 hours",
    hint="Send a new Idempotency-Key with every new request, and the same one only to repeat a request as it was.",
)
TOO_MANY_REQUESTS = ErrorType(
    code="TOO_MANY_REQUESTS",
    status=429,
    message="Too many requests at once",
    hint="Wait for the seconds that retry-after names, then repeat the request.",
    retry_after_seconds=1,
)
INTERNAL_SERVER_ERROR = ErrorType(
    code="INTERNAL_SERVER_ERROR",
    status=500,
    message="An unexpected error occurred",
    hint="Repeat the request; if it fails again, report the x-request-id of this response.",
)
SERVICE_UNAVAILABLE = ErrorType(
    code="SERVICE_UNAVAILABLE",
    status=503,
    message="The service cannot answer right now",
    hint="Wait for the seconds that retry-after names, then repeat the request; where it creates something, with the "
    "same Idempotency-Key as before.",
    retry_after_seconds=1,
)

CATALOGUE: dict[str, ErrorType] = {
    error.code: error
    for error in (
        BAD_REQUEST,
        UNAUTHORIZED,
        FORBIDDEN,
        INSUFFICIENT_PERMISSIONS,
        NOT_FOUND,
        API_KEY_NOT_FOUND,
        CONFLICT,
        ORGANIZATION_FROZEN,
        PAYLOAD_TOO_LARGE,
        IDEMPOTENCY_KEY_REUSED,
        TOO_MANY_REQUESTS,
        INTERNAL_SERVER_ERROR,
        SERVICE_UNAVAILABLE,
    )
}


class ServiceError(Exception):
    """A refusal that the caller is told about.

    Args:
        error: the entry of the catalogue.
        message: replaces the entry's message; goes to the caller, so it holds no secret.
        hint: replaces the entry's hint; goes to the caller as well.
        reason: for the log only; never sent, and free of secrets all the same.
    """

    def __init__(
        self,
        error: ErrorType,
        message: str | None = None,
        *,
        hint: str | None = None,
        reason: str | None = None,
    ) -> None:
        self.error = error
        self.message = message or error.message
        self.hint = hint or error.hint
        self.reason = reason
        super().__init__(f"{error.code}: {reason or self.message}")


class Unauthorized(Exception):  # noqa: N818 - API Gateway looks for exactly this message
    """API Gateway answers 401 when an authorizer fails with the message "Unauthorized", and only then."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")
