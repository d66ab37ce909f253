"""IAM on this machine: a request to an emulated service is answered only if the role of the caller allows it.

As on AWS, the access key in the Authorization header (Signature Version 4) says who calls. Each function has one, and
behind it the role that the template gives the function. The operator has another one, and may do everything.
Signatures are not checked.

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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.intrinsics import ACCOUNT_ID
from local.permissions import (
    DYNAMODB,
    SECRETS_MANAGER,
    SQS,
    Permission,
    Statement,
    UnknownOperationError,
    arn,
    is_allowed,
    needed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from local.template import Function

OPERATOR = "local"
"""The access key that may do everything: of the one who has started the emulated services, and of the tests."""
NONE = "none"
"""An access key that no role has."""

_CREDENTIAL = re.compile(r"\bCredential=([^/, ]+)/")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Credentials to sign with."""

    access_key: str
    secret_key: str = field(default="local", repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of a check.

    Attributes:
        function: the logical id of the function that called.
    """

    function: str
    permission: Permission
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class _Session:
    """A function's role, assumed by a container of the function.

    Attributes:
        environment: the container's, which names the table, the secret and the queues.
        variables: the variable that names a resource, by the ARN that the template has for the resource.
    """

    function: Function
    environment: Mapping[str, str]
    variables: Mapping[str, str]

    @property
    def principal(self) -> str:
        """The ARN of the caller."""
        name = self.function.name
        return f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{name}Role/{name}"

    def statements(self) -> Iterable[Statement]:
        """Return the role's statements, about the resources that the container's environment names."""
        for statement in self.function.statements:
            resources = tuple(self._actual(resource) for resource in statement.resources)
            yield Statement(statement.effect, statement.actions, resources)

    def _actual(self, resource: str) -> str:
        table, *index = resource.split("/index/", 1)
        variable = self.variables.get(table)
        if variable is None:
            return resource
        return "/index/".join([arn(_service(table), self.environment.get(variable, "")), *index])


class Iam:
    """The roles of functions, and the check of requests.

    Args:
        observe: told of each check of a function's permission.
    """

    def __init__(self, observe: Callable[[Decision], object] = lambda _: None) -> None:
        self._observe = observe
        self._sessions: dict[str, _Session] = {}
        self._numbers = itertools.count(1)

    def assume_role(self, function: Function, environment: Mapping[str, str]) -> AccessKey:
        """Return a new access key with the role of a function behind it.

        Args:
            function: whose role.
            environment: of the container that gets the key. The role is about the resources that are named here, by the
                variables that name them in the template; it is read anew with each request.
        """
        variables = {
            resource: name
            for statement in function.statements
            for resource in (resource.split("/index/", 1)[0] for resource in statement.resources)
            for name, value in function.environment.items()
            if value and resource == arn(_service(resource), value)
        }
        key = AccessKey(f"ASIA{next(self._numbers)}{function.logical_id}")
        self._sessions[key.access_key] = _Session(function, environment, variables)
        return key

    def guard(self, application: WSGIApplication) -> WSGIApplication:
        """Return a service that refuses what the caller's role does not allow, and passes on everything else."""

        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            credential = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
            access_key = credential[1] if credential else NONE
            if access_key == OPERATOR:
                return application(environ, start_response)
            target = environ.get("HTTP_X_AMZ_TARGET", "")
            session = self._sessions.get(access_key)
            if session is None:
                return _refused(start_response, target, _UNKNOWN_CALLER)
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            denied = self._denied(session, target, body)
            if denied is not None:
                return _refused(start_response, target, _access_denied(session.principal, denied))
            return application({**environ, "wsgi.input": io.BytesIO(body)}, start_response)

        return guarded

    def _denied(self, session: _Session, target: str, body: bytes) -> Permission | None:
        """Return the first permission that the caller lacks; None if it has all that the request takes."""
        try:
            wanted = needed(target, _object(body))
        except UnknownOperationError as error:
            self._observe(Decision(session.function.logical_id, error.permission, is_allowed=False))
            return error.permission
        statements = list(session.statements())
        for permission in dict.fromkeys(wanted):
            allowed = is_allowed(permission, statements)
            self._observe(Decision(session.function.logical_id, permission, allowed))
            if not allowed:
                return permission
        return None


def as_operator(authorization: str) -> str:
    """Return the Authorization header of a request as if the operator had sent it; the signature stays as it is."""
    return _CREDENTIAL.sub(f"Credential={OPERATOR}/", authorization)


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
    # SQS writes the action in lower case.
    action = permission.action.lower() if permission.service == SQS else permission.action
    return "AccessDeniedException", (
        f"User: {principal} is not authorized to perform: {action} on resource: {permission.resource} "
        f"because no identity-based policy allows the {action} action"
    )


def _refused(start_response: StartResponse, target: str, error: tuple[str, str]) -> list[bytes]:
    """Answer as the service does that is asked."""
    code, message = error
    service = {"secretsmanager": SECRETS_MANAGER, "AmazonSQS": SQS}.get(target.partition(".")[0], DYNAMODB)
    status, version, kind, headers = "400 Bad Request", "1.0", f"com.amazon.coral.service#{code}", []
    if service == SECRETS_MANAGER:
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
