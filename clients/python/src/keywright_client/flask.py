"""API keys for Flask: a decorator of views.

Example:
    @app.get("/reports")
    @api_key_required(keywright, permissions=["analytics:read"])
    def reports() -> dict[str, str]:
        return {"reports of": g.api_key.organization_id}
"""

from __future__ import annotations

import functools
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from flask import after_this_request, current_app, g, jsonify, request

from keywright_client.admission import Requirements, admit, is_async
from keywright_client.refusals import Refusal, limit_headers, presented_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flask import Request, Response
    from flask.typing import ResponseReturnValue

    from keywright_client import Keywright

    View = Callable[..., Any]


def api_key_required(
    keywright: Keywright,
    *,
    permissions: Iterable[str] = (),
    cost: int = 1,
    client_ip: Callable[[Request], str | None] | None = None,
) -> Callable[[View], View]:
    """Return a decorator of views that refuses requests without a valid API key.

    The key is read from `x-api-key`, or else from `Authorization: Bearer`. The view finds the result of the
    verification in `flask.g.api_key`, a `Valid`. It may be an async function. A request is refused with 401, 403 or
    429, or with 503 if the key cannot be verified, as JSON: `{"error": {"code", "message"}}`.

    Args:
        keywright: the client to verify keys with: a `Keywright`, also for async views.
        permissions: the permissions that the view requires. By default, any valid key is admitted.
        cost: how much a request takes of the key's limits, 0 to 1,000,000.
        client_ip: returns the caller's address for the allowed addresses of keys. By default, it is
            `request.remote_addr`. Behind a proxy of your own, use Werkzeug's ProxyFix.

    Raises:
        TypeError: `permissions` is not a list of strings, `cost` is not a whole number, or `keywright` is an
            `AsyncKeywright`.
        ValueError: `cost` is out of its range.
    """
    needed = Requirements.of(permissions, cost)
    if is_async(keywright):
        raise TypeError("keywright must be a Keywright: Flask has no event loop that outlives a request")

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def protected(*arguments: Any, **keywords: Any) -> ResponseReturnValue:
            key = presented_key(request.headers.get("x-api-key"), request.headers.get("authorization"))
            address = client_ip(request) if client_ip else request.remote_addr
            result = admit(keywright, key, address, needed)
            if isinstance(result, Refusal):
                return _with_headers(result.headers, jsonify(result.body)), result.status
            g.api_key = result
            headers = limit_headers(result, datetime.now(timezone.utc))
            after_this_request(functools.partial(_with_headers, headers))
            answer: ResponseReturnValue = current_app.ensure_sync(view)(*arguments, **keywords)
            return answer

        return protected

    return decorate


def _with_headers(headers: Mapping[str, str], response: Response) -> Response:
    response.headers.update(headers)
    return response
