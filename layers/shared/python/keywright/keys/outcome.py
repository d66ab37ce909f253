"""Results of verifying a key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keywright.store.api_keys import ApiKeyRecord


class Code(StrEnum):
    """The codes; their names are part of the API."""

    VALID = "VALID"
    NOT_FOUND = "NOT_FOUND"
    EXPIRED = "EXPIRED"
    DISABLED = "DISABLED"
    ORGANIZATION_FROZEN = "ORGANIZATION_FROZEN"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """The text is no key, or holds a wrong secret. Callers learn no more than NOT_FOUND.

    Attributes:
        reason: for the log only.
    """

    reason: str

    @property
    def code(self) -> Code:
        """NOT_FOUND."""
        return Code.NOT_FOUND

    def logged(self) -> dict[str, object]:
        """Return the fields of the log line."""
        return {"code": self.code, "reason": self.reason, "organization_id": None, "api_key_id": None}


@dataclass(frozen=True, slots=True)
class IdentifiedKey:
    """The text holds the secret of a key, which is valid with the code VALID only.

    Attributes:
        code: any but NOT_FOUND.
        reason: for the log only.
        missing_permissions: required ones that the key lacks.
    """

    key: ApiKeyRecord
    code: Code
    reason: str
    missing_permissions: tuple[str, ...] = ()

    def logged(self) -> dict[str, object]:
        """Return the fields of the log line."""
        return {
            "code": self.code,
            "reason": self.reason,
            "organization_id": str(self.key.organization_id),
            "api_key_id": str(self.key.key_id),
        }


Verification = UnknownKey | IdentifiedKey
