"""POST /v1/auth/orgs/request-delete: 200."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from tests import faults
from tests.calling import REQUEST_ID, UNANSWERED, VALID_BODY
from tests.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.calling import Call

NOW = "2030-01-31T12:00:00.000Z"
IN_30_DAYS = "2030-03-02T12:00:00.000Z"


def test_the_answer_is_exactly_status_and_message(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """`{"status": "success", "message"}`, and the message says when, and that there is a way back."""
    stop_clock(NOW)

    assert {
        "status": "success",
        "message": f"The organization will be deleted at {IN_30_DAYS}; until then an owner can cancel this",
    } == call.data()


def test_the_organization_is_marked_and_nothing_else_changes(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """Keys, members and other organizations stay as they are; a pointer to the deletion lies where it is looked for."""
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


def test_a_cancellation_by_a_clock_that_is_ahead_is_followed(
    call: Call, functions: Callable[[str], Call], stop_clock: Callable[[str], datetime]
) -> None:
    """What an owner asks for now comes after what they asked for before, whatever machine took it."""
    call.data()
    stop_clock("2039-12-31T12:00:00.000Z")
    functions("cancel_organization_deletion").data()
    stop_clock(NOW)

    call.data()

    assert "2040-01-30T12:00:00.001Z" == call.table.item("ORG")["pending_deletion_at"]
    assert ["2040-01-30T12:00:00.001Z#" + ORGANIZATION_ID] == [
        item["sk"] for item in call.table.items() if item["pk"] == "DELETIONS"
    ]


def test_how_long_it_takes_is_a_setting(
    call: Call, setting: Callable[[str, str], None], stop_clock: Callable[[str], datetime]
) -> None:
    """In days."""
    setting("DELETION_GRACE_DAYS", "1")
    stop_clock(NOW)

    call.data()

    assert "2030-02-01T12:00:00.000Z" == call.table.item("ORG")["pending_deletion_at"]


def test_the_audit_record_says_who_what_when_and_from_where(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """Written with the mark."""
    now = stop_clock(NOW)

    call.data()

    (record,) = call.table.under("AUDIT#")
    record_id = uuid.UUID(record.pop("sk").removeprefix("AUDIT#"))
    assert (7, int(now.timestamp() * 1000)) == (record_id.version, record_id.int >> 80)
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
def test_from_then_on_nothing_can_be_changed(call: Call, functions: Callable[[str], Call], name: str) -> None:
    """Every write is refused from the next request on, an owner's as well."""
    call.table.put_key()
    call.data()

    assert 410 == functions(name).refused(VALID_BODY).status


@pytest.mark.parametrize("name", READS)
def test_from_then_on_everything_can_still_be_read(call: Call, functions: Callable[[str], Call], name: str) -> None:
    """Keys and audit log."""
    call.table.put_key()
    call.data()

    assert 200 == functions(name)()["statusCode"]


@pytest.mark.parametrize("body", [None, "", "{}", "no JSON"])
def test_the_body_does_not_matter(call: Call, body: str | None) -> None:
    """There is nothing to say in it."""
    assert 200 == call(body, headers={"content-type": "text/plain"})["statusCode"]


def test_it_takes_one_request_to_dynamodb(call: Call) -> None:
    """Authorization, mark and audit record travel together."""
    with faults.injected() as operations:
        call.data()

    assert ["TransactWriteItems"] == operations


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.canceled("None", "TransactionConflict", "None", "None")])
def test_what_passes_is_not_seen_by_the_caller(call: Call, fault: faults.Fault) -> None:
    """Two failures in a row are absorbed."""
    with faults.injected(fault, fault):
        call.data()

    assert 1 == len(call.table.under("AUDIT#"))


def test_an_answer_that_was_lost_is_found_again(call: Call) -> None:
    """The organization was marked, the answer did not arrive: the repeat is a success, not a 410."""
    with faults.injected(faults.lost_answer) as operations:
        call.data()

    assert (2, 1) == (len(operations), len(call.table.under("AUDIT#")))
