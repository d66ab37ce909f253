"""The identity provider's public keys: found by OIDC discovery, cached, and fetched again when they change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import jwt

from keywright.authorizers import discovery
from keywright.authorizers.discovery import IdentityProviderUnavailable
from keywright.authorizers.published_keys import REFRESH_SECONDS, PublishedKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALGORITHMS = ("RS256", "ES256", "EdDSA")
"""Asymmetric ones only: with `none` or HS*, anyone could sign with the public keys."""

MINIMUM_RSA_BITS = 2048  # RFC 7518, section 3.3


class IssuerKeys:
    """The keys of an issuer, kept for the container's life.

    Args:
        issuer: the address before `/.well-known/openid-configuration`.
        fetch: returns the JSON object at a URL; `discovery.fetch_document` if absent.
        clock: seconds, monotonic.
        refresh_seconds: time limit for fetching the keys.
    """

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[str], Mapping[str, object]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch or discovery.fetch_document
        self._keys = PublishedKeys(self._download, IdentityProviderUnavailable, clock, refresh_seconds=refresh_seconds)

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key with an id, or the only key if a token names none.

        Cached keys work for up to a day while the provider does not answer, and while they are fetched again: one
        caller fetches, and others wait only if their key is not cached.

        Returns:
            The key, or None if the provider has no such key.

        Raises:
            IdentityProviderUnavailable: the key is not cached and the provider could not be asked.
        """
        return self._keys.find(key_id)

    def _download(self) -> dict[str | None, jwt.PyJWK]:
        configuration = discovery.fetch_configuration(self._issuer, self._fetch)
        address = configuration.get("jwks_uri")
        if not isinstance(address, str):
            raise IdentityProviderUnavailable("the provider's configuration names no jwks_uri")
        if self._issuer.startswith("https:") and not address.startswith("https:"):
            raise IdentityProviderUnavailable("the provider's jwks_uri is not https")
        entries = self._fetch(address).get("keys")
        if not isinstance(entries, list):
            raise IdentityProviderUnavailable("the provider's key set holds no list of keys")
        keys = {entry.get("kid"): key for entry in entries if (key := _signing_key(entry))}
        if not keys:
            raise IdentityProviderUnavailable(f"the provider has no key for {', '.join(ALGORITHMS)}")
        return keys


def _signing_key(entry: object) -> jwt.PyJWK | None:
    """Parse an entry of a key set. Return None if it is no strong public signing key of an allowed algorithm."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    if not isinstance(entry.get("kid"), str | None):
        return None
    try:
        key = jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if key.algorithm_name not in ALGORITHMS or getattr(key.key, "key_size", MINIMUM_RSA_BITS) < _minimum_bits(key):
        return None
    return key


def _minimum_bits(key: jwt.PyJWK) -> int:
    return MINIMUM_RSA_BITS if key.key_type == "RSA" else 0
