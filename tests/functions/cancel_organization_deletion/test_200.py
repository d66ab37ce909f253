"""POST /v1/auth/orgs/cancel-delete: 200."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.client import calling
from tests.support.endpoints import CANCEL_DELETION, WRITING, Endpoint, each
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, PENDING_DELETION_AT

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

call = calling("cancel_organization_deletion", role="owner")

NOW = "2030-01-31T12:00:00.000Z"


def test_only_the_scheduled_deletion_is_removed(call: Call) -> None:
    """Only this organization's scheduled deletion is removed; another organization's stays."""
    call.table.put_key()
    call.table.put_organization(OTHER_ORGANIZATION_ID, pending_deletion_at=PENDING_DELETION_AT)
    before = call.table.items()
    call.table.freeze()

    call.data()

    (record,) = call.table.under("AUDIT#")
    assert {"before": {"pendingDeletionAt": PENDING_DELETION_AT}, "after": {"pendingDeletionAt": None}} == json.loads(
        record["changes"]
    )
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


@each(*(endpoint for endpoint in WRITING if endpoint != CANCEL_DELETION))
def test_writes_are_refused_until_the_cancellation(
    call: Call, functions: Callable[[str], Call], endpoint: Endpoint
) -> None:
    """From the request on nothing can be written, by an owner either; from the cancellation on everything again."""
    call.table.put_key()
    request = functions("request_organization_deletion")
    call.table.put_member("user_1", "owner")
    write = functions(endpoint.name)
    call.table.put_member("user_1", "owner")
    request.data()

    assert 410 == write.refused(endpoint.body).status
    call.data()
    assert 200 == write(endpoint.body)["statusCode"]
