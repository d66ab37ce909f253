"""The command line works on the local service, from an empty table on."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from keywright.ids import organization_uuid
from tests.support.environment import LOOPBACK, ROOT
from tests.support.local_service import local_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.command_result import CommandResult

pytestmark = [pytest.mark.allow_hosts(LOOPBACK), pytest.mark.deep]

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


@pytest.fixture
def command(
    empty: EmptyService, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., CommandResult]:
    """Run a command of the operator against the service."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("STACK_FILE", str(empty.stack_file))
    return lambda *arguments: run("--local", "--json", *arguments)


@pytest.fixture
def output(command: Callable[..., CommandResult]) -> Callable[..., Any]:
    """Run a command that succeeds, and return its JSON output."""
    return lambda *arguments: json.loads(command(*arguments).text())


def test_changes_apply_to_the_next_request(
    empty: EmptyService, command: Callable[..., CommandResult], output: Callable[..., Any]
) -> None:
    """GIVEN an empty table WHEN an operator changes members and keys THEN the next request follows."""
    ada = empty.token("ada", "org_2abc")
    assert 403 == empty.status(ada)

    organization = output("organizations", "create", "org_2abc", "--name", "Acme", "--owner", "ada")["organization"]
    assert str(organization_uuid("org_2abc")) == organization["id"]
    key = empty.answer(ada).json()["data"]
    assert 200 == empty.key_status(key["key"])

    # The last owner cannot be suspended until there is another one.
    refused = command("members", "suspend", "org_2abc", "ada").failure(4)
    assert "ada is the last owner of the organization; make another member an owner first" == refused
    bob = empty.token("bob", "org_2abc")
    assert 403 == empty.status(bob)
    output("members", "add", "org_2abc", "bob", "--role", "owner")
    assert 200 == empty.status(bob)

    for change, status in (
        (["suspend", "org_2abc", "ada"], 403),
        (["reinstate", "org_2abc", "ada"], 200),
        (["set-role", "org_2abc", "ada", "member"], 403),
        (["set-role", "org_2abc", "ada", "admin"], 200),
        (["remove", "org_2abc", "ada", "--yes"], 403),
    ):
        assert output("members", *change)["changed"]
        assert status == empty.status(ada), change

    # Keys outlive the member who created them, until they are revoked.
    assert 200 == empty.key_status(key["key"])
    assert 3 == len(output("keys", "revoke", "org_2abc", "--created-by", "ada", "--yes")["revoked"])
    assert 401 == empty.key_status(key["key"])
    (remaining,) = output("keys", "list", "org_2abc")["keys"]
    assert "bob" == remaining["createdBy"]


def test_owners_see_what_operators_did(empty: EmptyService, output: Callable[..., Any]) -> None:
    """The audit log names the operator and the target."""
    output("organizations", "create", "umbrella", "--name", "Umbrella", "--owner", "eve")
    output("members", "add", "umbrella", "mal", "--role", "admin")

    log = empty.answer(empty.token("eve", "umbrella"), "GET", AUDIT_LOGS).json()["data"]

    operator = {"type": "operator", "id": "arn:aws:sts::123456789012:user/moto", "name": "moto"}
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
    assert f"STACK_FILE={empty.stack_file}" == variable
    assert ["make", "admin"] == command[:2]
    subprocess.run(  # noqa: S603 - our own program
        [ROOT / "admin" / "keywright-admin", *shlex.split(command[2].removeprefix("ARGS="))],
        cwd=ROOT,
        env={**os.environ, "STACK_FILE": str(empty.stack_file)},
        stdout=subprocess.DEVNULL,
        check=True,
    )

    url = shlex.split(sign_in.removeprefix("TOKEN=$(").removesuffix(")"))[-1]
    token = empty.client.get(url).text
    arguments = [argument.replace("$TOKEN", token) for argument in shlex.split(create[0])]
    values = dict(pairwise(arguments))
    answer = empty.client.post(
        next(argument for argument in arguments if argument.startswith("http")),
        headers=dict([arguments[arguments.index("-H") + 1].split(": ")]) | {"content-type": "application/json"},
        content=values["-d"],
    )

    assert 200 == answer.status_code, answer.text
    assert 1 == len(create), answer.text
