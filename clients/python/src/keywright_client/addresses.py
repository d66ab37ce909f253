"""Where requests go: the API's address, or Lambda's with the name of a function."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote

import httpx

from keywright_client.errors import ConfigurationError

_OF_API_GATEWAY = re.compile(r"\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?\Z")
_ARN = re.compile(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """An address as it is sent and signed.

    Attributes:
        url: scheme, host, port and encoded path.
        host: value of the header `host`.
    """

    url: str
    host: str

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, without TLS. No other address is accepted without TLS."""
        return self.url.startswith("http://")

    def at(self, path: str) -> Address:
        """Return the address of an encoded path, and query, below this one."""
        return Address(self.url + path, self.host)


def parse(url: str, argument: str) -> Address:
    """Return an address without the slash at its end.

    Args:
        url: the address.
        argument: what the user calls it, for messages.

    Raises:
        ConfigurationError: it is not an http(s) address, has a user, query or fragment, or would send keys in clear
            text.
    """
    parsed = _parsed(url)
    if parsed is None or parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConfigurationError(f"{argument}: must be an address such as https://HOST/v1")
    if parsed.userinfo or parsed.query or parsed.fragment or "?" in url or "#" in url:
        raise ConfigurationError(f"{argument}: must have no user, query or fragment")
    if parsed.scheme == "http" and not _is_loopback(parsed.host):
        raise ConfigurationError(f"{argument}: must begin with https://, because http:// sends keys in clear text")
    return Address(str(parsed).rstrip("/"), parsed.netloc.decode("ascii"))


def _parsed(url: str) -> httpx.URL | None:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def region_of_host(address: Address) -> str | None:
    """Return the region in a host name of API Gateway, or None for another host."""
    match = _OF_API_GATEWAY.search(address.host.partition(":")[0])
    return match[1] if match else None


def region_of_function(function: str) -> str:
    """Return the region in the ARN of a function.

    Raises:
        ConfigurationError: it is not such an ARN.
    """
    if match := _ARN.match(function):
        return match[1]
    raise ConfigurationError("function: must be the ARN of a function, the stack's output VerifyApiKeyFunctionArn")


def invocation(function: str, region: str) -> Address:
    """Return the address that invokes a function, at Lambda or where the environment says.

    Args:
        function: ARN of the function.
        region: region of the function.

    Raises:
        ConfigurationError: the address in the environment cannot work, or would send keys in clear text.
    """
    return _lambda(region).at(f"/2015-03-31/functions/{quote(function, safe='')}/invocations")


def _lambda(region: str) -> Address:
    for variable in ("AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"):
        if url := os.environ.get(variable):
            return parse(url, variable)
    suffix = ".cn" if region.startswith("cn-") else ""
    return parse(f"https://lambda.{region}.amazonaws.com{suffix}", "function")
