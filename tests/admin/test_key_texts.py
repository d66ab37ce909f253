"""Texts of keys on standard input: `keys identify` and `keys verify`, against the local service."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from keywright.domain.key_text import checksum
from keywright_admin.failures import ExitCode
from local.server import Server, port_of, reserve
from tests.support.environment import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIEnvironment

    from tests.api.deployment import Deployment
    from tests.support.command_result import CommandResult

pytestmark = pytest.mark.allow_hosts(LOOPBACK)


@pytest.fixture
def ask(
    local_stack: Path, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., CommandResult]:
    """Return a function that runs a command on the local service with a text on standard input."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("STACK_FILE", str(local_stack))

    def asking(text: str, *arguments: str) -> CommandResult:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        return run("--local", *arguments)

    return asking


@pytest.fixture
def key(deployment: Deployment) -> dict[str, Any]:
    """Return a new key of the demo organization: its id and its text."""
    return deployment.create_key()


@pytest.mark.parametrize("text", ["{}", "{}\n", "  {} \r\n"])
def test_a_key_is_identified(
    ask: Callable[..., CommandResult], key: dict[str, Any], deployment: Deployment, text: str
) -> None:
    """Organization, id and state are printed, and the command that disables the key, but never the text."""
    output = ask(text.format(key["key"]), "keys", "identify").text()

    fields = dict(line.split(maxsplit=1) for line in output.splitlines()[:5] if "'s name" not in line)
    expected = {"organization": deployment.organization_id, "key": key["id"], "state": "active"}
    assert expected == fields
    command = f"keywright-admin --local keys disable {deployment.organization_id} {key['id']} --id"
    assert f"  {command}" == output.splitlines()[-1]
    assert key["key"][40:] not in output


def test_a_key_is_identified_as_json(ask: Callable[..., CommandResult], key: dict[str, Any]) -> None:
    """Key and organization are shown as elsewhere; a disabled key is disabled."""
    output = ask(key["key"], "keys", "identify", "--json").json("identified-key")
    ask("", "keys", "disable", output["organizationId"], output["keyId"], "--id").text()
    disabled = ask(key["key"], "keys", "identify", "--json").json("identified-key")

    assert key["id"] == output["keyId"]
    assert "active" == output["state"]
    assert key["id"] == output["key"]["id"]
    assert output["organizationId"] == output["organization"]["id"]
    assert "disabled" == disabled["state"]


def test_a_key_is_verified(ask: Callable[..., CommandResult], key: dict[str, Any], deployment: Deployment) -> None:
    """The API is asked with a signature, and answers what it answers backends."""
    output = ask(key["key"], "keys", "verify", "--json").json("verified-key")

    assert deployment.verify(key["key"]).json()["data"] == output
    assert True is output["valid"]
    assert "VALID" == output["code"]
    assert key["id"] == output["id"]
    assert "valid                yes\n" in ask(key["key"], "keys", "verify").text()


def test_a_key_without_a_permission(ask: Callable[..., CommandResult], key: dict[str, Any]) -> None:
    """A refused key is an answer, so the exit code is 0; the missing permissions are named."""
    options = ["--permission", "sessions:read", "--permission", "analytics:read"]
    output = ask(key["key"], "keys", "verify", *options, "--json").json("verified-key")

    assert False is output["valid"]
    assert "INSUFFICIENT_PERMISSIONS" == output["code"]
    assert ["analytics:read"] == output["missingPermissions"]


def test_a_key_with_limits(ask: Callable[..., CommandResult], deployment: Deployment) -> None:
    """An address is passed on, a cost of 0 only looks, and what is left is shown."""
    rate_limit, quota = {"limit": 60, "windowSeconds": 60}, {"limit": 2, "period": "total"}
    text = deployment.create_key(rateLimit=rate_limit, quota=quota, allowedIps=["192.0.2.0/24"])["key"]
    looking = ("keys", "verify", "--client-ip", "192.0.2.7", "--cost")

    assert "IP_NOT_ALLOWED" == ask(text, "keys", "verify", "--json").json("verified-key")["code"]
    assert "rate limit           60 of 60 left\nquota                2 of 2 left\n" in ask(text, *looking, "0").text()
    assert "quota                0 of 2 left\n" in ask(text, *looking, "2").text()
    assert "QUOTA_EXCEEDED" in ask(text, *looking, "1").text()
    assert "clientIp" in ask(text, "keys", "verify", "--client-ip", "here").failure(ExitCode.USAGE)


def test_a_forged_key(ask: Callable[..., CommandResult], key: dict[str, Any]) -> None:
    """A forged text is identified as unknown, and verified as not found."""
    unchecked = key["key"][:40] + ("0" if key["key"][40] != "0" else "1") + key["key"][41:-6]
    forged = unchecked + checksum(unchecked)

    assert "unknown" == ask(forged, "keys", "identify", "--json").json("identified-key")["state"]
    assert {"valid": False, "code": "NOT_FOUND"} == ask(forged, "keys", "verify", "--json").json("verified-key")


