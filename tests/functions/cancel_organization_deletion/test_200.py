"""POST /v1/auth/orgs/cancel-delete: 200."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support import faults
from tests.support.client import REQUEST_ID, UNANSWERED, VALID_BODY
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, PENDING_DELETION_AT

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

NOW = "2030-01-31T12:00:00.000Z"


def test_the_answer_is_exactly_status_and_message(call: Call) -> None:
    """The body is `{"status": "success", "message"}`."""
    call.table.freeze()

    assert {
        "status": "success",
        "message": "The deletion was canceled. The organization's keys work again",
    } == call.data()


def test_only_the_scheduled_deletion_is_removed(call: Call) -> None:
    """Only this organization's scheduled deletion is removed; another organization's stays."""
    call.table.put_key()
    call.table.put_organization(OTHER_ORGANIZATION_ID, pending_deletion_at=PENDING_DELETION_AT)
    before = call.table.items()
    call.table.freeze()

    call.data()

    (record,) = call.table.under("AUDIT#")
    stamp = f"{record['created_at']}#{record['sk'].removeprefix('AUDIT#')}"
    assert [
        item | {"deletion_as_of": stamp} if (item["pk"], item["sk"]) == (f"ORG#{ORGANIZATION_ID}", "ORG") else item
        for item in before
    ] == [item for item in call.table.items() if item != record]


def test_it_follows_a_request_by_a_fast_clock(
    call: Call, functions: Callable[[str], Call], stop_clock: Callable[[str], datetime]
) -> None:
    """The cancellation is stamped after the request it cancels, so an older event cannot restore the deletion."""
    stop_clock("2039-12-31T12:00:00.000Z")
    functions("request_organization_deletion").data()
    stop_clock(NOW)

    call.data()

    assert call.table.item("ORG")["deletion_as_of"].startswith("2039-12-31T12:00:00.001Z#")


def test_the_audit_record_is_complete(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """The audit record also holds the time of the canceled deletion."""
    now = stop_clock(NOW)
    call.table.freeze()

    call.data()

    (record,) = call.table.under("AUDIT#")
    record_id = uuid.UUID(record.pop("sk").removeprefix("AUDIT#"))
    assert 7 == record_id.version
    assert int(now.timestamp() * 1000) == record_id.int >> 80
    assert {"before": {"pendingDeletionAt": PENDING_DELETION_AT}, "after": {"pendingDeletionAt": None}} == json.loads(
        record.pop("changes")
    )
    assert {
        "pk": f"ORG#{ORGANIZATION_ID}",
        "event": "organization.deletion_canceled",
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


@pytest.mark.parametrize(
    "name",
    ["create_api_key", "update_api_key", "rotate_api_key", "delete_api_key", "request_organization_deletion"],
)
def test_writes_are_allowed_again(call: Call, functions: Callable[[str], Call], name: str) -> None:
    """The next request may write again, and may schedule a deletion again."""
    call.table.put_key()
    write = functions(name)
    call.table.freeze()
    before = write.refused(VALID_BODY).status

    call.data()

    assert 410 == before
    assert 200 == write(VALID_BODY)["statusCode"]


def test_it_takes_two_requests_to_dynamodb(call: Call) -> None:
    """One request reads the time of the deletion; one transaction writes everything."""
    call.table.freeze()
    with faults.injected() as operations:
        call.data()

    assert ["BatchGetItem", "TransactWriteItems"] == operations


@pytest.mark.parametrize("position", range(2), ids=["read", "write"])
@pytest.mark.parametrize("fault", UNANSWERED)
def test_transient_failures_are_retried(call: Call, fault: faults.Fault, position: int) -> None:
    """Two transient failures in a row are retried."""
    call.table.freeze()
    with faults.injected(*[None] * position, fault, fault):
        call.data()

    assert 1 == len(call.table.under("AUDIT#"))


def test_a_lost_response_is_recovered(call: Call) -> None:
    """When the response of the transaction is lost, the retry succeeds instead of answering 409."""
    call.table.freeze()
    with faults.injected(None, faults.lost_answer) as operations:
        call.data()

    assert 3 == len(operations)
    assert 1 == len(call.table.under("AUDIT#"))
