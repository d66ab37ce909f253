"""A FastAPI application whose routes require an API key.

Run it: KEYWRIGHT_URL=... AWS_REGION=... uvicorn fastapi_app:app
"""

from typing import Annotated, Any

import keywright_client
from fastapi import Depends, FastAPI, Header, HTTPException, Request

app = FastAPI()


class ApiKey:
    """A dependency that returns the key of a request, once it is valid and has the permissions."""

    def __init__(self, *permissions: str) -> None:
        self.permissions = permissions

    # Not async, so that FastAPI runs it in a thread and other requests continue.
    def __call__(
        self,
        request: Request,
        x_api_key: Annotated[str | None, Header()] = None,
        authorization: Annotated[str | None, Header()] = None,
    ) -> dict[str, Any]:
        """Return the result of verifying the key in `x-api-key` or `Authorization: Bearer`.

        Raises:
            HTTPException: 401 without a valid key, 403 if it is not permitted, 429 if it has reached a limit, 503 if
                Keywright does not answer.
        """
        presented = keywright_client.presented_key(x_api_key, authorization)
        if presented is None:
            raise HTTPException(401, "No API key", {"www-authenticate": "Bearer"})
        try:
            client_ip = request.client.host if request.client else None
            key = keywright_client.verify(presented, *self.permissions, client_ip=client_ip)
        except keywright_client.VerificationUnavailable:
            raise HTTPException(503, "API keys cannot be verified at the moment", {"retry-after": "1"}) from None
        if key["code"] in {"INSUFFICIENT_PERMISSIONS", "IP_NOT_ALLOWED", "ORGANIZATION_FROZEN"}:
            raise HTTPException(403, key["code"])
        if key["code"] in {"RATE_LIMITED", "QUOTA_EXCEEDED"}:
            seconds = key["retryAfterSeconds"]
            raise HTTPException(429, key["code"], {"retry-after": str(seconds)} if seconds else None)
        if not key["valid"]:
            raise HTTPException(401, "Not a valid API key", {"www-authenticate": "Bearer"})
        return key


@app.get("/reports")
def reports(key: Annotated[dict[str, Any], Depends(ApiKey("analytics:read"))]) -> dict[str, str]:
    """Show the reports of the key's organization."""
    return {"reports of": key["organizationId"], "read with": key["name"]}
