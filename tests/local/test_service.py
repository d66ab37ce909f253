"""`python -m local`: starting, running and stopping the service."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import jwt
import pytest

from local.options import ROOT
from local.server import PortError, port_of, reserve
from tests.local.serving import ANSWER_SECONDS, write_project

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

START_SECONDS = 60
STOP_SECONDS = 60


LIST_TABLES = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    try:
        boto3.client("dynamodb").list_tables()
    except ClientError as error:
        return {"statusCode": 200, "body": error.response["Error"]["Code"]}
"""


class Running:
    """A service in a separate process."""

    def __init__(self, project: Path, process: subprocess.Popen[str]) -> None:
        self.project = project
        self.process = process
        self.stack_file = project / ".local" / "stack.json"

    @property
    def stack(self) -> dict[str, Any]:
        """The content of the stack file."""
        content: dict[str, Any] = json.loads(self.stack_file.read_text())
        return content

    def welcome(self) -> str:
        """Return the output up to the end of the welcome, which follows the stack file."""
        assert self.process.stdout
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C "):
                break
        return "".join(lines)

    def wait(self) -> tuple[int, str, str]:
        """Wait until the service ends; return exit code, output and errors."""
        output, errors = self.process.communicate(timeout=START_SECONDS)
        return self.process.returncode, output, errors

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Send a signal; return exit code, output and errors."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=STOP_SECONDS)
        return self.process.returncode, output, errors


def start(project: Path, **environment: str) -> Running:
    """Start a service that serves a project."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local"],
        cwd=ROOT,
        env={
            **os.environ,
            "PORT": "0",
            "TEMPLATE": str(project / "template.yaml"),
            "STACK_FILE": str(project / ".local" / "stack.json"),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Running(project, process)


@contextmanager
def service(project: Path, **environment: str) -> Iterator[Running]:
    """Run a service that is ready to answer."""
    running = start(project, **environment)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not running.stack_file.exists() and running.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert running.stack_file.exists(), running.process.communicate(timeout=STOP_SECONDS)
        yield running
    finally:
        running.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run a service for all tests that do not change it."""
    project = tmp_path_factory.mktemp("project")
    write_project(project)
    with service(project, DEMO_TTL="600") as running_service:
        yield running_service


def used_port_after_a_free_one() -> socket.socket:
    """Listen on a port whose predecessor is free."""
    while True:
        listener = reserve(0)
        try:
            reserve(port_of(listener) - 1).close()
        except PortError:
            listener.close()
        else:
            return listener


def items(stack: dict[str, Any]) -> list[dict[str, str]]:
    """Return all items of the table."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=stack["aws_endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    scanned = client.scan(TableName=stack["table_name"])["Items"]
    client.close()
    return [{name: str(value.get("S")) for name, value in item.items()} for item in scanned]


def sign_in_page(stack: dict[str, Any]) -> httpx.Response:
    """Return the page to which the console sends a user to sign in."""
    request = {
        "client_id": "keywright-console",
        "redirect_uri": f"{stack['base_url']}/console",
        "response_type": "code",
        "scope": "openid",
        "state": "s",
        "nonce": "n",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    }
    return httpx.get(f"{stack['issuer']}/authorize", params=request, timeout=ANSWER_SECONDS, trust_env=False)


@dataclass(frozen=True, slots=True)
class Life:
    """A service that was started, called and stopped with Ctrl-C.

    Attributes:
        stack: the content of its stack file.
        welcome: its output until it was ready.
        answer: the answer of a function that called DynamoDB with a boto3 client.
        output: its output from then on.
        log: the log of its functions.
        is_announced: whether its stack file is still there.
    """

    stack: dict[str, Any]
    welcome: str
    answer: str
    code: int
    output: str
    errors: str
    log: str
    is_announced: bool


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Start a service, call two of its functions, and stop it."""
    project = tmp_path_factory.mktemp("project")
    write_project(project)
    (project / "functions" / "say" / "handler.py").write_text(LIST_TABLES)
    echo = project / "functions" / "echo" / "handler.py"
    echo.write_text(echo.read_text().replace("body = {", "print('printed by echo'); body = {"))
    with service(project) as running:
        stack, welcome = running.stack, running.welcome()
        httpx.get(f"{stack['base_url']}/open?q=1", timeout=ANSWER_SECONDS, trust_env=False)
        answer = httpx.post(f"{stack['base_url']}/say", timeout=ANSWER_SECONDS, trust_env=False).text
        code, output, errors = running.stop(signal.SIGINT)
    log = running.stack_file.with_name("service.log").read_text()
    return Life(stack, welcome, answer, code, output, errors, log, running.stack_file.exists())


