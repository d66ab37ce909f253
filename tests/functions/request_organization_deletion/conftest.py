"""POST /v1/auth/orgs/request-delete, called by an owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.client import Call


@pytest.fixture
def call(call: Call) -> Call:
    """The function, in an organization owned by user_1."""
    call.table.put_member("user_1", "owner")
    return call
