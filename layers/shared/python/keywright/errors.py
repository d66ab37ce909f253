"""The catalogue of errors: every code, with the status, message, hint and cause that are published for it.

An error is defined here and nowhere else. `make generate` copies it to the gateway responses of template.yaml and to
docs/using.md; the OpenAPI description and the reference page read it.
"""

from __future__ import annotations

from keywright.immutable import immutable, replace


@immutable
class ErrorType:
    """An error that the API can return.

    Messages and hints hold no double quotes: API Gateway inserts them into JSON without escaping.

    Attributes:
        code: identifies the error to programs; never changes once published.
        status: the HTTP status that always goes with the code.
        message: what happened, without a period at the end.
        hint: what the caller can do about it.
        cause: when it happens, for docs/using.md.
        retry_after_seconds: sent as `retry-after` where waiting helps.
    """

    code: str
    status: int
    message: str
    hint: str
    cause: str
    retry_after_seconds: int | None = None

    def variant(self, *, message: str | None = None, hint: str | None = None) -> ErrorType:
        """Return the same error with a more precise message or hint."""
        return replace(self, message=message or self.message, hint=hint or self.hint)


BAD_REQUEST = ErrorType(
    code="BAD_REQUEST",
    status=400,
    message="The request is not valid",
    hint="Compare the request with the reference and send it again.",
    cause="the body, the query or a header is not valid; the message names the field and the rule",
)
UNAUTHORIZED = ErrorType(
    code="UNAUTHORIZED",
    status=401,
    message="The request carries no valid credentials",
    hint="Send Authorization: Bearer <token> with a session token that has not expired, or x-api-key with an API key "
    "where the route accepts keys.",
    cause="the session token or API key is missing, malformed, expired or not for this service",
)
FORBIDDEN = ErrorType(
    code="FORBIDDEN",
    status=403,
    message="You are not allowed to do this in this organization",
    hint="Ask an owner or admin of the organization to do it, or to change your role.",
    cause="the caller is not a member, is suspended or has too low a role, or the token names no organization",
)
INSUFFICIENT_PERMISSIONS = ErrorType(
    code="INSUFFICIENT_PERMISSIONS",
    status=403,
    message="The API key does not have permission for this request",
    hint="Use a key that has the permission, or ask an admin of the organization to add it to this key.",
    cause="the API key lacks the permission that the route requires",
)
IP_NOT_ALLOWED = ErrorType(
    code="IP_NOT_ALLOWED",
    status=403,
    message="The API key may not be used from this address",
    hint="Use the key from one of its allowed addresses, or ask an admin of the organization to add this one.",
    cause="the API key has allowed addresses, and the client's is none of them or is not known",
)
NOT_FOUND = ErrorType(
    code="NOT_FOUND",
    status=404,
    message="The route does not exist",
    hint="Check the method and the path. Paths begin with the version, as in /v1/auth/api-keys. Routes for backends "
    "need an AWS signature.",
    cause="no route has this method and path, the deployment has no console, or the route needs an AWS signature and "
    "there is none",
)
API_KEY_NOT_FOUND = ErrorType(
    code="API_KEY_NOT_FOUND",
    status=404,
    message="The organization has no API key with this id",
    hint="List the organization's keys to find the id. Deleted keys cannot be restored.",
    cause="no key in this organization has the id; keys of other organizations are not found either",
)
CONFLICT = ErrorType(
    code="CONFLICT",
    status=409,
    message="The resource was changed by another request at the same time",
    hint="Read the resource again, then repeat the request.",
    cause="another request changed the resource at the same time, or its state does not allow the change",
)
API_KEY_LEAKED = ErrorType(
    code="API_KEY_LEAKED",
    status=409,
    message="The text of the API key was reported as leaked, so the key stays disabled",
    hint="Rotate the key without a grace period, then enable it. If the report is wrong, send leak: null together with "
    "enabled: true.",
    cause="a disabled key whose text was reported as leaked is to be enabled",
)
ORGANIZATION_FROZEN = ErrorType(
    code="ORGANIZATION_FROZEN",
    status=410,
    message="The organization is scheduled for deletion",
    hint="Until an owner cancels the deletion, the organization's keys do not work and nothing can be changed.",
    cause="the organization is scheduled for deletion",
)
PAYLOAD_TOO_LARGE = ErrorType(
    code="PAYLOAD_TOO_LARGE",
    status=413,
    message="The request is too large",
    hint="Send a body of at most 64 KiB, of which metadata can take up to 16 KiB.",
    cause="the body is larger than 64 KiB",
)
IDEMPOTENCY_KEY_REUSED = ErrorType(
    code="IDEMPOTENCY_KEY_REUSED",
    status=422,
    message="This Idempotency-Key was used for a different request in the last 24 hours",
    hint="Send a new Idempotency-Key with each new request. Reuse one only to repeat an identical request.",
    cause="a different request used the same `Idempotency-Key` in the last 24 hours",
)
TOO_MANY_REQUESTS = ErrorType(
    code="TOO_MANY_REQUESTS",
    status=429,
    message="Too many requests",
    hint="Wait for the number of seconds in retry-after, then repeat the request.",
    cause="the request was throttled; see `retry-after`",
    retry_after_seconds=1,
)
RATE_LIMITED = ErrorType(
    code="RATE_LIMITED",
    status=429,
    message="The API key or its organization has reached its rate limit",
    hint="Wait, then repeat the request, or ask for a higher limit.",
    cause="the rate limit of the API key or of its organization is reached",
)
QUOTA_EXCEEDED = ErrorType(
    code="QUOTA_EXCEEDED",
    status=429,
    message="The quota of the API key or of its organization is used up",
    hint="Wait for the next period of the quota, or ask for a higher quota.",
    cause="the quota of the API key or of its organization is used up for this period",
)
INTERNAL_SERVER_ERROR = ErrorType(
    code="INTERNAL_SERVER_ERROR",
    status=500,
    message="An unexpected error occurred",
    hint="Repeat the request. If it fails again, report the x-request-id of this response.",
    cause="a bug or a configuration error; the log has the details under the request's id",
)
SERVICE_UNAVAILABLE = ErrorType(
    code="SERVICE_UNAVAILABLE",
    status=503,
    message="The service is temporarily unavailable",
    hint="Wait for the number of seconds in retry-after, then repeat the request, with the same Idempotency-Key if it "
    "had one.",
    cause="DynamoDB, Secrets Manager or the identity provider does not answer; see `retry-after`",
    retry_after_seconds=1,
)

