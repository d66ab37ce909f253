"""A program as users write it, which a strict type checker must accept; needless ignores are errors to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from keywright_client import (
    ApiError,
    AsyncKeywright,
    InsufficientPermissions,
    Keywright,
    RateLimited,
    Refused,
    Undecided,
    Use,
    Valid,
)

KEYWRIGHT = Keywright("https://abc123.execute-api.us-east-1.amazonaws.com/v1", token=lambda: "token")


def organization_of(text: str) -> str | None:
    """Return the organization of a valid key."""
    verification = KEYWRIGHT.verify(text, permissions=["sessions:read"], client_ip="192.0.2.7", cost=2)
    if isinstance(verification, Valid):
        return verification.organization_id
    if isinstance(verification, RateLimited):
        raise TimeoutError(f"wait {verification.retry_after_seconds or 1} seconds")
    if isinstance(verification, InsufficientPermissions):
        raise PermissionError(", ".join(verification.missing_permissions))
    refused: Refused = verification
    refused.organization_id  # type: ignore[attr-defined]  # noqa: B018 - an unknown key has none
    return None


def statuses(texts: list[str]) -> list[int]:
    """Return the status to answer for each key."""
    results = KEYWRIGHT.verify_batch([*(Use(text, permissions=["sessions:read"]) for text in texts), "kk_"])
    results[0].organization_id  # type: ignore[union-attr]  # noqa: B018 - an undecided key has none
    return [200 if result.valid else 503 if isinstance(result, Undecided) else 401 for result in results]


async def soon_expired() -> list[str]:
    """Return the names of the keys that expire within a week."""
    async with AsyncKeywright(function="arn:aws:lambda:us-east-1:123456789012:function:verify", token="t") as keywright:
        week = datetime.now(UTC) + timedelta(days=7)
        return [key.name async for key in keywright.list(expires_before=week)]


def replaced(key_id: str) -> str:
    """Return the new text of a key."""
    try:
        rotated = KEYWRIGHT.rotate(key_id, grace_period_seconds=3600, reason="compromised")
    except ApiError as error:
        raise LookupError(error.code, error.status, error.request_id) from None
    KEYWRIGHT.rotate(key_id, reason="bored")  # type: ignore[arg-type]
    previous: datetime | None = rotated.previous_key_expires_at
    return f"{rotated.key} {previous}"