class TestRunning:
    """A running service."""

    def test_stack_file(self, running: Running) -> None:
        """The stack file has the fields that the HTTP tests need."""
        assert {
            "base_url", "organization_id", "issuer", "tokens", "users", "iam", "aws_endpoint_url", "table_name",
            "keys", "aws_url", "event_bus", "function_arn", "lambda_url", "operator",
        } == set(running.stack)  # fmt: skip

    def test_every_persona_has_a_token(self, running: Running) -> None:
        """The stack file has a token for every persona."""
        assert {
            "owner", "admin", "member", "suspended", "outsider", "expired", "wrong_audience", "frozen_admin",
        } == set(running.stack["tokens"])  # fmt: skip

    def test_stack_file_is_private(self, running: Running) -> None:
        """Only the owner can read tokens and logs."""
        files = (running.stack_file, running.stack_file.with_name("service.log"))

        assert [0o600, 0o600] == [stat.S_IMODE(file.stat().st_mode) for file in files]

    def test_answers(self, running: Running) -> None:
        """The service answers at the URL of the stack file."""
        assert (
            200 == httpx.get(f"{running.stack['base_url']}/open", timeout=ANSWER_SECONDS, trust_env=False).status_code
        )

    def test_token_lifetime(self, running: Running) -> None:
        """DEMO_TTL is the lifetime of the tokens."""
        claims = jwt.decode(running.stack["tokens"]["admin"], options={"verify_signature": False})

        assert 600 == claims["exp"] - claims["iat"]

    def test_sign_in(self, running: Running) -> None:
        """The console's address is the redirect URI of the sign-in, and the page offers the demo users."""
        page = sign_in_page(running.stack)

        assert 200 == page.status_code
        assert 'value="frozen_admin"' in page.text

    def test_demo_organizations(self, running: Running) -> None:
        """One of two organizations is scheduled for deletion, not the one in the stack file."""
        frozen = {item["pk"]: "pending_deletion_at" in item for item in items(running.stack) if item["sk"] == "ORG"}

        assert 2 == len(frozen)
        assert frozen[f"ORG#{running.stack['organization_id']}"] is False
        assert any(frozen.values())

    def test_demo_members(self, running: Running) -> None:
        """Personas have the roles of their names; the outsider is not a member."""
        stack = running.stack
        partition = f"ORG#{stack['organization_id']}"
        members = {
            item["sk"].removeprefix("MEMBER#"): (item["role"], "suspended_at" in item)
            for item in items(stack)
            if item["pk"] == partition and item["sk"] != "ORG"
        }

        assert {
            stack["users"]["owner"]: ("owner", False),
            stack["users"]["admin"]: ("admin", False),
            stack["users"]["member"]: ("member", False),
            stack["users"]["suspended"]: ("admin", True),
        } == members

    def test_times_have_the_format_of_the_service(self, running: Running) -> None:
        """Times are RFC 3339 in UTC with milliseconds."""
        times = {len(item["created_at"]) for item in items(running.stack) if item.get("created_at", "").endswith("Z")}

        assert {len("2026-01-01T00:00:00.000Z")} == times


class TestLife:
    """A service from its start to its end."""

    @pytest.mark.deep
    def test_welcome_has_lines_to_paste(self, life: Life) -> None:
        """The first command of the welcome creates a key as the admin."""
        command = life.welcome[life.welcome.index("curl ") :].split("\n\n")[0]
        arguments = shlex.split(command)

        url = next(argument for argument in arguments if argument.startswith("http"))
        assert f"{life.stack['base_url']}/auth/api-keys" == url
        assert f"Authorization: Bearer {life.stack['tokens']['admin']}" == arguments[arguments.index("-H") + 1]

    @pytest.mark.deep
    def test_welcome_begins_its_addresses_with_the_console(self, life: Life) -> None:
        """The console's address is the first of the lines below the commands."""
        lines = life.welcome.split("\n\n")[-1].splitlines()

        assert f"Console, to manage keys in a browser: {life.stack['base_url']}/console" == lines[0]

    @pytest.mark.deep
    def test_request_log(self, life: Life) -> None:
        """A request is one line on the terminal, without its query."""
        assert 1 == life.output.count("GET /v1/open 200")

    @pytest.mark.deep
    def test_function_log(self, life: Life) -> None:
        """The output of functions is written to the log file, not to the terminal."""
        assert "printed by echo" not in life.output
        assert "printed by echo" in life.log

    @pytest.mark.deep
    def test_other_clients_have_no_role(self, life: Life) -> None:
        """A boto3 client of a function signs with the credentials of the environment, and is denied."""
        assert "UnrecognizedClientException" == life.answer

    @pytest.mark.deep
    def test_ctrl_c(self, life: Life) -> None:
        """Ctrl-C ends the service with exit code 0 and without errors, and removes the stack file."""
        assert 0 == life.code
        assert "" == life.errors
        assert not life.is_announced


