"""The functions of the template in this process, with the environment of a deployment."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from local import backend
from local.options import ROOT
from local.template import read_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright.cache import once
    from local.template import Stack

PEPPER = {"current": 1, "1": "benchmark-pepper-of-64-characters-benchmark-pepper-of-64-charact"}
ORGANIZATION_ID = uuid.UUID("5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6")
USER_ID = "user_1"
_PARAMETERS = {"OidcIssuer": "http://127.0.0.1:1", "OidcAudience": "benchmark"}
ARN = "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/v1/GET/auth/api-keys/current"


@dataclass(frozen=True, slots=True)
class Context:
    """The context object of Lambda, with a constant remaining time."""

    aws_request_id: str = "7d2b8f4e-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Return the remaining time."""
        return 10_000


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a function, without the AWS settings of the user.

    Args:
        changes: variables to set to other values.
    """
    isolated = dict(os.environ)
    backend.isolate(isolated)
    return isolated | stack().environment() | {"POWERTOOLS_LOG_LEVEL": "INFO", "PEPPER_SECRET_ID": "pepper"} | changes


def stack() -> Stack:
    """Read the template."""
    return read_stack(ROOT / "template.yaml", _PARAMETERS, {})


def enter(**changes: str) -> None:
    """Set the environment of this process and its import path to those of a function."""
    os.environ.clear()
    os.environ.update(environment(**changes))
    layer = str(ROOT / "layers" / "shared" / "python")
    if layer not in sys.path:
        sys.path.insert(0, layer)


def load_handler(name: str) -> Callable[[dict[str, Any]], Any]:
    """Import a function and return its handler, which takes only an event."""
    path = ROOT / "functions" / name / "handler.py"
    spec = importlib.util.spec_from_file_location(f"functions_{name}", path)
    assert spec is not None, "a .py file has a loader"  # noqa: S101
    assert spec.loader is not None, "a .py file has a loader"  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = Context()
    return lambda event: module.handler(event, context)


def replacing(part: once[Any], value: object, function: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that runs with another value in the place of one that a container builds once."""

    def call() -> Any:
        kept = part()
        part._values[:] = [value]  # noqa: SLF001 - which only tests and benchmarks replace
        try:
            return function()
        finally:
            part._values[:] = [kept]  # noqa: SLF001 - the same

    return call


def with_hmac(function: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that runs in a deployment with KeyHash=hmac-sha256."""
    from keywright.settings import KeyHash, secret_settings, settings  # noqa: PLC0415 - after the environment

    secret = replace(secret_settings(), key_hash=KeyHash.HMAC_SHA256)
    inner = replacing(settings, replace(settings(), key_hash=KeyHash.HMAC_SHA256), function)
    return replacing(secret_settings, secret, inner)


def authorizer_event(key: str) -> dict[str, Any]:
    """Return the event of an API Gateway REQUEST authorizer for the request of a browser."""
    return {
        "type": "REQUEST",
        "methodArn": ARN,
        "resource": "/auth/api-keys/current",
        "path": "/auth/api-keys/current",
        "httpMethod": "GET",
        "headers": {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate, br",
            "Host": "abcdef1234.execute-api.us-east-1.amazonaws.com",
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0",
            "X-Amzn-Trace-Id": "Root=1-67890abc-0123456789abcdef01234567",
            "X-Forwarded-For": "203.0.113.7",
            "x-api-key": key,
        },
        "queryStringParameters": {},
        "pathParameters": {},
        "requestContext": {"requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "stage": "v1"},
    }


def member_event(method: str, resource: str, body: object = None, **path: str) -> dict[str, Any]:
    """Return the event of a route that requires a session."""
    return _event(method, resource, body, path) | {
        "requestContext": _context()
        | {
            "authorizer": {
                "organizationId": str(ORGANIZATION_ID),
                "userId": USER_ID,
                "expiresAt": "4102444800",
            }
        }
    }


def backend_event(body: object) -> dict[str, Any]:
    """Return the event of POST /auth/api-keys/verify, signed by a backend."""
    context = _context()
    context["identity"] = {
        **context["identity"],
        "userArn": "arn:aws:iam::123456789012:role/backend",
        "caller": "AROABACKEND:i-0123456789abcdef0",
        "accountId": "123456789012",
    }
    return _event("POST", "/auth/api-keys/verify", body, {}) | {"requestContext": context}


def key_event(key_id: uuid.UUID) -> dict[str, Any]:
    """Return the event of GET /auth/api-keys/current, after authorize_api_key."""
    context = _context() | {
        "authorizer": {"organizationId": str(ORGANIZATION_ID), "apiKeyId": str(key_id), "permissions": "sessions:read"}
    }
    return _event("GET", "/auth/api-keys/current", None, {}) | {"requestContext": context}


def _event(method: str, resource: str, body: object, path: dict[str, str]) -> dict[str, Any]:
    return {
        "resource": resource,
        "path": resource.format(**path),
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", "Host": "abcdef1234.execute-api.us-east-1.amazonaws.com"},
        "pathParameters": path or None,
        "queryStringParameters": None,
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def _context() -> dict[str, Any]:
    return {
        "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "stage": "v1",
        "domainName": "abcdef1234.execute-api.us-east-1.amazonaws.com",
        "identity": {"sourceIp": "203.0.113.7"},
    }
