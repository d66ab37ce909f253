"""The example backends (FastAPI and Flask), run against the local service."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest

from tests.api.deployment import KEY, data
from tests.support.environment import LOOPBACK, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from fastapi import FastAPI
    from werkzeug.test import TestResponse

    from tests.api.deployment import Deployment

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

BACKENDS = ROOT / "examples" / "backends"


class Send(Protocol):
    """Sends a GET request to an example."""

    def __call__(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """Return the response."""
        ...


class Get(Protocol):
    """Sends a GET request to an example."""

    def __call__(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        """Return status and body."""
        ...


@pytest.fixture
def example(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that imports an example as if run in its folder, with AWS credentials."""
    monkeypatch.syspath_prepend(str(BACKENDS))
    for name in ("AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
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
def send(request: pytest.FixtureRequest, example: Callable[[str], ModuleType]) -> Send:
    """Return a function that sends a GET request to an example."""
    app = example(request.param).app
    if request.param == "flask_app":
        return lambda path, headers: _from_flask(app.test_client().get(path, headers=headers))
    return lambda path, headers: asyncio.run(_from_fastapi(app, path, headers))


@pytest.fixture
def get(send: Send) -> Get:
    """Return a function that sends a GET request to an example, for status and body."""

    def status_and_body(path: str, headers: dict[str, str]) -> tuple[int, Any]:
        response = send(path, headers)
        is_json = response.headers["content-type"] == "application/json"
        return response.status_code, response.json() if is_json else None

    return status_and_body


def _from_flask(response: TestResponse) -> httpx.Response:
    return httpx.Response(response.status_code, headers=list(response.headers), content=response.data)


async def _from_fastapi(app: FastAPI, path: str, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://example") as client:
        return await client.get(path, headers=headers)


def bearer(key: str) -> dict[str, str]:
    """Return the header that presents a key."""
    return {"authorization": f"Bearer {key}"}


def test_valid_key(get: Get, deployment: Deployment) -> None:
    """A route sees the organization and the name of a valid key."""
    key = deployment.create_key(name="CI", permissions=["analytics:read"])["key"]

    assert (200, {"reports of": deployment.organization_id, "read with": "CI"}) == get("/reports", bearer(key))


def test_x_api_key(get: Get, deployment: Deployment) -> None:
    """A key may be in `x-api-key` as well, which comes first."""
    key = deployment.create_key(permissions=["analytics:read"])["key"]

    assert 200 == get("/reports", {"x-api-key": key})[0]
    assert 200 == get("/reports", {"x-api-key": key, **bearer("nonsense")})[0]
    assert 401 == get("/reports", {"x-api-key": "nonsense", **bearer(key)})[0]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("nonsense"),
        bearer("x" * 5000),
        {"authorization": "Basic dTpw"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"x-api-key": ""},
        {"x-api-key": "nonsense"},
    ],
    ids=lambda headers: str(headers)[:60],
)
def test_no_valid_key(get: Get, headers: dict[str, str]) -> None:
    """A missing, malformed or other credential is 401."""
    assert 401 == get("/reports", headers)[0]


def test_missing_permission(get: Get, deployment: Deployment) -> None:
    """A valid key without the permission is 403."""
    key = deployment.create_key(permissions=["sessions:write"])["key"]

    assert 403 == get("/reports", bearer(key))[0]


@pytest.mark.parametrize(("allowed", "status"), [("127.0.0.0/8", 200), ("192.0.2.1", 403)])
def test_allowed_address(get: Get, deployment: Deployment, allowed: str, status: int) -> None:
    """A key works from its allowed addresses only; a header is no address."""
    key = deployment.create_key(permissions=["analytics:read"], allowedIps=[allowed])["key"]

    assert status == get("/reports", bearer(key))[0]
    assert status == get("/reports", {**bearer(key), "x-forwarded-for": "192.0.2.1"})[0]


