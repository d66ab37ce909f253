"""A FastAPI application whose routes are called with API keys.

Run it: KEYWRIGHT_URL=... AWS_REGION=... uvicorn fastapi_app:app
"""

from typing import Annotated, Any

import keywright_client
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

app = FastAPI()
bearer = HTTPBearer(auto_error=False)


class ApiKey:
    """A dependency: the key of the request, valid and permitted to do what the route asks for."""

    def __init__(self, *permissions: str) -> None:
        self.permissions = permissions

    # Not async: FastAPI then waits for the answer in a thread, and other requests go on.
    def __call__(self, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> dict[str, Any]:
        """Give what Keywright knows of the key."""
        if credentials is None:
            raise HTTPException(401, "No API key", {"www-authenticate": "Bearer"})
        try:
            key = keywright_client.verify(credentials.credentials, *self.permissions)
        except keywright_client.VerificationUnavailable:
            raise HTTPException(503, "API keys cannot be checked at the moment", {"retry-after": "1"}) from None
        if key["code"] in {"INSUFFICIENT_PERMISSIONS", "ORGANIZATION_FROZEN"}:
            raise HTTPException(403, key["code"])
        if not key["valid"]:
            raise HTTPException(401, "Not a valid API key", {"www-authenticate": "Bearer"})
        return key


@app.get("/reports")
def reports(key: Annotated[dict[str, Any], Depends(ApiKey("analytics:read"))]) -> dict[str, str]:
    """Show the reports of the key's own organization."""
    return {"reports of": key["organizationId"], "read with": key["name"]}