class TestStarting:
    """Other ways to start and to stop a service."""

    @pytest.mark.deep
    def test_empty(self, project: Path) -> None:
        """EMPTY=1 starts with an empty table, without organization, users and tokens; SIGTERM ends it like Ctrl-C."""
        with service(project, EMPTY="1") as running:
            stack = running.stack
            content, page = items(stack), sign_in_page(stack).text
            code, _, errors = running.stop(signal.SIGTERM)

        assert [] == content
        assert "persona" not in page
        assert 'name="organization"' in page
        assert stack["organization_id"] is None
        assert {} == stack["tokens"]
        assert {} == stack["users"]
        assert 0 == code
        assert "" == errors
        assert not running.stack_file.exists()

    @pytest.mark.deep
    def test_stack_file_of_another_stays(self, project: Path) -> None:
        """A stack file that another service has replaced is not removed."""
        with service(project, EMPTY="1") as running:
            running.stack_file.write_text("{}")
            running.stop()

        assert "{}" == running.stack_file.read_text()

    @pytest.mark.deep
    def test_used_port(self, project: Path) -> None:
        """A port in use is reported in one line that suggests a fix, with exit code 1; no stack file is written."""
        with reserve(0) as listener:
            failed = start(project, PORT=str(port_of(listener)))
            code, _, errors = failed.wait()
            expected = (
                f"keywright: port {port_of(listener)} is in use; stop the program that uses it "
                "or choose another port: PORT=9000 make run\n"
            )

        assert 1 == code
        assert expected == errors
        assert not failed.stack_file.exists()

    @pytest.mark.deep
    def test_used_port_of_the_identity_provider(self, project: Path) -> None:
        """A port in use that the identity provider needs is reported as such."""
        with used_port_after_a_free_one() as listener:
            code, _, errors = start(project, PORT=str(port_of(listener) - 1)).wait()

        assert 1 == code
        assert "which the development identity provider needs" in errors
        assert 1 == errors.count("\n")

    @pytest.mark.parametrize(
        ("environment", "code", "message"),
        [
            ({"PORT": "x"}, 2, "keywright: PORT must be a whole number from 0 to 65533; it is 'x'\n"),
            (
                {"PARAMETERS": '{"Permissions": ""}', "TEMPLATE": "/nowhere.yaml"},
                1,
                "keywright: /nowhere.yaml: No such",
            ),
            (
                {"PARAMETERS": '{"AuditArchive": "on"}', "TEMPLATE": str(ROOT / "template.yaml")},
                1,
                "keywright: the local service has no archive: leave AuditArchive off; make invoke EVENT=",
            ),
        ],
    )
    @pytest.mark.deep
    def test_wrong_option(self, project: Path, environment: dict[str, str], code: int, message: str) -> None:
        """An invalid option is reported in one line."""
        exit_code, _, errors = start(project, **environment).wait()

        assert code == exit_code
        assert errors.startswith(message)
        assert 1 == errors.count("\n")

    @pytest.mark.deep
    def test_unreachable_dynamodb(self, project: Path) -> None:
        """A DynamoDB that does not answer is reported in one line with its endpoint."""
        with reserve(0) as listener:
            endpoint = f"http://127.0.0.1:{port_of(listener)}"
        code, _, errors = start(project, AWS_ENDPOINT_URL_DYNAMODB=endpoint).wait()

        expected = f"keywright: DynamoDB does not answer at {endpoint}; start it, or unset AWS_ENDPOINT_URL_DYNAMODB\n"
        assert 1 == code
        assert expected == errors
