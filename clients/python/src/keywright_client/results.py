"""Results of the clients. Times are aware datetimes in UTC, lists are tuples."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - programs such as pydantic resolve the annotations
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - the same
from typing import Literal, TypeAlias, Union

MetadataValue: TypeAlias = Union[str, int, float, bool]  # noqa: UP007 - reads the same in every version of Python
"""A value of metadata."""
QuotaPeriod: TypeAlias = Literal["day", "week", "month", "total"]
"""How often the count of a quota starts anew, in UTC."""
Reason: TypeAlias = Literal["compromised", "superseded", "no_longer_used", "other"]
"""Why a key was disabled, rotated or deleted, for the audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A limit of the rate of uses.

    Attributes:
        limit: number of uses in a window on average, 1 to 10,000.
        window_seconds: length of the window, 1 to 3,600.
        burst: number of uses at once after enough rest, 1 to `limit`, which is the default.
    """

    limit: int
    window_seconds: int
    burst: int = None  # type: ignore[assignment] # replaced below, so that readers never see None

    def __post_init__(self) -> None:
        if self.burst is None:
            object.__setattr__(self, "burst", self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A limit of the number of uses.

    Attributes:
        limit: number of uses in a period, 1 to 10^12.
        period: when the count starts anew, in UTC: at midnight, on Mondays, on the first of a month, or never
            (`total`). A newer Keywright can answer with other periods.
    """

    limit: int
    period: QuotaPeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitStatus:
    """The state of a rate limit.

    Attributes:
        limit: number of uses in a window on average.
        remaining: number of uses that would be admitted at once now. None if the limiter did not answer.
        reset_seconds: seconds until the whole burst is free again. None if the limiter did not answer.
    """

    limit: int
    remaining: int | None
    reset_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaStatus:
    """The state of a quota.

    Attributes:
        limit: number of uses in a period.
        used: how much of it was used in this period.
        remaining: how much of it is left in this period.
        resets_at: when the next period begins. None if never.
    """

    limit: int
    used: int
    remaining: int
    resets_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A report that the text of a key is public.

    Attributes:
        reported_at: when it was reported first.
        source: `report`, by anyone who holds the text, or `github`, by GitHub's secret scanning.
        url: where the text was found. None if the report does not say.
    """

    reported_at: datetime
    source: str
    url: str | None


# ---- Verification --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """Fields of every result of a verification."""

    code: str
    valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedApiKey(_Answered):
    """Details of a key that exists, whether it was admitted or refused.

    Attributes:
        id: id of the key.
        organization_id: id of the organization that owns the key.
        name: name of the key.
        permissions: permissions that were granted to the key.
        missing_permissions: required permissions that the key does not have.
        metadata: your own data about the key.
        expires_at: when the key expires. None if it never does.
        allowed_ips: addresses and ranges that the key can be used from. None if from anywhere.
        rate_limit: what is left of the rate limit of the key or of its organization, whichever is tighter. None if
            there is none, or if the key was refused before its limits were asked.
        quota: what is left of the quota of the key or of its organization, likewise.
        retry_after_seconds: seconds until a `RATE_LIMITED` or `QUOTA_EXCEEDED` use would be admitted if nothing else
            is used. None for other codes, and if it never would be.
        leak: the report that the text of the key is public. None if there is none.
    """

    id: str
    organization_id: str
    name: str
    permissions: tuple[str, ...]
    missing_permissions: tuple[str, ...]
    metadata: Mapping[str, MetadataValue]
    expires_at: datetime | None
    allowed_ips: tuple[str, ...] | None
    rate_limit: RateLimitStatus | None
    quota: QuotaStatus | None
    retry_after_seconds: int | None
    leak: Leak | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Valid(VerifiedApiKey):
    """The key works and has the required permissions. The only result that admits a caller."""

    code: Literal["VALID"] = field(default="VALID", init=False)
    valid: Literal[True] = field(default=True, init=False)


@dataclass(frozen=True, kw_only=True)
class Refused(_Answered):
    """The key was refused. Other refusals are subclasses; this class itself is a code that the client does not know."""

    # No slots besides those of the base: a refusal can then also be a VerifiedApiKey. `slots=True` of Python 3.10 would
    # repeat them, and a default would be an attribute of the class in their place.
    __slots__ = ()
    valid: Literal[False] = field(default_factory=lambda: False, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound(Refused):
    """The key is unknown. Malformed, forged, deleted and rotated-out keys are indistinguishable on purpose."""

    code: Literal["NOT_FOUND"] = field(default="NOT_FOUND", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired(VerifiedApiKey, Refused):
    """The key has expired."""

    code: Literal["EXPIRED"] = field(default="EXPIRED", init=False)
    valid: Literal[False] = field(default=False, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disabled(VerifiedApiKey, Refused):
    """The key is disabled."""

    code: Literal["DISABLED"] = field(default="DISABLED", init=False)
    valid: Literal[False] = field(default=False, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationFrozen(VerifiedApiKey, Refused):
    """The organization of the key is scheduled for deletion."""

    code: Literal["ORGANIZATION_FROZEN"] = field(default="ORGANIZATION_FROZEN", init=False)
    valid: Literal[False] = field(default=False, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IpNotAllowed(VerifiedApiKey, Refused):
    """The key has allowed addresses, and `client_ip` is none of them or was not given."""

    code: Literal["IP_NOT_ALLOWED"] = field(default="IP_NOT_ALLOWED", init=False)
    valid: Literal[False] = field(default=False, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InsufficientPermissions(VerifiedApiKey, Refused):
    """The key lacks `missing_permissions`."""

    code: Literal["INSUFFICIENT_PERMISSIONS"] = field(default="INSUFFICIENT_PERMISSIONS", init=False)
    valid: Literal[False] = field(default=False, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimited(VerifiedApiKey, Refused):
    """The rate limit of the key or of its organization is reached."""

    code: Literal["RATE_LIMITED"] = field(default="RATE_LIMITED", init=False)
    valid: Literal[False] = field(default=False, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaExceeded(VerifiedApiKey, Refused):
    """The quota of the key or of its organization is used up."""

    code: Literal["QUOTA_EXCEEDED"] = field(default="QUOTA_EXCEEDED", init=False)
    valid: Literal[False] = field(default=False, init=False)


Verification: TypeAlias = Union[  # noqa: UP007 - a string of `|` would not be a type at run time
    Valid,
    NotFound,
    Expired,
    Disabled,
    OrganizationFrozen,
    IpNotAllowed,
    InsufficientPermissions,
    RateLimited,
    QuotaExceeded,
    Refused,
]
"""Result of verifying a key. `isinstance(result, Valid)` and `result.valid` both narrow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided(_Answered):
    """The key of a batch could not be verified, and may be valid: no refusal. Answer 503, and verify it again."""

    code: Literal["SERVICE_UNAVAILABLE"] = field(default="SERVICE_UNAVAILABLE", init=False)
    valid: Literal[False] = field(default=False, init=False)


