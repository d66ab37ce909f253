"""POST /v1/auth/orgs/request-delete: 200."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support import faults
from tests.support.client import REQUEST_ID, UNANSWERED, VALID_BODY
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

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


def test_the_audit_record_is_complete(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """The audit record is written with the mark."""
    now = stop_clock(NOW)

    call.data()

    (record,) = call.table.under("AUDIT#")
    record_id = uuid.UUID(record.pop("sk").removeprefix("AUDIT#"))
    assert 7 == record_id.version
    assert int(now.timestamp() * 1000) == record_id.int >> 80
    assert {"before": {"pendingDeletionAt": None}, "after": {"pendingDeletionAt": IN_30_DAYS}} == json.loads(
        record.pop("changes")
    )
    assert {
        "pk": f"ORG#{ORGANIZATION_ID}",
        "event": "organization.deletion_requested",
        "actor_type": "user",
        "actor_id": "user_1",
        "target_type": "organization",
        "target_id": ORGANIZATION_ID,
        "source_ip": "203.0.113.7",
        "request_id": REQUEST_ID,
        "created_at": NOW,
        "received_at": NOW,
        "ttl": int(now.timestamp()) + 365 * 86400,
    } == record


WRITES = ["create_api_key", "update_api_key", "rotate_api_key", "delete_api_key", "request_organization_deletion"]
READS = ["list_api_keys", "get_api_key", "list_audit_logs"]


@pytest.mark.parametrize("name", WRITES)
def test_writes_are_refused(call: Call, functions: Callable[[str], Call], name: str) -> None:
    """Every write is refused from the next request on, an owner's too."""
    call.table.put_key()
    call.data()

    assert 410 == functions(name).refused(VALID_BODY).status


@pytest.mark.parametrize("name", READS)
def test_reads_are_still_allowed(call: Call, functions: Callable[[str], Call], name: str) -> None:
    """Keys and audit log can still be read."""
    call.table.put_key()
    call.data()

    assert 200 == functions(name)()["statusCode"]


@pytest.mark.parametrize("body", [None, "", "{}", "no JSON"])
def test_the_body_is_ignored(call: Call, body: str | None) -> None:
    """Any body is ignored."""
    assert 200 == call(body, headers={"content-type": "text/plain"})["statusCode"]


def test_it_takes_one_request_to_dynamodb(call: Call) -> None:
    """Authorization, mark and audit record are one transaction."""
    with faults.injected() as operations:
        call.data()

    assert ["TransactWriteItems"] == operations


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.canceled("None", "TransactionConflict", "None", "None")])
def test_transient_failures_are_retried(call: Call, fault: faults.Fault) -> None:
    """Two transient failures in a row are retried."""
    with faults.injected(fault, fault):
        call.data()

    assert 1 == len(call.table.under("AUDIT#"))


def test_a_lost_response_is_recovered(call: Call) -> None:
    """When the response of the transaction is lost, the retry succeeds instead of answering 410."""
    with faults.injected(faults.lost_answer) as operations:
        call.data()

    assert 2 == len(operations)
    assert 1 == len(call.table.under("AUDIT#"))
