"""Events of the identity provider decide about a session's permissions from the next request on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock
from keywright.ids import organization_uuid
from tests.support.client import VALID_BODY
from tests.support.event_queue import about, event
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call
    from tests.support.event_queue import Sync


@pytest.fixture
def create(sync: Sync, functions: Callable[[str], Call]) -> Call:
    """The request to create a key, by a session of an organization known from events only."""
    call = functions("create_api_key")
    for item in sync.world.table.items():
        key = {"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}}
        sync.world.table.client.delete_item(TableName=sync.world.table.name, Key=key)
    return call


def test_each_event_decides_about_the_next_request(sync: Sync, create: Call) -> None:
    """From an empty table on, each event decides the status of the next request."""
    hours = iter(range(24))

    def after(kind: str, **detail: Any) -> int:
        assert [] == sync(event(kind, time=f"2026-03-01T{next(hours):02}:00:00Z", **detail))
        status: int = create(VALID_BODY)["statusCode"]
        return status

    named: dict[str, Any] = {"organization": {"id": ORGANIZATION_ID, "name": "Acme"}}
    assert [
        ("member before the organization", 403),
        ("organization", 200),
        ("suspended", 403),
        ("reinstated", 200),
        ("demoted", 403),
        ("promoted", 200),
        ("deletion requested", 410),
        ("deletion canceled", 200),
        ("removed", 403),
        ("back as a member", 403),
        ("back as an admin", 200),
    ] == [
        ("member before the organization", after("member.added", **about(role="admin"))),
        ("organization", after("organization.created", **named)),
        ("suspended", after("member.suspended", **about())),
        ("reinstated", after("member.reinstated", **about())),
        ("demoted", after("member.role_changed", **about(role="member"))),
        ("promoted", after("member.updated", **about(role="owner"))),
        ("deletion requested", after("organization.deletion_requested")),
        ("deletion canceled", after("organization.deletion_canceled")),
        ("removed", after("member.removed", **about())),
        ("back as a member", after("member.added", **about())),
        ("back as an admin", after("member.role_changed", **about(role="admin"))),
    ]


@pytest.mark.parametrize("chosen", [str(organization_uuid("org_2abc")), ORGANIZATION_ID.upper()])
def test_a_chosen_id_adds_no_owner_to_another_organization(sync: Sync, chosen: str) -> None:
    """GIVEN victims known by a name and by a UUID WHEN a tenant chooses their ids THEN they have no new owner."""
    added = event("member.added", organization={"id": chosen}, **about("eve", role="owner"))

    assert [] == sync(added)
    victims = {f"ORG#{organization_uuid('org_2abc')}", f"ORG#{ORGANIZATION_ID}"}
    assert victims.isdisjoint(item["pk"] for item in sync.world.table.items())


def test_an_event_older_than_the_retention_is_logged(sync: Sync, functions: Callable[[str], Call]) -> None:
    """GIVEN an event older than the retention WHEN it makes an owner THEN the audit log shows it.

    The retention counts from the receipt: counted from the event's time, the record would expire before it is written.
    """
    logs = functions("list_audit_logs")
    before = clock.now()

    assert [] == sync(event("member.added", time="2024-01-01T00:00:00.000Z", **about("eve", role="owner")))

    assert "owner" == sync.world.table.item("MEMBER#eve")["role"]
    ((record,), _) = logs.page(query={"target_id": "eve"})
    assert "2024-01-01T00:00:00.000Z" == record["createdAt"]
    assert clock.rfc3339(before) <= record["receivedAt"] <= clock.rfc3339(clock.now())
    (item,) = sync.world.table.under("AUDIT#")
    assert int((before + timedelta(days=365)).timestamp()) <= item["ttl"]


def test_an_owner_known_from_events_can_delete_the_organization(
    sync: Sync, create: Call, functions: Callable[[str], Call]
) -> None:
    """HTTP requests and events change the same state, each on top of the other."""
    assert create.table.items() == []
    named: dict[str, Any] = {"organization": {"id": ORGANIZATION_ID, "name": "Acme"}}
    sync(event("organization.created", **named), event("member.added", **about(role="owner")))
    items = sync.world.table.items()

    request, cancel = (functions(f"{verb}_organization_deletion") for verb in ("request", "cancel"))
    for item in items:  # `functions` has written an organization
        sync.world.table.put(**item)
    request.data()
    outdated = event("organization.deletion_canceled", time="2026-03-02T00:00:00Z")
    assert [] == sync(outdated)
    assert "pending_deletion_at" in sync.world.table.item("ORG")

    cancel.data()
    assert "pending_deletion_at" not in sync.world.table.item("ORG")
    assert [] == [item for item in sync.world.table.items() if item["pk"] == "DELETIONS"]
