"""Which table the command line works on, as whom, and what it says where it cannot."""

from __future__ import annotations

import getpass
import json
import os
from datetime import datetime
from typing import TYPE_CHECKING
from unittest.mock import patch
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.httpsession import get_cert_path

from admin.deployment import DEFAULTS, Deployment, choose
from local.demo import ACTIVE_ORGANIZATION_ID
from local.server import Server, port_of, reserve
from tests.conftest import new_container
from tests.template.cloudformation import section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIEnvironment

    from tests.admin.conftest import Ended
    from tests.world import Table, World

SHOW = ["organizations", "show", ACTIVE_ORGANIZATION_ID]
CHANGE = ["members", "suspend", ACTIVE_ORGANIZATION_ID, "demo-admin"]
DAY_SECONDS = 86400


@pytest.fixture
def unnamed(table: Table, environment: pytest.MonkeyPatch) -> Table:
    """The demo organizations, in a table that the environment does not name."""
    for name in ("TABLE_NAME", "AUDIT_RETENTION_DAYS", "DELETION_GRACE_DAYS"):
        environment.delenv(name)
    return table


def test_the_table_of_the_environment(table: Table, run: Callable[..., Ended]) -> None:
    """TABLE_NAME, if nothing else is said."""
    del table

    assert ACTIVE_ORGANIZATION_ID in run(*SHOW).said()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_table_that_is_named(unnamed: Table, run: Callable[..., Ended], is_first: bool) -> None:  # noqa: FBT001 - a case
    """Before the command or behind it."""
    named = ["--table", unnamed.name]

    assert ACTIVE_ORGANIZATION_ID in run(*(named + SHOW if is_first else SHOW + named)).said()


def test_what_is_said_behind_the_command_counts(unnamed: Table, run: Callable[..., Ended]) -> None:
    """As the later word; it can be of another kind."""
    assert ACTIVE_ORGANIZATION_ID in run("--stack", "another", *SHOW, "--table", unnamed.name).said()


def test_json_can_be_asked_for_before_the_command(table: Table, run: Callable[..., Ended]) -> None:
    """The same as behind it."""
    del table

    assert run(*SHOW, "--json").output == run("--json", *SHOW).output


def test_a_table_that_nobody_names(unnamed: Table, run: Callable[..., Ended]) -> None:
    """The line says how to."""
    del unnamed

    line = run(*SHOW).failed(2)

    assert "name the table with --table NAME or TABLE_NAME, or find it with --stack NAME or --local" == line


@pytest.mark.parametrize(
    "named", [["--table", "a", "--stack", "b"], ["--stack", "b", "--local"], ["--local", "--table", "a"]]
)
def test_a_table_that_is_named_twice(run: Callable[..., Ended], named: list[str]) -> None:
    """It is not guessed which one is meant."""
    assert "give one of --table, --stack and --local" == run(*named, *SHOW).failed(2)
    assert "give one of --table, --stack and --local" == run(*SHOW, *named).failed(2)


def test_without_the_stack_records_are_kept_as_the_template_has_it(
    unnamed: Table, run: Callable[..., Ended], environment: pytest.MonkeyPatch
) -> None:
    """Or as the environment says."""
    run("--table", unnamed.name, *CHANGE).said()
    environment.setenv("AUDIT_RETENTION_DAYS", "7")
    run("--table", unnamed.name, "members", "reinstate", ACTIVE_ORGANIZATION_ID, "demo-admin").said()

    assert [365, 7] == [days_kept(record) for record in unnamed.under("AUDIT#")]


def test_these_are_the_templates_defaults() -> None:
    """Of the two parameters that matter to what operators write."""
    parameters = section("Parameters")

    assert DEFAULTS == {
        "AUDIT_RETENTION_DAYS": str(default(parameters, "AuditRetentionDays")),
        "DELETION_GRACE_DAYS": str(default(parameters, "DeletionGraceDays")),
    }


def default(parameters: object, name: str) -> object:
    """Give the default of a parameter."""
    assert isinstance(parameters, dict)
    return parameters[name]["Default"]


def days_kept(record: dict[str, object]) -> int:
    """Tell how long a record is kept."""
    received = datetime.fromisoformat(str(record["received_at"])).timestamp()
    return round((int(str(record["ttl"])) - received) / DAY_SECONDS)


# ---- By the stack --------------------------------------------------------------------------------------------

