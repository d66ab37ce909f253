"""Selects the deployment to work on, and identifies the operator."""

from __future__ import annotations

import getpass
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
from botocore.httpsession import get_cert_path

from keywright.domain.principals import Actor, ActorType
from keywright_admin.failures import NoStackError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_sts import STSClient

DEFAULTS = {"AUDIT_RETENTION_DAYS": "365", "DELETION_GRACE_DAYS": "30"}
"""The defaults of the template, for a table that is named without its stack."""

URL = "KEYWRIGHT_URL"
"""Environment variable with the address of the API."""

IMPORTED_KEYS = "IMPORTED_KEYS"
"""Environment variable with the stack's setting: "on" if its functions accept imported keys."""

ARCHIVE_BUCKET = "AUDIT_ARCHIVE_BUCKET"
"""Environment variable with the bucket of the audit log's archive."""

_OUTPUTS = {
    "TableName": "TABLE_NAME",
    "PepperSecretArn": "PEPPER_SECRET_ID",
    "ApiUrl": URL,
    "AuditArchiveBucketName": ARCHIVE_BUCKET,
}
_PARAMETERS = {
    "AuditRetentionDays": "AUDIT_RETENTION_DAYS",
    "DeletionGraceDays": "DELETION_GRACE_DAYS",
    "KeyPrefix": "KEY_PREFIX",
    "KeyHash": "KEY_HASH",
    "Argon2MemoryKib": "ARGON2_MEMORY_KIB",
    "Argon2Iterations": "ARGON2_ITERATIONS",
    "Argon2Parallelism": "ARGON2_PARALLELISM",
    "Permissions": "PERMISSIONS",
    "ImportedKeys": IMPORTED_KEYS,
}
_ENDPOINTS = {"dynamodb": "AWS_ENDPOINT_URL_DYNAMODB", "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER"}
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

    @property
    def options(self) -> list[str]:
        """The options that name it, for another command."""
        named = {"--table": self.table, "--stack": self.stack}
        return [
            *(word for option, name in named.items() if name is not None for word in (option, name)),
            *(["--local"] if self.is_local else []),
        ]


@dataclass(frozen=True, slots=True)
class Signer:
    """The address of a deployment's API, and credentials to sign requests with."""

    url: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)


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
        _isolate(_local_service()["operator"])
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
    for service, variable in _ENDPOINTS.items():
        if not (os.environ.get("AWS_ENDPOINT_URL") or os.environ.get(variable)):
            os.environ[variable] = session.client(service).meta.endpoint_url  # type: ignore[call-overload]  # two names


def _stack_environment(name: str) -> dict[str, str]:
    client: CloudFormationClient = boto3.client("cloudformation", config=_BRIEF)
    try:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            raise NoStackError(f"the stack {name} does not exist in this account and region") from None
        raise
    outputs = {output.get("OutputKey"): output.get("OutputValue") for output in stack.get("Outputs", [])}
    if outputs.get("TableName") is None:
        raise NoStackError(f"the stack {name} has no output TableName; is it a Keywright stack?")
    parameters = {
        parameter.get("ParameterKey"): parameter.get("ParameterValue") for parameter in stack.get("Parameters", [])
    }
    named = [*((variable, outputs.get(name)) for name, variable in _OUTPUTS.items())]
    named += [(variable, parameters.get(name)) for name, variable in _PARAMETERS.items()]
    return {variable: value for variable, value in named if value is not None}


def _local_service() -> Mapping[str, Any]:
    """Read the stack file of the local service: STACK_FILE, or .local/stack.json here or in a folder above.

    Raises:
        UsageError: there is none, or it is not a stack file.
    """
    places = [folder / ".local" / "stack.json" for folder in (Path.cwd(), *Path.cwd().parents)]
    named = os.environ.get("STACK_FILE")
    path = Path(named) if named else next(filter(Path.is_file, places), places[0])
    try:
        stack: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if {"TABLE_NAME", "AWS_ENDPOINT_URL"} <= stack["operator"].keys():
            return stack
    except FileNotFoundError:
        raise UsageError(f"no local service is running: no file {path}; start one with `make run`") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise UsageError(f"{path} is not the stack file of a local service")


def _isolate(environment: Mapping[str, str]) -> None:
    """Replace the operator's own AWS settings, which could lead to another table."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(environment)


def signer(deployment: Deployment) -> Signer:
    """Return the address of the API and the credentials to sign requests with, of the deployment that was selected.

    Raises:
        UsageError: the address is not known.
    """
    if deployment.is_local:
        stack = _local_service()
        iam = stack["iam"]
        return Signer(stack["base_url"], iam["region"], iam["access_key_id"], iam["secret_access_key"], None)
    url = os.environ.get(URL)
    if not url:
        raise UsageError(f"no address of the API: pass --stack NAME or --local, or set {URL}")
    return Signer(
        url.rstrip("/"),
        os.environ["AWS_REGION"],
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
        os.environ.get("AWS_SESSION_TOKEN"),
    )


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
