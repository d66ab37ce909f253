"""DynamoDB with its streams, Secrets Manager, SQS and STS in memory: moto as a WSGI application.

It calls moto's response classes directly. moto's own server lists the folders of its package to find the service of
each request, and routes it through Flask, which takes longer than most requests.
"""

from __future__ import annotations

import functools
import re
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

from moto.core import responses
from moto.core.common_models import BaseModel
from moto.core.request import Request
from moto.core.serialize import AttributePicker
from moto.core.utils import method_names_from_class
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from moto.core.serialize import AttributePickerContext

MEMORY = threading.RLock()
"""Held while a request is handled. moto's DynamoDB has no locks: a transaction could see half of another."""

_SERVICE = re.compile(r"\bCredential=[^/, ]+/[^/]+/[^/]+/([^/]+)/aws4_request\b")
_HANDLERS = {
    "dynamodb": ("moto.dynamodb.responses", "DynamoHandler"),
    "dynamodbstreams": ("moto.dynamodbstreams.responses", "DynamoDBStreamsHandler"),
    "secretsmanager": ("moto.secretsmanager.responses", "SecretsManagerResponse"),
    "sqs": ("moto.sqs.responses", "SQSResponse"),
    "sts": ("moto.sts.responses", "TokenResponse"),
}

# For every request, moto inspects the members of the response class to find its operations.
responses.method_names_from_class = functools.cache(method_names_from_class)  # type: ignore[attr-defined]

# moto keeps every object that it ever made, for a page of its own server: each version of an item and each copy of a
# table before a transaction.
BaseModel.__new__ = lambda cls, *_, **__: object.__new__(cls)  # type: ignore[method-assign]

_pick = AttributePicker.__call__


def _pick_by_name(picker: AttributePicker, context: AttributePickerContext) -> Any:
    """Return a member of a value.

    moto tries a dozen names for each of the ten members of each attribute of an item, which are dicts with one of them.
    """
    if isinstance(context.obj, dict) and getattr(context.shape, "parent", context.shape).name == "AttributeValue":
        return context.obj.get(context.key)
    return _pick(picker, context)


AttributePicker.__call__ = _pick_by_name  # type: ignore[method-assign,assignment]


class _Request(Request):
    from_wsgi_server = True


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request to the service that its signature names."""
    service = _SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if service is None or service[1] not in _HANDLERS:
        response = Response("The request is not signed for a service that is emulated here.", 404)
    else:
        request = _Request(environ)
        # Signed for the same service (Amazon DynamoDB Streams API Reference).
        is_stream = environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDBStreams_")
        with MEMORY:
            status, headers, body = _dispatch("dynamodbstreams" if is_stream else service[1])(
                request, request.raw_url, dict(request.headers)
            )
        response = Response(body, status, headers)
    return response(environ, start_response)


@functools.cache
def _dispatch(service: str) -> Callable[..., tuple[int, dict[str, Any], str | bytes]]:
    module, name = _HANDLERS[service]
    dispatch: Callable[..., tuple[int, dict[str, Any], str | bytes]] = getattr(import_module(module), name).dispatch
    return dispatch
