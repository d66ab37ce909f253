"""The examples of backends, run against a service: FastAPI and Flask, with keys of every kind."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest

from tests.api.conftest import connected, local_service
from tests.api.deployment import KEY, data
from tests.conftest import LOOPBACK, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from fastapi import FastAPI
    from werkzeug.test import TestResponse

    from tests.api.deployment import Deployment

pytestmark = [pytest.mark.allow_hosts(LOOPBACK), pytest.mark.xdist_group("examples")]

FOLDER = ROOT / "examples" / "backends"


class Get(Protocol):
    """Sends a GET request to an example."""

    def __call__(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        """Give status and body."""
        ...


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A service of its own, whose organization is frozen and thawed."""
    with local_service(tmp_path_factory.mktemp("service")) as stack_file:
        yield from connected(stack_file)


@pytest.fixture
def example(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import an example, as it is when somebody runs it in its own folder with AWS credentials."""
    monkeypatch.syspath_prepend(str(FOLDER))
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
    """Send a GET request to an example."""
    app = example(request.param).app
    if request.param == "flask_app":
        return lambda path, headers: _of_flask(app.test_client().get(path, headers=headers))
    return lambda path, headers: asyncio.run(_of_fastapi(app, path, headers))


def _of_flask(response: TestResponse) -> tuple[int, Any]:
    return response.status_code, response.json


async def _of_fastapi(app: FastAPI, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://example") as client:
        response = await client.get(path, headers=headers)
    return response.status_code, response.json()


def bearer(key: str) -> dict[str, str]:
    """Present a key."""
    return {"authorization": f"Bearer {key}"}


def test_a_valid_key_is_let_in(get: Get, deployment: Deployment) -> None:
    """The route knows whose key it is."""
    key = deployment.create_key(name="CI", permissions=["analytics:read"])["key"]

    assert (200, {"reports of": deployment.organization_id, "read with": "CI"}) == get("/reports", bearer(key))


@pytest.mark.parametrize(
    "headers", [{}, bearer("nonsense"), {"authorization": "Basic dTpw"}, {"authorization": "Bearer"}], ids=str
)
def test_what_is_no_key_is_401(get: Get, headers: dict[str, str]) -> None:
    """Whether there is none, or another kind of credentials."""
    assert 401 == get("/reports", headers)[0]


def test_a_key_without_the_permission_is_403(get: Get, deployment: Deployment) -> None:
    """It is known, and may not."""
    key = deployment.create_key(permissions=["sessions:write"])["key"]

    assert 403 == get("/reports", bearer(key))[0]


def test_a_revoked_key_is_401_on_the_very_next_request(get: Get, deployment: Deployment) -> None:
    """Nothing is remembered on the way."""
    made = deployment.create_key(permissions=["analytics:read"])
    before = get("/reports", bearer(made["key"]))[0]
    data(deployment.request("DELETE", KEY.format(id=made["id"])))

    assert (200, 401) == (before, get("/reports", bearer(made["key"]))[0])


def test_a_service_that_does_not_answer_is_503(
    get: Get, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key may be valid, so its holder is not told that it is not."""
    key = deployment.create_key(permissions=["analytics:read"])["key"]
    monkeypatch.setenv("KEYWRIGHT_URL", "http://127.0.0.1:1/v1")

    assert 503 == get("/reports", bearer(key))[0]


def test_wrong_aws_credentials_are_503_and_never_let_anybody_in(
    get: Get, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of the backend is not the caller's."""
    key = deployment.create_key(permissions=["analytics:read"])["key"]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    assert 503 == get("/reports", bearer(key))[0]
