"""Verifying an API key: the hot path, before every request that is made with a key.

In this order, so that only the holder of the right secret learns more than NOT_FOUND:

1. the text and its tag: forged and mistyped keys end here, without a read and without a hash;
2. one strongly consistent read of the key and its organization, on every verification: a key that was revoked,
   disabled, rotated or frozen is refused on the next request;
3. the secret, against the hash of its generation;
4. expiry, enabled, the organization's scheduled deletion, permissions.

A container remembers which secret matched which stored hash, so that Argon2id runs once for each. It trusts that
memory only while the very same hash is what it has just read.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from keywright import clock
from keywright.cache import Recent, once
from keywright.domain import key_hash, key_text, permissions
from keywright.domain.access_rules import RouteClosed
from keywright.domain.key_text import NotIssuedHere
from keywright.keys import verification_log
from keywright.keys.outcome import Code, IdentifiedKey, UnknownKey
from keywright.keys.usage import meter
from keywright.keys.verification_log import Measurements
from keywright.log import describe, logger
from keywright.settings import settings
from keywright.store import credentials, pepper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from keywright.domain.key_text import KeyParts
    from keywright.keys.outcome import Verification
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.credentials import Credential

REMEMBERED_MATCHES = 20_000
"""Entries take some 400 bytes each, so 8 MB at the most."""
REUSED_RECORDS = 2_000
"""Entries hold metadata of up to 16 KiB each; only used with RecordReuseSeconds above 0."""


@once
def matches() -> Recent[bytes, str]:
    """Return this container's memory of secrets that matched: keyed digest -> PHC string."""
    return Recent(REMEMBERED_MATCHES)


@once
def records() -> Recent[tuple[UUID, UUID], tuple[float, Credential]]:
    """Return this container's records that may be reused, with the times of their reads (monotonic)."""
    return Recent(REUSED_RECORDS)


def verify(text: str, required: Sequence[str] = ()) -> Verification:
    """Verify a key, and check that it has permissions.

    Args:
        text: presented as a key; any text.
        required: all of these permissions.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if the key could not be read: it may be valid.
    """
    return verify_by(text, lambda granted: permissions.missing(granted, required))


def verify_by(text: str, missing: Callable[[Sequence[str]], tuple[str, ...] | RouteClosed]) -> Verification:
    """Verify a key and check its permissions by a rule; log and metrics have the result of both.

    Args:
        text: presented as a key; any text.
        missing: takes the permissions of a valid key and returns those that it lacks.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if the key could not be read: it may be valid.
    """
    measured = Measurements()
    started = time.perf_counter()
    verification = _verify(text, missing, measured)
    measured.total_seconds = time.perf_counter() - started
    verification_log.write(verification, measured)
    return verification


def _verify(  # noqa: PLR0911 - one for each result, in their order
    text: str, missing: Callable[[Sequence[str]], tuple[str, ...] | RouteClosed], measured: Measurements
) -> Verification:
    parts = key_text.decode(text, settings().key_prefix, pepper.peppers().tag_key)
    if isinstance(parts, NotIssuedHere):
        return UnknownKey(parts)
    credential = _read(parts, measured)
    if credential is None:
        return UnknownKey("no such key")
    key, now = credential.key, clock.now()
    stored_hash = _hash_of_generation(key, parts.generation, now)
    if stored_hash is None:
        return UnknownKey("rotated out")
    if not _is_secret(parts, key, stored_hash, measured):
        return UnknownKey("wrong secret")
    if key.expires_at is not None and key.expires_at <= now:
        return IdentifiedKey(key, Code.EXPIRED, "expired")
    if not key.enabled:
        return IdentifiedKey(key, Code.DISABLED, "disabled")
    if credential.is_frozen:
        return IdentifiedKey(key, Code.ORGANIZATION_FROZEN, "the organization is scheduled for deletion")
    lacking = missing(key.permissions)
    if isinstance(lacking, RouteClosed):
        return IdentifiedKey(key, Code.INSUFFICIENT_PERMISSIONS, "no access rule allows the route")
    if lacking:
        return IdentifiedKey(key, Code.INSUFFICIENT_PERMISSIONS, f"lacks {', '.join(lacking)}", lacking)
    meter().count(key.organization_id, key.key_id, now)
    return IdentifiedKey(key, Code.VALID, "valid")


def _read(parts: KeyParts, measured: Measurements) -> Credential | None:
    """Read the key, or reuse a record that is not older than RecordReuseSeconds."""
    reuse_seconds = settings().record_reuse_seconds
    name = (parts.organization_id, parts.key_id)
    asked_at = time.monotonic()
    if reuse_seconds:
        reusable = records().get(name)
        if reusable is not None and asked_at < reusable[0] + reuse_seconds:
            return reusable[1]
    started = time.perf_counter()
    credential = credentials.read(*name)
    measured.read_seconds = time.perf_counter() - started
    if reuse_seconds and credential is not None:
        records().put(name, (asked_at, credential))
    return credential


def _hash_of_generation(key: ApiKeyRecord, generation: int, now: datetime) -> str | None:
    """Return the hash that a secret of this generation must match; None if it was rotated out."""
    if generation == key.generation:
        return key.hash
    if generation == key.generation - 1 and key.previous_expires_at is not None and now < key.previous_expires_at:
        return key.previous_hash
    return None


def _is_secret(parts: KeyParts, key: ApiKeyRecord, stored_hash: str, measured: Measurements) -> bool:
    """Return whether a text holds the secret of a stored hash. Argon2id runs once for each in a container."""
    digest = key_hash.keyed_digest(parts.payload, pepper.keyring().versions[parts.pepper_version].hash_key)
    if matches().get(digest) == stored_hash:
        measured.is_match_remembered = True
        return True
    started = time.perf_counter()
    is_match = key_hash.matches(stored_hash, digest)
    measured.hashes += 1
    if is_match:
        matches().put(digest, stored_hash)
        if stored_hash == key.hash and not key_hash.is_current(stored_hash, settings().argon2):
            _upgrade(key, digest, measured)
    measured.hash_seconds = time.perf_counter() - started
    return is_match


def _upgrade(key: ApiKeyRecord, digest: bytes, measured: Measurements) -> None:
    """Hash the secret with the configured parameters. A failure is logged; the next verification tries again."""
    try:
        upgraded = key_hash.hash_digest(digest, settings().argon2)
        measured.hashes += 1
        if credentials.upgrade_hash(key, upgraded):
            matches().put(digest, upgraded)
    except Exception as error:  # noqa: BLE001 - the key is as valid as before
        logger().warning("a hash was not upgraded", extra={"details": describe(error)})
