"""API keys for any ASGI application: a middleware.

Example:
    app = ApiKeyMiddleware(app, keywright=AsyncKeywright(...), permissions=["analytics:read"], exempt=["/health"])
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from keywright_client import requests
from keywright_client.admission import Requirements, admit_async, is_async
from keywright_client.refusals import Refusal, limit_headers, presented_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keywright_client import AsyncKeywright

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY_VIOLATION = 1008
"""A close code of WebSocket (RFC 6455, section 7.4.1)."""


class ApiKeyMiddleware:
    """An application that passes requests with a valid API key to another one and refuses all others.

    The key is read from `x-api-key`, or else from `Authorization: Bearer`. The application finds the result of the
    verification, a `Valid`, in `scope["state"]["api_key"]`, which is `request.state.api_key` in Starlette. A request
    is refused with 401, 403 or 429, or with 503 if the key cannot be verified, as JSON:
    `{"error": {"code", "message"}}`. A WebSocket is refused before it is accepted: with the same answer if the server
    has the extension `websocket.http.response`, otherwise with the server's own 403.

    Put a middleware that answers CORS preflight requests around this one: they have no key.

    Args:
        app: the application to protect.
        keywright: the client to verify keys with.
        permissions: the permissions that every request requires. By default, any valid key is admitted.
        cost: how much a request takes of the key's limits, 0 to 1,000,000.
        exempt: paths that need no key. Each is a whole path, such as `/health`, as in `scope["path"]`.
        client_ip: returns the caller's address for the allowed addresses of keys. By default, it is that of the
            connection. Behind a proxy of your own, let the server take it from the proxy, as
            `uvicorn --forwarded-allow-ips` does.

    Raises:
        TypeError: `permissions` or `exempt` is not a list of strings, `cost` is not a whole number, or `keywright` is
            not an `AsyncKeywright`.
        ValueError: `cost` is out of its range.
    """

    def __init__(  # noqa: PLR0913 - keywords only, but for the application
        self,
        app: Application,
        *,
        keywright: AsyncKeywright,
        permissions: Iterable[str] = (),
        cost: int = 1,
        exempt: Iterable[str] = (),
        client_ip: Callable[[Scope], str | None] | None = None,
    ) -> None:
        self._app = app
        self._keywright = keywright
        self._needed = Requirements.of(permissions, cost)
        if not is_async(keywright):
            raise TypeError("keywright must be an AsyncKeywright: an event loop does not wait for the other client")
        self._exempt = frozenset(requests.texts("exempt", exempt))
        self._client_ip = client_ip or _address_of_the_connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection.

        Raises:
            ConfigurationError: the client has no region or no credentials.
        """
        if scope["type"] == "lifespan" or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
            return
        key = presented_key(_header(scope, b"x-api-key"), _header(scope, b"authorization"))
        result = await admit_async(self._keywright, key, self._client_ip(scope), self._needed)
        if isinstance(result, Refusal):
            await _refuse(scope, send, result)
            return
        scope.setdefault("state", {})["api_key"] = result
        headers = _encoded(limit_headers(result, datetime.now(timezone.utc)))
        await self._app(scope, receive, _adding(headers, send) if headers else send)


def _header(scope: Scope, name: bytes) -> str | None:
    """Return the first value of a header."""
    return next((value.decode("latin-1") for header, value in scope["headers"] if header == name), None)


def _address_of_the_connection(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


async def _refuse(scope: Scope, send: Send, refusal: Refusal) -> None:
    """Send the answer that refuses a request or a WebSocket."""
    if scope["type"] == "websocket" and "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": refusal.message})
        return
    prefix = "websocket.http" if scope["type"] == "websocket" else "http"
    body = json.dumps(refusal.body).encode()
    content = {"content-type": "application/json", "content-length": str(len(body))}
    headers = _encoded({**content, **refusal.headers})
    await send({"type": f"{prefix}.response.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": body})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _adding(headers: list[tuple[bytes, bytes]], send: Send) -> Send:
    """Return `send` with headers added to the response, or to the acceptance of a WebSocket."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] in {"http.response.start", "websocket.accept", "websocket.http.response.start"}:
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return send_with_headers
