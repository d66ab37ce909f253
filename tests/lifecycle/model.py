"""A model of the service in plain Python: dictionaries instead of a table, and no concurrency.

Times are milliseconds since the Unix epoch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SECOND = 1000
DAY = 24 * 3600 * SECOND
AUDIT_RETENTION = 365 * DAY  # the template's default
DELETION_GRACE = 30 * DAY  # the template's default
IDEMPOTENCY_LIFETIME = DAY

MANAGERS = {"owner", "admin"}
OWNERS = {"owner"}


def rfc3339(milliseconds: int) -> str:
    """Return a time as answers show it."""
    seconds, rest = divmod(milliseconds, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def optional_time(milliseconds: int | None) -> str | None:
    """Return a time as answers show it, or None."""
    return None if milliseconds is None else rfc3339(milliseconds)


def is_same(one: object, other: object) -> bool:
    """Return whether two values are the same JSON text, which distinguishes 1, 1.0 and true."""
    return json.dumps(one) == json.dumps(other)


class Refused(Exception):  # noqa: N818 - an outcome, not an error
    """The service refuses the call with this code."""


class Repeated(Exception):  # noqa: N818 - an outcome, not an error
    """The service returns an earlier answer again."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__()
        self.data = data


@dataclass
class Key:
    """One key."""

    key_id: str
    text: str
    name: str
    permissions: list[str]
    metadata: dict[str, Any]
    expires_at: int | None
    created_by: str
    created_at: int
    updated_at: int
    enabled: bool = True
    generation: int = 0
    version: int = 1
    previous_text: str | None = None
    previous_expires_at: int | None = None
    used: tuple[int, str] | None = None

    def audited(self) -> dict[str, Any]:
        """Return the fields that people choose."""
        return {
            "name": self.name,
            "enabled": self.enabled,
            "permissions": self.permissions,
            "metadata": self.metadata,
            "expiresAt": optional_time(self.expires_at),
        }

    def summary(self) -> dict[str, Any]:
        """Return the fields that lists show."""
        return {
            **self.audited(),
            "id": self.key_id,
            "createdAt": rfc3339(self.created_at),
            "updatedAt": rfc3339(self.updated_at),
            "lastUsedAt": self.used[1] if self.used else None,
            "requestCount": self.used[0] if self.used else 0,
            "hint": f"kk_...{self.text[-4:]}",
        }

    def details(self, now: int) -> dict[str, Any]:
        """Return the fields that GET of one key shows."""
        until = self.previous_expires_at
        if until is not None and self.expires_at is not None:
            until = min(until, self.expires_at)
        return {
            **self.summary(),
            "createdBy": self.created_by,
            "previousKeyExpiresAt": rfc3339(until) if until is not None and until > now else None,
        }

    def item(self) -> dict[str, Any]:
        """Return the key's item without the hashes."""
        optional = {"expires_at": self.expires_at, "previous_expires_at": self.previous_expires_at}
        return {
            "name": self.name,
            "permissions": self.permissions,
            "metadata": self.metadata,
            "enabled": self.enabled,
            "generation": self.generation,
            "hint": f"kk_...{self.text[-4:]}",
            "created_by": self.created_by,
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
            "version": self.version,
            **{name: rfc3339(value) for name, value in optional.items() if value is not None},
        }


@dataclass
class Kept:
    """A stored answer that can be returned again."""

    request: str
    data: dict[str, Any]
    at: int

    def is_live(self, now: int) -> bool:
        """Return whether the answer's day is not over, counted in whole seconds."""
        return now // SECOND < (self.at + IDEMPOTENCY_LIFETIME) // SECOND


@dataclass
class Record:
    """One audit record, identified by its request's id; the service chooses the record's own id.

    Attributes:
        received_at: when it was written, in milliseconds since the Unix epoch; its retention counts from then.
    """

    shown: dict[str, Any]
    received_at: int

    def is_live(self, now: int) -> bool:
        """Return whether the record's retention is not over."""
        return now // SECOND < (self.received_at + AUDIT_RETENTION) // SECOND


