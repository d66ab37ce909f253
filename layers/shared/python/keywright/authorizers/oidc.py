"""The identity provider's public keys: found by OIDC discovery, cached, and fetched again when they change."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import jwt

from keywright.aws.transport import Host, NoAnswerError
from keywright.settings import is_trusted_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALGORITHMS = ("RS256", "ES256", "EdDSA")
"""Asymmetric ones only: with `none` or HS*, anyone could sign with the public keys."""

MAXIMUM_AGE_SECONDS = 3600
"""Age at which keys are fetched again, so that a withdrawn one stops being trusted."""
TRUSTED_SECONDS = 24 * 3600
"""Age at which keys stop being trusted, even if every fetch fails: an attacker who keeps the provider from answering
cannot keep a withdrawn key alive for longer."""
REFETCH_SECONDS = 30
"""Shortest time between two fetches, so that made-up key ids do not flood the provider."""
RETRY_SECONDS = 5
"""Shortest time between a failed fetch and the next one."""

CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 2
REFRESH_SECONDS = 5
"""Time limit for both documents together: half of the function's timeout."""
DOCUMENT_BYTES = 512 * 1024
MINIMUM_RSA_BITS = 2048  # RFC 7518, section 3.3

_DISCOVERY_PATH = "/.well-known/openid-configuration"
_OK = 200

Result = TypeVar("Result")


class IdentityProviderUnavailable(Exception):  # noqa: N818 - the name is in the log
    """The key of a token is not known, and the provider could not be asked."""


def fetch_document(url: str) -> Mapping[str, object]:
    """Fetch a JSON object of at most 512 KiB, following no redirects.

    Raises:
        IdentityProviderUnavailable: there is no answer in time, or it is not such a document.
    """
    if not is_trusted_address(url):
        raise IdentityProviderUnavailable(f"{url} is neither https nor on this machine")
    # A host for each fetch: they are rare, and a connection kept for an hour would be closed by the next one.
    host = Host(url, connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS, read_timeout_seconds=READ_TIMEOUT_SECONDS)
    address = urlsplit(url)
    target = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
    try:
        response = host.send("GET", target, {"accept": "application/json"}, maximum_bytes=DOCUMENT_BYTES + 1)
    except NoAnswerError as error:
        raise IdentityProviderUnavailable(f"{url} did not answer: {error}") from None
    if response.status != _OK or len(response.body) > DOCUMENT_BYTES:
        raise IdentityProviderUnavailable(f"{url} answered {response.status} with {len(response.body)} bytes")
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise IdentityProviderUnavailable(f"{url} did not answer with a JSON object")
    return document


class IssuerKeys:
    """The keys of an issuer, kept for the container's life.

    Args:
        issuer: the address before `/.well-known/openid-configuration`.
        fetch: returns the JSON object at a URL; `fetch_document` if absent.
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
        self._fetch = fetch or fetch_document
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._next_fetch_at = float("-inf")
        self._failure: IdentityProviderUnavailable | None = None

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key with an id, or the only key if a token names none.

        Cached keys work for up to a day while the provider does not answer, and while they are fetched again: one
        caller fetches, and others wait only if their key is not cached.

        Returns:
            The key, or None if the provider has no such key.

        Raises:
            IdentityProviderUnavailable: the key is not cached and the provider could not be asked.
        """
        key = self._cached(key_id)
        if key and self._clock() < self._fetched_at + MAXIMUM_AGE_SECONDS:
            return key
        self._refresh(wait=key is None)
        key = self._cached(key_id)
        if key is None and self._failure:
            raise IdentityProviderUnavailable(str(self._failure))
        return key

    def _cached(self, key_id: str | None) -> jwt.PyJWK | None:
        if self._clock() >= self._fetched_at + TRUSTED_SECONDS:
            return None
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _refresh(self, *, wait: bool) -> None:
        # The holder of the lock is done within refresh_seconds, so the wait for it is bounded.
        if not self._lock.acquire(blocking=wait):
            return
        try:
            if self._clock() < self._next_fetch_at:
                return
            try:
                self._keys = _within(self._refresh_seconds, self._download)
            except Exception as error:  # noqa: BLE001 - any failure of a provider is an outage
                self._failure = _as_outage(error)
                self._next_fetch_at = self._clock() + RETRY_SECONDS
            else:
                self._failure = None
                self._fetched_at = self._clock()
                self._next_fetch_at = self._fetched_at + REFETCH_SECONDS
        finally:
            self._lock.release()

    def _download(self) -> dict[str | None, jwt.PyJWK]:
        configuration = self._fetch(self._issuer.rstrip("/") + _DISCOVERY_PATH)
        if configuration.get("issuer") != self._issuer:  # OpenID Connect Discovery 1.0, section 4.3
            raise IdentityProviderUnavailable(
                f"the provider calls itself {configuration.get('issuer')!r}, and {self._issuer!r} is configured"
            )
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


def _within(seconds: float, call: Callable[[], Result]) -> Result:
    """Return the result of a call that is limited in time. A call that takes longer ends in the background.

    Socket timeouts bound each single wait, so a provider that sends a byte a second could go on for hours.

    Raises:
        TimeoutError: the call took longer.
    """
    outcome: Future[Result] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome.result(timeout=seconds)


def _as_outage(error: Exception) -> IdentityProviderUnavailable:
    if isinstance(error, IdentityProviderUnavailable):
        return error
    return IdentityProviderUnavailable(f"its keys could not be fetched: {type(error).__name__}")


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
