"""The example backends (FastAPI and Flask), run against the local service."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest

from tests.api.deployment import KEY, data
from tests.support.environment import LOOPBACK, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from fastapi import FastAPI
    from werkzeug.test import TestResponse

    from tests.api.deployment import Deployment

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

BACKENDS = ROOT / "examples" / "backends"


class Get(Protocol):
    """Sends a GET request to an example."""

    def __call__(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        """Return status and body."""
        ...


@pytest.fixture
def example(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that imports an example as if run in its folder, with AWS credentials."""
    monkeypatch.syspath_prepend(str(BACKENDS))
    monkeypatch.setenv("KEYWRIGHT_URL", deployment.base_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", deployment.iam["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", deployment.iam["secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", deployment.iam["region"])

    def load(name: str) -> ModuleType:
        for module in ("keywright_client", name):
            monkeypatch.delitem(sys.modules, module, raising=False)
        return importlib.import_module(name)

    return load


@pytest.fixture(params=["fastapi_app", "flask_app"])
def get(request: pytest.FixtureRequest, example: Callable[[str], ModuleType]) -> Get:
    """Return a function that sends a GET request to an example."""
    app = example(request.param).app
    if request.param == "flask_app":
        return lambda path, headers: _from_flask(app.test_client().get(path, headers=headers))
    return lambda path, headers: asyncio.run(_from_fastapi(app, path, headers))


def _from_flask(response: TestResponse) -> tuple[int, Any]:
    return response.status_code, response.json


async def _from_fastapi(app: FastAPI, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://example") as client:
        response = await client.get(path, headers=headers)
    return response.status_code, response.json()


def bearer(key: str) -> dict[str, str]:
    """Return the header that presents a key."""
    return {"authorization": f"Bearer {key}"}


def test_valid_key(get: Get, deployment: Deployment) -> None:
    """A route sees the organization and the name of a valid key."""
    key = deployment.create_key(name="CI", permissions=["analytics:read"])["key"]

    assert (200, {"reports of": deployment.organization_id, "read with": "CI"}) == get("/reports", bearer(key))


@pytest.mark.parametrize(
    "headers", [{}, bearer("nonsense"), {"authorization": "Basic dTpw"}, {"authorization": "Bearer"}], ids=str
)
def test_no_valid_key(get: Get, headers: dict[str, str]) -> None:
    """A missing, malformed or other credential is 401."""
    assert 401 == get("/reports", headers)[0]


def test_missing_permission(get: Get, deployment: Deployment) -> None:
    """A valid key without the permission is 403."""
    key = deployment.create_key(permissions=["sessions:write"])["key"]

    assert 403 == get("/reports", bearer(key))[0]


def test_revoked_key(get: Get, deployment: Deployment) -> None:
    """The next request after a revocation is 401: nothing is cached."""
    created = deployment.create_key(permissions=["analytics:read"])
    before = get("/reports", bearer(created["key"]))[0]
    data(deployment.request("DELETE", KEY.format(id=created["id"])))

    assert 200 == before
    assert 401 == get("/reports", bearer(created["key"]))[0]


def test_unreachable_keywright(get: Get, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Keywright cannot be reached, the answer is 503, not 401: the key may be valid."""
    key = deployment.create_key(permissions=["analytics:read"])["key"]
    monkeypatch.setenv("KEYWRIGHT_URL", "http://127.0.0.1:1/v1")

    assert 503 == get("/reports", bearer(key))[0]


def test_wrong_aws_credentials(get: Get, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """With wrong AWS credentials the answer is 503: the caller is neither admitted nor blamed."""
    key = deployment.create_key(permissions=["analytics:read"])["key"]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    assert 503 == get("/reports", bearer(key))[0]
