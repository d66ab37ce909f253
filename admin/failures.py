"""How the command line ends: one line on standard error, and an exit code that says what kind of failure it was."""

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

from admin.terminal import printable
from keywright.aws.client import AwsError
from keywright.errors import API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE, ServiceError
from keywright.operators.administration import NotFoundError, RefusedError
from keywright.settings import ConfigurationError

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


_WAYS_IN: dict[type[Exception], str] = {
    NoCredentialsError: "there are no AWS credentials; set AWS_PROFILE, or sign in",
    NoRegionError: "there is no AWS region; set AWS_REGION",
}


class ExitCode(IntEnum):
    """What the exit codes mean; the README lists them."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    NO_ACCESS = 5
    UNAVAILABLE = 6
    STOPPED = 130
    """As shells have it for Ctrl-C."""


class UsageError(Exception):
    """The command line does not say enough, or contradicts itself."""


class NoStackError(Exception):
    """There is no such CloudFormation stack, or it is none of Keywright's."""


EXPECTED = (
    UsageError,
    NoStackError,
    RefusedError,
    ServiceError,
    ConfigurationError,
    AwsError,
    BotoCoreError,
    ClientError,
)
"""What can go wrong without a mistake in the program."""


def explain(error: Exception) -> tuple[ExitCode, str]:
    """Give the exit code of a failure, and the line that tells of it."""
    code, text = _explained(error)
    return code, printable(" ".join(text.split()))


def _explained(error: Exception) -> tuple[ExitCode, str]:
    match error:
        case UsageError() | ConfigurationError():
            return ExitCode.USAGE, str(error)
        case NotFoundError() | NoStackError():
            return ExitCode.NOT_FOUND, str(error)
        case RefusedError():
            return ExitCode.REFUSED, str(error)
        case ServiceError():
            return _of_service(error)
    return _of_aws(error)


def _of_service(error: ServiceError) -> tuple[ExitCode, str]:
    text = f"{error.message[0].lower()}{error.message[1:]}"
    if error.error is SERVICE_UNAVAILABLE:
        return ExitCode.UNAVAILABLE, f"{error.reason or text}; a change that was being made may have been made"
    return (ExitCode.NOT_FOUND if error.error is API_KEY_NOT_FOUND else ExitCode.REFUSED), text


def _of_aws(error: Exception) -> tuple[ExitCode, str]:
    match error:
        case AwsError(code="ResourceNotFoundException"):
            return ExitCode.NOT_FOUND, "there is no such table in this account and region"
        case AwsError(code=code, content=content):
            return _refused_by_aws(code, content.get("message") or content.get("Message"))
        case ClientError(response={"Error": {"Code": str(code), "Message": message}}):
            return _refused_by_aws(code, message)
        case ConnectionError() | HTTPClientError():
            return ExitCode.UNAVAILABLE, f"AWS does not answer: {error}"
    return ExitCode.NO_ACCESS, _WAYS_IN.get(type(error)) or f"AWS cannot be asked: {error}"


def _refused_by_aws(code: str, message: object) -> tuple[ExitCode, str]:
    text = f"AWS says {code}: {message}" if message else f"AWS says {code}"
    return (ExitCode.NO_ACCESS if code in _NO_ACCESS else ExitCode.UNAVAILABLE), text
