"""Answers of get_openapi when it cannot serve the description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.client import calling

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("get_openapi")


def test_500_a_setting_is_missing(call: Call, setting: Callable[[str, str], None]) -> None:
    """A missing setting is answered in the envelope."""
    setting("PERMISSIONS", "")

    assert 500 == call.refused().status
    assert "INTERNAL_SERVER_ERROR" == call.refused().code
