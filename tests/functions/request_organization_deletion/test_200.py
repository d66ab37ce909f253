"""POST /v1/auth/orgs/request-delete: 200."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.client import calling
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

call = calling("request_organization_deletion", role="owner")

NOW = "2030-01-31T12:00:00.000Z"
IN_30_DAYS = "2030-03-02T12:00:00.000Z"


def test_a_request_follows_a_cancellation_by_a_fast_clock(
    call: Call, functions: Callable[[str], Call], stop_clock: Callable[[str], datetime]
) -> None:
    """A request is stamped after an earlier cancellation, even if that came from a fast clock."""
    call.data()
    stop_clock("2039-12-31T12:00:00.000Z")
    functions("cancel_organization_deletion").data()
    stop_clock(NOW)

    call.data()

    assert "2040-01-30T12:00:00.001Z" == call.table.item("ORG")["pending_deletion_at"]
    assert ["2040-01-30T12:00:00.001Z#" + ORGANIZATION_ID] == [
        item["sk"] for item in call.table.items() if item["pk"] == "DELETIONS"
    ]


@pytest.mark.parametrize("body", [None, "", "{}", "no JSON"])
def test_the_body_is_ignored(call: Call, body: str | None) -> None:
    """Any body is ignored."""
    assert 200 == call(body, headers={"content-type": "text/plain"})["statusCode"]