@pytest.mark.parametrize("command", ["identify", "verify"])
def test_a_text_as_an_argument_is_refused(ask: Callable[..., CommandResult], key: dict[str, Any], command: str) -> None:
    """The text of a key is not accepted as an argument, and not repeated in the message."""
    line = ask("", "keys", command, key["key"]).failure(ExitCode.USAGE)

    assert line.startswith("pass the key on standard input, not as an argument")
    assert key["key"] not in line


@pytest.mark.parametrize("command", ["identify", "verify"])
@pytest.mark.parametrize("text", ["", "\n"])
def test_no_text(ask: Callable[..., CommandResult], command: str, text: str) -> None:
    """Without a text there is no question."""
    assert "no key on standard input" == ask(text, "keys", command).failure(ExitCode.USAGE)


def test_something_else(ask: Callable[..., CommandResult]) -> None:
    """A text without the form of a key is not repeated either."""
    line = ask("hunter2", "keys", "identify").failure(ExitCode.USAGE)

    assert "the text on standard input has not the form of a key" == line


def test_a_terminal_does_not_show_the_text(
    ask: Callable[..., CommandResult], key: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal the text is asked for as a password is."""
    monkeypatch.setattr("keywright_admin.terminal.is_interactive", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda *_: key["key"])

    assert "active" == ask("", "keys", "identify", "--json").json("identified-key")["state"]


def test_an_unknown_permission(ask: Callable[..., CommandResult], key: dict[str, Any]) -> None:
    """The message of the API is passed on."""
    line = ask(key["key"], "keys", "verify", "--permission", "nothing:read").failure(ExitCode.USAGE)

    assert line.startswith("the API returned 400 BAD_REQUEST: ")


def test_another_service_with_the_operators_credentials(
    local_stack: Path, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch, key: dict[str, Any]
) -> None:
    """KEYWRIGHT_URL names the API of a table that was not named by its stack."""
    stack = json.loads(local_stack.read_text())
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("TABLE_NAME", "any")
    monkeypatch.setattr("sys.stdin", io.StringIO(key["key"]))
    for name, value in {
        "AWS_REGION": stack["iam"]["region"],
        "AWS_ACCESS_KEY_ID": stack["iam"]["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": stack["iam"]["secret_access_key"],
    }.items():
        monkeypatch.setenv(name, value)

    line = run("keys", "verify").failure(ExitCode.USAGE)
    monkeypatch.setenv("KEYWRIGHT_URL", stack["base_url"] + "/")
    monkeypatch.setattr("sys.stdin", io.StringIO(key["key"]))

    assert "no address of the API: pass --stack NAME or --local, or set KEYWRIGHT_URL" == line
    assert run("keys", "verify", "--json").json("verified-key")["valid"]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    monkeypatch.setattr("sys.stdin", io.StringIO(key["key"]))
    refused = run("keys", "verify").failure(ExitCode.NO_ACCESS)
    assert "the API returned 401 UNAUTHORIZED: The AWS signature of the request is not valid" == refused


@pytest.mark.parametrize(
    ("statuses", "code", "line"),
    [
        (["503 Service Unavailable", "429 Too Many Requests", "200 OK"], 0, ""),
        (["503 Service Unavailable"] * 3, 6, "the API returned 503: no answer"),
        (["500 Internal Server Error"], 6, "the API returned 500: no answer"),
        (["302 Found"], 6, "the API returned 302: no answer"),
        (["403 Forbidden"], 5, "the API returned 403: no answer; allow execute-api:Invoke on its verify route"),
    ],
)
def test_an_api_that_does_not_answer(  # noqa: PLR0913, PLR0917 - a row of the table
    world: object,
    run: Callable[..., CommandResult],
    monkeypatch: pytest.MonkeyPatch,
    statuses: list[str],
    code: int,
    line: str,
) -> None:
    """A failure that may pass is tried three times; any other is one line."""
    del world
    left = list(statuses)

    def answer(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status = left.pop(0)
        start_response(status, [("content-type", "application/json"), ("location", "/elsewhere")])
        return [b'{"data": {"valid": false, "code": "NOT_FOUND"}}' if status == "200 OK" else b"<html>"]

    listener = reserve(0)
    server = Server(answer, listener, threads=1)
    monkeypatch.setenv("KEYWRIGHT_URL", f"http://127.0.0.1:{port_of(listener)}")
    monkeypatch.setattr("sys.stdin", io.StringIO("kk_1"))
    monkeypatch.setattr("time.sleep", lambda _: None)
    try:
        result = run("keys", "verify")
    finally:
        server.stop()

    assert [] == left
    assert code == result.code
    assert (f"keywright-admin: {line}\n" if line else "") == result.errors
