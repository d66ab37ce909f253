"""Verifying an API key: the hot path, before every request that is made with a key.

For each text, in this order, so that only the holder of the right secret learns more than NOT_FOUND:

1. the text and its tag: forged and mistyped keys end here, without a read and without a hash. Where imported keys are
   taken, a text of another form costs one read of the items that would name its key;
2. one strongly consistent read of the key and its organization, on every verification: a key that was revoked,
   disabled, rotated or frozen is refused on the next request;
3. the secret, against the hash of its generation;
4. expiry, enabled, the organization's scheduled deletion, the client's address, permissions;
5. the limits of the key and of its organization, last, because a refusal spends nothing (keys/limiter.py).

Several texts are verified with the same steps. The reads of all come first, so that what can fail for all of them has
failed before a limit is taken; then each is decided, in order.

A container remembers which secret matched which stored hash, so that Argon2id runs once for each. It trusts that
memory only while the very same hash is what it has just read. A hash of another scheme or cost than the configured one
is replaced on use.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from keywright import clock, deadline
from keywright.aws.retries import ATTEMPT_SECONDS
from keywright.cache import Recent, once
from keywright.domain import key_hash, key_text, permissions
from keywright.domain.access_rules import RouteClosed
from keywright.domain.ip_addresses import is_within
from keywright.domain.key_text import NotIssuedHere
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.immutable import immutable, replace
from keywright.keys import limiter, retired_secrets, verification_log
from keywright.keys.outcome import ROTATED_OUT, Code, IdentifiedKey, UndecidedKey, UnknownKey
from keywright.keys.usage import meter
from keywright.keys.verification_log import Measurements
from keywright.log import describe, logger
from keywright.settings import settings
from keywright.store import credentials, pepper
from keywright.store.limits import LimitsGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from keywright.domain.key_hash import Scheme
    from keywright.domain.key_text import KeyParts
    from keywright.keys.outcome import Verification
    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.credentials import Credential, Name

    Decoded = KeyParts | NotIssuedHere | UndecidedKey

REMEMBERED_MATCHES = 20_000
"""Entries take some 400 bytes each, so 8 MB at the most."""
_READS = 3
"""Reads of a key whose limits are gone: the second shows why, unless the key changes all the time."""
ANSWER_BYTES = 6_000_000
"""Room for the results of a batch. Lambda takes an answer of 6 MB (AWS Lambda Developer Guide, "Lambda quotas"), in
which the body is a JSON string."""
_LEFT_FOR_OTHERS = 0.5
"""Share of the time that a text with an unknown pepper leaves for the others."""
_OTHER_BYTES = 8_000
"""More than a result has without metadata."""
REUSED_RECORDS = 2_000
"""Entries hold metadata of up to 16 KiB each; only used with RecordReuseSeconds above 0."""


@once
def matches() -> Recent[bytes, str]:
    """Return this container's memory of secrets that matched: keyed digest -> PHC string."""
    return Recent(REMEMBERED_MATCHES)


@once
def records() -> Recent[Name, tuple[float, Credential]]:
    """Return this container's records that may be reused, with the times of their reads (monotonic)."""
    return Recent(REUSED_RECORDS)


@immutable
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


def verify_all(asked: Sequence[tuple[str, Use]]) -> list[Verification | UndecidedKey]:
    """Verify keys for uses, as `verify` does with each of them in order; log and metrics have every result.

    Args:
        asked: texts presented as keys, each with its use. A text that is there twice is used twice.

    Returns:
        The results, in order. A key is undecided if its quota could not be asked, or if the time of the invocation or
        the room of its answer ran out before it: what others took of their limits would be lost with an error.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if the keys could not be read. Then nothing was taken of any limit.
    """
    measurements = [Measurements() for _ in asked]
    started = time.perf_counter()
    decoded = _decode_all([text for text, _ in asked], measurements)
    credentials_read = _read_all(decoded, measurements)
    together_seconds = time.perf_counter() - started
    results: list[Verification | UndecidedKey] = []
    room: float = ANSWER_BYTES
    for (_, use), parts, measured in zip(asked, decoded, measurements, strict=True):
        started = time.perf_counter()
        result: Verification | UndecidedKey = (
            parts if isinstance(parts, UndecidedKey) else _decide(parts, credentials_read, use, measured, room)
        )
        if isinstance(result, IdentifiedKey):
            room -= _shown_bytes(result.key)
        # Each has waited for the reads of all.
        measured.total_seconds = together_seconds + time.perf_counter() - started
        verification_log.write(result, measured)
        results.append(result)
    return results


def _verify(text: str, use: Use, measured: Measurements) -> Verification:
    parts = _decode(text)
    if parts is NotIssuedHere.MALFORMED and settings().takes_imported_keys:
        (parts,) = _imported([text], [measured])
    if isinstance(parts, NotIssuedHere):
        return UnknownKey(parts)
    return _verify_key(parts, _read(parts, measured), use, measured)


def _decode(text: str) -> KeyParts | NotIssuedHere:
    return key_text.decode(text, settings().key_prefix, pepper.peppers().tag_key)


