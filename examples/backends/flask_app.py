"""A Flask application whose routes require an API key.

Run it: KEYWRIGHT_URL=... AWS_REGION=... flask --app flask_app run
"""

import functools
from collections.abc import Callable
from typing import Any

import keywright_client
from flask import Flask, abort, g, request
from flask.typing import ResponseReturnValue

app = Flask(__name__)
View = Callable[..., ResponseReturnValue]


def api_key_required(*permissions: str) -> Callable[[View], View]:
    """Refuse requests without a valid and permitted key; the view finds the key in `flask.g.api_key`."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def checked(*arguments: Any, **keywords: Any) -> ResponseReturnValue:
            headers = request.headers
            presented = keywright_client.presented_key(headers.get("x-api-key"), headers.get("authorization"))
            if presented is None:
                abort(401)
            try:
                key = keywright_client.verify(presented, *permissions, client_ip=request.remote_addr)
            except keywright_client.VerificationUnavailable:
                abort(503)
            if key["code"] in {"INSUFFICIENT_PERMISSIONS", "IP_NOT_ALLOWED", "ORGANIZATION_FROZEN"}:
                abort(403)
            if key["code"] in {"RATE_LIMITED", "QUOTA_EXCEEDED"}:
                abort(429, retry_after=key["retryAfterSeconds"])
            if not key["valid"]:
                abort(401)
            g.api_key = key
            return view(*arguments, **keywords)

        return checked

    return decorate


@app.get("/reports")
@api_key_required("analytics:read")
def reports() -> dict[str, str]:
    """Show the reports of the key's organization."""
    return {"reports of": g.api_key["organizationId"], "read with": g.api_key["name"]}
