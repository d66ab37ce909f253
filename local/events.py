"""HTTP requests, and the events that API Gateway's REST API passes to functions for them.

Source: Amazon API Gateway Developer Guide, "Input format of a Lambda function for proxy integration" and "Input to
an API Gateway Lambda authorizer".
"""

from __future__ import annotations

import base64
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from local.intrinsics import ACCOUNT_ID, REGION, Json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

API_ID = "local"

# Connection headers, which API Gateway removes.
_NOT_PASSED_ON = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade"}
)
_NO_IDENTITY: dict[str, Json] = dict.fromkeys(
    (
        "cognitoIdentityPoolId",
        "accountId",
        "cognitoIdentityId",
        "caller",
        "principalOrgId",
        "accessKey",
        "cognitoAuthenticationType",
        "cognitoAuthenticationProvider",
        "userArn",
        "user",
    )
)


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as received.

    Attributes:
        path: percent-encoded as sent, with the stage, without the query.
        headers: one entry for each line, in order, with the names as sent.
        domain: host and port of the service; the Host header is ignored.
        received_at: seconds since the epoch.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    source_ip: str
    domain: str
    port: int
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    received_at: float = field(default_factory=time.time)

    def header(self, name: str) -> str | None:
        """Return the last value of a header, as API Gateway does, or None."""
        values = self.header_values(name)
        return values[-1] if values else None

    def header_values(self, name: str) -> list[str]:
        """Return the values of all lines of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


def request_context(request: Request, stage: str, resource: str) -> dict[str, Json]:
    """Return the `requestContext` of a request. Without a matching route, `resource` is the path."""
    identity: dict[str, Json] = {
        **_NO_IDENTITY,
        "sourceIp": request.source_ip,
        "userAgent": request.header("user-agent"),
    }
    return {
        "resourceId": "local",
        "resourcePath": resource,
        "httpMethod": request.method,
        "extendedRequestId": base64.b64encode(uuid.UUID(request.request_id).bytes).decode(),
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(request.received_at)),
        "path": request.path,
        "accountId": ACCOUNT_ID,
        "protocol": "HTTP/1.1",
        "stage": stage,
        "domainPrefix": request.domain.split(".")[0],
        "requestTimeEpoch": int(request.received_at * 1000),
        "requestId": request.request_id,
        "identity": identity,
        "domainName": request.domain,
        "deploymentId": "local",
        "apiId": API_ID,
    }


def proxy_event(
    request: Request, resource: str, path_parameters: Mapping[str, str], context: dict[str, Json]
) -> dict[str, Json]:
    """Return the event of a proxy integration.

    A body that is not UTF-8 is base64-encoded.
    """
    headers = _grouped(_forwarded(request), ignore_case=True)
    query = _grouped(parse_qsl(request.query, keep_blank_values=True, errors="replace"), ignore_case=False)
    body, is_base64 = _body(request.body)
    return {
        "resource": resource,
        "path": request.path.removeprefix(f"/{context['stage']}"),
        "httpMethod": request.method,
        "headers": _last(headers),
        "multiValueHeaders": _all(headers),
        "queryStringParameters": _last(query),
        "multiValueQueryStringParameters": _all(query),
        "pathParameters": {name: unquote(value) for name, value in path_parameters.items()} or None,
        "stageVariables": None,
        "requestContext": context,
        "body": body,
        "isBase64Encoded": is_base64,
    }


def method_arn(request: Request, stage: str) -> str:
    """Return the method ARN of a request, which an authorizer's policy must allow."""
    path = request.path.removeprefix(f"/{stage}").removeprefix("/")
    return f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{API_ID}/{stage}/{request.method}/{path}"


def _forwarded(request: Request) -> list[tuple[str, str]]:
    """Return the headers as passed to a function. Forwarding headers of the client are replaced."""
    added = [
        ("X-Amzn-Trace-Id", f"Root=1-{int(request.received_at):08x}-{secrets.token_hex(12)}"),
        ("X-Forwarded-For", request.source_ip),
        ("X-Forwarded-Port", str(request.port)),
        ("X-Forwarded-Proto", "http"),
    ]
    replaced = _NOT_PASSED_ON | {name.lower() for name, _ in added}
    return [(name, value) for name, value in request.headers if name.lower() not in replaced] + added


def _grouped(pairs: Iterable[tuple[str, str]], *, ignore_case: bool) -> dict[str, list[str]]:
    spelling: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        first = spelling.setdefault(name.lower() if ignore_case else name, name)
        groups.setdefault(first, []).append(value)
    return groups


def _last(groups: dict[str, list[str]]) -> Json:
    return {name: values[-1] for name, values in groups.items()} or None


def _all(groups: dict[str, list[str]]) -> Json:
    return {name: list(values) for name, values in groups.items()} or None


def _body(body: bytes) -> tuple[str | None, bool]:
    if not body:
        return None, False
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True
