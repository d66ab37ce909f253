"""A model of the service in plain Python: dictionaries instead of a table, and one request after the other.

A method of an organization checks a request, changes the model, and returns the data of the expected answer; it raises
Refused or Repeated for the other answers. Times are milliseconds since the Unix epoch.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Data = dict[str, Any]

SECOND = 1000
DAY = 24 * 3600 * SECOND
AUDIT_RETENTION = 365 * DAY  # the template's default
DELETION_GRACE = 30 * DAY  # the template's default
IDEMPOTENCY_LIFETIME = DAY

MEMBERS = {"owner", "admin", "member"}
MANAGERS = {"owner", "admin"}
OWNERS = {"owner"}
MALFORMED_ID = "no-id"


WITHIN = {
    "192.0.2.0/24": {"192.0.2.7", "::ffff:192.0.2.8"},
    "192.0.2.7": {"192.0.2.7"},
    "2001:db8::/32": {"2001:db8::1"},
}
"""The addresses of callers that are within the ranges of keys."""


def rfc3339(milliseconds: int) -> str:
    """Return a time as answers show it."""
    seconds, rest = divmod(milliseconds, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def date_of(milliseconds: int) -> str:
    """Return the day of a time, in UTC."""
    return rfc3339(milliseconds)[:10]


def optional_rfc3339(milliseconds: int | None) -> str | None:
    """Return a time as answers show it, or None."""
    return None if milliseconds is None else rfc3339(milliseconds)


def as_json(value: object) -> str:
    """Return a value as JSON text, which distinguishes 1, 1.0 and true."""
    return json.dumps(value, sort_keys=True, default=int)


class Refused(Exception):  # noqa: N818 - an outcome, not an error
    """The service refuses the request with this code."""


class Repeated(Exception):  # noqa: N818 - an outcome, not an error
    """The service returns the data of an earlier answer again."""

    def __init__(self, data: Data) -> None:
        super().__init__()
        self.data = data


@dataclass(frozen=True)
class Request:
    """A request: who sends it, and when.

    Attributes:
        issue: returns the id and the text of a key that the service issued.
    """

    request_id: str
    user_id: str
    now: int
    issue: Callable[[], Data]
    idempotency_key: str | None = None


@dataclass
class Member:
    """A user of an organization."""

    role: str
    is_suspended: bool = False


@dataclass
class Used:
    """What was used of the limits of a key.

    Attributes:
        until: when all uses of the rate limit are free again, in milliseconds; 0 before the first.
        interval: milliseconds for each use, when `until` was computed.
        period: the period of the quota; None before the first use.
        number: uses in that period.
    """

    until: int = 0
    interval: int = 0
    period: str | None = None
    number: int = 0

    def item(self) -> Data:
        """Return the item in the table, without its key; times in milliseconds."""
        return {
            **({"tat": self.until, "rate_interval": self.interval} if self.until else {}),
            **({"quota_period": self.period, "quota_used": self.number} if self.period else {}),
        }


@dataclass
class Key:
    """A key."""

    key_id: str
    text: str
    name: str
    permissions: list[str]
    metadata: Data
    expires_at: int | None
    created_by: str
    created_at: int
    updated_at: int
    enabled: bool = True
    generation: int = 0
    version: int = 1
    previous_text: str | None = None
    previous_expires_at: int | None = None
    rate_limit: Data | None = None
    quota: Data | None = None
    allowed_ips: list[str] | None = None
    leak: Data | None = None
    used: Used | None = None
    request_count: int = 0
    last_used_at: str | None = None
    last_used_ip: str | None = None
    uses: Counter[str] = field(default_factory=Counter)
    previous_use: tuple[int, str] | None = None
    former_texts: list[str] = field(default_factory=list)
    retired_uses: int = 0
    retired_on: str | None = None

    def chosen(self) -> Data:
        """Return the fields that people choose."""
        return {
            "name": self.name,
            "enabled": self.enabled,
            "permissions": self.permissions,
            "metadata": self.metadata,
            "expiresAt": optional_rfc3339(self.expires_at),
            "rateLimit": self.rate_limit,
            "quota": self.quota,
            "allowedIps": self.allowed_ips,
        }

    def audited(self) -> Data:
        """Return the fields that people choose, and a leak, as the audit log has them."""
        return {**self.chosen(), **({"leak": self.shown_leak()} if self.leak else {})}

    def shown_leak(self) -> Data | None:
        """Return the report of a leak as answers show it."""
        return {name: value for name, value in self.leak.items() if name != "generation"} if self.leak else None

    def change(self, changes: Data, now: int) -> tuple[Data, Data]:
        """Change fields; return those that are different, as they were and as they are."""
        before = self.audited()
        for name, value in changes.items():
            setattr(self, name, value)
        self.keep_used()
        self.updated_at = max(now, self.updated_at + 1)
        self.version += 1
        after = self.audited()
        changed = [name for name in before | after if as_json(before.get(name)) != as_json(after.get(name))]
        return {name: before.get(name) for name in changed}, {name: after.get(name) for name in changed}

    def admit(self, cost: int, now: int) -> tuple[str, Data]:
        """Take a use of the limits, if all admit it; return the code, and what the answer shows of them."""
        if cost:
            self._convert(now)
        until, count = self._used_of_rate(now), self._used_of_quota(now)
        code, retry_at = self._refusal(until, count, cost, now)
        if code == "VALID" and cost and self.used:
            if self.rate_limit:
                until += cost * _interval(self.rate_limit)
                self.used.until, self.used.interval = until, _interval(self.rate_limit)
            if self.quota:
                count += cost
                self.used.period, self.used.number = _period(self.quota, now)[0], count
        left: Data = dict.fromkeys(["rateLimit", "quota", "retryAfterSeconds"])
        if self.rate_limit:
            interval = _interval(self.rate_limit)
            left["rateLimit"] = {
                "limit": self.rate_limit["limit"],
                "remaining": max(0, (now + self.rate_limit["burst"] * interval - until) // interval),
                "resetSeconds": _seconds(until - now),
            }
        if self.quota:
            left["quota"] = {
                "limit": self.quota["limit"],
                "used": count,
                "remaining": max(0, self.quota["limit"] - count),
                "resetsAt": optional_rfc3339(_period(self.quota, now)[1]),
            }
        if retry_at is not None:
            left["retryAfterSeconds"] = max(1, _seconds(retry_at - now))
        return code, left

    def _convert(self, now: int) -> None:
        """Convert what was used of another rate, or in periods of another kind, to the limits as they are."""
        if self.used and self.rate_limit and self.used.interval not in {0, _interval(self.rate_limit)}:
            self.used.until, self.used.interval = self._used_of_rate(now), _interval(self.rate_limit)
        if self.used and self.quota and self.used.period and self.used.period.split()[0] != self.quota["period"]:
            self.used.period, self.used.number = _period(self.quota, now)[0], 0

    def _used_of_rate(self, now: int) -> int:
        """Return when all uses of the rate limit are free again; those of another rate count as many of this one."""
        used = self.used or Used()
        if self.rate_limit and used.until > now and used.interval != _interval(self.rate_limit):
            uses = min(-(-(used.until - now) // used.interval), self.rate_limit["burst"])
            return int(now + uses * _interval(self.rate_limit))
        return max(used.until, now) if self.rate_limit else now

    def _used_of_quota(self, now: int) -> int:
        """Return the uses in the period of the quota."""
        is_of_period = self.used and self.quota and self.used.period == _period(self.quota, now)[0]
        return self.used.number if self.used and is_of_period else 0

    def _refusal(self, until: int, count: int, cost: int, now: int) -> tuple[str, int | None]:
        """Return the code of a use, and when a refused one would be admitted."""
        if cost == 0:
            return "VALID", None
        if self.rate_limit:
            free_at = until - (self.rate_limit["burst"] - cost) * _interval(self.rate_limit)
            if free_at > now:
                return "RATE_LIMITED", free_at if cost <= self.rate_limit["burst"] else None
        if self.quota and count + cost > self.quota["limit"]:
            return "QUOTA_EXCEEDED", _period(self.quota, now)[1] if cost <= self.quota["limit"] else None
        return "VALID", None

    def keep_used(self) -> None:
        """Keep what was used as long as there is a limit."""
        has_limits = self.rate_limit is not None or self.quota is not None
        self.used = (self.used or Used()) if has_limits else None

    def summary(self) -> Data:
        """Return the fields that lists show."""
        return {
            **self.chosen(),
            "leak": self.shown_leak(),
            "id": self.key_id,
            "createdAt": rfc3339(self.created_at),
            "updatedAt": rfc3339(self.updated_at),
            "lastUsedAt": self.last_used_at,
            "lastUsedIp": self.last_used_ip,
            "requestCount": self.request_count,
            "hint": f"kk_...{self.text[-4:]}",
        }

    def details(self, now: int) -> Data:
        """Return the fields that the answer about one key shows."""
        until = self.previous_expires_at
        if until is not None and self.expires_at is not None:
            until = min(until, self.expires_at)
        works = until is not None and until > now
        generation, used_at = self.previous_use or (None, None)
        return {
            **self.summary(),
            "createdBy": self.created_by,
            "previousKeyExpiresAt": optional_rfc3339(until) if works else None,
            "previousKeyLastUsedAt": used_at if works and generation == self.generation - 1 else None,
        }

    def item(self) -> Data:
        """Return the key's item in the table, without its key and the hashes."""
        optional = {"expires_at": self.expires_at, "previous_expires_at": self.previous_expires_at}
        texts = {"rate_limit": self.rate_limit, "quota": self.quota, "leak": self.leak}
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
            **{name: json.dumps(value, separators=(",", ":")) for name, value in texts.items() if value is not None},
            **({"allowed_ips": self.allowed_ips} if self.allowed_ips else {}),
        }


