"""Verifying an API key: what every request that a key makes waits for.

In this order, so that only the holder of the right secret learns more than that there is no such key:

1. the text and its tag: forged and mistyped keys end here, without a read and without a hash;
2. one strongly consistent read of the key and its organization, on every verification: what was revoked, disabled,
   rotated or frozen is refused on the very next request;
3. the secret, against the hash of its generation;
4. expired, disabled, the organization frozen, permissions.

A container remembers which secret matched which stored hash, so that Argon2id runs once for each. It trusts that
memory only while the very same hash is what it has just read.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from keywright import clock
from keywright.cache import Recent, once
from keywright.domain import key_hash, key_text, permissions
from keywright.domain.access_rules import RouteClosed
from keywright.domain.key_text import NotIssuedHere
from keywright.keys import verification_log
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
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.credentials import Credential

REMEMBERED_MATCHES = 20_000
"""Entries take some 400 bytes each, so 8 MB at the most."""
REUSED_RECORDS = 2_000
"""Entries hold metadata of up to 16 KiB each; only used where records may be reused at all."""


class Code(StrEnum):
    """The outcomes; their names are part of the API."""

    VALID = "VALID"
    NOT_FOUND = "NOT_FOUND"
    EXPIRED = "EXPIRED"
    DISABLED = "DISABLED"
    ORGANIZATION_FROZEN = "ORGANIZATION_FROZEN"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of a verification.

    Attributes:
        reason: why, in more detail than anybody but the log may know.
        key: the key, if the text holds its secret; None with NOT_FOUND.
        missing_permissions: what was required and the key may not do.
    """

    code: Code
    reason: str
    key: ApiKeyRecord | None = None
    missing_permissions: tuple[str, ...] = ()


@once
def matches() -> Recent[bytes, str]:
    """Give this container's memory of secrets that matched: keyed digest -> PHC string."""
    return Recent(REMEMBERED_MATCHES)


@once
def records() -> Recent[tuple[UUID, UUID], tuple[float, Credential]]:
    """Give this container's records that may be reused, with the moments they were asked for (monotonic)."""
    return Recent(REUSED_RECORDS)


def verify(text: str, required: Sequence[str] = ()) -> Verification:
    """Verify a key, and whether it has the required permissions.

    Args:
        text: what the caller presented as their key; anything at all.
        required: permissions.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if the key could not be read: it may be valid.
    """
    return verify_by(text, lambda granted: permissions.missing(granted, required))


def verify_by(text: str, missing: Callable[[Sequence[str]], tuple[str, ...] | RouteClosed]) -> Verification:
    """Verify a key, and whether its permissions are enough, so that the log and the metrics hold the whole verdict.

    Args:
        text: what the caller presented as their key; anything at all.
        missing: takes the permissions of a valid key and returns those that it lacks.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if the key could not be read: it may be valid.
    """
    measured = Measurements()
    started = time.perf_counter()
    verification = _verify(text, missing, measured)
    measured.total_seconds = time.perf_counter() - started
    verification_log.write(verification.code, verification.reason, verification.key, measured)
    return verification


def _verify(  # noqa: PLR0911 - one for each outcome, in their order
    text: str, missing: Callable[[Sequence[str]], tuple[str, ...] | RouteClosed], measured: Measurements
) -> Verification:
    parts = key_text.decode(text, settings().key_prefix, pepper.peppers().tag_key)
    if isinstance(parts, NotIssuedHere):
        return Verification(Code.NOT_FOUND, parts)
    credential = _read(parts, measured)
    if credential is None:
        return Verification(Code.NOT_FOUND, "no such key")
    key, now = credential.key, clock.now()
    stored = _hash_of_generation(key, parts.generation, now)
    if stored is None:
        return Verification(Code.NOT_FOUND, "rotated out")
    if not _is_secret(parts, key, stored, measured):
        return Verification(Code.NOT_FOUND, "wrong secret")
    if key.expires_at is not None and key.expires_at <= now:
        return Verification(Code.EXPIRED, "expired", key)
    if not key.enabled:
        return Verification(Code.DISABLED, "disabled", key)
    if credential.is_frozen:
        return Verification(Code.ORGANIZATION_FROZEN, "the organization is scheduled for deletion", key)
    lacked = missing(key.permissions)
    if isinstance(lacked, RouteClosed):
        return Verification(Code.INSUFFICIENT_PERMISSIONS, "no access rule allows the route", key)
    if lacked:
        return Verification(Code.INSUFFICIENT_PERMISSIONS, f"lacks {', '.join(lacked)}", key, lacked)
    meter().count(key.organization_id, key.key_id, now)
    return Verification(Code.VALID, "valid", key)


def _read(parts: KeyParts, measured: Measurements) -> Credential | None:
    """Read the key, or take a record that is not older than the setting allows."""
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
    """Give the hash that a secret of this generation must match; None if it has been rotated out."""
    if generation == key.generation:
        return key.hash
    if generation == key.generation - 1 and key.previous_expires_at is not None and now < key.previous_expires_at:
        return key.previous_hash
    return None


def _is_secret(parts: KeyParts, key: ApiKeyRecord, stored: str, measured: Measurements) -> bool:
    """Tell whether a text holds the secret that a stored hash was made of."""
    digest = key_hash.keyed_digest(parts.payload, pepper.keyring().versions[parts.pepper_version].hash_key)
    if matches().get(digest) == stored:
        measured.is_match_remembered = True
        return True
    started = time.perf_counter()
    is_match = key_hash.matches(stored, digest)
    measured.hashes += 1
    if is_match:
        matches().put(digest, stored)
        if stored == key.hash and not key_hash.is_current(stored, settings().argon2):
            _upgrade(key, digest, measured)
    measured.hash_seconds = time.perf_counter() - started
    return is_match


def _upgrade(key: ApiKeyRecord, digest: bytes, measured: Measurements) -> None:
    """Hash the secret anew at the configured price. If that does not work out, it is done another time."""
    try:
        upgraded = key_hash.hash_digest(digest, settings().argon2)
        measured.hashes += 1
        if credentials.upgrade_hash(key, upgraded):
            matches().put(digest, upgraded)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, the caller's key is as valid as before
        logger().warning("a hash was not upgraded", extra={"details": describe(error)})
