"""POST /v1/auth/orgs/request-delete: 200."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.client import calling
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

call = calling("request_organization_deletion", role="owner")

NOW = "2030-01-31T12:00:00.000Z"
IN_30_DAYS = "2030-03-02T12:00:00.000Z"


def test_the_answer_is_exactly_status_and_message(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """The body is `{"status": "success", "message"}`; the message names the time, and that an owner can cancel."""
    stop_clock(NOW)

    assert {
        "status": "success",
        "message": f"The organization will be deleted at {IN_30_DAYS}. An owner can cancel the deletion until then",
    } == call.data()


def test_only_the_scheduled_deletion_is_added(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """The organization is marked and its scheduled deletion added; keys, members and other organizations stay."""
    stop_clock(NOW)
    call.table.put_key()
    call.table.put_usage()
    call.table.put_organization(OTHER_ORGANIZATION_ID)
    before = call.table.items()
    organization = call.table.item("ORG")

    call.data()

    (record,) = call.table.under("AUDIT#")
    assert {"before": {"pendingDeletionAt": None}, "after": {"pendingDeletionAt": IN_30_DAYS}} == json.loads(
        record["changes"]
    )
    marked = organization | {
        "pending_deletion_at": IN_30_DAYS,
        "deletion_as_of": f"{NOW}#{record['sk'].removeprefix('AUDIT#')}",
    }
    assert [
        {"pk": "DELETIONS", "sk": f"{IN_30_DAYS}#{ORGANIZATION_ID}"},
        *(marked if item == organization else item for item in before),
    ] == [item for item in call.table.items() if item != record]


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


def test_the_grace_period_is_a_setting(
    call: Call, setting: Callable[[str, str], None], stop_clock: Callable[[str], datetime]
) -> None:
    """The grace period is a setting in days."""
    setting("DELETION_GRACE_DAYS", "1")
    stop_clock(NOW)

    call.data()

    assert "2030-02-01T12:00:00.000Z" == call.table.item("ORG")["pending_deletion_at"]


@pytest.mark.parametrize("body", [None, "", "{}", "no JSON"])
def test_the_body_is_ignored(call: Call, body: str | None) -> None:
    """Any body is ignored."""
    assert 200 == call(body, headers={"content-type": "text/plain"})["statusCode"]
