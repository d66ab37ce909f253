"""Permissions of keys."""

from __future__ import annotations

import pytest

from keywright.domain import permissions


@pytest.mark.parametrize(
    ("granted", "expected"),
    [
        ([], ()),
        (["sessions:read"], ("sessions:read",)),
        (["sessions:write"], ("sessions:write", "sessions:read")),
        (["sessions:read", "sessions:write"], ("sessions:read", "sessions:write")),
        (["billing:writer"], ("billing:writer",)),
        (["a.b:write"], ("a.b:write", "a.b:read")),
    ],
)
def test_write_implies_read_of_the_same_resource(granted: list[str], expected: tuple[str, ...]) -> None:
    """`X:write` implies `X:read`, and nothing else implies anything."""
    assert expected == permissions.effective(granted)


@pytest.mark.parametrize(
    ("granted", "required", "expected"),
    [
        (["sessions:read"], [], ()),
        (["sessions:read"], ["sessions:read"], ()),
        (["sessions:write"], ["sessions:read"], ()),
        (["sessions:read"], ["sessions:write"], ("sessions:write",)),
        (["sessions:write"], ["webhooks:read", "sessions:read", "webhooks:read"], ("webhooks:read",)),
        ([], ["b:read", "a:read"], ("b:read", "a:read")),
    ],
)
def test_missing_permissions_are_those_not_implied(
    granted: list[str], required: list[str], expected: tuple[str, ...]
) -> None:
    """Each missing permission is listed once, in the required order."""
    assert expected == permissions.missing(granted, required)
