"""The command line and the local service, which is a separate process, starting from an empty table."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx
import pytest

from admin.command import NAME
from admin.command_line import main
from keywright.ids import organization_uuid
from tests.api.conftest import local_service
from tests.support.environment import LOOPBACK, ROOT, new_container

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

KEYS, CURRENT, AUDIT_LOGS = "/auth/api-keys", "/auth/api-keys/current", "/auth/orgs/audit-logs"
BODY = {"name": "First", "permissions": ["sessions:read"]}


@dataclass(frozen=True, slots=True)
class EmptyService:
    """A service that was started with an empty table."""

    stack_file: Path
    client: httpx.Client

    @property
    def stack(self) -> dict[str, Any]:
        """The content of its stack file."""
        content: dict[str, Any] = json.loads(self.stack_file.read_text())
        return content

    def process(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command against the service, in another process."""
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "admin", *arguments],
            cwd=ROOT,
            env={**os.environ, "STACK_FILE": str(self.stack_file)},
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *arguments: str) -> Any:
        """Run a command that succeeds, in this process, which takes less than starting one; return its JSON output."""
        new_container()
        output, errors = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, STACK_FILE=str(self.stack_file)),
            redirect_stdout(output),
            redirect_stderr(errors),
        ):
            code = main(["--local", "--json", *arguments])
        assert "" == errors.getvalue()
        assert 0 == code
        return json.loads(output.getvalue())

    def token(self, user: str, organization: str) -> str:
        """Return a session token from the development identity provider."""
        answer = self.client.get(f"{self.stack['issuer']}/token", params={"user": user, "organization": organization})
        assert 200 == answer.status_code
        return answer.text

    def status(self, token: str, method: str = "POST", path: str = KEYS) -> int:
        """Send a request, by default one that creates a key, and return the status."""
        return self.answer(token, method, path).status_code

    def answer(self, token: str, method: str = "POST", path: str = KEYS) -> httpx.Response:
        """Send a request, by default one that creates a key, and return the response."""
        body = BODY if method == "POST" else None
        return self.client.request(
            method, f"{self.stack['base_url']}{path}", headers={"authorization": f"Bearer {token}"}, json=body
        )

    def key_status(self, key: str) -> int:
        """Present a key and return the status."""
        return self.client.get(f"{self.stack['base_url']}{CURRENT}", headers={"x-api-key": key}).status_code


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmptyService]:
    """Start the service as `EMPTY=1 make run` does."""
    with (
        local_service(tmp_path_factory.mktemp("service"), EMPTY="1") as stack_file,
        httpx.Client(timeout=30, trust_env=False) as client,
    ):
        yield EmptyService(stack_file, client)


def test_changes_apply_to_the_next_request(empty: EmptyService) -> None:
    """GIVEN an empty table WHEN an operator changes members and keys THEN the next request follows."""
    ada = empty.token("ada", "org_2abc")
    assert 403 == empty.status(ada)

    organization = empty.run("organizations", "create", "org_2abc", "--name", "Acme", "--owner", "ada")["organization"]
    assert str(organization_uuid("org_2abc")) == organization["id"]
    key = empty.answer(ada).json()["data"]
    assert 200 == empty.key_status(key["key"])

    # The last owner cannot be suspended until there is another one.
    refused = empty.process("--local", "members", "suspend", "org_2abc", "ada")
    assert (4, f"{NAME}: ada is the last owner of the organization; make another member an owner first\n") == (
        refused.returncode,
        refused.stderr,
    )
    bob = empty.token("bob", "org_2abc")
    assert 403 == empty.status(bob)
    empty.run("members", "add", "org_2abc", "bob", "--role", "owner")
    assert 200 == empty.status(bob)

    for command, status in (
        (["suspend", "org_2abc", "ada"], 403),
        (["reinstate", "org_2abc", "ada"], 200),
        (["set-role", "org_2abc", "ada", "member"], 403),
        (["set-role", "org_2abc", "ada", "admin"], 200),
        (["remove", "org_2abc", "ada", "--yes"], 403),
    ):
        assert empty.run("members", *command)["changed"]
        assert status == empty.status(ada), command

    # Keys outlive the member who created them, until they are revoked.
    assert 200 == empty.key_status(key["key"])
    assert 3 == len(empty.run("keys", "revoke", "org_2abc", "--created-by", "ada", "--yes")["revoked"])
    assert 401 == empty.key_status(key["key"])
    (remaining,) = empty.run("keys", "list", "org_2abc")["keys"]
    assert "bob" == remaining["createdBy"]


def test_owners_see_what_operators_did(empty: EmptyService) -> None:
    """The audit log names the operator and the target."""
    empty.run("organizations", "create", "umbrella", "--name", "Umbrella", "--owner", "eve")
    empty.run("members", "add", "umbrella", "mal", "--role", "admin")

    log = empty.answer(empty.token("eve", "umbrella"), "GET", AUDIT_LOGS).json()["data"]

    operator = {"type": "operator", "id": "arn:aws:sts::123456789012:user/moto"}
    assert [
        ("member.added", "mal", "member", operator),
        ("member.added", "eve", "member", operator),
        ("organization.created", str(organization_uuid("umbrella")), "organization", operator),
    ] == [(record["event"], record["targetId"], record["targetType"], record["actor"]) for record in log]
    assert {(None, None)} == {(record["sourceIp"], record["requestId"]) for record in log}


def test_the_welcome_of_an_empty_service(empty: EmptyService) -> None:
    """GIVEN the commands of the welcome WHEN they run THEN there is an organization, an owner and a key."""
    make, sign_in, *create = [
        line
        for line in (empty.stack_file.parent / "output.txt").read_text().replace("\\\n", "").splitlines()
        if line.startswith(("STACK_FILE=", "make ", "TOKEN=", "curl "))
    ]
    variable, *command = shlex.split(make)
    assert (f"STACK_FILE={empty.stack_file}", ["make", "admin"]) == (variable, command[:2])
    assert 0 == empty.process(*shlex.split(command[2].removeprefix("ARGS="))).returncode

    url = shlex.split(sign_in.removeprefix("TOKEN=$(").removesuffix(")"))[-1]
    token = empty.client.get(url).text
    arguments = [argument.replace("$TOKEN", token) for argument in shlex.split(create[0])]
    values = dict(pairwise(arguments))
    answer = empty.client.post(
        next(argument for argument in arguments if argument.startswith("http")),
        headers=dict([arguments[arguments.index("-H") + 1].split(": ")]) | {"content-type": "application/json"},
        content=values["-d"],
    )

    assert (200, 1) == (answer.status_code, len(create)), answer.text