BatchResult: TypeAlias = Union[Verification, Undecided]  # noqa: UP007 - the same
"""Result of verifying a key of a batch."""


# ---- Management ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeySummary:
    """A key in a list.

    Attributes:
        id: id of the key.
        name: name of the key.
        enabled: whether the key is enabled. An expired key is refused even if it is enabled.
        permissions: permissions that were granted to the key.
        metadata: your own data about the key.
        created_at: when the key was created.
        updated_at: when the key was last changed or rotated.
        expires_at: when the key expires. None if it never does.
        last_used_at: when the key was last verified, accurate to about a minute. None if it never was.
        last_used_ip: address of the client that last used the key. None if it is not known.
        request_count: number of verifications that found the key valid.
        hint: beginning and end of the key's text.
        rate_limit: how fast the key can be used. None if it has no rate limit.
        quota: how often the key can be used. None if it has no quota.
        allowed_ips: addresses and ranges that the key can be used from. None if from anywhere.
        leak: the report that the text of the key is public. None if there is none.
    """

    id: str
    name: str
    enabled: bool
    permissions: tuple[str, ...]
    metadata: Mapping[str, MetadataValue]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_ip: str | None
    request_count: int
    hint: str
    rate_limit: RateLimit | None
    quota: Quota | None
    allowed_ips: tuple[str, ...] | None
    leak: Leak | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyDetails(ApiKeySummary):
    """A key with all its details.

    Attributes:
        created_by: id of the user who created the key.
        previous_key_expires_at: when the text before the last rotation stops working. None if it no longer works.
        previous_key_last_used_at: when that text was last used since the rotation, accurate to about a minute. None
            if it was not used, or no longer works.
    """

    created_by: str
    previous_key_expires_at: datetime | None
    previous_key_last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedApiKey:
    """A new key.

    Attributes:
        id: id of the key.
        key: text of the key. Store it now: it is never shown again. It is not in the repr.
    """

    id: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedApiKey:
    """A rotated key.

    Attributes:
        id: id of the key.
        key: new text of the key. Store it now: it is never shown again. It is not in the repr.
        previous_key_expires_at: when the previous text stops working. None if it no longer works.
        api_key: the key as it is now.
    """

    id: str
    key: str = field(repr=False)
    previous_key_expires_at: datetime | None
    api_key: ApiKeyDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLogActor:
    """The actor of a change. Identify actors by type and id.

    Attributes:
        type: `user`, `api_key`, `operator`, `identity_provider` or `system`.
        id: id of the user or key, ARN of the operator's AWS credentials, source of the identity provider's event, or
            job of the system.
        name: name for display. None if none is known, as for users and the identity provider.
    """

    type: str
    id: str
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLog:
    """A record of the audit log.

    Attributes:
        id: id of the record.
        event: what happened, such as `api_key.created`.
        actor: who or what made the change.
        target_id: id of what was changed.
        target_type: type of what was changed, such as `api_key`.
        changes: changed fields, `before` and `after`, with the names of the API.
        source_ip: address of the request. None if there was no request.
        request_id: `x-request-id` of the request. None if there was no request.
        created_at: when it happened.
        received_at: when the record was written.
        reason: why the key was disabled, rotated or deleted. None if that was not said.
    """

    id: str
    event: str
    actor: AuditLogActor
    target_id: str
    target_type: str
    changes: Mapping[str, object]
    source_ip: str | None
    request_id: str | None
    created_at: datetime
    received_at: datetime
    reason: str | None
