"""API keys for FastAPI: a dependency.

Example:
    api_key = ApiKey(keywright, permissions=["analytics:read"])

    @app.get("/reports")
    def reports(key: Annotated[Valid, Depends(api_key)]) -> dict[str, str]:
        return {"reports of": key.organization_id}
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Annotated

from fastapi import HTTPException, Response, Security, WebSocketException, status
from fastapi.concurrency import run_in_threadpool
from fastapi.requests import HTTPConnection
from fastapi.security import APIKeyHeader, HTTPBearer

from keywright_client import AsyncKeywright, Keywright, Valid
from keywright_client.admission import Requirements, admit, admit_async, is_async
from keywright_client.refusals import Refusal, limit_headers, presented_key


class _Header(APIKeyHeader):
    """Describes the header in OpenAPI. FastAPI's class reads it too, which fails for WebSockets."""

    async def __call__(self) -> None:  # type: ignore[override] # reads nothing
        return


class _Bearer(HTTPBearer):
    """Describes the header in OpenAPI, as `_Header` does."""

    async def __call__(self) -> None:  # type: ignore[override] # reads nothing
        return


_DENIAL = "websocket.http.response"
"""The extension of ASGI servers that can refuse a WebSocket with a response."""
_X_API_KEY = _Header(name="x-api-key", scheme_name="ApiKeyHeader")
_BEARER = _Bearer(scheme_name="ApiKeyBearer")


class ApiKey:
    """A dependency that admits requests with a valid API key and returns the result of its verification.

    The key is read from `x-api-key`, or else from `Authorization: Bearer`: both are security schemes of the
    application's OpenAPI description. WebSocket routes can depend on it, too: a WebSocket is refused before it is
    accepted, with the same answer if the server has the extension `websocket.http.response`, otherwise with the
    server's own 403.

    The headers `ratelimit` and `ratelimit-policy` are added to what a route returns as data. FastAPI drops them if the
    route returns a `Response` or raises an exception: pass `headers=limit_headers(key, now)` of
    `keywright_client.refusals` to it, or protect the application with `ApiKeyMiddleware`, which adds them to every
    response.

    Args:
        keywright: the client to verify keys with. The requests of a `Keywright` run in FastAPI's threads.
        permissions: the permissions that the route requires. By default, any valid key is admitted.
        cost: how much a request takes of the key's limits, 0 to 1,000,000.
        client_ip: returns the caller's address for the allowed addresses of keys. By default, it is that of the
            connection. Behind a proxy of your own, let the server take it from the proxy, as
            `uvicorn --forwarded-allow-ips` does.

    Raises:
        TypeError: `permissions` is not a list of strings, or `cost` is not a whole number.
        ValueError: `cost` is out of its range.
    """

    def __init__(
        self,
        keywright: Keywright | AsyncKeywright,
        *,
        permissions: Iterable[str] = (),
        cost: int = 1,
        client_ip: Callable[[HTTPConnection], str | None] | None = None,
    ) -> None:
        self._keywright = keywright
        self._needed = Requirements.of(permissions, cost)
        self._client_ip = client_ip or _address_of_the_connection

    async def __call__(
        self,
        connection: HTTPConnection,
        response: Response,
        _x_api_key: Annotated[None, Security(_X_API_KEY)] = None,
        _bearer: Annotated[None, Security(_BEARER)] = None,
    ) -> Valid:
        """Return the result of verifying the key of a request, and add its limits to the headers of the response.

        Raises:
            HTTPException: 401, 403 or 429 if the request is refused, 503 if the key cannot be verified. Its detail is
                `{"code", "message"}`.
            WebSocketException: a WebSocket is refused, and the server cannot send a response for it.
            ConfigurationError: the client has no region or no credentials.
        """
        headers = connection.headers
        key = presented_key(headers.get("x-api-key"), headers.get("authorization"))
        address = self._client_ip(connection)
        if is_async(self._keywright):
            result = await admit_async(self._keywright, key, address, self._needed)
        else:
            result = await run_in_threadpool(admit, self._keywright, key, address, self._needed)
        if isinstance(result, Refusal):
            if connection.scope["type"] == "websocket" and _DENIAL not in (connection.scope.get("extensions") or {}):
                raise WebSocketException(status.WS_1008_POLICY_VIOLATION, result.message)
            detail = {"code": result.code, "message": result.message}
            raise HTTPException(result.status, detail, dict(result.headers))
        response.headers.update(limit_headers(result, datetime.now(timezone.utc)))
        return result


def _address_of_the_connection(connection: HTTPConnection) -> str | None:
    return connection.client.host if connection.client else None
