"""CORS: headers that let the pages of allowed origins call the API from a browser (Fetch Standard, "CORS protocol")."""

from __future__ import annotations

from keywright.settings import answer_settings

PREFLIGHT_SECONDS = 600
"""How long browsers can cache the answer to a preflight request."""

_METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
_REQUEST_HEADERS = "authorization, content-type, idempotency-key, x-api-key"
_RESPONSE_HEADERS = "x-request-id, retry-after, www-authenticate, idempotent-replayed"


def response_headers(origin: str | None) -> dict[str, str]:
    """Return the CORS headers of a response to a request with this `origin` header."""
    allowed = answer_settings().allowed_origins
    if not allowed:
        return {}
    if origin not in allowed:
        return {"vary": "origin"}
    return {
        "vary": "origin",
        "access-control-allow-origin": origin,
        "access-control-expose-headers": _RESPONSE_HEADERS,
    }


def preflight_headers(origin: str | None) -> dict[str, str]:
    """Return the CORS headers of the answer to a preflight request."""
    headers = response_headers(origin)
    if "access-control-allow-origin" not in headers:
        return headers
    return {
        **headers,
        "access-control-allow-methods": _METHODS,
        "access-control-allow-headers": _REQUEST_HEADERS,
        "access-control-max-age": str(PREFLIGHT_SECONDS),
    }
