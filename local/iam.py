"""IAM on this machine: a request to an emulated service is answered only if the caller's role allows it.

As on AWS, the access key in the Authorization header (Signature Version 4) identifies the caller. Each function has an
access key with the role that the template gives it. The operator has another one, which allows everything. Signatures
are not verified.

Sources: IAM User Guide, "Create a signed AWS API request", "Troubleshoot access denied error messages"; Amazon DynamoDB
Developer Guide, "Error handling with DynamoDB" (AccessDeniedException, UnrecognizedClientException: 400); Secrets
Manager API Reference, "Common Errors"; Amazon SQS API Reference, "Common Errors" (AccessDenied: 403); Amazon SQS
Developer Guide, "Interpreting Amazon SQS JSON API responses" (x-amzn-query-error).
"""

from __future__ import annotations

import io
import itertools
import json
import re
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local.intrinsics import ACCOUNT_ID
from local.permissions import (
    DYNAMODB,
    EVENTBRIDGE,
    SECRETS_MANAGER,
    SQS,
    STREAMS,
    Permission,
    Statement,
    UnknownOperationError,
    is_allowed,
    on_object,
    required_permissions,
    resource_arn,
    service_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from local.template import Function

OPERATOR = "local"
"""Access key that allows everything: that of the user who starts the service, and of the tests."""
NONE = "none"
"""Access key without a role."""

_CREDENTIAL = re.compile(r"\bCredential=([^/, ]+)/")
_OF_S3 = re.compile(r"\bCredential=[^, ]+/s3/aws4_request\b")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """AWS credentials to sign requests with."""

    access_key: str
    secret_key: str = field(default="local", repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """Result of checking one permission of a function.

    Attributes:
        function: logical id of the calling function.
    """

    function: str
    permission: Permission
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class _Session:
    """The role of a function, assumed by one of its containers.

    Attributes:
        environment: environment of the container; names the table, the secret and the queues.
        variables: environment variable that names a resource, by the resource's ARN in the template.
    """

    function: Function
    environment: Mapping[str, str]
    variables: Mapping[str, str]

    @property
    def principal(self) -> str:
        """ARN of the caller."""
        name = self.function.name
        return f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{name}Role/{name}"

    def statements(self) -> Iterable[Statement]:
        """Yield the statements of the role, for the resources that the container's environment names."""
        for statement in self.function.statements:
            resources = tuple(self._actual(resource) for resource in statement.resources)
            yield replace(statement, resources=resources)

    def _actual(self, resource: str) -> str:
        whole, part = _parted(resource)
        variable = self.variables.get(whole)
        return (
            resource if variable is None else resource_arn(_service(whole), self.environment.get(variable, "")) + part
        )


class Iam:
    """The roles of the functions, and the check of every request against them.

    Args:
        observe: called with the result of each check.
    """

    def __init__(self, observe: Callable[[Decision], object] = lambda _: None) -> None:
        self._observe = observe
        self._sessions: dict[str, _Session] = {}
        self._numbers = itertools.count(1)

    def assume_role(self, function: Function, environment: Mapping[str, str]) -> AccessKey:
        """Return a new access key with the role of a function.

        Args:
            function: the function.
            environment: environment of the container that gets the key, read at each request. The role applies to the
                resources that it names, in the same variables as the template.
        """
        variables = {
            resource: name
            for statement in function.statements
            for resource, _ in map(_parted, statement.resources)
            for name, value in function.environment.items()
            if value and resource == resource_arn(_service(resource), value)
        }
        key = AccessKey(f"ASIA{next(self._numbers)}{function.logical_id}")
        self._sessions[key.access_key] = _Session(function, environment, variables)
        return key

    def guard(self, application: WSGIApplication) -> WSGIApplication:
        """Return an application that denies what the caller's role does not allow, and forwards everything else."""

        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            credential = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
            access_key = credential[1] if credential else NONE
            if access_key == OPERATOR:
                return application(environ, start_response)
            target = environ.get("HTTP_X_AMZ_TARGET", "")
            session = self._sessions.get(access_key)
            if session is None:
                return _error(start_response, target, _UNKNOWN_CALLER)
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            if _OF_S3.search(environ["HTTP_AUTHORIZATION"]):
                permission = on_object(environ["REQUEST_METHOD"], environ["PATH_INFO"])
                if self._first_denied(session, [permission]) is not None:
                    return _object_denied(start_response)
                return application({**environ, "wsgi.input": io.BytesIO(body)}, start_response)
            denied = self._denied(session, target, body)
            if denied is not None:
                return _error(start_response, target, _access_denied(session.principal, denied))
            return application({**environ, "wsgi.input": io.BytesIO(body)}, start_response)

        return guarded

    def _denied(self, session: _Session, target: str, body: bytes) -> Permission | None:
        """Return the first missing permission of a request, or None if the role allows all of them."""
        try:
            required = required_permissions(target, _object(body))
        except UnknownOperationError as error:
            self._observe(Decision(session.function.logical_id, error.permission, is_allowed=False))
            return error.permission
        return self._first_denied(session, required)

    def _first_denied(self, session: _Session, required: Iterable[Permission]) -> Permission | None:
        statements = list(session.statements())
        for permission in dict.fromkeys(required):
            allowed = is_allowed(permission, statements)
            self._observe(Decision(session.function.logical_id, permission, allowed))
            if not allowed:
                return permission
        return None


def as_operator(authorization: str) -> str:
    """Return an Authorization header with the operator's access key. The signature is unchanged."""
    return _CREDENTIAL.sub(f"Credential={OPERATOR}/", authorization)


def _parted(resource: str) -> tuple[str, str]:
    """Return the ARN of a resource, and what it names inside of it: an index or the stream of a table."""
    separator = next((each for each in ("/index/", STREAMS) if each in resource), None)
    if separator is None:
        return resource, ""
    whole, _, part = resource.partition(separator)
    return whole, f"{separator}{part}"


def _service(resource: str) -> str:
    return resource.split(":")[2]


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


_UNKNOWN_CALLER = ("UnrecognizedClientException", "The security token included in the request is invalid.")


def _access_denied(principal: str, permission: Permission) -> tuple[str, str]:
    # SQS writes actions in lower case.
    action = permission.action.lower() if permission.service == SQS else permission.action
    return "AccessDeniedException", (
        f"User: {principal} is not authorized to perform: {action} on resource: {permission.resource} "
        f"because no identity-based policy allows the {action} action"
    )


def _object_denied(start_response: StartResponse) -> list[bytes]:
    """Send S3's error (Amazon S3 API Reference, "Error responses")."""
    body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    start_response("403 Forbidden", [*headers, ("x-amz-request-id", uuid.uuid4().hex)])
    return [body]


def _error(start_response: StartResponse, target: str, error: tuple[str, str]) -> list[bytes]:
    """Send an error in the format of the called service."""
    code, message = error
    service = service_of(target) or DYNAMODB
    status, version, kind, headers = "400 Bad Request", "1.0", f"com.amazon.coral.service#{code}", []
    if service in {SECRETS_MANAGER, EVENTBRIDGE}:
        version, kind = "1.1", code
    elif service == SQS:
        status = "403 Forbidden"
        headers = [("x-amzn-query-error", f"{code.removesuffix('Exception')};Sender")]
    body = json.dumps({"__type": kind, "message" if service == SQS else "Message": message}).encode()
    start_response(
        status,
        [
            ("Content-Type", f"application/x-amz-json-{version}"),
            ("Content-Length", str(len(body))),
            ("x-amzn-RequestId", str(uuid.uuid4())),
            *headers,
        ],
    )
    return [body]
