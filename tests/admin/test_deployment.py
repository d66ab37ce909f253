"""Selecting the deployment, identifying the operator, and the failures of both."""

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

from keywright_admin import deployment
from keywright_admin.deployment import DEFAULTS, Deployment, select
from local import backend
from local.backend import isolate, operator_environment
from local.demo import ACTIVE_ORGANIZATION_ID
from local.intrinsics import mapping
from local.server import Server, port_of, reserve
from tests.support.cloudformation import section
from tests.support.environment import new_container

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIEnvironment

    from tests.support.command_result import CommandResult
    from tests.support.world import Table, World

SHOW = ["organizations", "show", ACTIVE_ORGANIZATION_ID]
CHANGE = ["members", "suspend", ACTIVE_ORGANIZATION_ID, "demo-admin"]
DAY_SECONDS = 86400


@pytest.fixture
def unnamed_table(table: Table, environment: pytest.MonkeyPatch) -> Table:
    """Return the table with the demo organizations, which the environment does not name."""
    for name in ("TABLE_NAME", "AUDIT_RETENTION_DAYS", "DELETION_GRACE_DAYS"):
        environment.delenv(name)
    return table


def test_table_name_selects_the_table(table: Table, run: Callable[..., CommandResult]) -> None:
    """Without an option, TABLE_NAME names the table."""
    del table

    assert ACTIVE_ORGANIZATION_ID in run(*SHOW).text()


@pytest.mark.parametrize("is_first", [True, False])
def test_table_option(unnamed_table: Table, run: Callable[..., CommandResult], is_first: bool) -> None:  # noqa: FBT001 - a case
    """--table is accepted before and after the command."""
    option = ["--table", unnamed_table.name]

    assert ACTIVE_ORGANIZATION_ID in run(*(option + SHOW if is_first else SHOW + option)).text()


def test_a_deployment_named_after_the_command_wins(unnamed_table: Table, run: Callable[..., CommandResult]) -> None:
    """A deployment named after the command wins, even over another option before it."""
    assert ACTIVE_ORGANIZATION_ID in run("--stack", "another", *SHOW, "--table", unnamed_table.name).text()


def test_json_before_the_command(table: Table, run: Callable[..., CommandResult]) -> None:
    """--json has the same effect before and after the command."""
    del table

    assert run(*SHOW, "--json").output == run("--json", *SHOW).output


def test_options_before_and_after_the_command_are_combined(
    unnamed_table: Table, run: Callable[..., CommandResult]
) -> None:
    """--json after the command does not discard a table named before it, and the reverse."""
    expected = run("--table", unnamed_table.name, "--json", *SHOW).json("organization")

    assert expected == run("--table", unnamed_table.name, *SHOW, "--json").json("organization")
    assert expected == run("--json", *SHOW, "--table", unnamed_table.name).json("organization")


def test_no_table(unnamed_table: Table, run: Callable[..., CommandResult]) -> None:
    """Without a table, the message lists the ways to name one."""
    del unnamed_table

    line = run(*SHOW).failure(2)

    assert "no table: pass --table NAME, --stack NAME or --local, or set TABLE_NAME" == line


@pytest.mark.parametrize(
    "options", [["--table", "a", "--stack", "b"], ["--stack", "b", "--local"], ["--local", "--table", "a"]]
)
def test_two_deployments(run: Callable[..., CommandResult], options: list[str]) -> None:
    """Naming two deployments in one place is wrong usage."""
    assert "pass only one of --table, --stack and --local" == run(*options, *SHOW).failure(2)
    assert "pass only one of --table, --stack and --local" == run(*SHOW, *options).failure(2)


def test_settings_without_a_stack(
    unnamed_table: Table, run: Callable[..., CommandResult], environment: pytest.MonkeyPatch
) -> None:
    """Audit records are kept as long as the environment says, by default as long as the template says."""
    run("--table", unnamed_table.name, *CHANGE).text()
    environment.setenv("AUDIT_RETENTION_DAYS", "7")
    run("--table", unnamed_table.name, "members", "reinstate", ACTIVE_ORGANIZATION_ID, "demo-admin").text()

    assert [365, 7] == [days_kept(record) for record in unnamed_table.under("AUDIT#")]


