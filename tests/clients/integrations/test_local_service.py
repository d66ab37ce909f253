"""The asynchronous integrations, asked many things by one event loop, with the local service behind them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
from botocore.credentials import Credentials

from keywright_client import AsyncKeywright
from keywright_client.asgi import ApiKeyMiddleware
from tests.api.deployment import data
from tests.clients.integrations import fastapi_application
from tests.clients.integrations.applications import id_of_the_key
from tests.support.environment import LOOPBACK
from tests.support.in_process import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright_client.asgi import Application
    from tests.api.deployment import Deployment

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

PERMISSIONS = ["analytics:read"]


def fastapi(keywright: AsyncKeywright) -> Application:
    """Return a FastAPI application."""
    return fastapi_application.create(keywright, permissions=PERMISSIONS, cost=1)


def asgi(keywright: AsyncKeywright) -> Application:
    """Return an application behind the middleware."""
    return ApiKeyMiddleware(id_of_the_key, keywright=keywright, permissions=PERMISSIONS)


def responses(
    deployment: Deployment, create: Callable[[AsyncKeywright], Application], *keys: str
) -> list[httpx.Response]:
    """Return the responses of an application to requests with these keys, all at once."""

    async def send() -> list[httpx.Response]:
        iam = deployment.iam
        credentials = Credentials(iam["access_key_id"], iam["secret_access_key"])
        keywright = AsyncKeywright(deployment.base_url, region=iam["region"], credentials=credentials)
        transport = httpx.ASGITransport(create(keywright), client=(ADDRESS, 50_000))
        async with keywright, httpx.AsyncClient(transport=transport, base_url="http://backend") as client:
            requests = [client.get("/reports", headers={"x-api-key": key}) for key in keys]
            return await asyncio.gather(*requests)

    return asyncio.run(send())


both = pytest.mark.parametrize("create", [fastapi, asgi])


@both
def test_keys_are_verified_at_once(deployment: Deployment, create: Callable[[AsyncKeywright], Application]) -> None:
    """Requests at the same time are admitted or refused, each for its own key."""
    valid = deployment.create_key(permissions=["analytics:read"])
    elsewhere = deployment.create_key(permissions=["analytics:read"], allowedIps=["198.51.100.1"])
    without = deployment.create_key(permissions=["sessions:read"])
    deleted = deployment.create_key(permissions=["analytics:read"])
    data(deployment.delete(deleted["id"]))
    keys = [key["key"] for key in (valid, elsewhere, without, deleted)]
    answers = responses(deployment, create, *keys, "nonsense", *keys)

    assert [200, 403, 403, 401, 401, 200, 403, 403, 401] == [answer.status_code for answer in answers]
    assert {"id": valid["id"]} == answers[0].json()


@both
def test_limits_are_shown(deployment: Deployment, create: Callable[[AsyncKeywright], Application]) -> None:
    """The headers of a key with limits are those that the service counts."""
    key = deployment.create_key(
        permissions=["analytics:read"],
        rateLimit={"limit": 60, "windowSeconds": 3600},
        quota={"limit": 1, "period": "total"},
    )["key"]
    answers = sorted(responses(deployment, create, key, key), key=lambda answer: answer.status_code)

    assert [200, 429] == [answer.status_code for answer in answers]
    assert ['"rate";q=60, "quota";q=1'] * 2 == [answer.headers["ratelimit-policy"] for answer in answers]
    assert all(answer.headers["ratelimit"].endswith('"quota";r=0') for answer in answers)
    assert "retry-after" not in answers[1].headers
