"""Parses answers into results. Fields that the client does not know are ignored; fields that it knows must be right."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar, cast

from keywright_client import results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keywright_client.results import BatchResult, MetadataValue, Refused, Verification, VerifiedApiKey

Value = TypeVar("Value")

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|([+-])(\d\d):(\d\d))\Z")
_MICROSECOND_DIGITS = 6
_UNDECIDED = "SERVICE_UNAVAILABLE"
_REFUSALS: dict[str, type[VerifiedApiKey]] = {
    "EXPIRED": results.Expired,
    "DISABLED": results.Disabled,
    "ORGANIZATION_FROZEN": results.OrganizationFrozen,
    "IP_NOT_ALLOWED": results.IpNotAllowed,
    "INSUFFICIENT_PERMISSIONS": results.InsufficientPermissions,
    "RATE_LIMITED": results.RateLimited,
    "QUOTA_EXCEEDED": results.QuotaExceeded,
}


class MalformedError(Exception):
    """An answer that is not Keywright's. It never leaves the client, and holds nothing of the answer."""


def _constant(_: str) -> object:
    raise ValueError("not JSON")


_decode = json.JSONDecoder(parse_constant=_constant).decode


def json_object(content: bytes) -> dict[str, Any] | None:
    """Return the JSON object that bytes are, or None if they are anything else."""
    try:
        value = _decode(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


# ---- Fields --------------------------------------------------------------------------------------------------


def _object(value: object) -> dict[str, Any]:
    if type(value) is not dict:
        raise MalformedError
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise MalformedError
    return value


def _number(value: object) -> int:
    if type(value) is not int:  # not bool, which is an int
        raise MalformedError
    return value


def _boolean(value: object) -> bool:
    if type(value) is not bool:
        raise MalformedError
    return value


def _texts(value: object) -> tuple[str, ...]:
    if type(value) is not list:
        raise MalformedError
    return tuple([_text(item) for item in value])


def _metadata(value: object) -> Mapping[str, MetadataValue]:
    metadata = _object(value)
    for entry in metadata.values():
        if type(entry) not in {str, int, float, bool}:
            raise MalformedError
    return metadata


def _moment(value: object) -> datetime:
    match = _MOMENT.match(_text(value))
    if match is None:
        raise MalformedError
    second, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(second).replace(tzinfo=timezone.utc)
        if fraction:
            moment = moment.replace(microsecond=int(fraction.ljust(_MICROSECOND_DIGITS, "0")))
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            moment = moment - offset if sign == "+" else moment + offset
    except (ValueError, OverflowError):
        pass
    else:
        return moment
    raise MalformedError


def _optional(value: object, parse: Callable[[object], Value]) -> Value | None:
    return None if value is None else parse(value)


# ---- Values --------------------------------------------------------------------------------------------------


def _rate_limit(value: object) -> results.RateLimit:
    fields = _object(value)
    return results.RateLimit(
        limit=_number(fields["limit"]),
        window_seconds=_number(fields["windowSeconds"]),
        burst=_number(fields["burst"]),
    )


def _quota(value: object) -> results.Quota:
    fields = _object(value)
    # A newer Keywright can have other periods, which must not break the reading of keys.
    period = cast("results.QuotaPeriod", _text(fields["period"]))
    return results.Quota(limit=_number(fields["limit"]), period=period)


def _rate_limit_status(value: object) -> results.RateLimitStatus:
    fields = _object(value)
    return results.RateLimitStatus(
        limit=_number(fields["limit"]),
        remaining=_optional(fields["remaining"], _number),
        reset_seconds=_optional(fields["resetSeconds"], _number),
    )


def _quota_status(value: object) -> results.QuotaStatus:
    fields = _object(value)
    return results.QuotaStatus(
        limit=_number(fields["limit"]),
        used=_number(fields["used"]),
        remaining=_number(fields["remaining"]),
        resets_at=_optional(fields["resetsAt"], _moment),
    )


def _leak(value: object) -> results.Leak:
    fields = _object(value)
    return results.Leak(
        reported_at=_moment(fields["reportedAt"]),
        source=_text(fields["source"]),
        url=_optional(fields["url"], _text),
    )


def _checked(parse: Callable[[dict[str, Any]], Value]) -> Callable[[object], Value]:
    """Return a parser of objects that also refuses an object without one of its fields."""

    def checked(value: object) -> Value:
        try:
            return parse(_object(value))
        except KeyError:
            pass
        raise MalformedError

    return checked


# ---- Answers -------------------------------------------------------------------------------------------------


@_checked
def verification(data: dict[str, Any]) -> Verification:
    """Return the result of a verification.

    Raises:
        MalformedError: `valid` and `code` contradict each other, or a field is missing or of another type.
    """
    valid, code = _boolean(data["valid"]), _text(data["code"])
    if valid is not (code == "VALID"):
        raise MalformedError
    if valid:
        return results.Valid(**_details(data))
    if code == "NOT_FOUND":
        return results.NotFound()
    if refusal := _REFUSALS.get(code):
        return cast("Refused", refusal(**_details(data)))
    return results.Refused(code=code)


def batch_of(count: int) -> Callable[[object], tuple[BatchResult, ...]]:
    """Return a parser of the results of a batch.

    It raises MalformedError for another number of results than `count`: they would be those of other keys.
    """

    @_checked
    def batch(data: dict[str, Any]) -> tuple[BatchResult, ...]:
        parsed = items(data["results"], _batch_result)
        if len(parsed) != count:
            raise MalformedError
        return parsed

    return batch


def _batch_result(value: object) -> BatchResult:
    result = verification(value)
    return results.Undecided() if result.code == _UNDECIDED else result


def _details(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": _text(data["id"]),
        "organization_id": _text(data["organizationId"]),
        "name": _text(data["name"]),
        "permissions": _texts(data["permissions"]),
        "missing_permissions": _texts(data["missingPermissions"]),
        "metadata": _metadata(data["metadata"]),
        "expires_at": _optional(data["expiresAt"], _moment),
        "allowed_ips": _optional(data["allowedIps"], _texts),
        "rate_limit": _optional(data["rateLimit"], _rate_limit_status),
        "quota": _optional(data["quota"], _quota_status),
        "retry_after_seconds": _optional(data["retryAfterSeconds"], _number),
        "leak": _optional(data["leak"], _leak),
    }


def _summary(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": _text(data["id"]),
        "name": _text(data["name"]),
        "enabled": _boolean(data["enabled"]),
        "permissions": _texts(data["permissions"]),
        "metadata": _metadata(data["metadata"]),
        "created_at": _moment(data["createdAt"]),
        "updated_at": _moment(data["updatedAt"]),
        "expires_at": _optional(data["expiresAt"], _moment),
        "last_used_at": _optional(data["lastUsedAt"], _moment),
        "last_used_ip": _optional(data["lastUsedIp"], _text),
        "request_count": _number(data["requestCount"]),
        "hint": _text(data["hint"]),
        "rate_limit": _optional(data["rateLimit"], _rate_limit),
        "quota": _optional(data["quota"], _quota),
        "allowed_ips": _optional(data["allowedIps"], _texts),
        "leak": _optional(data["leak"], _leak),
    }


@_checked
def api_key_summary(data: dict[str, Any]) -> results.ApiKeySummary:
    """Return a key of a list."""
    return results.ApiKeySummary(**_summary(data))


@_checked
def api_key_details(data: dict[str, Any]) -> results.ApiKeyDetails:
    """Return a key with its details."""
    return results.ApiKeyDetails(
        **_summary(data),
        created_by=_text(data["createdBy"]),
        previous_key_expires_at=_optional(data["previousKeyExpiresAt"], _moment),
        previous_key_last_used_at=_optional(data["previousKeyLastUsedAt"], _moment),
    )


@_checked
def updated_api_key(data: dict[str, Any]) -> results.ApiKeyDetails:
    """Return a key as it is after a change."""
    return api_key_details(data["apiKey"])


@_checked
def created_api_key(data: dict[str, Any]) -> results.CreatedApiKey:
    """Return a new key."""
    return results.CreatedApiKey(id=_text(data["id"]), key=_text(data["key"]))


@_checked
def rotated_api_key(data: dict[str, Any]) -> results.RotatedApiKey:
    """Return a rotated key."""
    return results.RotatedApiKey(
        id=_text(data["id"]),
        key=_text(data["key"]),
        previous_key_expires_at=_optional(data["previousKeyExpiresAt"], _moment),
        api_key=api_key_details(data["apiKey"]),
    )


@_checked
def _actor(data: dict[str, Any]) -> results.AuditLogActor:
    return results.AuditLogActor(type=_text(data["type"]), id=_text(data["id"]), name=_optional(data["name"], _text))


@_checked
def audit_log(data: dict[str, Any]) -> results.AuditLog:
    """Return a record of the audit log."""
    return results.AuditLog(
        id=_text(data["id"]),
        event=_text(data["event"]),
        actor=_actor(data["actor"]),
        target_id=_text(data["targetId"]),
        target_type=_text(data["targetType"]),
        changes=_object(data["changes"]),
        source_ip=_optional(data["sourceIp"], _text),
        request_id=_optional(data["requestId"], _text),
        created_at=_moment(data["createdAt"]),
        received_at=_moment(data["receivedAt"]),
        reason=_optional(data["reason"], _text),
    )


def done(data: object) -> None:
    """Check the answer to a deletion, which holds nothing else."""
    _object(data)


def items(value: object, parse: Callable[[object], Value]) -> tuple[Value, ...]:
    """Return the items of a page."""
    if type(value) is not list:
        raise MalformedError
    return tuple([parse(item) for item in value])


@_checked
def next_cursor(pagination: dict[str, Any]) -> str | None:
    """Return the cursor of the next page, or None after the last one."""
    return _optional(pagination["next_cursor"], _text)