def test_the_defaults_are_those_of_the_template() -> None:
    """Retention and grace period have the defaults of the template."""
    parameters = section("Parameters")

    assert DEFAULTS == {
        "AUDIT_RETENTION_DAYS": str(default(parameters, "AuditRetentionDays")),
        "DELETION_GRACE_DAYS": str(default(parameters, "DeletionGraceDays")),
    }


def default(parameters: object, name: str) -> object:
    """Return the default of a template parameter."""
    assert isinstance(parameters, dict)
    return parameters[name]["Default"]


def days_kept(record: dict[str, object]) -> int:
    """Return how many days an audit record is kept."""
    received = datetime.fromisoformat(str(record["received_at"])).timestamp()
    return round((int(str(record["ttl"])) - received) / DAY_SECONDS)


# ---- --stack -------------------------------------------------------------------------------------------------

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
def cloudformation(unnamed_table: Table, environment: pytest.MonkeyPatch) -> Iterator[Table]:
    """Serve DescribeStacks: `keywright` is a Keywright stack, `other` is not, `forbidden` is denied; no others."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        form = parse_qs(environ["wsgi.input"].read().decode())
        assert ["DescribeStacks"] == form["Action"]
        (name,) = form["StackName"]
        status = "200 OK"
        match name:
            case "keywright":
                body = STACK.format(name=name, output=TABLE_OUTPUT.format(unnamed_table.name))
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
    yield unnamed_table
    server.stop()


def test_the_stack_provides_table_and_settings(
    cloudformation: Table, run: Callable[..., CommandResult], stop_clock: Callable[[str], object]
) -> None:
    """Audit retention and deletion grace period are those of the deployed functions."""
    stop_clock("2030-01-01T00:00:00.000Z")

    run("--stack", "keywright", "organizations", "request-deletion", ACTIVE_ORGANIZATION_ID, "--yes").text()

    assert "2030-01-06T00:00:00.000Z" == cloudformation.item("ORG", ACTIVE_ORGANIZATION_ID)["pending_deletion_at"]
    assert [3] == [days_kept(record) for record in cloudformation.under("AUDIT#")]


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("keywrong", 3, "the stack keywrong does not exist in this account and region"),
        ("other", 3, "the stack other has no output TableName; is it a Keywright stack?"),
        ("forbidden", 5, "AWS returned AccessDenied: You may not ask."),
    ],
)
@pytest.mark.usefixtures("cloudformation")
def test_unusable_stack(run: Callable[..., CommandResult], name: str, code: int, expected: str) -> None:
    """Each reason why a stack cannot be used has an exit code and one line."""
    assert expected == run("--stack", name, *SHOW).failure(code)


# ---- --local -------------------------------------------------------------------------------------------------


@pytest.fixture
def stack_file(tmp_path: Path, environment: pytest.MonkeyPatch) -> Path:
    """Return the path at which the stack file of the local service is expected."""
    path = tmp_path / "stack.json"
    environment.setenv("STACK_FILE", str(path))
    return path


def test_local_selects_the_table_of_the_local_service(
    unnamed_table: Table,
    run: Callable[..., CommandResult],
    environment: pytest.MonkeyPatch,
    stack_file: Path,
    moto_url: str,
) -> None:
    """The AWS settings of the operator's shell are ignored: they could lead to a real account."""
    environment.setattr(boto3, "DEFAULT_SESSION", None)
    stack_file.write_text(json.dumps({"operator": local_environment(moto_url, unnamed_table.name)}))
    environment.setenv("AWS_PROFILE", "production")
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    environment.delenv("AWS_ACCESS_KEY_ID")

    assert ACTIVE_ORGANIZATION_ID in run("--local", *SHOW).text()
    run(*CHANGE, "--local").text()


def local_environment(endpoint: str, table: str) -> dict[str, str]:
    """Return the operator's environment as a local service writes it."""
    environment: dict[str, str] = {}
    isolate(environment)
    return operator_environment({**environment, "AWS_ENDPOINT_URL": endpoint, "TABLE_NAME": table}, endpoint)


