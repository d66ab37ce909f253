"""DynamoDB, Secrets Manager and SQS on this machine, provided by moto over HTTP."""

from __future__ import annotations

import http.client
import json
import logging
import os
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from local.iam import NONE, OPERATOR, as_operator
from local.intrinsics import REGION, mapping, text
from local.permissions import DYNAMODB, service_of
from local.server import HOST, Server, reserve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import GetRandomPasswordRequestTypeDef

    from local.iam import Iam
    from local.intrinsics import Json
    from local.template import Resource

DYNAMODB_ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"

_OPERATOR_SETTINGS = (
    "TABLE_NAME",
    "AUDIT_RETENTION_DAYS",
    "DELETION_GRACE_DAYS",
    "PEPPER_SECRET_ID",
    "KEY_PREFIX",
    "KEY_HASH",
    "ARGON2_MEMORY_KIB",
    "ARGON2_ITERATIONS",
    "ARGON2_PARALLELISM",
    "PERMISSIONS",
    "IMPORTED_KEYS",
    "NO_PROXY",
    "no_proxy",
)
_FORWARD_SECONDS = 60
_FORWARDED_HEADERS = {
    "authorization": "HTTP_AUTHORIZATION",
    "content-type": "CONTENT_TYPE",
    "x-amz-date": "HTTP_X_AMZ_DATE",
    "x-amz-target": "HTTP_X_AMZ_TARGET",
}
_ANSWERED_HEADERS = {"content-type", "x-amz-crc32", "x-amzn-requestid"}

# The properties to pass to CreateTable. The others (backups, deletion protection, tags) only protect a deployment.
_TABLE_FIELDS = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes")
_PASSWORD_FIELDS = (
    "PasswordLength",
    "ExcludeCharacters",
    "ExcludeNumbers",
    "ExcludePunctuation",
    "ExcludeUppercase",
    "ExcludeLowercase",
    "IncludeSpace",
    "RequireEachIncludedType",
)


class BackendError(Exception):
    """DynamoDB cannot be used; the message says why."""


def start_moto(iam: Iam, wrapped: Callable[[WSGIApplication], WSGIApplication] = lambda moto: moto) -> Server:
    """Start moto on a free port, behind IAM.

    The application is that of local.emulated_aws. One thread handles one request at a time.

    Args:
        iam: checks each request.
        wrapped: returns the application to serve, given that of moto.
    """
    from local.emulated_aws import application  # noqa: PLC0415 - imports moto: slow, and needs the environment
    from local.moto_streams import make_streams_exact  # noqa: PLC0415 - imports moto
    from local.snapshots import make_snapshots_cheap  # noqa: PLC0415 - imports moto

    make_snapshots_cheap()
    make_streams_exact()
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # requests are queued on purpose
    return Server(iam.guard(wrapped(application)), reserve(0), threads=1)


def start_guard(url: str, iam: Iam, threads: int) -> Server:
    """Start IAM on a free port, in front of another DynamoDB."""
    return Server(iam.guard(forwarding(url)), reserve(0), threads=threads)


def forwarding(url: str, dynamodb_url: str | None = None) -> WSGIApplication:
    """Return an application that forwards requests.

    They are sent with the operator's access key: DynamoDB Local can have a database for each access key.

    Args:
        url: where to.
        dynamodb_url: where to for DynamoDB, if it is elsewhere.
    """
    elsewhere = {} if dynamodb_url is None else {DYNAMODB: dynamodb_url}

    def forward(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        headers = {name: environ[variable] for name, variable in _FORWARDED_HEADERS.items() if variable in environ}
        headers["authorization"] = as_operator(headers.get("authorization", ""))
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        place = elsewhere.get(service_of(headers.get("x-amz-target", "")) or "", url)
        connection = http.client.HTTPConnection(urlsplit(place).netloc, timeout=_FORWARD_SECONDS)
        try:
            connection.request(environ["REQUEST_METHOD"], environ["PATH_INFO"], body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return []
        finally:
            connection.close()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() in _ANSWERED_HEADERS]
        start_response(f"{answer.status} {answer.reason}", [*kept, ("Content-Length", str(len(content)))])
        return [content]

    return forward


def isolate(environment: MutableMapping[str, str]) -> None:
    """Remove the AWS settings of the user from an environment, so that no AWS account can be reached.

    Only AWS_ENDPOINT_URL_DYNAMODB is kept: it selects another DynamoDB.
    """
    for name in [name for name in environment if name.startswith("AWS_") and name != DYNAMODB_ENDPOINT]:
        del environment[name]
    environment.update(
        AWS_ACCESS_KEY_ID=OPERATOR,
        AWS_SECRET_ACCESS_KEY="local",  # noqa: S106 - nothing checks it
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )
    # A proxy could not reach the loopback interface of this machine.
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, [environment.get(name), HOST]))


