"""A FastAPI application. FastAPI evaluates its annotations where they are, so they are no texts."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, WebSocket

from keywright_client import AsyncKeywright, Keywright, Valid
from keywright_client.fastapi import ApiKey
from tests.clients.integrations.answers import REQUIRED


def create(keywright: Keywright | AsyncKeywright, **options: Any) -> FastAPI:
    """Return an application with a route and a WebSocket that require permissions, with options of the dependency."""
    app = FastAPI()
    api_key = ApiKey(keywright, **{"permissions": REQUIRED, "cost": 3, **options})

    @app.get("/reports")
    def reports(key: Annotated[Valid, Depends(api_key)]) -> dict[str, str]:
        return {"id": key.id}

    @app.websocket("/live")
    async def live(websocket: WebSocket, key: Annotated[Valid, Depends(api_key)]) -> None:
        await websocket.accept()
        await websocket.send_json({"id": key.id})

    return app
