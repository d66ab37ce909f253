"""Why a key is disabled, deleted or rotated."""

from __future__ import annotations

from enum import StrEnum


class RevocationReason(StrEnum):
    """The reasons, for the audit log. Their names are part of the API."""

    COMPROMISED = "compromised"
    """Its text may be known to others."""
    SUPERSEDED = "superseded"
    """Another key or secret takes its place."""
    NO_LONGER_USED = "no_longer_used"
    OTHER = "other"
