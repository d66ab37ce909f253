"""Signatures of GitHub's reports of secrets: ECDSA over P-256 with SHA-256, by keys that GitHub publishes.

Source: GitHub Docs, "Secret scanning partner program".
"""

from __future__ import annotations

import base64
import binascii
import time
from typing import TYPE_CHECKING

from keywright.authorizers.published_keys import KeysUnavailable, Pauses, PublishedKeys, fetch_document
from keywright.cache import once
from keywright.errors import INVALID_REPORT_SIGNATURE, SERVICE_UNAVAILABLE, ServiceError
from keywright.settings import github_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

IDENTIFIER_HEADER = "github-public-key-identifier"
SIGNATURE_HEADER = "github-public-key-signature"

REFETCH_SECONDS = 120
"""Shortest time between two fetches: GitHub answers 60 requests an hour and address without credentials (GitHub Docs,
"Rate limits for the REST API"), and anyone can send an unknown identifier."""
RETRY_SECONDS = 60
"""Shortest time between a failed fetch and the next one: GitHub may have refused it because of that limit."""
_SIGNATURE_CHARACTERS = 200
"""A signature has at most 96."""


@once
def github_keys() -> PublishedKeys[EllipticCurvePublicKey]:
    """Return this container's keys of GitHub."""
    return keys_by(time.monotonic)


def keys_by(clock: Callable[[], float]) -> PublishedKeys[EllipticCurvePublicKey]:
    """Return GitHub's keys, fetched as often as a clock allows."""
    return PublishedKeys(_download, KeysUnavailable, clock, pauses=Pauses(REFETCH_SECONDS, RETRY_SECONDS))


def require_signature(identifier: str | None, signature: str | None, body: bytes) -> None:
    """Check that GitHub signed a body.

    Args:
        identifier: of the key, from the header.
        signature: DER in base64, from the header.
        body: exactly as it was sent.

    Raises:
        ServiceError: UNAUTHORIZED if there is no right signature of a published key; SERVICE_UNAVAILABLE if the key is
            not cached and GitHub cannot be asked.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - this function alone needs it
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    if not identifier or not signature or len(signature) > _SIGNATURE_CHARACTERS:
        raise ServiceError(INVALID_REPORT_SIGNATURE, reason="no signature")
    try:
        decoded = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise ServiceError(INVALID_REPORT_SIGNATURE, reason="the signature is not base64") from None
    try:
        key = github_keys().find(identifier)
    except KeysUnavailable as error:
        raise ServiceError(SERVICE_UNAVAILABLE, reason=str(error)) from None
    if key is None:
        raise ServiceError(INVALID_REPORT_SIGNATURE, reason="no published key has the identifier")
    try:
        key.verify(decoded, body, ECDSA(SHA256()))
    except InvalidSignature:
        raise ServiceError(INVALID_REPORT_SIGNATURE, reason="wrong signature") from None


def _download() -> dict[str | None, EllipticCurvePublicKey]:
    url = github_settings().github_keys_url
    entries = fetch_document(url).get("public_keys")
    if not isinstance(entries, list):
        raise KeysUnavailable(f"{url} answered no list of public_keys")
    keys: dict[str | None, EllipticCurvePublicKey] = {}
    for entry in entries:
        identifier = entry.get("key_identifier") if isinstance(entry, dict) else None
        key = _key(entry.get("key")) if isinstance(identifier, str) else None
        if key is not None:
            keys[identifier] = key
    if not keys:
        raise KeysUnavailable(f"{url} answered no key of the curve P-256")
    return keys


def _key(pem: object) -> EllipticCurvePublicKey | None:
    """Parse a public key. Return None if it is none of the curve P-256."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(pem.encode()) if isinstance(pem, str) else None
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None
