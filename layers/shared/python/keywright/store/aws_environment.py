"""Where AWS is and who calls it, as Lambda's environment says; for anything unusual, by asking botocore.

In a function with the usual settings this takes no import but Python's own: botocore, and what it imports, would take
longer than everything else of a verification's cold start.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

from keywright.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TRUE = "true"


@dataclass(frozen=True, slots=True)
class Service:
    """A service that speaks AWS's JSON protocol.

    Attributes:
        name: of its addresses, which is also the one that signatures name.
        variable: how AWS_ENDPOINT_URL_... calls it.
        target: what operations are prefixed with.
        json_version: of the protocol.
    """

    name: str
    variable: str
    target: str
    json_version: str


DYNAMODB = Service("dynamodb", "DYNAMODB", "DynamoDB_20120810", "1.0")
SQS = Service("sqs", "SQS", "AmazonSQS", "1.0")
SECRETS_MANAGER = Service("secretsmanager", "SECRETS_MANAGER", "secretsmanager", "1.1")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service is, and which region its signatures name. The address always has a path."""

    url: str
    region: str


class Keys(Protocol):
    """What signatures are made with, at one moment."""

    @property
    def access_key(self) -> str:
        """The access key's id."""

    @property
    def secret_key(self) -> str:
        """Its secret."""

    @property
    def token(self) -> str | None:
        """What comes with temporary ones."""


@dataclass(frozen=True, slots=True)
class FixedKeys:
    """Keys that last as long as the environment that holds them."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)


def endpoint(service: Service, environment: Mapping[str, str]) -> Endpoint:
    """Find a service: by AWS_ENDPOINT_URL, or else in the region that the environment names.

    DynamoDB's endpoints by account are not used: the region's is always there.

    Raises:
        ConfigurationError: the environment names no region.
    """
    # In boto3's order, so that both speak to the same place; Lambda sets both variables to the same.
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION")
    if not region:
        raise ConfigurationError("the environment names no region: AWS_REGION is not set")
    configured = _configured(service, environment)
    if configured:
        return Endpoint(_with_path(configured), region)
    fips, dualstack = (
        environment.get(name, "").lower() == _TRUE for name in ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
    )
    suffix = None if fips or dualstack else _suffix(region)
    if suffix is None:
        return _by_rules(service, region, fips=fips, dualstack=dualstack)
    return Endpoint(f"https://{service.name}.{region}.{suffix}/", region)


def keys(environment: Mapping[str, str]) -> Callable[[], Keys]:
    """Give what gives the keys to sign with, renewed before they expire.

    Raises:
        ConfigurationError: there are none.
    """
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key and "AWS_CREDENTIAL_EXPIRATION" not in environment:
        fixed = FixedKeys(access_key, secret_key, environment.get("AWS_SESSION_TOKEN"))
        return lambda: fixed
    # Functions with SnapStart get theirs from the container, as their environment outlives any; the developer's are in
    # profiles, or wherever else botocore looks.
    from botocore.credentials import ContainerProvider, EnvProvider  # noqa: PLC0415 - not needed on Lambda without it

    found = EnvProvider(environment).load() or ContainerProvider(environment).load()
    if found is None:
        from botocore.session import get_session  # noqa: PLC0415 - the same

        found = get_session().get_credentials()
    if found is None:
        raise ConfigurationError("there are no AWS credentials")
    return cast("Callable[[], Keys]", found.get_frozen_credentials)


def certificates(environment: Mapping[str, str]) -> str:
    """Give the file of the authorities whose certificates are believed: botocore's own, unless others are set."""
    own = environment.get("AWS_CA_BUNDLE") or environment.get("REQUESTS_CA_BUNDLE")
    return own or str(_botocore("cacert.pem"))


def _configured(service: Service, environment: Mapping[str, str]) -> str | None:
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == _TRUE:
        return None
    return environment.get(f"AWS_ENDPOINT_URL_{service.variable}") or environment.get("AWS_ENDPOINT_URL")


def _with_path(url: str) -> str:
    return url if urlsplit(url).path else f"{url}/"


def _suffix(region: str) -> str | None:
    """Give what the names of a region's services end in; None for a region that no partition knows."""
    for partition in json.loads(_botocore("data/partitions.json").read_bytes())["partitions"]:
        if region in partition["regions"] or re.fullmatch(partition["regionRegex"], region):
            suffix: str = {**partition["outputs"], **partition["regions"].get(region, {})}["dnsSuffix"]
            return suffix
    return None


def _by_rules(service: Service, region: str, *, fips: bool, dualstack: bool) -> Endpoint:
    """Find a service by the rules that boto3's client follows."""
    from botocore.endpoint_provider import EndpointProvider  # noqa: PLC0415 - see above
    from botocore.loaders import create_loader  # noqa: PLC0415 - the same

    loader = create_loader()
    rules = EndpointProvider(
        loader.load_service_model(service.name, "endpoint-rule-set-1"), loader.load_data("partitions")
    )
    found = rules.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dualstack)
    regions = (scheme.get("signingRegion") for scheme in found.properties.get("authSchemes", []))
    return Endpoint(_with_path(found.url), next(filter(None, regions), region))


def _botocore(path: str) -> Path:
    """Give a data file of botocore, without importing it."""
    spec = find_spec("botocore")
    assert spec is not None, "botocore is one of the pinned packages"  # noqa: S101
    assert spec.submodule_search_locations is not None, "and it is a package"  # noqa: S101
    return Path(spec.submodule_search_locations[0], path)
