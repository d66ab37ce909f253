"""From an empty table on: the command line and the service, each in a process of its own, over HTTP."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from admin.command_line import NAME
from keywright.ids import organization_uuid
from tests.api.conftest import local_service
from tests.conftest import LOOPBACK, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

KEYS, CURRENT, AUDIT_LOGS = "/auth/api-keys", "/auth/api-keys/current", "/auth/orgs/audit-logs"
BODY = {"name": "First", "permissions": ["sessions:read"]}


@dataclass(frozen=True, slots=True)
class Empty:
    """A service that began with an empty table."""

    stack_file: Path
    client: httpx.Client

    @property
    def stack(self) -> dict[str, Any]:
        """What its stack file says."""
        content: dict[str, Any] = json.loads(self.stack_file.read_text())
        return content

    def process(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command on it to its end."""
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "admin", *arguments],
            cwd=ROOT,
            env={**os.environ, "STACK_FILE": str(self.stack_file)},
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *arguments: str) -> Any:
        """Run a command that succeeds, and give its answer."""
        completed = self.process("--local", "--json", *arguments)
        assert (0, "") == (completed.returncode, completed.stderr)
        return json.loads(completed.stdout)

    def token(self, user: str, organization: str) -> str:
        """Sign in, with the development identity provider."""
        answer = self.client.get(f"{self.stack['issuer']}/token", params={"user": user, "organization": organization})
        assert 200 == answer.status_code
        return answer.text

    def status(self, token: str, method: str = "POST", path: str = KEYS) -> int:
        """Ask for something, by default for a key; give the status."""
        return self.answer(token, method, path).status_code

    def answer(self, token: str, method: str = "POST", path: str = KEYS) -> httpx.Response:
        """The same; give all of it."""
        body = BODY if method == "POST" else None
        return self.client.request(
            method, f"{self.stack['base_url']}{path}", headers={"authorization": f"Bearer {token}"}, json=body
        )

    def knows(self, key: str) -> int:
        """Present a key; give the status."""
        return self.client.get(f"{self.stack['base_url']}{CURRENT}", headers={"x-api-key": key}).status_code


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Empty]:
    """The service, as `EMPTY=1 make run` starts it."""
    with (
        local_service(tmp_path_factory.mktemp("service"), EMPTY="1") as stack_file,
        httpx.Client(timeout=30, trust_env=False) as client,
    ):
        yield Empty(stack_file, client)


def test_from_nothing_to_keys_and_back(empty: Empty) -> None:
    """GIVEN an empty table WHEN an operator changes who may do what THEN the very next request follows."""
    ada = empty.token("ada", "org_2abc")
    assert 403 == empty.status(ada)

    organization = empty.run("organizations", "create", "org_2abc", "--name", "Acme", "--owner", "ada")["organization"]
    assert str(organization_uuid("org_2abc")) == organization["id"]
    key = empty.answer(ada).json()["data"]
    assert 200 == empty.knows(key["key"])

    # The last owner stays; another one can take over.
    refused = empty.process("--local", "members", "suspend", "org_2abc", "ada")
    assert (4, f"{NAME}: nobody but ada owns the organization; make somebody else an owner first\n") == (
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

    # Keys outlive whoever made them, until they are revoked.
    assert 200 == empty.knows(key["key"])
    assert 3 == len(empty.run("keys", "revoke", "org_2abc", "--created-by", "ada", "--yes")["revoked"])
    assert 401 == empty.knows(key["key"])
    (left,) = empty.run("keys", "list", "org_2abc")["keys"]
    assert "bob" == left["createdBy"]


def test_what_operators_did_is_in_the_audit_log_that_owners_read(empty: Empty) -> None:
    """By whom, and of whom."""
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


def test_the_welcome_says_how_to_begin(empty: Empty) -> None:
    """GIVEN the lines to paste WHEN they are followed THEN there is an organization, an owner and a key."""
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
    given = dict(pairwise(arguments))
    answer = empty.client.post(
        next(argument for argument in arguments if argument.startswith("http")),
        headers=dict([arguments[arguments.index("-H") + 1].split(": ")]) | {"content-type": "application/json"},
        content=given["-d"],
    )

    assert (200, 1) == (answer.status_code, len(create)), answer.text
