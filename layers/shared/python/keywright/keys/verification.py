"""Verifying an API key: the hot path, before every request that is made with a key.

In this order, so that only the holder of the right secret learns more than NOT_FOUND:

1. the text and its tag: forged and mistyped keys end here, without a read and without a hash. Where imported keys are
   taken, a text of another form costs one read of the items that would name its key;
2. one strongly consistent read of the key and its organization, on every verification: a key that was revoked,
   disabled, rotated or frozen is refused on the next request;
3. the secret, against the hash of its generation;
4. expiry, enabled, the organization's scheduled deletion, the client's address, permissions;
5. the limits of the key and of its organization, last, because a refusal spends nothing (keys/limiter.py).

A container remembers which secret matched which stored hash, so that Argon2id runs once for each. It trusts that
memory only while the very same hash is what it has just read. A hash of another scheme or cost than the configured one
is replaced on use.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keywright import clock
from keywright.cache import Recent, once
from keywright.domain import key_hash, key_text, permissions
from keywright.domain.access_rules import RouteClosed
from keywright.domain.ip_addresses import is_within
from keywright.domain.key_text import NotIssuedHere
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys import limiter, retired_secrets, verification_log
from keywright.keys.outcome import ROTATED_OUT, Code, IdentifiedKey, UnknownKey
from keywright.keys.usage import meter
from keywright.keys.verification_log import Measurements
from keywright.log import describe, logger
from keywright.settings import settings
from keywright.store import credentials, pepper
from keywright.store.limits import LimitsGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from keywright.domain.key_hash import Scheme
    from keywright.domain.key_text import KeyParts
    from keywright.keys.outcome import Verification
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.credentials import Credential

REMEMBERED_MATCHES = 20_000
"""Entries take some 400 bytes each, so 8 MB at the most."""
_READS = 3
"""Reads of a key whose limits are gone: the second shows why, unless the key changes all the time."""
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


@dataclass(frozen=True, slots=True)
class Use:
    """What a key is used for.

    Attributes:
        missing: takes the permissions of a valid key and returns those that it lacks.
        address: of the client; None if it is not known, and then no key with allowed addresses is let in.
        cost: how much it takes of limits; 0 only looks.
    """

    missing: Callable[[Sequence[str]], tuple[str, ...] | RouteClosed]
    address: str | None = None
    cost: int = 1


NO_PERMISSION_NEEDED = Use(lambda _: ())


def requiring(required: Sequence[str], address: str | None = None, cost: int = 1) -> Use:
    """Return the use that requires all of these permissions."""
    return Use(lambda granted: permissions.missing(granted, required), address, cost)


def verify(text: str, use: Use = NO_PERMISSION_NEEDED) -> Verification:
    """Verify a key for a use; log and metrics have the result.

    Args:
        text: presented as a key; any text.
        use: what the key is used for.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if the key or its quota could not be read: it may be valid.
    """
    measured = Measurements()
    started = time.perf_counter()
    verification = _verify(text, use, measured)
    measured.total_seconds = time.perf_counter() - started
    verification_log.write(verification, measured)
    return verification


def _verify(text: str, use: Use, measured: Measurements) -> Verification:
    parts = key_text.decode(text, settings().key_prefix, pepper.peppers().tag_key)
    if parts is NotIssuedHere.MALFORMED and settings().takes_imported_keys:
        parts = _imported(text, measured)
    if isinstance(parts, NotIssuedHere):
        return UnknownKey(parts)
    for _ in range(_READS):
        credential = _read(parts, measured)
        if credential is None:
            return UnknownKey("no such key")
        try:
            verification = _verify_credential(parts, credential, use, measured)
        except LimitsGoneError:
            records().forget((parts.organization_id, parts.key_id))
        else:
            return _with_usage_plan(verification, credential)
    raise ServiceError(SERVICE_UNAVAILABLE, reason="the item of a limit is missing")


def _imported(text: str, measured: Measurements) -> KeyParts | NotIssuedHere:
    from keywright.keys import imported  # noqa: PLC0415 - loaded only where imported keys are taken

    started = time.perf_counter()
    (parts,) = imported.find([text])
    measured.read_seconds = time.perf_counter() - started
    return parts or NotIssuedHere.MALFORMED


def _with_usage_plan(verification: Verification, credential: Credential) -> Verification:
    if credential.usage_plan_key is None or isinstance(verification, UnknownKey):
        return verification
    return replace(verification, usage_plan_key=credential.usage_plan_key)


def _verify_credential(parts: KeyParts, credential: Credential, use: Use, measured: Measurements) -> Verification:
    """Verify a key by what was read of it.

    Raises:
        LimitsGoneError: its limits were taken, or it was deleted, since it was read.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    key, now = credential.key, clock.now()
    stored_hash = _hash_of_generation(key, parts.generation, now)
    if stored_hash is None:
        return _of_other_generation(parts, key, use, now)
    if not _is_secret(parts, key, stored_hash, measured):
        return UnknownKey("wrong secret")
    refused = _refusal(credential, use, now)
    if refused is not None:
        return refused
    admission = limiter.admit(credential.limits, use.cost) if credential.limits else None
    if admission is not None and not admission.is_asked:
        measured.limiter_failures += 1
    if admission is not None and admission.code is not Code.VALID:
        return IdentifiedKey(key, admission.code, f"a limit of the {admission.of}", admission=admission)
    if use.cost:  # who only looks does not use the key
        previous = None if parts.generation == key.generation else parts.generation
        meter().count(key.organization_id, key.key_id, now, use.address, previous)
    return IdentifiedKey(key, Code.VALID, "valid", admission=admission)


