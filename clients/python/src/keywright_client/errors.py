"""The errors of the client. None of them holds the text of a key, a token or AWS credentials."""

from __future__ import annotations


class KeywrightError(Exception):
    """Base of all errors of the client. It is never raised itself."""


class ApiError(KeywrightError):
    """Keywright, or AWS in front of it, answered with an error.

    Attributes:
        status: the HTTP status.
        code: identifies the error to programs: a code of Keywright, or `UNEXPECTED_ANSWER` if the answer is not
            Keywright's. New versions of Keywright can have new codes.
        message: what happened, without a period at the end.
        hint: what you can do about it. Can be empty.
        docs: the link to the error in the reference, or None.
        request_id: the `x-request-id` of the answer, or None.
        retry_after_seconds: how long to wait before the next request, or None.
    """

    def __init__(  # noqa: PLR0913 - keywords only, one for each attribute
        self,
        *,
        status: int,
        code: str,
        message: str,
        hint: str = "",
        docs: str | None = None,
        request_id: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.docs = docs
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        parts = (
            f"{code} ({status}): {message}.",
            hint,
            f"[x-request-id {request_id}]" if request_id else "",
        )
        super().__init__(" ".join(part for part in parts if part))

    def __reduce__(self) -> tuple[object, ...]:
        """Return how to pickle the error: its constructor takes keywords only."""
        return _restored, (dict(vars(self)),)


def _restored(attributes: dict[str, object]) -> ApiError:
    return ApiError(**attributes)  # type: ignore[arg-type]


class ApiConnectionError(KeywrightError):
    """No complete answer arrived: unknown name, refused or broken connection, TLS, time-out.

    The request may have taken effect all the same, unless the AWS credentials could not be refreshed to sign it.

    Attributes:
        reason: what failed, such as `connection refused`.
        host: host and port of the request. Empty if the AWS credentials could not be refreshed.
    """

    def __init__(self, reason: str, host: str) -> None:
        self.reason = reason
        self.host = host
        super().__init__(reason, host)

    def __str__(self) -> str:
        return f"No answer from {self.host}: {self.reason}" if self.host else f"Nothing was sent: {self.reason}"


class ConfigurationError(KeywrightError):
    """The client cannot send the request as it is configured. The message names the argument and the remedy."""
