"""Results of verifying a key."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from keywright.errors import SERVICE_UNAVAILABLE
from keywright.immutable import field, immutable

if TYPE_CHECKING:
    from uuid import UUID

    from keywright.store.api_keys import ApiKeyRecord


ROTATED_OUT = "rotated out"
"""The reason of a text that was the key's before a rotation, and whose grace period is over."""


class Code(StrEnum):
    """The codes; their names are part of the API."""

    VALID = "VALID"
    NOT_FOUND = "NOT_FOUND"
    EXPIRED = "EXPIRED"
    DISABLED = "DISABLED"
    ORGANIZATION_FROZEN = "ORGANIZATION_FROZEN"
    IP_NOT_ALLOWED = "IP_NOT_ALLOWED"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"


@immutable
class RateStatus:
    """A rate limit after a use.

    Attributes:
        limit: uses in a window.
        remaining: uses that would be admitted at once; None if the limiter could not be asked.
        reset_seconds: until a whole burst would be, rounded up; None likewise.
    """

    limit: int
    remaining: int | None = None
    reset_seconds: int | None = None


@immutable
class QuotaStatus:
    """A quota after a use.

    Attributes:
        limit: uses in a period.
        used: uses in this period.
        remaining: uses that are left of it.
        resets_at: when the next period begins, in nanoseconds since 1970; None if never.
    """

    limit: int
    used: int
    remaining: int
    resets_at: int | None


@immutable
class Admission:
    """Result of asking limits.

    Attributes:
        code: VALID, RATE_LIMITED or QUOTA_EXCEEDED.
        of: whose limit it is, for the log.
        retry_after_seconds: until a refused use would be admitted if nothing else is used; None if never.
        is_asked: whether the limiter answered; a rate limit admits if not.
    """

    code: Code
    of: str
    rate: RateStatus | None = None
    quota: QuotaStatus | None = None
    retry_after_seconds: int | None = None
    is_asked: bool = True


@immutable
class UnknownKey:
    """The text is no key, or holds a wrong secret. Callers learn no more than NOT_FOUND.

    Attributes:
        reason: for the log only.
        ids: of the organization and the key that the text was issued for, if it was rotated out; for the log only.
    """

    reason: str
    ids: tuple[UUID, UUID] | None = field(default=None, compare=False)

    @property
    def code(self) -> Code:
        """NOT_FOUND."""
        return Code.NOT_FOUND

    def logged(self) -> dict[str, object]:
        """Return the fields of the log line."""
        organization_id, key_id = (None, None) if self.ids is None else map(str, self.ids)
        return {"code": self.code, "reason": self.reason, "organization_id": organization_id, "api_key_id": key_id}


@immutable
class IdentifiedKey:
    """The text holds the secret of a key, which is valid with the code VALID only.

    Attributes:
        code: any but NOT_FOUND.
        reason: for the log only.
        missing_permissions: required ones that the key lacks.
        admission: what the limits said; None if the key has none, or if they were not asked.
        usage_plan_key: API Gateway's API key of the organization's usage plan; None if it has none.
    """

    key: ApiKeyRecord
    code: Code
    reason: str
    missing_permissions: tuple[str, ...] = ()
    admission: Admission | None = None
    usage_plan_key: str | None = field(default=None, repr=False)

    def logged(self) -> dict[str, object]:
        """Return the fields of the log line."""
        return {
            "code": self.code,
            "reason": self.reason,
            "organization_id": str(self.key.organization_id),
            "api_key_id": str(self.key.key_id),
        }


Verification = UnknownKey | IdentifiedKey


@immutable
class UndecidedKey:
    """Of this text of a batch it is not known whether it is a valid key, unlike of the others.

    Attributes:
        reason: for the log only.
        ids: of the organization and the key that the text was issued for, if that is known; for the log only.
    """

    reason: str
    ids: tuple[UUID, UUID] | None = field(default=None, compare=False)

    @property
    def code(self) -> str:
        """SERVICE_UNAVAILABLE, which is no Code: a single verification raises it."""
        return SERVICE_UNAVAILABLE.code

    def logged(self) -> dict[str, object]:
        """Return the fields of the log line."""
        organization_id, key_id = map(str, self.ids) if self.ids else (None, None)
        return {"code": self.code, "reason": self.reason, "organization_id": organization_id, "api_key_id": key_id}
