"""GET /v1/auth/api-keys: 200."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import faults
from tests.support.client import calling
from tests.support.world import nth_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.client import Call

call = calling("list_api_keys")


def put_keys(call: Call, numbers: Iterable[int], **attributes: Any) -> None:
    """Write keys whose ids sort by their numbers."""
    for number in numbers:
        call.table.put_key(nth_id(number), **attributes)


def newest_first(*numbers: int) -> list[str]:
    """Return the ids of keys, highest number first."""
    return [nth_id(number) for number in sorted(numbers, reverse=True)]


def test_each_key_comes_with_its_own_usage(call: Call) -> None:
    """Each key of a page has its usage, or none."""
    put_keys(call, [1, 2, 3])
    call.table.put_usage(nth_id(1), request_count=11)
    call.table.put_usage(nth_id(3), request_count=33, last_used_at="2026-07-01T00:00:00.000Z")

    keys, _ = call.page()

    assert [(33, "2026-07-01T00:00:00.000Z"), (0, None), (11, "2026-06-01T12:00:00.000Z")] == [
        (key["requestCount"], key["lastUsedAt"]) for key in keys
    ]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"enabled": "true"}, [1, 3]),
        ({"enabled": "false"}, [2, 4]),
        ({"permission": "sessions:read"}, [1, 2]),
        ({"permission": "webhooks:write"}, [2, 3, 4]),
        ({"permission": "webhooks:read"}, []),
        ({"permission": "webhooks:write", "enabled": "false"}, [2, 4]),
        ({"permission": "sessions:read", "enabled": "true", "starting_after": nth_id(1)}, []),
        ({"expires_before": "2030-01-31T12:00:00.000Z"}, [1]),
        ({"expires_before": "2030-01-31T13:00:00.001+01:00"}, [1, 2]),
        ({"expires_before": "2030-02-01T00:00:00Z", "enabled": "true"}, [1]),
        ({"expires_before": "9999-12-31T23:59:59.999Z"}, [1, 2, 3]),
    ],
    ids=lambda value: "&".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else "",
)
def test_filters(call: Call, query: dict[str, str], numbers: list[int]) -> None:
    """Filters work alone and together.

    `permission` matches permissions of the key itself, not implied ones; `expires_before` does not match its own time,
    nor keys that never expire.
    """
    expiries = ["2020-01-01T00:00:00.000Z", "2030-01-31T12:00:00.000Z", "2031-01-01T00:00:00.000Z"]
    put_keys(call, [1], permissions=["sessions:read"], expires_at=expiries[0])
    put_keys(call, [2], permissions=["sessions:read", "webhooks:write"], enabled=False, expires_at=expiries[1])
    put_keys(call, [3], permissions=["webhooks:write"], expires_at=expiries[2])
    put_keys(call, [4], permissions=["webhooks:write"], enabled=False)

    assert newest_first(*numbers) == call.ids(query)


def test_all_kinds_of_keys_are_listed(call: Call) -> None:
    """Disabled and expired keys are listed too."""
    put_keys(call, [1], enabled=False)
    put_keys(call, [2], expires_at="2020-01-01T00:00:00.000Z")
    put_keys(call, [3])

    assert newest_first(1, 2, 3) == call.ids()


def test_without_keys_no_usage_is_requested(call: Call) -> None:
    """Without keys, usage is not requested."""
    with faults.injected() as operations:
        call.page()

    assert ["BatchGetItem", "Query"] == operations