def _decode_all(texts: Sequence[str], measurements: Sequence[Measurements]) -> list[Decoded]:
    """Return the parts of each text, after one lookup of those that may be imported keys.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    pepper.keyring()  # without any, no text can be decided
    decoded = [_decode_or_leave(text) for text in texts]
    others = [place for place, parts in enumerate(decoded) if parts is NotIssuedHere.MALFORMED]
    if others and settings().takes_imported_keys:
        found = _imported([texts[place] for place in others], [measurements[place] for place in others])
        for place, parts in zip(others, found, strict=True):
            decoded[place] = parts
    return decoded


def _decode_or_leave(text: str) -> Decoded:
    """Return the parts of a text. A text that names an unknown pepper, which anyone can write, must not fail others."""
    try:
        with deadline.reserving(_LEFT_FOR_OTHERS, ATTEMPT_SECONDS):
            return _decode(text)
    except ServiceError as error:
        return UndecidedKey(error.reason or error.error.code)
    except Exception as error:  # noqa: BLE001 - as in _decide
        return _unexpected(error, None)


def _imported(texts: Sequence[str], measurements: Iterable[Measurements]) -> list[KeyParts | NotIssuedHere]:
    from keywright.keys import imported  # noqa: PLC0415 - loaded only where imported keys are taken

    started = time.perf_counter()
    found = imported.find(texts)
    _add_read(measurements, time.perf_counter() - started)
    return [parts or NotIssuedHere.MALFORMED for parts in found]


def _decide(
    parts: KeyParts | NotIssuedHere,
    read: Mapping[Name, Credential | None],
    use: Use,
    measured: Measurements,
    room: float,
) -> Verification | UndecidedKey:
    """Verify a text among others, if its result has room. What fails for one of them is not raised."""
    if isinstance(parts, NotIssuedHere):
        return UnknownKey(parts)
    name = _name(parts)
    credential = read[name]
    if credential is not None and _shown_bytes(credential.key) > room:
        return UndecidedKey("the answer is full", name)
    # One attempt for a new hash or a limit; of two limits, each may also be given back.
    attempts = max(1, 2 * len(credential.limits)) if credential is not None else 1
    if deadline.remaining_seconds() < attempts * ATTEMPT_SECONDS:
        return UndecidedKey("too little time was left", name)
    try:
        return _verify_key(parts, credential, use, measured)
    except ServiceError as error:
        return UndecidedKey(error.reason or error.error.code, name)
    except Exception as error:  # noqa: BLE001 - what one key causes must not lose what others took
        return _unexpected(error, name)


def _unexpected(error: Exception, name: Name | None) -> UndecidedKey:
    logger().error("unexpected error", extra={"operation": "verification", "details": describe(error)})
    return UndecidedKey("unexpected error", name)


def _shown_bytes(key: ApiKeyRecord) -> float:
    """Return how much of an answer the result of a key takes, at the most.

    In a JSON string in a JSON string, a quote of metadata takes two bytes, one that is escaped there four for its two,
    and a character of two bytes seven.
    """
    return _OTHER_BYTES + len(key.metadata.encode()) * (2 if key.metadata.isascii() else 3.5)


def _verify_key(parts: KeyParts, credential: Credential | None, use: Use, measured: Measurements) -> Verification:
    """Verify a key by what was read of it, and by reading it again if its limits are gone.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    for read_before in range(_READS):
        if read_before:
            credential = _read(parts, measured)
        if credential is None:
            return UnknownKey("no such key")
        try:
            verification = _verify_credential(parts, credential, use, measured)
        except LimitsGoneError:
            records().forget(_name(parts))
        else:
            return _with_usage_plan(verification, credential)
    raise ServiceError(SERVICE_UNAVAILABLE, reason="the item of a limit is missing")


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
    """Read the key, or reuse a record of it."""
    asked_at = time.monotonic()
    reused = _reusable(parts, asked_at)
    if reused is not None:
        return reused
    started = time.perf_counter()
    credential = credentials.read(parts.organization_id, parts.key_id)
    _add_read([measured], time.perf_counter() - started)
    _keep(_name(parts), credential, asked_at)
    return credential


def _read_all(decoded: Sequence[Decoded], measurements: Sequence[Measurements]) -> dict[Name, Credential | None]:
    """Read the keys of texts, or reuse records of them. A key that one of its texts needs read is read for all."""
    asked_at = time.monotonic()
    known: dict[Name, Credential | None] = {}
    waiting: dict[Name, list[Measurements]] = {}
    for parts, measured in zip(decoded, measurements, strict=True):
        if isinstance(parts, NotIssuedHere | UndecidedKey):
            continue
        reused = _reusable(parts, asked_at)
        if reused is None:
            waiting.setdefault(_name(parts), []).append(measured)
        else:
            known[_name(parts)] = reused
    if not waiting:
        return known
    started = time.perf_counter()
    read = credentials.read_all(waiting.keys())
    seconds = time.perf_counter() - started
    for name, credential in read.items():
        _add_read(waiting[name], seconds)
        _keep(name, credential, asked_at)
    return known | read


def _reusable(parts: KeyParts, asked_at: float) -> Credential | None:
    """Return a record that is not older than RecordReuseSeconds.

    The tag of the text proves its generation: a record of an earlier one was read before the last rotation.
    """
    reuse_seconds = settings().record_reuse_seconds
    if not reuse_seconds:
        return None
    reusable = records().get(_name(parts))
    if reusable is None or asked_at >= reusable[0] + reuse_seconds or parts.generation > reusable[1].key.generation:
        return None
    return reusable[1]


def _keep(name: Name, credential: Credential | None, asked_at: float) -> None:
    """Keep a record for reuse, if records are reused."""
    if credential is not None and settings().record_reuse_seconds:
        records().put(name, (asked_at, credential))


def _add_read(measurements: Iterable[Measurements], seconds: float) -> None:
    for measured in measurements:
        measured.read_seconds = (measured.read_seconds or 0.0) + seconds


def _name(parts: KeyParts) -> Name:
    return parts.organization_id, parts.key_id


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
