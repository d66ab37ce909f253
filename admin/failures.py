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
from keywright.administering import NotFoundError, RefusedError
from keywright.errors import API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE, ServiceError
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
        case NoCredentialsError():
            return ExitCode.NO_ACCESS, "there are no AWS credentials; set AWS_PROFILE, or sign in"
        case NoRegionError():
            return ExitCode.NO_ACCESS, "there is no AWS region; set AWS_REGION"
        case ClientError(response={"Error": {"Code": "ResourceNotFoundException"}}):
            return ExitCode.NOT_FOUND, "there is no such table in this account and region"
        case ClientError(response={"Error": {"Code": str(code), "Message": str(message)}}):
            return (ExitCode.NO_ACCESS if code in _NO_ACCESS else ExitCode.UNAVAILABLE), f"AWS says {code}: {message}"
        case ConnectionError() | HTTPClientError():
            return ExitCode.UNAVAILABLE, f"AWS does not answer: {error}"
    return ExitCode.NO_ACCESS, f"AWS cannot be asked: {error}"
