"""What get_openapi answers when it cannot serve the description."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.calling import Call


def test_500_a_setting_is_missing(call: Call, setting: Callable[[str, str], None]) -> None:
    """In the envelope, as every error."""
    setting("PERMISSIONS", "")

    assert (500, "INTERNAL_SERVER_ERROR") == (call.refused().status, call.refused().code)
