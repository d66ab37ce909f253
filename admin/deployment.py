"""Which table the command line works on, and who works on it."""

from __future__ import annotations

import getpass
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
from botocore.httpsession import get_cert_path

from admin.failures import NoStackError, UsageError
from keywright.domain.principals import Actor, ActorType
from local.backend import DYNAMODB_ENDPOINT, isolate

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_sts import STSClient

ROOT = Path(__file__).parents[1]

DEFAULTS = {"AUDIT_RETENTION_DAYS": "365", "DELETION_GRACE_DAYS": "30"}
"""The template's, for a table that is named without its stack."""

_PARAMETERS = {"AuditRetentionDays": "AUDIT_RETENTION_DAYS", "DeletionGraceDays": "DELETION_GRACE_DAYS"}
# Where nobody answers, it should not take long.
_BRIEF = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2, "mode": "standard"})


@dataclass(frozen=True, slots=True)
class Deployment:
    """How the deployment was named on the command line; at the most one of these.

    Attributes:
        table: the table's name.
        stack: the CloudFormation stack's name or ARN.
        is_local: the one that `make run` serves.
    """

    table: str | None = None
    stack: str | None = None
    is_local: bool = False

    def __or__(self, other: Deployment) -> Deployment:
        """Give the other one if it names anything, this one otherwise."""
        return other if other != Deployment() else self


def choose(deployment: Deployment) -> None:
    """Let everything from here on work on a deployment's table: the environment becomes as its functions have it.

    Raises:
        UsageError: it is named in several ways, or in none; or no local service runs.
        NoStackError: there is no such stack.
        BotoCoreError: there is no way into AWS.
        ClientError: AWS refuses to tell of the stack.
    """
    named = [deployment.table is not None, deployment.stack is not None, deployment.is_local]
    if sum(named) > 1:
        raise UsageError("give one of --table, --stack and --local")
    if not any(named) and not os.environ.get("TABLE_NAME"):
        raise UsageError("name the table with --table NAME or TABLE_NAME, or find it with --stack NAME or --local")
    if deployment.is_local:
        os.environ.update(_of_local_service(Path(os.environ.get("STACK_FILE") or ROOT / ".local" / "stack.json")))
    else:
        _sign_in()
    if deployment.table is not None:
        os.environ["TABLE_NAME"] = deployment.table
    if deployment.stack is not None:
        os.environ.update(_of_stack(deployment.stack))
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def _sign_in() -> None:
    """Find region, endpoint, credentials and authorities as boto3 does, and put them where the layer looks.

    Raises:
        BotoCoreError: there are none, or not all.
    """
    if os.environ.get("AWS_REGION"):  # which the AWS command line reads, and boto3 does not
        os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
    session = boto3.Session()
    if session.region_name is None:
        raise NoRegionError
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    keys = credentials.get_frozen_credentials()
    found = {
        "AWS_REGION": session.region_name,
        "AWS_DEFAULT_REGION": session.region_name,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token,
    }
    os.environ.pop("AWS_SESSION_TOKEN", None)
    os.environ.update({name: value for name, value in found.items() if value})
    # Not every Python has authorities to believe; boto3 brings some.
    os.environ.setdefault("SSL_CERT_FILE", os.environ.get("AWS_CA_BUNDLE") or str(get_cert_path(verify=True)))
    if not (os.environ.get("AWS_ENDPOINT_URL") or os.environ.get(DYNAMODB_ENDPOINT)):
        os.environ[DYNAMODB_ENDPOINT] = session.client("dynamodb").meta.endpoint_url


def _of_stack(name: str) -> dict[str, str]:
    client: CloudFormationClient = boto3.client("cloudformation", config=_BRIEF)
    try:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            raise NoStackError(f"there is no stack {name} in this account and region") from None
        raise
    outputs = {output.get("OutputKey"): output.get("OutputValue") for output in stack.get("Outputs", [])}
    table = outputs.get("TableName")
    if table is None:
        raise NoStackError(f"the stack {name} has no output TableName; is it one of Keywright's?")
    parameters = {given.get("ParameterKey"): given.get("ParameterValue") for given in stack.get("Parameters", [])}
    settings = {
        variable: value for name, variable in _PARAMETERS.items() if (value := parameters.get(name)) is not None
    }
    return {"TABLE_NAME": table, **settings}


def _of_local_service(stack_file: Path) -> dict[str, str]:
    try:
        stack = json.loads(stack_file.read_text(encoding="utf-8"))
        endpoint, table = str(stack["aws_endpoint_url"]), str(stack["table_name"])
    except FileNotFoundError:
        raise UsageError(f"no service runs here: there is no {stack_file}; start one with `make run`") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{stack_file} is no stack file of a local service") from None
    isolate(os.environ)  # with the operator's own settings, it could be another table than that of the local service
    return {"AWS_ENDPOINT_URL": endpoint, DYNAMODB_ENDPOINT: endpoint, "TABLE_NAME": table}


def operator() -> Actor:
    """Tell who works: by the ARN of the AWS credentials, or by the user of this machine where STS knows none."""
    try:
        client: STSClient = boto3.client("sts", config=_BRIEF)
        return Actor(ActorType.OPERATOR, client.get_caller_identity()["Arn"])
    except (BotoCoreError, ClientError):
        return Actor(ActorType.OPERATOR, f"operator:{_local_user()}")


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without a name for its user
        return str(os.getuid())