def test_a_command_has_the_settings_of_the_functions() -> None:
    """Each parameter that a command reads from a stack is the variable of the functions, by the same name."""
    globals_ = mapping(section("Globals")["Function"], "Globals")
    variables = mapping(mapping(globals_["Environment"], "Environment")["Variables"], "Variables")

    assert {name: {"Ref": parameter} for parameter, name in deployment._PARAMETERS.items()} == {
        name: variables[name] for name in deployment._PARAMETERS.values()
    }


def test_a_local_service_has_the_settings_of_a_stack() -> None:
    """GIVEN a setting that a command reads from a stack THEN the stack file of a local service has it too."""
    of_a_stack = {*deployment._OUTPUTS.values(), *deployment._PARAMETERS.values()} - {deployment.URL}
    of_a_stack -= {deployment.ARCHIVE_BUCKET}  # the local service has no S3

    assert of_a_stack == set(backend._OPERATOR_SETTINGS) - {"NO_PROXY", "no_proxy"}


def test_no_local_service(run: Callable[..., CommandResult], stack_file: Path) -> None:
    """Without a local service, the message says how to start one."""
    line = run("--local", *SHOW).failure(2)

    assert f"no local service is running: no file {stack_file}; start one with `make run`" == line


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"operator": []}', '{"operator": {"TABLE_NAME": "t"}}'])
def test_malformed_stack_file(run: Callable[..., CommandResult], stack_file: Path, content: str) -> None:
    """The message about a malformed stack file names the file."""
    stack_file.write_text(content)

    assert f"{stack_file} is not the stack file of a local service" == run("--local", *SHOW).failure(2)


# ---- The operator --------------------------------------------------------------------------------------------


def test_the_operator_is_the_arn_of_the_credentials(table: Table, run: Callable[..., CommandResult]) -> None:
    """The audit record has the ARN that STS returns."""
    run(*CHANGE).text()

    assert [("operator", "arn:aws:sts::123456789012:user/moto")] == actors(table)


def test_the_operator_without_sts(
    table: Table, run: Callable[..., CommandResult], environment: pytest.MonkeyPatch
) -> None:
    """With an emulator of DynamoDB alone, the operator is the local user."""
    environment.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    environment.setattr(getpass, "getuser", lambda: "ada")

    run(*CHANGE).text()

    assert [("operator", "operator:ada")] == actors(table)


def test_the_operator_without_a_user_name(
    table: Table, run: Callable[..., CommandResult], environment: pytest.MonkeyPatch
) -> None:
    """In a container without a user name, the operator is the user id."""

    def nameless() -> str:
        raise OSError("no name")

    environment.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    environment.setattr(getpass, "getuser", nameless)
    environment.setattr("os.getuid", lambda: 1234)

    run(*CHANGE).text()

    assert [("operator", "operator:1234")] == actors(table)


def actors(table: Table) -> list[tuple[str, str]]:
    """Return type and id of the actor of every audit record."""
    return [(record["actor_type"], record["actor_id"]) for record in table.under("AUDIT#")]


# ---- No access to AWS ----------------------------------------------------------------------------------------


@pytest.fixture
def signed_out(environment: pytest.MonkeyPatch) -> None:
    """Clear the credentials and the region that boto3 caches in a process."""
    environment.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.mark.usefixtures("world")
def test_missing_table(run: Callable[..., CommandResult]) -> None:
    """A missing table is not reported as a missing organization."""
    assert "the table does not exist in this account and region" == run("--table", "nowhere", *SHOW).failure(3)


@pytest.mark.usefixtures("world", "signed_out")
def test_no_credentials(run: Callable[..., CommandResult], environment: pytest.MonkeyPatch) -> None:
    """Without credentials, the message says how to sign in."""
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")

    assert "no AWS credentials: set AWS_PROFILE or sign in" == run(*SHOW).failure(5)