CATALOGUE: dict[str, ErrorType] = {
    error.code: error for error in tuple(globals().values()) if isinstance(error, ErrorType)
}
"""Every error above, by code. The variants below share their codes."""

UNSUPPORTED_MEDIA_TYPE = BAD_REQUEST.variant(
    message="The content-type of the request is not JSON",
    hint="Send the header content-type: application/json.",
)
SESSION_EXPIRED = UNAUTHORIZED.variant(
    message="The session token has expired",
    hint="Sign in again to get a new token.",
)
INVALID_SIGNATURE = UNAUTHORIZED.variant(
    message="The AWS signature of the request is not valid",
    hint="Check the AWS credentials, the region and the clock of the machine that signed the request.",
)
AWS_CREDENTIALS_EXPIRED = UNAUTHORIZED.variant(
    message="The AWS credentials of the request have expired",
    hint="Get new AWS credentials and sign the request again.",
)
INVALID_REPORT_SIGNATURE = UNAUTHORIZED.variant(
    message="The report does not have a valid signature",
    hint="Sign the body exactly as it is sent, with a key that GitHub publishes for secret scanning.",
)
OWNER_REQUIRED = FORBIDDEN.variant(hint="Only an owner of the organization can do this.")
MEMBERSHIP_REQUIRED = FORBIDDEN.variant(
    hint="Only a member who is not suspended can do this. Check that you are signed in to the right organization.",
)
NO_ORGANIZATION = FORBIDDEN.variant(
    message="The session does not act for an organization",
    hint="Sign in with an organization selected and use that session token.",
)
NO_CONSOLE = NOT_FOUND.variant(
    hint="This deployment has no console. Set the parameter ConsoleClientId to enable it.",
)
BLOCKED_BY_FIREWALL = FORBIDDEN.variant(
    message="A firewall blocked the request",
    hint="Report the x-request-id of this response to the operator of this API.",
)


class ServiceError(Exception):
    """An error to return to the caller.

    Args:
        error: the entry of the catalogue, or a variant of one.
        message: replaces the entry's message. It is returned to the caller, so it holds no secret.
        hint: replaces the entry's hint. It is returned to the caller as well.
        reason: for the log only. It holds no secret either.
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


class Unauthorized(Exception):  # noqa: N818 - API Gateway expects exactly this message
    """The 401 of an authorizer: API Gateway answers 401 only if an authorizer fails with the message "Unauthorized"."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")