def operator_environment(environment: Mapping[str, str], endpoint: str) -> dict[str, str]:
    """Return the environment of the operator's command line: isolated, with the settings of the functions.

    Args:
        environment: of this process, with the operator's credentials.
        endpoint: of DynamoDB.
    """
    settings = {name: environment[name] for name in _OPERATOR_SETTINGS if name in environment}
    isolated = {name: value for name, value in environment.items() if name.startswith("AWS_")}
    return {**isolated, **settings, DYNAMODB_ENDPOINT: endpoint}


def drop_operator_credentials(environment: MutableMapping[str, str]) -> None:
    """Remove the operator's credentials from this process. From then on, only running functions have a role."""
    import boto3  # noqa: PLC0415 - reads the environment

    environment["AWS_ACCESS_KEY_ID"] = NONE
    boto3.DEFAULT_SESSION = None  # it caches the first credentials


def create_table(table: Resource) -> None:
    """Create a table as the template describes it, unless it exists.

    Raises:
        BackendError: DynamoDB does not answer.
    """
    import boto3  # noqa: PLC0415 - reads the environment
    from botocore.exceptions import ConnectionError, HTTPClientError  # noqa: A004, PLC0415 - botocore's names

    client: DynamoDBClient = boto3.client("dynamodb")
    definition = {name: table.properties[name] for name in _TABLE_FIELDS if name in table.properties}
    request = {"TableName": table.name, "BillingMode": "PAY_PER_REQUEST", **definition}
    stream = mapping(table.properties.get("StreamSpecification"), table.name)
    if stream:  # CloudFormation turns a stream on that has a view type
        request["StreamSpecification"] = {"StreamEnabled": True, **stream}
    try:
        client.create_table(**cast("CreateTableInputTypeDef", request))
    except client.exceptions.ResourceInUseException:
        return
    except (ConnectionError, HTTPClientError) as error:
        raise BackendError(
            f"DynamoDB does not answer at {client.meta.endpoint_url}; start it, or unset {DYNAMODB_ENDPOINT}"
        ) from error
    client.get_waiter("table_exists").wait(TableName=table.name, WaiterConfig={"Delay": 1})
    expiry = mapping(table.properties.get("TimeToLiveSpecification"), table.name)
    if expiry.get("Enabled") is True:
        client.update_time_to_live(
            TableName=table.name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": text(expiry["AttributeName"], table.name)},
        )


def stream_arn(client: DynamoDBClient, table_name: str) -> str:
    """Return the ARN of the stream of a table.

    Raises:
        BackendError: it has none, as a table that was created before the template had a stream.
    """
    arn = client.describe_table(TableName=table_name)["Table"].get("LatestStreamArn")
    if arn is None:
        raise BackendError(f"the table {table_name} has no stream; delete it, so that it is created anew")
    return arn


def create_secret(secret: Resource, value: str | None = None) -> str:
    """Create a secret with a value, or with the template's SecretString or GenerateSecretString; return its value."""
    import boto3  # noqa: PLC0415 - reads the environment

    client: SecretsManagerClient = boto3.client("secretsmanager")
    value = _generate(client, secret) if value is None else value
    client.create_secret(Name=secret.name, SecretString=value)
    return value


def create_queue(queue: Resource) -> None:
    """Create a queue, without the template's properties: messages are only read by operators."""
    import boto3  # noqa: PLC0415 - reads the environment

    boto3.client("sqs").create_queue(QueueName=queue.name)


def _generate(client: SecretsManagerClient, secret: Resource) -> str:
    if "SecretString" in secret.properties:
        return text(secret.properties["SecretString"], secret.name)
    rules = mapping(secret.properties.get("GenerateSecretString"), secret.name)
    request: Mapping[str, Json] = {name: rules[name] for name in _PASSWORD_FIELDS if name in rules}
    password = client.get_random_password(**cast("GetRandomPasswordRequestTypeDef", request))["RandomPassword"]
    if "GenerateStringKey" not in rules:
        return password
    template = json.loads(text(rules.get("SecretStringTemplate", "{}"), secret.name))
    return json.dumps({**template, text(rules["GenerateStringKey"], secret.name): password})