@pytest.mark.usefixtures("world", "signed_out")
def test_no_region(run: Callable[..., CommandResult], environment: pytest.MonkeyPatch) -> None:
    """Without a region, the message names the variable to set."""
    environment.delenv("AWS_REGION")
    environment.delenv("AWS_DEFAULT_REGION")

    assert "no AWS region: set AWS_REGION" == run(*SHOW).failure(5)


@pytest.mark.usefixtures("table", "signed_out")
def test_aws_region_is_enough(run: Callable[..., CommandResult], environment: pytest.MonkeyPatch) -> None:
    """AWS_REGION alone sets the region, although boto3 does not read it."""
    environment.delenv("AWS_DEFAULT_REGION")

    run(*SHOW).text()


@pytest.mark.usefixtures("world", "signed_out")
def test_missing_profile(run: Callable[..., CommandResult], environment: pytest.MonkeyPatch) -> None:
    """For a missing profile, the message of boto3 is passed on."""
    environment.setenv("AWS_PROFILE", "missing")

    line = run(*SHOW).failure(5)

    assert "cannot call AWS: The config profile (missing) could not be found" == line


@pytest.mark.usefixtures("signed_out")
def test_a_profile_is_enough(
    table: Table, run: Callable[..., CommandResult], environment: pytest.MonkeyPatch, tmp_path: Path, moto_url: str
) -> None:
    """A profile alone can set credentials, region and endpoint, as for the AWS CLI."""
    (tmp_path / "config").write_text(f"[profile ops]\nregion = us-east-1\nendpoint_url = {moto_url}\n")
    (tmp_path / "credentials").write_text("[ops]\naws_access_key_id = local\naws_secret_access_key = b\n")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        environment.delenv(name)
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    environment.setenv("AWS_PROFILE", "ops")

    run("--table", table.name, *CHANGE).text()

    assert 1 == len(table.under("AUDIT#"))


@pytest.mark.usefixtures("world", "signed_out")
def test_temporary_credentials_of_a_profile_are_exported(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """GIVEN a profile with a session token THEN the layer finds all three parts of its credentials."""
    (tmp_path / "credentials").write_text(
        "[ops]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = c\n"
    )
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    environment.setenv("AWS_PROFILE", "ops")

    with patch.dict(os.environ):
        select(Deployment(table="t"))
        exported = [os.environ[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")]

    assert ["a", "b", "c"] == exported


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, str(get_cert_path(verify=True))),
        ({"AWS_CA_BUNDLE": "/own.pem"}, "/own.pem"),
        ({"AWS_CA_BUNDLE": "/own.pem", "SSL_CERT_FILE": "/given.pem"}, "/given.pem"),
    ],
    ids=["botocore", "AWS_CA_BUNDLE", "SSL_CERT_FILE"],
)
@pytest.mark.usefixtures("world", "signed_out")
def test_ca_certificates_are_exported(
    environment: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    """SSL_CERT_FILE, else AWS_CA_BUNDLE as in the AWS CLI, else botocore's: some Pythons have none."""
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        environment.delenv(name, raising=False)
    for name, value in variables.items():
        environment.setenv(name, value)

    with patch.dict(os.environ):
        select(Deployment(table="t"))
        exported = os.environ["SSL_CERT_FILE"]

    assert expected == exported


@pytest.mark.usefixtures("no_waiting", "world")
def test_unreachable_aws(run: Callable[..., CommandResult], environment: pytest.MonkeyPatch) -> None:
    """Both DynamoDB and CloudFormation are reported as unavailable."""
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    assert run(*SHOW).failure(6).startswith("AWS did not answer: NoAnswerError: ConnectionRefusedError")
    assert run("--stack", "keywright", *SHOW).failure(6).startswith("AWS does not answer: Could not connect")


def test_invalid_setting(world: World, run: Callable[..., CommandResult], environment: pytest.MonkeyPatch) -> None:
    """The message about an invalid setting names the variable and its value."""
    del world
    environment.setenv("AUDIT_RETENTION_DAYS", "-1")
    new_container()

    line = run(*SHOW).failure(2)

    assert "AUDIT_RETENTION_DAYS must be a whole number, at least 0; it is '-1'" == line