def test_rate_limit(send: Send, deployment: Deployment) -> None:
    """Above the rate limit of a key, the answer is 429 with the seconds to wait."""
    limit = {"limit": 1, "windowSeconds": 3600}
    key = deployment.create_key(permissions=["analytics:read"], rateLimit=limit)["key"]
    first, second = (send("/reports", bearer(key)) for _ in range(2))

    assert [200, 429] == [first.status_code, second.status_code]
    assert second.headers["retry-after"] in {"3599", "3600"}


def test_quota(send: Send, deployment: Deployment) -> None:
    """Once a quota without an end is used up, the answer is 429 without a time to wait."""
    quota = {"limit": 1, "period": "total"}
    key = deployment.create_key(permissions=["analytics:read"], quota=quota)["key"]
    first, second = (send("/reports", bearer(key)) for _ in range(2))

    assert [200, 429] == [first.status_code, second.status_code]
    assert "retry-after" not in second.headers


def test_revoked_key(get: Get, deployment: Deployment) -> None:
    """The next request after a revocation is 401: nothing is cached."""
    created = deployment.create_key(permissions=["analytics:read"])
    before = get("/reports", bearer(created["key"]))[0]
    data(deployment.request("DELETE", KEY.format(id=created["id"])))

    assert 200 == before
    assert 401 == get("/reports", bearer(created["key"]))[0]


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_region(get: Get, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The region may be in either variable: boto3 reads only one of them, Lambda and ECS set the other."""
    key = deployment.create_key(permissions=["analytics:read"])["key"]
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv(name, deployment.iam["region"])

    assert 200 == get("/reports", bearer(key))[0]


def test_region_of_the_profile(
    get: Get, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The region of the AWS profile is used, as everywhere with boto3."""
    key = deployment.create_key(permissions=["analytics:read"])["key"]
    (tmp_path / "config").write_text(f"[default]\nregion = {deployment.iam['region']}\n", encoding="utf-8")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    assert 200 == get("/reports", bearer(key))[0]


class Unavailable(Protocol):
    """Sends a request that cannot be verified."""

    def __call__(self) -> str:
        """Return what is in the log, once the answer is 503 and the log has no key."""
        ...


@pytest.fixture
def unavailable(get: Get, deployment: Deployment, caplog: pytest.LogCaptureFixture) -> Unavailable:
    """Return a function that sends a valid key, gets 503, and returns the reason that was logged."""

    def send() -> str:
        key = deployment.create_key(permissions=["analytics:read"])["key"]
        status, _ = get("/reports", bearer(key))
        messages = [record.getMessage() for record in caplog.records if record.name == "keywright_client"]
        assert 503 == status
        assert key not in caplog.text
        assert 1 == len(messages)
        return messages[0]

    return send


def test_unreachable_keywright(unavailable: Unavailable, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Keywright cannot be reached, the answer is 503, not 401: the key may be valid. The log has the reason."""
    monkeypatch.setenv("KEYWRIGHT_URL", "http://127.0.0.1:1/v1")

    assert "NewConnectionError" in unavailable()


def test_wrong_aws_credentials(unavailable: Unavailable, monkeypatch: pytest.MonkeyPatch) -> None:
    """With wrong AWS credentials the answer is 503: the caller is neither admitted nor blamed."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    assert re.search(r"answered 40[13] \(x-request-id \S+\)", unavailable())


def test_no_region(unavailable: Unavailable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a region the answer is 503, and the log names the variables."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert "no region: set AWS_REGION, AWS_DEFAULT_REGION" in unavailable()


def test_no_aws_credentials(unavailable: Unavailable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AWS credentials the answer is 503, and the log says so."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert "no AWS credentials" in unavailable()


def test_another_service(unavailable: Unavailable, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """If KEYWRIGHT_URL is wrong, the answer is 503, and the log has the status."""
    monkeypatch.setenv("KEYWRIGHT_URL", f"{deployment.base_url}/nowhere")

    assert "answered 404" in unavailable()