STACK = """<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult>
<Stacks><member><StackName>{name}</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime>
<StackStatus>UPDATE_COMPLETE</StackStatus>
<Outputs><member><OutputKey>ApiUrl</OutputKey><OutputValue>https://api.example/v1</OutputValue></member>{output}</Outputs>
<Parameters><member><ParameterKey>AuditRetentionDays</ParameterKey><ParameterValue>3</ParameterValue></member>
<member><ParameterKey>DeletionGraceDays</ParameterKey><ParameterValue>5</ParameterValue></member></Parameters>
</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""
TABLE_OUTPUT = "<member><OutputKey>TableName</OutputKey><OutputValue>{}</OutputValue></member>"
ERROR = """<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>
<Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"""


@pytest.fixture
def cloudformation(unnamed: Table, environment: pytest.MonkeyPatch) -> Iterator[Table]:
    """CloudFormation, as far as it is asked: the stack `keywright`, another one, and none else."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        form = parse_qs(environ["wsgi.input"].read().decode())
        assert ["DescribeStacks"] == form["Action"]
        (name,) = form["StackName"]
        status = "200 OK"
        match name:
            case "keywright":
                body = STACK.format(name=name, output=TABLE_OUTPUT.format(unnamed.name))
            case "other":
                body = STACK.format(name=name, output="")
            case "forbidden":
                status, body = "403 Forbidden", ERROR.format(code="AccessDenied", message="You may not\nask.")
            case _:
                message = f"Stack with id {name} does not exist"
                status, body = "400 Bad Request", ERROR.format(code="ValidationError", message=message)
        start_response(status, [("content-type", "text/xml"), ("x-amzn-requestid", "1")])
        return [body.encode()]

    listener = reserve(0)
    server = Server(answer, listener, threads=1)
    environment.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", f"http://127.0.0.1:{port_of(listener)}")
    yield unnamed
    server.stop()


def test_a_stack_tells_the_table_and_its_settings(
    cloudformation: Table, run: Callable[..., Ended], stop_clock: Callable[[str], object]
) -> None:
    """How long records are kept and deletions wait is as the functions have it."""
    stop_clock("2030-01-01T00:00:00.000Z")

    run("--stack", "keywright", "organizations", "request-deletion", ACTIVE_ORGANIZATION_ID, "--yes").said()

    assert "2030-01-06T00:00:00.000Z" == cloudformation.item("ORG", ACTIVE_ORGANIZATION_ID)["pending_deletion_at"]
    assert [3] == [days_kept(record) for record in cloudformation.under("AUDIT#")]


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("keywrong", 3, "there is no stack keywrong in this account and region"),
        ("other", 3, "the stack other has no output TableName; is it one of Keywright's?"),
        ("forbidden", 5, "AWS says AccessDenied: You may not ask."),
    ],
)
@pytest.mark.usefixtures("cloudformation")
def test_a_stack_that_does_not_help(run: Callable[..., Ended], name: str, code: int, expected: str) -> None:
    """Is one line."""
    assert expected == run("--stack", name, *SHOW).failed(code)


# ---- On this machine -----------------------------------------------------------------------------------------


@pytest.fixture
def stack_file(tmp_path: Path, environment: pytest.MonkeyPatch) -> Path:
    """Where the local service's description is looked for."""
    path = tmp_path / "stack.json"
    environment.setenv("STACK_FILE", str(path))
    return path


def test_the_table_of_the_local_service(
    unnamed: Table,
    run: Callable[..., Ended],
    environment: pytest.MonkeyPatch,
    stack_file: Path,
    moto_url: str,
) -> None:
    """With nothing of what the operator's shell says of AWS: it could be a real account."""
    environment.setattr(boto3, "DEFAULT_SESSION", None)
    stack_file.write_text(json.dumps({"aws_endpoint_url": moto_url, "table_name": unnamed.name}))
    environment.setenv("AWS_PROFILE", "production")
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    environment.delenv("AWS_ACCESS_KEY_ID")

    assert ACTIVE_ORGANIZATION_ID in run("--local", *SHOW).said()
    run(*CHANGE, "--local").said()


def test_a_local_service_that_does_not_run(run: Callable[..., Ended], stack_file: Path) -> None:
    """The line says how to start one."""
    line = run("--local", *SHOW).failed(2)

    assert f"no service runs here: there is no {stack_file}; start one with `make run`" == line


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"aws_endpoint_url": "http://127.0.0.1:1"}'])
def test_a_stack_file_that_is_none(run: Callable[..., Ended], stack_file: Path, content: str) -> None:
    """It says so."""
    stack_file.write_text(content)

    assert f"{stack_file} is no stack file of a local service" == run("--local", *SHOW).failed(2)


# ---- Who -----------------------------------------------------------------------------------------------------


def test_the_operator_is_who_the_credentials_belong_to(table: Table, run: Callable[..., Ended]) -> None:
    """By their ARN."""
    run(*CHANGE).said()

    assert [("operator", "arn:aws:sts::123456789012:user/moto")] == actors(table)


def test_where_nobody_knows_the_credentials_it_is_the_user_of_this_machine(
    table: Table, run: Callable[..., Ended], environment: pytest.MonkeyPatch
) -> None:
    """As with an emulator of DynamoDB alone."""
    environment.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    environment.setattr(getpass, "getuser", lambda: "ada")

    run(*CHANGE).said()

    assert [("operator", "operator:ada")] == actors(table)


def test_a_user_without_a_name_has_a_number(
    table: Table, run: Callable[..., Ended], environment: pytest.MonkeyPatch
) -> None:
    """As in some containers."""

    def nameless() -> str:
        raise OSError("no name")

    environment.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    environment.setattr(getpass, "getuser", nameless)
    environment.setattr("os.getuid", lambda: 1234)

    run(*CHANGE).said()

    assert [("operator", "operator:1234")] == actors(table)


