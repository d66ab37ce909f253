"""Selects the deployment to work on, and identifies the operator."""

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
from local.options import ROOT

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_sts import STSClient

DEFAULTS = {"AUDIT_RETENTION_DAYS": "365", "DELETION_GRACE_DAYS": "30"}
"""The defaults of the template, for a table that is named without its stack."""

_PARAMETERS = {"AuditRetentionDays": "AUDIT_RETENTION_DAYS", "DeletionGraceDays": "DELETION_GRACE_DAYS"}
# An unreachable endpoint should fail within seconds.
_BRIEF = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2, "mode": "standard"})


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as named on the command line, by at most one of these.

    Attributes:
        table: name of the table.
        stack: name or ARN of the CloudFormation stack.
        is_local: whether it is the service that `make run` serves.
    """

    table: str | None = None
    stack: str | None = None
    is_local: bool = False


def select(deployment: Deployment) -> None:
    """Set the environment variables that the deployment's functions have, so that the layer works on its table.

    Raises:
        UsageError: the deployment is named more than once or not at all, or no local service is running.
        NoStackError: the stack does not exist, or is not a Keywright stack.
        BotoCoreError: the region or the credentials are missing.
        ClientError: AWS refuses to describe the stack.
    """
    names = [deployment.table is not None, deployment.stack is not None, deployment.is_local]
    if sum(names) > 1:
        raise UsageError("pass only one of --table, --stack and --local")
    if not any(names) and not os.environ.get("TABLE_NAME"):
        raise UsageError("no table: pass --table NAME, --stack NAME or --local, or set TABLE_NAME")
    if deployment.is_local:
        os.environ.update(
            _local_service_environment(Path(os.environ.get("STACK_FILE") or ROOT / ".local" / "stack.json"))
        )
    else:
        _sign_in()
    if deployment.table is not None:
        os.environ["TABLE_NAME"] = deployment.table
    if deployment.stack is not None:
        os.environ.update(_stack_environment(deployment.stack))
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def _sign_in() -> None:
    """Resolve region, endpoint, credentials and CA certificates as boto3 does, and export them to the layer.

    Raises:
        BotoCoreError: the region or the credentials are missing.
    """
    if os.environ.get("AWS_REGION"):  # the AWS CLI reads it, boto3 does not
        os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
    session = boto3.Session()
    if session.region_name is None:
        raise NoRegionError
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    keys = credentials.get_frozen_credentials()
    resolved = {
        "AWS_REGION": session.region_name,
        "AWS_DEFAULT_REGION": session.region_name,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token,
    }
    os.environ.pop("AWS_SESSION_TOKEN", None)
    os.environ.update({name: value for name, value in resolved.items() if value})
    # Some Python installations have no CA certificates; botocore brings its own.
    os.environ.setdefault("SSL_CERT_FILE", os.environ.get("AWS_CA_BUNDLE") or str(get_cert_path(verify=True)))
    if not (os.environ.get("AWS_ENDPOINT_URL") or os.environ.get(DYNAMODB_ENDPOINT)):
        os.environ[DYNAMODB_ENDPOINT] = session.client("dynamodb").meta.endpoint_url


def _stack_environment(name: str) -> dict[str, str]:
    client: CloudFormationClient = boto3.client("cloudformation", config=_BRIEF)
    try:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            raise NoStackError(f"the stack {name} does not exist in this account and region") from None
        raise
    outputs = {output.get("OutputKey"): output.get("OutputValue") for output in stack.get("Outputs", [])}
    table = outputs.get("TableName")
    if table is None:
        raise NoStackError(f"the stack {name} has no output TableName; is it a Keywright stack?")
    parameters = {
        parameter.get("ParameterKey"): parameter.get("ParameterValue") for parameter in stack.get("Parameters", [])
    }
    settings = {
        variable: value for name, variable in _PARAMETERS.items() if (value := parameters.get(name)) is not None
    }
    return {"TABLE_NAME": table, **settings}


def _local_service_environment(stack_file: Path) -> dict[str, str]:
    try:
        stack = json.loads(stack_file.read_text(encoding="utf-8"))
        endpoint, table = str(stack["aws_endpoint_url"]), str(stack["table_name"])
    except FileNotFoundError:
        raise UsageError(f"no local service is running: no file {stack_file}; start one with `make run`") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{stack_file} is not the stack file of a local service") from None
    isolate(os.environ)  # the operator's own AWS settings could lead to another table
    return {"AWS_ENDPOINT_URL": endpoint, DYNAMODB_ENDPOINT: endpoint, "TABLE_NAME": table}


def operator() -> Actor:
    """Return the operator: the ARN of the AWS credentials, or the local user name if STS does not know them."""
    try:
        client: STSClient = boto3.client("sts", config=_BRIEF)
        return Actor(ActorType.OPERATOR, client.get_caller_identity()["Arn"])
    except (BotoCoreError, ClientError):
        return Actor(ActorType.OPERATOR, f"operator:{_local_user()}")


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # in a container, the user may have no name
        return str(os.getuid())
