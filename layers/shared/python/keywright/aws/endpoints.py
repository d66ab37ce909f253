"""AWS endpoints and credentials from the environment of the function."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from keywright.immutable import field, immutable
from keywright.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@immutable
class Service:
    """A service with AWS's JSON protocol.

    Attributes:
        name: name in host names and signatures.
        variable: <SERVICE> in AWS_ENDPOINT_URL_<SERVICE>.
        target: prefix of operation names.
        json_version: version of the protocol.
    """

    name: str
    variable: str
    target: str
    json_version: str


DYNAMODB = Service("dynamodb", "DYNAMODB", "DynamoDB_20120810", "1.0")
SQS = Service("sqs", "SQS", "AmazonSQS", "1.0")
EVENTBRIDGE = Service("events", "EVENTBRIDGE", "AWSEvents", "1.1")
SECRETS_MANAGER = Service("secretsmanager", "SECRETS_MANAGER", "secretsmanager", "1.1")


S3 = Service("s3", "S3", "", "")
"""Without that protocol: see object_client."""


@immutable
class Endpoint:
    """The URL of a service, always with a path, and the region for signatures."""

    url: str
    region: str


@immutable
class Keys:
    """AWS credentials: access key id, secret access key, and the session token of temporary credentials."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)


def endpoint(service: Service, environment: Mapping[str, str]) -> Endpoint:
    """Return a service's endpoint: AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, or else the endpoint of the region.

    Raises:
        ConfigurationError: the region, or AWS_URL_SUFFIX (AWS::URLSuffix) without an endpoint URL, is not set.
    """
    region = _required(environment, "AWS_REGION")
    url = _other(service, environment)
    if not url:
        url = f"https://{service.name}.{region}.{_required(environment, 'AWS_URL_SUFFIX')}"
    return Endpoint(url if urlsplit(url).path else f"{url}/", region)


def bucket_endpoint(bucket: str, environment: Mapping[str, str]) -> Endpoint:
    """Return the endpoint of a bucket of S3, as `endpoint` does; its path ends with a slash.

    Amazon S3 User Guide, "Virtual hosting of general purpose buckets": the host names the bucket. Emulators, at other
    URLs, have it in the path.

    Raises:
        ConfigurationError: as `endpoint`.
    """
    region = _required(environment, "AWS_REGION")
    url = _other(S3, environment)
    if url:
        return Endpoint(f"{url.rstrip('/')}/{bucket}/", region)
    return Endpoint(f"https://{bucket}.s3.{region}.{_required(environment, 'AWS_URL_SUFFIX')}/", region)


def _other(service: Service, environment: Mapping[str, str]) -> str | None:
    """Return the URL that the environment sets instead of the region's."""
    return environment.get(f"AWS_ENDPOINT_URL_{service.variable}") or environment.get("AWS_ENDPOINT_URL")


def keys(environment: Mapping[str, str]) -> Callable[[], Keys]:
    """Return a provider of credentials: Lambda's are valid as long as the environment.

    Raises:
        ConfigurationError: the access key id or the secret access key is not set.
    """
    credentials = Keys(
        _required(environment, "AWS_ACCESS_KEY_ID"),
        _required(environment, "AWS_SECRET_ACCESS_KEY"),
        environment.get("AWS_SESSION_TOKEN"),
    )
    return lambda: credentials


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise ConfigurationError(f"the environment variable {name} is not set")
    return value
