"""Shutdown of a container: an extension is registered, SIGTERM reaches the function, and pending uses are written.

Each container is a process, with a stand-in for Lambda's extensions API over real HTTP.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from keywright import shutdown
from tests.support.environment import LOOPBACK, ROOT
from tests.support.sample_keys import SampleKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from local.iam import AccessKey
    from tests.support.world import World

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

END_SECONDS = 60
"""Limit of every wait; nothing takes so long."""


@dataclass(slots=True)
class ExtensionsApi:
    """Lambda's extensions API, for extensions that register for no events.

    Attributes:
        status: the status that answers a registration.
        requests: method, path, the two headers and the body of each request.
        is_waiting: set while an extension asks for its next event, which never comes.
    """

    port: int
    status: int = 200
    requests: list[tuple[str, str, str | None, str | None, str]] = field(default_factory=list)
    is_waiting: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def api() -> Iterator[ExtensionsApi]:
    """Lambda's extensions API (Lambda Developer Guide, "Using the Lambda Extensions API to create extensions")."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.note()
            self.send_response(served.status)
            if served.status == 200:
                self.send_header("Lambda-Extension-Identifier", "an-identifier")
            self.end_headers()
            self.wfile.write(b'{"functionName": "f", "functionVersion": "1", "handler": "handler.handler"}')

        def do_GET(self) -> None:
            self.note()
            served.is_waiting.set()
            served.is_over.wait()

        def note(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            names = ("Lambda-Extension-Name", "Lambda-Extension-Identifier")
            name, identifier = (self.headers.get(header) for header in names)
            served.requests.append((self.command, self.path, name, identifier, body))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served = ExtensionsApi(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.is_over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True, slots=True)
class Container:
    """A process that runs a piece of Python, as Lambda's runtime runs a function."""

    process: subprocess.Popen[str]

    def says(self) -> str:
        """Read the next line of its output."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def terminate(self) -> tuple[int, str]:
        """End it as Lambda does. Return its exit status and the rest of its output."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=END_SECONDS)
        return self.process.returncode, output


@pytest.fixture
def start() -> Iterator[Callable[..., Container]]:
    """Start containers that end with the test."""
    started: list[Container] = []

    def run(code: str, runtime_api: str | None, **variables: str) -> Container:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "layers/shared/python"), str(ROOT)]),
            **({} if runtime_api is None else {shutdown.RUNTIME_API: runtime_api}),
            **variables,
        }
        process = subprocess.Popen(  # noqa: S603 - the tests' own code
            [sys.executable, "-u", "-c", code], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        started.append(Container(process))
        return started[-1]

    yield run
    for container in started:
        container.process.kill()
        container.process.communicate()


REGISTERING = """
import time
from keywright.shutdown import before_shutdown
before_shutdown(lambda: print("acted"))
print("ready")
time.sleep(60)
"""


def test_an_extension_is_registered_for_no_events(api: ExtensionsApi, start: Callable[..., Container]) -> None:
    """The extension then asks for the next event, without which Lambda does not end the initialization."""
    container = start(REGISTERING, api.address)

    assert "ready" == container.says()
    assert api.is_waiting.wait(END_SECONDS)
    assert [
        ("POST", "/2020-01-01/extension/register", "keywright", None, json.dumps({"events": []})),
        ("GET", "/2020-01-01/extension/event/next", None, "an-identifier", ""),
    ] == api.requests


def test_sigterm_acts_and_ends_the_process(api: ExtensionsApi, start: Callable[..., Container]) -> None:
    """SIGTERM calls the function once, and the process exits with 0."""
    container = start(REGISTERING, api.address)
    assert "ready" == container.says()

    assert (0, "acted\n") == container.terminate()


def test_sigterm_ends_the_process_if_the_call_fails(api: ExtensionsApi, start: Callable[..., Container]) -> None:
    """The process exits with 0. Lambda would kill it half a second later, and report a crash."""
    container = start(REGISTERING.replace('print("acted")', "1 / 0"), api.address)
    assert "ready" == container.says()

    assert (0, "") == container.terminate()


def test_sigterm_ends_the_process_if_the_runtime_waits(api: ExtensionsApi, start: Callable[..., Container]) -> None:
    """The runtime waits for an invocation in another thread, which no signal reaches."""
    waiting = "import threading\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"
    container = start(REGISTERING.replace('print("ready")', waiting + 'print("ready")'), api.address)
    assert "ready" == container.says()

    assert (0, "acted\n") == container.terminate()


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_refused_registration_is_logged(api: ExtensionsApi, start: Callable[..., Container], status: int) -> None:
    """The function works without a registration, and handles a signal if one comes."""
    api.status = status
    container = start(REGISTERING, api.address)

    line = json.loads(container.says())
    assert "WARNING" == line["level"]
    assert "no signal will precede the end of this container" == line["message"]
    assert f"answered {status}" in line["details"]
    assert "ready" == container.says()
    assert (0, "acted\n") == container.terminate()


def test_a_missing_api_is_logged(start: Callable[..., Container]) -> None:
    """Without an extensions API, as in an emulator, the function starts with a warning."""
    container = start(REGISTERING, "127.0.0.1:1")

    assert "WARNING" == json.loads(container.says())["level"]
    assert "ready" == container.says()


def test_outside_of_lambda_nothing_happens(api: ExtensionsApi, start: Callable[..., Container]) -> None:
    """Outside of Lambda nothing is registered, and signals keep their default action."""
    container = start(REGISTERING, None)
    assert "ready" == container.says()

    assert (-signal.SIGTERM, "") == container.terminate()
    assert [] == api.requests


SERVING = """
import importlib.util, time
specification = importlib.util.spec_from_file_location("handler", "functions/FUNCTION/handler.py")
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
from tests.support.world import Context
for _ in range(3):
    module.handler(EVENT, Context())
print("served")
time.sleep(60)
"""


@pytest.mark.parametrize(
    "function", ["authorize_api_key", "verify_api_key", pytest.param("verify_api_keys", marks=pytest.mark.deep)]
)
def test_pending_uses_are_written_when_the_container_ends(
    world: World,
    api: ExtensionsApi,
    start: Callable[..., Container],
    access_keys: Mapping[str, AccessKey],
    function: str,
) -> None:
    """GIVEN three uses within a minute WHEN Lambda ends the container THEN the table has them."""
    world.table.put_organization()
    world.table.put_unused()
    text = SampleKey().put(world.table)
    event: dict[str, object] = {
        "type": "TOKEN",
        "authorizationToken": text,
        "methodArn": "arn:aws:execute-api:eu-central-1:123456789012:abc/v1/GET/x",
    }
    if function != "authorize_api_key":
        body = {"key": text} if function == "verify_api_key" else {"verifications": [{"key": text}]}
        event = {
            "httpMethod": "POST",
            "headers": {},
            "body": json.dumps(body),
            "isBase64Encoded": False,
            "requestContext": {
                "requestId": "r",
                "stage": "v1",
                "domainName": "d",
                "identity": {
                    "sourceIp": "203.0.113.7",
                    "accountId": "123456789012",
                    "caller": "AIDAEXAMPLE",
                    "userArn": "arn:aws:iam::123456789012:user/u",
                },
            },
        }
    code = SERVING.replace("FUNCTION", function).replace("EVENT", repr(event))
    container = start(code, api.address, AWS_ACCESS_KEY_ID=access_keys[function].access_key)
    while (said := container.says()) != "served":
        assert "ERROR" not in said
        assert said
    before = [item["request_count"] for item in world.table.under("USAGE#")]

    status, _ = container.terminate()

    assert 0 == status
    assert [0] == before
    assert [3] == [item["request_count"] for item in world.table.under("USAGE#")]
    assert [3] == [sum(item["days"].values()) for item in world.table.under("USAGE#")]
