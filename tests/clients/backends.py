"""The example backends as their readers run them: a process of each framework, asked over HTTP."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from tests.clients.commands import StepFailed, install_locked, newcomer, require, require_that, step
from tests.clients.typescript_package import add
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.api.deployment import Deployment
    from tests.clients.commands import Tools

EXAMPLES = ROOT / "examples" / "backends"

START_SECONDS = 30
STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Backend:
    """An example and how to run it.

    Attributes:
        name: the framework.
        command: the program and its arguments; `{port}` stands for the port.
        directory: the directory to run it in.
        variables: more variables of its environment; `{port}` stands for the port here, too.
    """

    name: str
    command: Sequence[object]
    directory: Path
    variables: Mapping[str, str]


def of_python(python: Path) -> list[Backend]:
    """Return the Python examples.

    Args:
        python: the Python with the client and the frameworks.
    """
    return [
        # By default uvicorn takes a request from this machine for that of a proxy, and believes its X-Forwarded-For.
        Backend(
            "FastAPI",
            (python, "-m", "uvicorn", "fastapi_app:app", "--port", "{port}", "--no-proxy-headers"),
            EXAMPLES,
            {},
        ),
        Backend("Flask", (python, "-m", "flask", "--app", "flask_app", "run", "--port", "{port}"), EXAMPLES, {}),
        Backend(
            "Django",
            (python, "django_app.py", "runserver", "--noreload", "--skip-checks", "127.0.0.1:{port}"),
            EXAMPLES,
            {},
        ),
    ]


def of_node(tools: Tools, archive: Path, work: Path) -> list[Backend]:
    """Return the JavaScript examples: of the pinned frameworks, and of the oldest Express that the client is for.

    Args:
        tools: the programs.
        archive: the packed client.
        work: a directory for the projects.
    """
    with step("Examples: npm installs Express, Hono and the client"):
        project, old_project = work / "examples", work / "examples-express-4"
        for folder in (project, old_project):
            folder.mkdir()
            for file in ("package.json", "package-lock.json", "express_app.mjs", "hono_app.mjs"):
                shutil.copy(EXAMPLES / file, folder)
        install_locked(tools, project)
        add(tools, archive, project)
        (old_project / "package.json").write_text('{"private": true, "type": "module"}\n')
        (old_project / "package-lock.json").unlink()
        add(tools, "express@4", old_project)
        add(tools, archive, old_project)
    port = {"PORT": "{port}"}
    return [
        Backend("Express 5", (tools.node, "express_app.mjs"), project, port),
        Backend("Express 4", (tools.node, "express_app.mjs"), old_project, port),
        Backend("Hono", (tools.node, "hono_app.mjs"), project, port),
    ]


def check(backend: Backend, deployment: Deployment, function_arn: str) -> None:
    """Run an example, over HTTP and with direct invocation, and send it one request of each kind.

    Args:
        backend: the example.
        deployment: a running service.
        function_arn: the function that verifies keys, for direct invocation.

    Raises:
        StepFailed: it does not start, or an answer is not as it must be.
    """
    with step(f"Examples: {backend.name} admits a valid key, and answers 401, 403 and 429, over HTTP and directly"):
        for target in ({"KEYWRIGHT_URL": deployment.base_url}, {"KEYWRIGHT_FUNCTION": function_arn}):
            variables = {
                **target,
                "AWS_REGION": deployment.iam["region"],
                "AWS_ACCESS_KEY_ID": deployment.iam["access_key_id"],
                "AWS_SECRET_ACCESS_KEY": deployment.iam["secret_access_key"],
                "AWS_ENDPOINT_URL_LAMBDA": deployment.base_url.removesuffix("/v1"),
            }
            with _running(backend, variables) as url, httpx.Client(base_url=url, trust_env=False) as client:
                _ask(backend.name, client, deployment)


@contextmanager
def _running(backend: Backend, variables: Mapping[str, str]) -> Iterator[str]:
    """Run an example on a free port; yield its address once it accepts connections."""
    port = _free_port()
    environment = newcomer(
        **{name: value.replace("{port}", port) for name, value in backend.variables.items()}, **variables
    )
    command = [str(part).replace("{port}", port) for part in backend.command]
    process = subprocess.Popen(  # noqa: S603 - our own examples
        command,
        cwd=backend.directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait_for(process, int(port), backend.name)
        yield f"http://127.0.0.1:{port}"
    except BaseException:
        process.kill()
        raise
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=STOP_SECONDS)
        for secret in ("kk_", variables["AWS_SECRET_ACCESS_KEY"]):
            require_that(secret not in output, f"{backend.name} prints a secret")


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def _wait_for(process: subprocess.Popen[str], port: int, name: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    process.kill()
    raise StepFailed(f"{name} did not start:\n{process.communicate()[0]}")


def _ask(name: str, client: httpx.Client, deployment: Deployment) -> None:
    permitted: dict[str, Any] = {"permissions": ["analytics:read"]}
    limited = {**permitted, "rateLimit": {"limit": 1, "windowSeconds": 3600}, "quota": {"limit": 5, "period": "day"}}
    limited_key, local_key, foreign_key = (
        deployment.create_key(**fields)["key"]
        for fields in (
            limited,
            {**permitted, "allowedIps": ["127.0.0.1"]},
            {**permitted, "allowedIps": ["192.0.2.1"]},
        )
    )

    def get(**headers: str) -> httpx.Response:
        return client.get("/reports", headers={header.replace("_", "-"): value for header, value in headers.items()})

    valid = get(x_api_key=deployment.create_key(**permitted, name="CI")["key"])
    require(
        (200, {"reports of": deployment.organization_id, "read with": "CI"}),
        (valid.status_code, valid.json()),
        f"answer of {name} to a valid key",
    )
    no_key = get()
    require((401, "Bearer"), (no_key.status_code, no_key.headers.get("www-authenticate")), f"{name} without a key")
    unknown = get(authorization="Bearer kk_unknown")
    require(401, unknown.status_code, f"{name} with an unknown key")
    require('Bearer error="invalid_token"', unknown.headers.get("www-authenticate"), f"{name} with an unknown key")
    lacking = get(authorization=f"Bearer {deployment.create_key()['key']}")
    require(403, lacking.status_code, f"{name} with a key that lacks the permission")
    challenge = 'Bearer error="insufficient_scope", scope="analytics:read"'
    require(challenge, lacking.headers.get("www-authenticate"), f"{name} with a key that lacks the permission")
    require(200, get(x_api_key=local_key).status_code, f"{name} with a key for this address")
    forged = get(x_api_key=foreign_key, x_forwarded_for="192.0.2.1")
    require(403, forged.status_code, f"{name} with a key for another address")
    first, second = get(x_api_key=limited_key), get(x_api_key=limited_key)
    require([200, 429], [first.status_code, second.status_code], f"{name} with a limited key, twice")
    waiting = int(second.headers.get("retry-after", "0"))
    require_that(3500 < waiting <= 3600, f"{name} says to try again in {waiting} seconds")
    for response in (first, second):
        require('"rate";q=1, "quota";q=5', response.headers.get("ratelimit-policy"), f"policy of {name}")
        left = response.headers.get("ratelimit", "")
        require_that(left.startswith('"rate";r=0;t='), f"{name} does not show what is left: {left}")
