"""The events of the audit log."""

from __future__ import annotations

from enum import StrEnum


class AuditEvent(StrEnum):
    """The kinds of audit records. Their names are part of the API."""

    API_KEY_CREATED = "api_key.created"
    API_KEY_UPDATED = "api_key.updated"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_DELETED = "api_key.deleted"
    API_KEY_LEAK_REPORTED = "api_key.leak_reported"
    API_KEY_RETIRED_SECRET_USED = "api_key.retired_secret_used"  # noqa: S105 - no password
    API_KEY_IMPORTED = "api_key.imported"
    API_KEY_EXPIRING = "api_key.expiring"
    API_KEY_EXPIRED = "api_key.expired"
    ORGANIZATION_CREATED = "organization.created"
    ORGANIZATION_UPDATED = "organization.updated"
    ORGANIZATION_DELETION_REQUESTED = "organization.deletion_requested"
    ORGANIZATION_DELETION_CANCELED = "organization.deletion_canceled"
    MEMBER_ADDED = "member.added"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    MEMBER_SUSPENDED = "member.suspended"
    MEMBER_REINSTATED = "member.reinstated"
    MEMBER_REMOVED = "member.removed"
