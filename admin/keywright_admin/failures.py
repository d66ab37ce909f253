"""Failures of a command: each is one line on standard error and an exit code."""

from __future__ import annotations

from enum import IntEnum

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
)

from keywright.aws.client import AwsError
from keywright.errors import API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE, ServiceError
from keywright.operators.refusals import NotFoundError, RefusedError
from keywright.settings import ConfigurationError
from keywright_admin.terminal import printable

_NO_ACCESS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "UnrecognizedClientException",
    }
)


_MISSING_SETTINGS: dict[type[Exception], str] = {
    NoCredentialsError: "no AWS credentials: set AWS_PROFILE or sign in",
    NoRegionError: "no AWS region: set AWS_REGION",
}


class ExitCode(IntEnum):
    """The exit codes; docs/command-line.md lists them."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    NO_ACCESS = 5
    UNAVAILABLE = 6
    FOUND = 7
    STOPPED = 130
    """The exit code that shells use for Ctrl-C."""


class UsageError(Exception):
    """The command line is incomplete or contradictory."""


class NoStackError(Exception):
    """The CloudFormation stack does not exist, or is not a Keywright stack."""


class ApiError(Exception):
    """The API of the deployment did not answer a question.

    Args:
        message: why not.
        code: the exit code.
    """

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code


EXPECTED = (
    ApiError,
    UsageError,
    NoStackError,
    RefusedError,
    ServiceError,
    ConfigurationError,
    AwsError,
    BotoCoreError,
    ClientError,
)
"""The failures that are not bugs of this program."""


def as_typed(error: RefusedError | ServiceError, organization: object, key: object) -> Exception:
    """Return an error that names organization and key as they were typed, not by ids that were derived from them."""
    if isinstance(error, ServiceError):
        if error.error is API_KEY_NOT_FOUND:
            return NotFoundError(f"organization {organization} has no API key {key}")
    elif error.organization_id is not None and organization is not None:
        return type(error)(str(error).replace(str(error.organization_id), str(organization)))
    return error


def explain(error: Exception) -> tuple[ExitCode, str]:
    """Return the exit code of a failure and the line that describes it."""
    code, text = _code_and_text(error)
    return code, printable(" ".join(text.split()))


def _code_and_text(error: Exception) -> tuple[ExitCode, str]:
    match error:
        case UsageError() | ConfigurationError():
            return ExitCode.USAGE, str(error)
        case NotFoundError() | NoStackError():
            return ExitCode.NOT_FOUND, str(error)
        case ApiError(code=code):
            return code, str(error)
        case RefusedError():
            return ExitCode.REFUSED, str(error)
        case ServiceError():
            return _explain_service_error(error)
    return _explain_aws_error(error)


def _explain_service_error(error: ServiceError) -> tuple[ExitCode, str]:
    text = f"{error.message[0].lower()}{error.message[1:]}"
    if error.error is SERVICE_UNAVAILABLE:
        return ExitCode.UNAVAILABLE, f"{error.reason or text}; the change may have been made"
    return (ExitCode.NOT_FOUND if error.error is API_KEY_NOT_FOUND else ExitCode.REFUSED), text


def _explain_aws_error(error: Exception) -> tuple[ExitCode, str]:
    match error:
        case AwsError(code="ResourceNotFoundException"):
            return ExitCode.NOT_FOUND, "the table does not exist in this account and region"
        case AwsError(code=code, content=content):
            return _explain_aws_code(code, content.get("message") or content.get("Message"))
        case ClientError(response={"Error": {"Code": str(code), "Message": message}}):
            return _explain_aws_code(code, message)
        case ConnectionError() | HTTPClientError():
            return ExitCode.UNAVAILABLE, f"AWS does not answer: {error}"
    return ExitCode.NO_ACCESS, _MISSING_SETTINGS.get(type(error)) or f"cannot call AWS: {error}"


def _explain_aws_code(code: str, message: object) -> tuple[ExitCode, str]:
    text = f"AWS returned {code}: {message}" if message else f"AWS returned {code}"
    return (ExitCode.NO_ACCESS if code in _NO_ACCESS else ExitCode.UNAVAILABLE), text