@dataclass
class Organization:
    """One organization and everything in it."""

    organization_id: str
    members: dict[str, str] = field(default_factory=dict)
    suspended: set[str] = field(default_factory=set)
    pending_deletion_at: int | None = None
    keys: dict[str, Key] = field(default_factory=dict)
    audit_log: list[Record] = field(default_factory=list)
    answers: dict[tuple[str, str], Kept] = field(default_factory=dict)

    def require(self, user_id: str, roles: set[str]) -> None:
        """Refuse a user without one of the roles."""
        if self.members.get(user_id) not in roles or user_id in self.suspended:
            raise Refused("FORBIDDEN")

    def require_active(self) -> None:
        """Refuse a write to a frozen organization."""
        if self.pending_deletion_at is not None:
            raise Refused("ORGANIZATION_FROZEN")

    def find(self, key_id: str) -> Key:
        """Return a key of this organization."""
        if key_id not in self.keys:
            raise Refused("API_KEY_NOT_FOUND")
        return self.keys[key_id]

    def listed(self) -> list[Key]:
        """Return all keys, newest first."""
        return [self.keys[key_id] for key_id in sorted(self.keys, reverse=True)]

    def look_up(self, user_id: str, idempotency_key: str | None, request: str, now: int) -> None:
        """Return an earlier answer again, or refuse a different request with the same Idempotency-Key."""
        kept = self.answers.get((user_id, idempotency_key)) if idempotency_key else None
        if kept and kept.is_live(now):
            raise Repeated(kept.data) if kept.request == request else Refused("IDEMPOTENCY_KEY_REUSED")

    def keep(self, user_id: str, idempotency_key: str | None, kept: Kept) -> None:
        """Store an answer."""
        if idempotency_key:
            self.answers[user_id, idempotency_key] = kept

    def record(
        self,
        event: str,
        user_id: str,
        target: tuple[str, str],
        changes: tuple[dict[str, Any] | None, dict[str, Any] | None],
        at: int,
    ) -> None:
        """Add an audit record."""
        shown = {
            "event": event,
            "actor": {"type": "user", "id": user_id},
            "targetId": target[1],
            "targetType": target[0],
            "changes": {"before": changes[0], "after": changes[1]},
            "sourceIp": "203.0.113.7",
            "createdAt": rfc3339(at),
        }
        # A JSON copy: later changes of the value must not change the record.
        self.audit_log.append(Record(json.loads(json.dumps(shown)), at))

    def verify(self, text: str, required: list[str], now: int) -> tuple[str, Key | None, list[str]]:
        """Verify a text; return the code, the key if the text is known, and the missing permissions."""
        key = next((key for key in self.keys.values() if text in {key.text, key.previous_text}), None)
        if key is None or (text != key.text and (key.previous_expires_at or now) <= now):
            return "NOT_FOUND", None, []
        if key.expires_at is not None and key.expires_at <= now:
            return "EXPIRED", key, []
        if not key.enabled:
            return "DISABLED", key, []
        if self.pending_deletion_at is not None:
            return "ORGANIZATION_FROZEN", key, []
        implied = {permission.replace(":write", ":read") for permission in key.permissions}
        lacked = [name for name in dict.fromkeys(required) if name not in implied.union(key.permissions)]
        if lacked:
            return "INSUFFICIENT_PERMISSIONS", key, lacked
        count, last = key.used or (0, "")
        key.used = (count + 1, max(last, rfc3339(now)))
        return "VALID", key, []

    # Actions of members, and their refusals.

    def get(self, user_id: str, key_id: str) -> Key:
        """Return a key."""
        self.require(user_id, MANAGERS)
        return self.find(key_id)

    def check_create(
        self, user_id: str, idempotency_key: str | None, request: str, *, expires_at: int | None, now: int
    ) -> None:
        """Check a creation. Past expiries are allowed: the request may repeat an earlier one."""
        is_over = expires_at is not None and expires_at <= now
        if is_over and idempotency_key is None:
            raise Refused("BAD_REQUEST")
        self.require(user_id, MANAGERS)
        self.require_active()
        self.look_up(user_id, idempotency_key, request, now)
        if is_over:
            raise Refused("BAD_REQUEST")

    def create(self, key: Key) -> None:
        """Add a key."""
        self.keys[key.key_id] = key
        self.record(
            "api_key.created", key.created_by, ("api_key", key.key_id), (None, key.audited()), at=key.created_at
        )

    def update(self, user_id: str, key_id: str, changes: dict[str, Any], now: int) -> None:
        """Change a key."""
        if (changes.get("expires_at") or now + 1) <= now:
            raise Refused("BAD_REQUEST")
        self.require(user_id, MANAGERS)
        self.require_active()
        key = self.find(key_id)
        before = key.audited()
        for name, value in changes.items():
            setattr(key, name, value)
        after = key.audited()
        changed = [name for name in before if not is_same(before[name], after[name])]
        key.updated_at = max(now, key.updated_at + 1)
        key.version += 1
        self.record(
            "api_key.updated",
            user_id,
            ("api_key", key_id),
            ({name: before[name] for name in changed}, {name: after[name] for name in changed}),
            at=key.updated_at,
        )

    def check_rotate(self, user_id: str, key_id: str, idempotency_key: str | None, request: str, now: int) -> int:
        """Check a rotation and return its time."""
        self.require(user_id, MANAGERS)
        self.require_active()
        self.look_up(user_id, idempotency_key, request, now)
        return max(now, self.find(key_id).updated_at + 1)

    def rotate(self, user_id: str, key: Key, text: str, grace_period: int, at: int) -> str | None:
        """Replace the text of a key; return the end of the previous one."""
        until = min(at + grace_period, key.expires_at or at + grace_period)
        has_grace = until > at
        key.previous_text, key.previous_expires_at = (key.text, until) if has_grace else (None, None)
        key.text, key.updated_at = text, at
        key.generation += 1
        key.version += 1
        shown = optional_time(key.previous_expires_at)
        self.record(
            "api_key.rotated",
            user_id,
            ("api_key", key.key_id),
            ({"generation": key.generation - 1}, {"generation": key.generation, "previousKeyExpiresAt": shown}),
            at=at,
        )
        return shown

    def delete(self, user_id: str, key_id: str, now: int) -> None:
        """Delete a key."""
        self.require(user_id, MANAGERS)
        self.require_active()
        key = self.find(key_id)
        del self.keys[key_id]
        self.record(
            "api_key.deleted",
            user_id,
            ("api_key", key_id),
            (key.audited(), None),
            at=max(now, key.updated_at + 1),
        )

    def freeze(self, user_id: str, now: int) -> None:
        """Schedule the deletion of the organization."""
        self.require(user_id, OWNERS)
        self.require_active()
        self._schedule("organization.deletion_requested", user_id, now + DELETION_GRACE, now)

    def cancel(self, user_id: str, now: int) -> None:
        """Cancel the scheduled deletion."""
        self.require(user_id, OWNERS)
        if self.pending_deletion_at is None:
            raise Refused("CONFLICT")
        self._schedule("organization.deletion_canceled", user_id, None, now)

    def _schedule(self, event: str, user_id: str, until: int | None, now: int) -> None:
        before, self.pending_deletion_at = self.pending_deletion_at, until
        changes = {"pendingDeletionAt": optional_time(before)}, {"pendingDeletionAt": optional_time(until)}
        self.record(event, user_id, ("organization", self.organization_id), changes, at=now)
