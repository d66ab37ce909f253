"""A FastAPI application. FastAPI evaluates its annotations where they are, so they are not strings."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import JSONResponse

from keywright_client import AsyncKeywright, Keywright, Valid
from keywright_client.fastapi import ApiKey
from keywright_client.refusals import limit_headers
from tests.clients.integrations.answers import REQUIRED


def create(keywright: Keywright | AsyncKeywright, **options: Any) -> FastAPI:
    """Return an application with a route and a WebSocket that require permissions, with options of the dependency."""
    app = FastAPI()
    api_key = ApiKey(keywright, **{"permissions": REQUIRED, "cost": 3, **options})

    @app.get("/reports")
    def reports(key: Annotated[Valid, Depends(api_key)]) -> dict[str, str]:
        return {"id": key.id}

    @app.get("/reports/response")
    def response(key: Annotated[Valid, Depends(api_key)]) -> JSONResponse:
        return JSONResponse({"id": key.id}, headers=limit_headers(key, datetime.now(UTC)))

    @app.get("/reports/missing")
    def missing(key: Annotated[Valid, Depends(api_key)]) -> None:
        raise HTTPException(404, headers=limit_headers(key, datetime.now(UTC)))

    @app.websocket("/live")
    async def live(websocket: WebSocket, key: Annotated[Valid, Depends(api_key)]) -> None:
        await websocket.accept()
        await websocket.send_json({"id": key.id})

    return app
