"""POST /v1/auth/orgs/request-delete: every refusal, none of which writes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support import faults
from tests.support.client import calling, meanwhile

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("request_organization_deletion", role="owner")


def test_410_the_second_time(call: Call) -> None:
    """A second request does not move the scheduled deletion."""
    call.data()

    refusal = call.refused()

    assert 410 == refusal.status
    assert "ORGANIZATION_FROZEN" == refusal.code


def test_410_after_a_concurrent_request(call: Call) -> None:
    """Of two simultaneous requests one succeeds, with one audit record."""
    with faults.injected(meanwhile(call.table.freeze)):
        refusal = call.fails()

    assert 410 == refusal.status
    assert [] == call.table.under("AUDIT#")