@dataclass(frozen=True)
class StoredAnswer:
    """An answer that can be returned again."""

    request: str
    data: Data
    at: int

    def is_live(self, now: int) -> bool:
        """Return whether the answer's day is not over, counted in whole seconds."""
        return now // SECOND < (self.at + IDEMPOTENCY_LIFETIME) // SECOND


@dataclass(frozen=True)
class AuditRecord:
    """An audit record, identified by its request, or else by target and time; the service chooses the record's own id.

    Attributes:
        shown: the record as the API shows it, without its id.
        written_at: the time from which its retention counts.
    """

    shown: Data
    written_at: int

    def is_live(self, now: int) -> bool:
        """Return whether the record's retention is not over, counted in whole seconds."""
        return now // SECOND < (self.written_at + AUDIT_RETENTION) // SECOND


@dataclass
class Organization:
    """An organization and everything in it."""

    organization_id: str
    members: dict[str, Member] = field(default_factory=dict)
    pending_deletion_at: int | None = None
    keys: dict[str, Key] = field(default_factory=dict)
    audit_log: list[AuditRecord] = field(default_factory=list)
    answers: dict[tuple[str, str], StoredAnswer] = field(default_factory=dict)

    def count_items(self) -> Counter[str]:
        """Return the number of items in the table, by the first part of their sort keys."""
        return Counter(
            ORG=1,
            MEMBER=len(self.members),
            KEY=len(self.keys),
            USAGE=len(self.keys),
            AUDIT=len(self.audit_log),
            IDEMPOTENCY=len(self.answers),
        )

    # Requests of members.

    def current(self, request: Request, permissions: list[str]) -> Data:
        """Show the organization and the caller's role."""
        self._require(request, MEMBERS)
        return {
            "id": self.organization_id,
            "name": "Acme",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "pendingDeletionAt": optional_rfc3339(self.pending_deletion_at),
            "role": self.members[request.user_id].role,
            "permissions": permissions,
            "rateLimit": None,
            "quota": None,
        }

    def create(self, request: Request, fields: Data, expires_at: int | None) -> Data:
        """Create a key."""
        wanted = as_json(["create", fields, expires_at])
        has_passed = expires_at is not None and expires_at <= request.now
        if has_passed and request.idempotency_key is None:
            raise Refused("BAD_REQUEST")
        self._check_write(request)
        self._look_up(request, wanted)
        if has_passed:  # unless the request repeats an earlier one
            raise Refused("BAD_REQUEST")
        issued = request.issue()
        times: Data = {"expires_at": expires_at, "created_at": request.now, "updated_at": request.now}
        key = Key(issued["id"], issued["key"], **fields, **times, created_by=request.user_id)
        key.keep_used()
        self.keys[key.key_id] = key
        self._record(request, "api_key.created", key, None, key.chosen(), at=key.created_at)
        return self._store_answer(request, wanted, {"id": key.key_id, "key": key.text}, at=key.created_at)

    def get(self, request: Request, key_id: str) -> Data:
        """Show a key."""
        _check_id(key_id)
        self._require(request, MANAGERS)
        return self._find(key_id).details(request.now)

    def usage(self, request: Request, key_id: str, first_days_ago: int, last_days_ago: int) -> Data:
        """Show the uses of a key by day."""
        _check_id(key_id)
        if not 89 >= first_days_ago >= last_days_ago >= 0:
            raise Refused("BAD_REQUEST")
        self._require(request, MANAGERS)
        key = self._find(key_id)
        dates = [date_of(request.now - ago * DAY) for ago in range(first_days_ago, last_days_ago - 1, -1)]
        days = [{"date": date, "requestCount": key.uses[date]} for date in dates]
        _, left = key.admit(0, request.now)
        return {
            "from": dates[0],
            "to": dates[-1],
            "requestCount": sum(key.uses[date] for date in dates),
            "days": days,
            "rateLimit": left["rateLimit"],
            "quota": left["quota"],
        }

    def update(self, request: Request, key_id: str, changes: Data) -> Data:
        """Change fields of a key."""
        changes = dict(changes)
        reason = changes.pop("reason", None)
        if not changes or (reason and changes.get("enabled") is not False):
            raise Refused("BAD_REQUEST")
        _check_id(key_id)
        if (changes.get("expires_at") or request.now + 1) <= request.now:
            raise Refused("BAD_REQUEST")
        self._check_write(request)
        key = self._find(key_id)
        if key.leak and not key.enabled and changes.get("enabled") and "leak" not in changes:
            raise Refused("API_KEY_LEAKED")
        before, after = key.change(changes, request.now)
        self._record(request, "api_key.updated", key, before, after, at=key.updated_at, reason=reason)
        return {**_success("The API key was updated"), "apiKey": key.details(request.now)}

    def report_leak(self, request: Request, key: Key, leak: Data, actor: Data, *, disables: bool) -> None:
        """Record that the text of a key is public, and disable the key if that is the response to it."""
        changes = {"leak": leak, **({"enabled": False} if disables else {})}
        before, after = key.change(changes, request.now)
        event, reason = "api_key.leak_reported", "compromised"
        self._record(request, event, key, before, after, at=key.updated_at, actor=actor, reason=reason)

    def rotate(self, request: Request, key_id: str, grace_period: int, reason: str | None) -> Data:
        """Replace the text of a key."""
        wanted = as_json(["rotate", key_id, grace_period, reason])
        _check_id(key_id)
        self._check_write(request)
        self._look_up(request, wanted)
        key = self._find(key_id)
        at = max(request.now, key.updated_at + 1)
        until = min(at + grace_period, key.expires_at or at + grace_period)
        key.previous_text, key.previous_expires_at = (key.text, until) if until > at else (None, None)
        key.former_texts.append(key.text)
        key.text, key.updated_at = request.issue()["key"], at
        key.generation += 1
        key.version += 1
        shown = optional_rfc3339(key.previous_expires_at)
        before: Data = {"generation": key.generation - 1}
        after: Data = {"generation": key.generation, "previousKeyExpiresAt": shown}
        if key.leak and key.previous_text is None:
            before["leak"], after["leak"] = key.shown_leak(), None
            key.leak = None
        self._record(request, "api_key.rotated", key, before, after, at=at, reason=reason)
        data = {
            **_success("The API key was rotated"),
            "apiKey": key.details(request.now),
            "id": key_id,
            "key": key.text,
            "previousKeyExpiresAt": shown,
        }
        return self._store_answer(request, wanted, data, at=at)

    def delete(self, request: Request, key_id: str, reason: str | None) -> Data:
        """Delete a key."""
        _check_id(key_id)
        self._check_write(request)
        return self._delete(request, self._find(key_id), reason=reason)

    def delete_current(self, request: Request, key_id: str, reason: str | None) -> Data:
        """Delete a key as its holder."""
        if key_id not in self.keys:
            raise Refused("UNAUTHORIZED")
        self._require_active()
        actor = {"type": "api_key", "id": key_id, "name": self.keys[key_id].name}
        return self._delete(request, self.keys[key_id], actor=actor, reason=reason)

    def _delete(self, request: Request, key: Key, *, actor: Data | None = None, reason: str | None) -> Data:
        del self.keys[key.key_id]
        at = max(request.now, key.updated_at + 1)
        self._record(request, "api_key.deleted", key, key.audited(), None, at=at, actor=actor, reason=reason)
        return _success("The API key was deleted")

    def schedule_deletion(self, request: Request) -> Data:
        """Schedule the deletion of the organization."""
        self._require(request, OWNERS)
        self._require_active()
        until = request.now + DELETION_GRACE
        self._set_deletion(request, "organization.deletion_requested", until)
        return _success(
            f"The organization will be deleted at {rfc3339(until)}. An owner can cancel the deletion until then"
        )

    def cancel_deletion(self, request: Request) -> Data:
        """Cancel the scheduled deletion."""
        self._require(request, OWNERS)
        if self.pending_deletion_at is None:
            raise Refused("CONFLICT")
        self._set_deletion(request, "organization.deletion_canceled", None)
        return _success("The deletion was canceled. The organization's keys work again")

    def show(self, request: Request, items: list[Data]) -> list[Data]:
        """Show a page of a list."""
        self._require(request, MANAGERS)
        return items

    # Verifications, and acts of operators.

    def verify(self, text: str, required: list[str], address: str | None, cost: int, now: int) -> Data:
        """Verify a text for a use of a cost from an address, and count the use if it is valid."""
        key = next((key for key in self.keys.values() if text in {key.text, key.previous_text}), None)
        if key is None or (text != key.text and (key.previous_expires_at or now) <= now):
            self._use_former(text, address, now)
            return {"valid": False, "code": "NOT_FOUND"}
        code, missing = self._verdict(key, required, address, now)
        left: Data = {"rateLimit": None, "quota": None, "retryAfterSeconds": None}
        if code == "VALID":
            code, left = key.admit(cost, now)
        if code == "VALID" and cost:  # who only looks does not use the key
            key.request_count += 1
            key.uses[date_of(now)] += 1
            if text != key.text:
                key.previous_use = key.generation - 1, rfc3339(now)
            key.last_used_at = max(key.last_used_at or "", rfc3339(now))
            key.last_used_ip = address and address.removeprefix("::ffff:")
        return {
            "valid": code == "VALID",
            "code": code,
            "id": key.key_id,
            "organizationId": self.organization_id,
            "name": key.name,
            "permissions": key.permissions,
            "missingPermissions": missing,
            "metadata": key.metadata,
            "expiresAt": optional_rfc3339(key.expires_at),
            "allowedIps": key.allowed_ips,
            "leak": key.shown_leak(),
            **left,
        }

    def _use_former(self, text: str, address: str | None, now: int) -> None:
        """Count the use of a rotated-out text, and record it if this day has no record of the key."""
        key = next((key for key in self.keys.values() if text in key.former_texts), None)
        if key is None:
            return
        key.retired_uses += 1
        if (key.retired_on or "") >= date_of(now):
            return
        after = {
            "count": key.retired_uses,
            "generation": key.former_texts.index(text),
            "lastUsedAt": rfc3339(now),
            "lastUsedIp": address and address.removeprefix("::ffff:"),
        }
        shown = {
            "event": "api_key.retired_secret_used",
            "actor": {"type": "system", "id": "verification", "name": "verification"},
            "targetId": key.key_id,
            "targetType": "api_key",
            "changes": {"after": after},
            "reason": None,
            "sourceIp": None,
            "requestId": None,
            "createdAt": rfc3339(now),
            "receivedAt": rfc3339(now),
        }
        self.audit_log.append(AuditRecord(shown, now))
        key.retired_uses, key.retired_on = 0, date_of(now)

    def _verdict(self, key: Key, required: list[str], address: str | None, now: int) -> tuple[str, list[str]]:
        if key.expires_at is not None and key.expires_at <= now:
            return "EXPIRED", []
        if not key.enabled:
            return "DISABLED", []
        if self.pending_deletion_at is not None:
            return "ORGANIZATION_FROZEN", []
        if key.allowed_ips and not any(address in WITHIN[range_] for range_ in key.allowed_ips):
            return "IP_NOT_ALLOWED", []
        granted = {*key.permissions, *(permission.replace(":write", ":read") for permission in key.permissions)}
        missing = [name for name in dict.fromkeys(required) if name not in granted]
        return ("INSUFFICIENT_PERMISSIONS" if missing else "VALID"), missing

    def change_member(self, user_id: str, change: str) -> None:
        """Set the role of a user, or suspend, reinstate or remove a member."""
        member = self.members.get(user_id)
        if change == "remove":
            self.members.pop(user_id, None)
        elif change in {"suspend", "reinstate"}:
            if member:
                member.is_suspended = change == "suspend"
        else:
            self.members[user_id] = Member(change, is_suspended=member is not None and member.is_suspended)

    # Checks and records.

    def _check_write(self, request: Request) -> None:
        self._require(request, MANAGERS)
        self._require_active()

    def _require(self, request: Request, roles: set[str]) -> None:
        member = self.members.get(request.user_id)
        if member is None or member.is_suspended or member.role not in roles:
            raise Refused("FORBIDDEN")

    def _require_active(self) -> None:
        if self.pending_deletion_at is not None:
            raise Refused("ORGANIZATION_FROZEN")

    def _find(self, key_id: str) -> Key:
        if key_id not in self.keys:
            raise Refused("API_KEY_NOT_FOUND")
        return self.keys[key_id]

    def _look_up(self, request: Request, wanted: str) -> None:
        """Return an earlier answer again, or refuse a different request with the same Idempotency-Key."""
        stored = self.answers.get((request.user_id, request.idempotency_key or ""))
        if stored and stored.is_live(request.now):
            raise Repeated(stored.data) if stored.request == wanted else Refused("IDEMPOTENCY_KEY_REUSED")

    def _store_answer(self, request: Request, wanted: str, data: Data, at: int) -> Data:
        if request.idempotency_key:
            self.answers[request.user_id, request.idempotency_key] = StoredAnswer(wanted, data, at)
        return data

    def _set_deletion(self, request: Request, event: str, until: int | None) -> None:
        before, self.pending_deletion_at = self.pending_deletion_at, until
        self._record(
            request,
            event,
            self,
            {"pendingDeletionAt": optional_rfc3339(before)},
            {"pendingDeletionAt": optional_rfc3339(until)},
            at=request.now,
        )

    def _record(  # noqa: PLR0913 - what an audit record is made of
        self,
        request: Request,
        event: str,
        target: Key | Organization,
        before: Data | None,
        after: Data | None,
        *,
        at: int,
        actor: Data | None = None,
        reason: str | None = None,
    ) -> None:
        is_key = isinstance(target, Key)
        shown = {
            "event": event,
            "actor": actor or {"type": "user", "id": request.user_id, "name": None},
            "targetId": target.key_id if isinstance(target, Key) else target.organization_id,
            "targetType": "api_key" if is_key else "organization",
            "changes": {"before": before, "after": after},
            "sourceIp": "203.0.113.7",
            "requestId": request.request_id,
            "createdAt": rfc3339(at),
            "receivedAt": rfc3339(request.now),
            "reason": reason,
        }
        # A copy: later changes of the key must not change the record.
        self.audit_log.append(AuditRecord(json.loads(json.dumps(shown)), request.now))


def _interval(rate: Data) -> int:
    """Return the milliseconds of one use, which the tests choose to be whole seconds."""
    return int(rate["windowSeconds"] * SECOND // rate["limit"])


def _seconds(milliseconds: int) -> int:
    """Return whole seconds, rounded up."""
    return -(-milliseconds // SECOND)


def _period(quota: Data, now: int) -> tuple[str, int | None]:
    """Return the name of a quota's period at a time, and its end."""
    kind = quota["period"]
    if kind == "total":
        return "total", None
    today = datetime.fromtimestamp(now // SECOND, UTC).date()
    if kind == "day":
        first, end = today, today + timedelta(days=1)
    elif kind == "week":
        first = today - timedelta(days=today.isoweekday() - 1)
        end = first + timedelta(days=7)
    else:
        first = today.replace(day=1)
        end = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return f"{kind} {first}", int(datetime(end.year, end.month, end.day, tzinfo=UTC).timestamp()) * SECOND


def _check_id(key_id: str) -> None:
    if key_id == MALFORMED_ID:
        raise Refused("API_KEY_NOT_FOUND")


def _success(message: str) -> Data:
    return {"status": "success", "message": message}