def actors(table: Table) -> list[tuple[str, str]]:
    """Tell who has done what was done."""
    return [(record["actor_type"], record["actor_id"]) for record in table.under("AUDIT#")]


# ---- Where AWS is of no help ---------------------------------------------------------------------------------


@pytest.fixture
def signed_out(environment: pytest.MonkeyPatch) -> None:
    """Forget the credentials and the region, which boto3 asks for once in a process."""
    environment.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.mark.usefixtures("world")
def test_a_table_that_is_not_there(run: Callable[..., Ended]) -> None:
    """Is told apart from an organization that is not."""
    assert "there is no such table in this account and region" == run("--table", "nowhere", *SHOW).failed(3)


@pytest.mark.usefixtures("world", "signed_out")
def test_without_credentials(run: Callable[..., Ended], environment: pytest.MonkeyPatch) -> None:
    """What to do is said, and nobody is asked."""
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")

    assert "there are no AWS credentials; set AWS_PROFILE, or sign in" == run(*SHOW).failed(5)


@pytest.mark.usefixtures("world", "signed_out")
def test_without_a_region(run: Callable[..., Ended], environment: pytest.MonkeyPatch) -> None:
    """The same."""
    environment.delenv("AWS_REGION")
    environment.delenv("AWS_DEFAULT_REGION")

    assert "there is no AWS region; set AWS_REGION" == run(*SHOW).failed(5)


@pytest.mark.usefixtures("table", "signed_out")
def test_the_region_that_other_tools_read(run: Callable[..., Ended], environment: pytest.MonkeyPatch) -> None:
    """AWS_REGION is enough, although boto3 does not read it."""
    environment.delenv("AWS_DEFAULT_REGION")

    run(*SHOW).said()


@pytest.mark.usefixtures("world", "signed_out")
def test_a_profile_that_is_not_there(run: Callable[..., Ended], environment: pytest.MonkeyPatch) -> None:
    """The line is boto3's."""
    environment.setenv("AWS_PROFILE", "nobody")

    line = run(*SHOW).failed(5)

    assert "AWS cannot be asked: The config profile (nobody) could not be found" == line


@pytest.mark.usefixtures("signed_out")
def test_a_profile_says_everything(
    table: Table, run: Callable[..., Ended], environment: pytest.MonkeyPatch, tmp_path: Path, moto_url: str
) -> None:
    """Credentials, region and address, as with the AWS command line: the environment says nothing but its name."""
    (tmp_path / "config").write_text(f"[profile ops]\nregion = us-east-1\nendpoint_url = {moto_url}\n")
    (tmp_path / "credentials").write_text("[ops]\naws_access_key_id = local\naws_secret_access_key = b\n")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        environment.delenv(name)
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    environment.setenv("AWS_PROFILE", "ops")

    run("--table", table.name, *CHANGE).said()

    assert 1 == len(table.under("AUDIT#"))


@pytest.mark.usefixtures("world", "signed_out")
def test_the_layer_is_told_the_temporary_credentials_of_a_profile(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """GIVEN a profile with a session token WHEN it is used THEN the environment has all three parts of its keys."""
    (tmp_path / "credentials").write_text(
        "[ops]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = c\n"
    )
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    environment.setenv("AWS_PROFILE", "ops")

    with patch.dict(os.environ):
        choose(Deployment(table="t"))
        found = [os.environ[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")]

    assert ["a", "b", "c"] == found


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, str(get_cert_path(verify=True))),
        ({"AWS_CA_BUNDLE": "/own.pem"}, "/own.pem"),
        ({"AWS_CA_BUNDLE": "/own.pem", "SSL_CERT_FILE": "/given.pem"}, "/given.pem"),
    ],
    ids=["boto3's", "AWS_CA_BUNDLE", "SSL_CERT_FILE"],
)
@pytest.mark.usefixtures("world", "signed_out")
def test_the_layer_is_told_whose_certificates_to_believe(
    environment: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    """Python's default has none on some machines; the AWS command line reads AWS_CA_BUNDLE."""
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        environment.delenv(name, raising=False)
    for name, value in variables.items():
        environment.setenv(name, value)

    with patch.dict(os.environ):
        choose(Deployment(table="t"))
        found = os.environ["SSL_CERT_FILE"]

    assert expected == found


@pytest.mark.usefixtures("no_waiting", "world")
def test_aws_that_does_not_answer(run: Callable[..., Ended], environment: pytest.MonkeyPatch) -> None:
    """Neither DynamoDB nor CloudFormation."""
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    assert run(*SHOW).failed(6).startswith("AWS did not answer: NoAnswerError: ConnectionRefusedError")
    assert run("--stack", "keywright", *SHOW).failed(6).startswith("AWS does not answer: Could not connect")


def test_a_setting_that_makes_no_sense(
    world: World, run: Callable[..., Ended], environment: pytest.MonkeyPatch
) -> None:
    """It is named."""
    del world
    environment.setenv("AUDIT_RETENTION_DAYS", "-1")
    new_container()

    line = run(*SHOW).failed(2)

    assert "AUDIT_RETENTION_DAYS must be a whole number, at least 0; it is '-1'" == line
