"""Every endpoint that is called with a session, when it succeeds: headers, requests to DynamoDB, audit record."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tests.support.client import REQUEST_ID
from tests.support.costs import counted
from tests.support.endpoints import READING, WRITING, Endpoint, each
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

NOW = "2030-01-31T12:00:00.000Z"


@each(*READING, *WRITING)
def test_headers_forbid_caching_and_name_the_request(call: Call, endpoint: Endpoint) -> None:
    """No answer is cached: it may hold a key, and a key's state can change at any moment."""
    endpoint.prepare(call.table)

    assert {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-request-id": REQUEST_ID,
    } == call(endpoint.body)["headers"]


@each(*READING)
def test_reading_changes_nothing(call: Call, endpoint: Endpoint) -> None:
    """A read writes nothing, not even an audit record."""
    endpoint.prepare(call.table)
    before = call.table.items()

    assert 200 == call()["statusCode"]
    assert before == call.table.items()


@each(*READING, *WRITING)
def test_each_success_has_its_costs(call: Call, endpoint: Endpoint) -> None:
    """A success costs what docs/architecture.md says; the pepper is fetched to make a hash, once in a container."""
    endpoint.prepare(call.table)
    with counted() as costs:
        call.data(endpoint.body) if not endpoint.is_list else call.page()

    fetches_of_the_pepper = endpoint.hashes
    assert (list(endpoint.requests), endpoint.hashes, fetches_of_the_pepper) == costs.spent()


@each(*WRITING)
def test_the_audit_record_is_complete(call: Call, endpoint: Endpoint, stop_clock: Callable[[str], datetime]) -> None:
    """The audit record is written with the change, at the same time; it says who changed what, and from where."""
    now = stop_clock(NOW)
    endpoint.prepare(call.table)

    data = call.data(endpoint.body)

    (record,) = call.table.under("AUDIT#")
    record_id = uuid.UUID(record.pop("sk").removeprefix("AUDIT#"))
    assert 7 == record_id.version
    assert int(now.timestamp() * 1000) == record_id.int >> 80
    assert record.pop("changes")
    target_type = str(endpoint.event).partition(".")[0]
    assert {
        "pk": f"ORG#{ORGANIZATION_ID}",
        "event": endpoint.event,
        "actor_type": "user",
        "actor_id": "user_1",
        "target_type": target_type,
        "target_id": ORGANIZATION_ID if target_type == "organization" else data.get("id", KEY_ID),
        "source_ip": "203.0.113.7",
        "request_id": REQUEST_ID,
        "created_at": NOW,
        "received_at": NOW,
        "ttl": int(now.timestamp()) + 365 * 86400,
    } == record
