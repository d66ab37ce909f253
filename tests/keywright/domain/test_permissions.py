"""What keys may do."""

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
def test_writing_implies_reading_of_the_same_thing(granted: list[str], expected: tuple[str, ...]) -> None:
    """`X:write` brings `X:read` with it, and nothing else brings anything."""
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
def test_missing_are_those_that_nothing_implies(
    granted: list[str], required: list[str], expected: tuple[str, ...]
) -> None:
    """Each missing permission once, in the order it was asked for."""
    assert expected == permissions.missing(granted, required)
