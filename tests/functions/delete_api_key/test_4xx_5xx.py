"""DELETE /v1/auth/api-keys/{id}: refusals that only it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.client import calling

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("delete_api_key")


def test_404_the_second_time(call: Call) -> None:
    """A second deletion is refused and writes no second audit record."""
    call.table.put_key()
    call.data()

    assert 404 == call.refused().status
    assert 1 == len(call.table.under("AUDIT#"))
