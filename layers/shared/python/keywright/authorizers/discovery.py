"""OpenID Connect Discovery: the configuration that the identity provider publishes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from keywright.authorizers import published_keys
from keywright.authorizers.published_keys import KeysUnavailable, PublishedKeys
from keywright.cache import once
from keywright.domain import sign_in as endpoints
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keywright.domain.sign_in import SignIn

_DISCOVERY_PATH = "/.well-known/openid-configuration"


class IdentityProviderUnavailable(KeysUnavailable):
    """The identity provider could not be asked, and no earlier answer is cached."""


def fetch_document(url: str) -> Mapping[str, object]:
    """Fetch a JSON object of the provider, as `published_keys.fetch_document` does.

    Raises:
        IdentityProviderUnavailable: there is no answer in time, or it is not such a document.
    """
    return published_keys.fetch_document(url, IdentityProviderUnavailable)


def fetch_configuration(issuer: str, fetch: Callable[[str], Mapping[str, object]]) -> Mapping[str, object]:
    """Fetch the configuration of an issuer.

    Args:
        issuer: the address before `/.well-known/openid-configuration`.
        fetch: returns the JSON object at a URL.

    Raises:
        IdentityProviderUnavailable: the configuration is that of another issuer, or `fetch` raises it.
    """
    configuration = fetch(issuer.rstrip("/") + _DISCOVERY_PATH)
    if configuration.get("issuer") != issuer:  # OpenID Connect Discovery 1.0, section 4.3
        raise IdentityProviderUnavailable(
            f"the provider calls itself {configuration.get('issuer')!r}, and {issuer!r} is configured"
        )
    return configuration


def sign_in() -> SignIn:
    """Return the endpoints of the deployment's identity provider, fetched again every hour.

    An earlier answer is served for up to a day while the provider does not answer.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if there is no such answer.
    """
    try:
        current = sign_in_endpoints().find(None)
    except IdentityProviderUnavailable as error:
        raise ServiceError(SERVICE_UNAVAILABLE, reason=str(error)) from None
    if current is None:
        raise ServiceError(SERVICE_UNAVAILABLE, reason="the provider was not asked")
    return current


@once
def sign_in_endpoints() -> PublishedKeys[SignIn]:
    """Return this container's cache of the endpoints."""
    return cached_by(time.monotonic)


def cached_by(clock: Callable[[], float]) -> PublishedKeys[SignIn]:
    """Return a cache with one entry, whose key is None, fetched as often as a clock allows."""
    return PublishedKeys(_download, IdentityProviderUnavailable, clock)


def _download() -> dict[str | None, SignIn]:
    issuer = settings().oidc_issuer
    configuration = fetch_configuration(issuer, fetch_document)
    try:
        return {None: endpoints.parse(configuration, on_loopback=issuer.startswith("http:"))}
    except ValueError as error:
        raise IdentityProviderUnavailable(f"the provider's {error}") from None