def _of_other_generation(parts: KeyParts, key: ApiKeyRecord, use: Use, now: datetime) -> UnknownKey:
    """Refuse a text of a generation that is not valid, and count the use of one that was."""
    if parts.generation > key.generation:
        return UnknownKey("unknown generation")
    ids = key.organization_id, key.key_id
    retired_secrets.meter().count(*ids, parts.generation, now, use.address)
    return UnknownKey(ROTATED_OUT, ids)


def _refusal(  # noqa: PLR0911 - one for each result, in their order
    credential: Credential, use: Use, now: datetime
) -> IdentifiedKey | None:
    """Return why a key with the right secret is refused, limits apart; None if it is not."""
    key = credential.key
    if key.expires_at is not None and key.expires_at <= now:
        return IdentifiedKey(key, Code.EXPIRED, "expired")
    if not key.enabled:
        return IdentifiedKey(key, Code.DISABLED, "disabled")
    if credential.is_frozen:
        return IdentifiedKey(key, Code.ORGANIZATION_FROZEN, "the organization is scheduled for deletion")
    if key.allowed_ips and not is_within(use.address, key.allowed_ips):
        return IdentifiedKey(key, Code.IP_NOT_ALLOWED, "used from another address")
    lacking = use.missing(key.permissions)
    if isinstance(lacking, RouteClosed):
        return IdentifiedKey(key, Code.INSUFFICIENT_PERMISSIONS, "no access rule allows the route")
    if lacking:
        return IdentifiedKey(key, Code.INSUFFICIENT_PERMISSIONS, f"lacks {', '.join(lacking)}", lacking)
    return None


def _read(parts: KeyParts, measured: Measurements) -> Credential | None:
    """Read the key, or reuse a record that is not older than RecordReuseSeconds.

    The tag of the text proves its generation: a record of an earlier one was read before the last rotation.
    """
    reuse_seconds = settings().record_reuse_seconds
    name = (parts.organization_id, parts.key_id)
    asked_at = time.monotonic()
    if reuse_seconds:
        reusable = records().get(name)
        if reusable is not None and asked_at < reusable[0] + reuse_seconds:
            reused = reusable[1]
            if parts.generation <= reused.key.generation:
                return reused
    started = time.perf_counter()
    credential = credentials.read(*name)
    measured.read_seconds = (measured.read_seconds or 0.0) + time.perf_counter() - started
    if reuse_seconds and credential is not None:
        records().put(name, (asked_at, credential))
    return credential


def _hash_of_generation(key: ApiKeyRecord, generation: int, now: datetime) -> str | None:
    """Return the hash that a secret of this generation must match; None if it is not valid."""
    if generation == key.generation:
        return key.hash
    if generation == key.generation - 1 and key.previous_expires_at is not None and now < key.previous_expires_at:
        return key.previous_hash
    return None


def _is_secret(parts: KeyParts, key: ApiKeyRecord, stored_hash: str, measured: Measurements) -> bool:
    """Return whether a text holds the secret of a stored hash. Argon2id runs once for each in a container."""
    keys = pepper.keyring().versions[parts.pepper_version]
    digest = key_hash.keyed_digest(parts.payload, keys.hash_key)
    if matches().get(digest) == stored_hash:
        measured.is_match_remembered = True
        return True
    started = time.perf_counter()
    is_match = key_hash.matches(stored_hash, digest, keys)
    measured.hashes += key_hash.is_argon2id(stored_hash)
    if is_match:
        matches().put(digest, stored_hash)
        scheme = key_hash.configured(settings(), keys)
        if stored_hash == key.hash and not key_hash.is_current(stored_hash, scheme):
            _upgrade(key, digest, scheme, measured)
    if measured.hashes:
        measured.hash_seconds = time.perf_counter() - started
    return is_match


def _upgrade(key: ApiKeyRecord, digest: bytes, scheme: Scheme, measured: Measurements) -> None:
    """Hash the secret with the configured scheme. A failure is logged; the next container tries again."""
    try:
        upgraded = key_hash.hash_digest(digest, scheme)
        measured.hashes += key_hash.is_argon2id(upgraded)
        if credentials.upgrade_hash(key, upgraded):
            matches().put(digest, upgraded)
            records().forget((key.organization_id, key.key_id))
    except Exception as error:  # noqa: BLE001 - the key is as valid as before
        logger().warning("a hash was not upgraded", extra={"details": describe(error)})
