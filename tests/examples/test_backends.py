"""The example backends (FastAPI, Flask and Django), run against the local service."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from django.conf import LazySettings

from tests.api.deployment import KEY, data
from tests.support import django_project
from tests.support.depth import mostly_deep
from tests.support.environment import LOOPBACK, ROOT
from tests.support.in_process import ADDRESS, of_asgi, of_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    import httpx

    from tests.api.deployment import Deployment
    from tests.support.in_process import Get as Send

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

BACKENDS = ROOT / "examples" / "backends"
EXAMPLES = ("fastapi_app", "flask_app", "django_app")
of_every_example = pytest.mark.parametrize("start", EXAMPLES, indirect=True)
"""Runs a test for all examples. Others run for all at full depth only: the integrations have their own tests."""


class Get(Protocol):
    """Sends a GET request to an example."""

    def __call__(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """Return the response."""
        ...


@pytest.fixture
def environment_of_a_backend(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that a backend has, and none of this machine."""
    for name in ("AWS_REGION", "AWS_PROFILE", "KEYWRIGHT_FUNCTION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("KEYWRIGHT_URL", deployment.base_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", deployment.iam["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", deployment.iam["secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", deployment.iam["region"])


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that imports an example as if run in its folder."""
    monkeypatch.syspath_prepend(str(BACKENDS))

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


@pytest.fixture(params=mostly_deep(EXAMPLES, lambda name: name == "fastapi_app"))
def start(
    request: pytest.FixtureRequest,
    environment_of_a_backend: None,
    example: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[], Send]]:
    """Return a function that starts an example with the variables of that moment, and returns a client of it."""
    del environment_of_a_backend
    settings: dict[str, Any] = {}
    if request.param == "django_app":
        django_project.configure()
        monkeypatch.setattr(LazySettings, "configure", lambda _, **own: settings.update(own))
    with ExitStack() as stack:

        def run() -> Send:
            module = example(request.param)
            if request.param == "django_app":
                return of_wsgi(stack.enter_context(django_project.project(**settings)))
            stack.enter_context(module.keywright)
            return of_asgi(module.app) if request.param == "fastapi_app" else of_wsgi(module.app)

        yield run


@pytest.fixture
def get(start: Callable[[], Send]) -> Get:
    """Return a function that starts an example with its first request."""
    started: list[Send] = []

    def send(path: str, headers: dict[str, str]) -> httpx.Response:
        if not started:
            started.append(start())
        return started[0]({name: value.encode() for name, value in headers.items()}, path)

    return send


def bearer(key: str) -> dict[str, str]:
    """Return the header that presents a key."""
    return {"authorization": f"Bearer {key}"}


@of_every_example
def test_valid_key(get: Get, deployment: Deployment) -> None:
    """A route sees the organization and the name of a valid key."""
    key = deployment.create_key(name="CI", permissions=["analytics:read"])["key"]

    assert {"reports of": deployment.organization_id, "read with": "CI"} == get("/reports", bearer(key)).json()


def test_x_api_key(get: Get, deployment: Deployment) -> None:
    """A key may be in `x-api-key` as well, which comes first."""
    key = deployment.create_key(permissions=["analytics:read"])["key"]

    assert 200 == get("/reports", {"x-api-key": key}).status_code
    assert 200 == get("/reports", {"x-api-key": key, **bearer("nonsense")}).status_code
    assert 401 == get("/reports", {"x-api-key": "nonsense", **bearer(key)}).status_code


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
    assert 401 == get("/reports", headers).status_code


@of_every_example
def test_missing_permission(get: Get, deployment: Deployment) -> None:
    """A valid key without the permission is 403."""
    key = deployment.create_key(permissions=["sessions:write"])["key"]

    assert 403 == get("/reports", bearer(key)).status_code


@pytest.mark.parametrize(("allowed", "status"), [(f"{ADDRESS}/32", 200), ("192.0.2.1", 403)])
def test_allowed_address(get: Get, deployment: Deployment, allowed: str, status: int) -> None:
    """A key works from its allowed addresses only; a header is no address."""
    key = deployment.create_key(permissions=["analytics:read"], allowedIps=[allowed])["key"]

    assert status == get("/reports", bearer(key)).status_code
    assert status == get("/reports", {**bearer(key), "x-forwarded-for": "192.0.2.1"}).status_code


def test_rate_limit(get: Get, deployment: Deployment) -> None:
    """Above the rate limit of a key, the answer is 429 with the seconds to wait."""
    limit = {"limit": 1, "windowSeconds": 3600}
    key = deployment.create_key(permissions=["analytics:read"], rateLimit=limit)["key"]
    first, second = (get("/reports", bearer(key)) for _ in range(2))

    assert [200, 429] == [first.status_code, second.status_code]
    assert second.headers["retry-after"] in {"3599", "3600"}


def test_quota(get: Get, deployment: Deployment) -> None:
    """Once a quota without an end is used up, the answer is 429 without a time to wait."""
    quota = {"limit": 1, "period": "total"}
    key = deployment.create_key(permissions=["analytics:read"], quota=quota)["key"]
    first, second = (get("/reports", bearer(key)) for _ in range(2))

    assert [200, 429] == [first.status_code, second.status_code]
    assert "retry-after" not in second.headers


def test_revoked_key(get: Get, deployment: Deployment) -> None:
    """The next request after a revocation is 401: nothing is cached."""
    created = deployment.create_key(permissions=["analytics:read"])
    before = get("/reports", bearer(created["key"])).status_code
    data(deployment.request("DELETE", KEY.format(id=created["id"])))

    assert 200 == before
    assert 401 == get("/reports", bearer(created["key"])).status_code


@of_every_example
def test_without_api_gateway(
    get: Get, deployment: Deployment, local_stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the ARN of the function, keys are verified without API Gateway; the ARN names the region."""
    stack = json.loads(local_stack.read_text(encoding="utf-8"))
    for name in ("KEYWRIGHT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("KEYWRIGHT_FUNCTION", stack["function_arn"])
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", stack["lambda_url"])
    key = deployment.create_key(permissions=["analytics:read"])["key"]

    assert [200, 401] == [get("/reports", bearer(text)).status_code for text in (key, "nonsense")]


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_region(get: Get, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The region may be in either variable: boto3 reads only one of them, Lambda and ECS set the other."""
    key = deployment.create_key(permissions=["analytics:read"])["key"]
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv(name, deployment.iam["region"])

    assert 200 == get("/reports", bearer(key)).status_code


def test_region_of_the_profile(
    get: Get, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The region of the AWS profile is used, as everywhere with boto3."""
    key = deployment.create_key(permissions=["analytics:read"])["key"]
    (tmp_path / "config").write_text(f"[default]\nregion = {deployment.iam['region']}\n", encoding="utf-8")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    assert 200 == get("/reports", bearer(key)).status_code


class Failed(Protocol):
    """Sends a request that cannot be verified."""

    def __call__(self) -> tuple[int, str]:
        """Return the status and what the client logged."""
        ...


@pytest.fixture
def failed(get: Get, deployment: Deployment, caplog: pytest.LogCaptureFixture) -> Failed:
    """Return a function that sends a valid key and returns the status and what the client logged, never the key."""

    def send() -> tuple[int, str]:
        key = deployment.create_key(permissions=["analytics:read"])["key"]
        status = get("/reports", bearer(key)).status_code
        assert key not in caplog.text
        return status, "\n".join(line.getMessage() for line in caplog.records if line.name == "keywright_client")

    return send


def test_unreachable_keywright(failed: Failed, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Keywright cannot be reached, the answer is 503, not 401: the key may be valid. The log has the reason."""
    monkeypatch.setenv("KEYWRIGHT_URL", "http://127.0.0.1:1/v1")
    status, log = failed()

    assert 503 == status
    assert re.fullmatch(r"API key not verified: No answer from 127\.0\.0\.1:1: .*", log)


def test_wrong_aws_credentials(failed: Failed, monkeypatch: pytest.MonkeyPatch) -> None:
    """With wrong AWS credentials the answer is 503: the caller is neither admitted nor blamed."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    status, log = failed()

    assert 503 == status
    assert re.search(r" \(40[13]\): .* \[x-request-id \S+\]$", log)


def test_another_service(failed: Failed, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """If KEYWRIGHT_URL is wrong, the answer is 503, and the log has the status."""
    monkeypatch.setenv("KEYWRIGHT_URL", f"{deployment.base_url}/nowhere")
    status, log = failed()

    assert 503 == status
    assert " (404): " in log


@pytest.mark.parametrize("names", [["AWS_DEFAULT_REGION"], ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]], ids=str)
def test_a_backend_that_is_not_configured(failed: Failed, monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    """Without a region or AWS credentials the answer is 500: the backend is defective, and waiting does not help."""
    for name in names:
        monkeypatch.delenv(name)

    assert (500, "") == failed()


CALL_DJANGO = """
import sys, django, django_app
from django.test import Client
django.setup()
response = Client(SERVER_NAME="localhost").get("/reports", headers={"x-api-key": sys.argv[1]})
print(response.status_code, response.headers["content-type"], response.content.decode())
"""


@pytest.mark.deep
@pytest.mark.usefixtures("environment_of_a_backend")
def test_the_django_project_works_with_its_own_settings(deployment: Deployment) -> None:
    """The file is a whole project: it runs in a process that Django is not configured in."""
    key = deployment.create_key(name="CI", permissions=["analytics:read"])["key"]
    result = subprocess.run(  # noqa: S603 - this Python, and a key
        [sys.executable, "-c", CALL_DJANGO, key],
        cwd=BACKENDS,
        env={**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python" / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    status, content_type, body = result.stdout.split(maxsplit=2)

    assert ["200", "application/json"] == [status, content_type]
    assert {"reports of": deployment.organization_id, "read with": "CI"} == json.loads(body)
