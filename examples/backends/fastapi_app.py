"""A FastAPI application whose routes require an API key.

Run it: KEYWRIGHT_URL=... uvicorn fastapi_app:app
"""

import os
from typing import Annotated

from fastapi import Depends, FastAPI

from keywright_client import Keywright, Valid
from keywright_client.fastapi import ApiKey

keywright = Keywright(os.environ.get("KEYWRIGHT_URL"), function=os.environ.get("KEYWRIGHT_FUNCTION"))
can_read = ApiKey(keywright, permissions=["analytics:read"])
app = FastAPI()


@app.get("/reports")
def reports(key: Annotated[Valid, Depends(can_read)]) -> dict[str, str]:
    """Return the reports of the key's organization."""
    return {"reports of": key.organization_id, "read with": key.name}
