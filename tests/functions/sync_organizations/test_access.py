"""What the provider says decides what a session may do here, from the next request on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock
from keywright.ids import organization_uuid
from tests.bus import about, event
from tests.calling import VALID_BODY
from tests.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bus import Sync
    from tests.calling import Call


@pytest.fixture
def create(sync: Sync, functions: Callable[[str], Call]) -> Call:
    """The request to create a key, of a session in an organization of which only events have told."""
    call = functions("create_api_key")
    for item in sync.world.table.items():
        key = {"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}}
        sync.world.table.client.delete_item(TableName=sync.world.table.name, Key=key)
    return call


def test_from_an_empty_table_a_member_follows_every_event(sync: Sync, create: Call) -> None:
    """Nothing but events, and the status of the same request after each."""
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
        ("deletion cancelled", 200),
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
        ("deletion cancelled", after("organization.deletion_canceled")),
        ("removed", after("member.removed", **about())),
        ("back as a member", after("member.added", **about())),
        ("back as an admin", after("member.role_changed", **about(role="admin"))),
    ]


@pytest.mark.parametrize("chosen", [str(organization_uuid("org_2abc")), ORGANIZATION_ID.upper()])
def test_a_tenant_gets_no_owner_into_another_organization_by_a_name_that_they_choose(sync: Sync, chosen: str) -> None:
    """GIVEN victims known by a name and by a UUID WHEN a tenant chooses their ids THEN they have no new owner."""
    added = event("member.added", organization={"id": chosen}, **about("eve", role="owner"))

    assert [] == sync(added)
    victims = {f"ORG#{organization_uuid('org_2abc')}", f"ORG#{ORGANIZATION_ID}"}
    assert victims.isdisjoint(item["pk"] for item in sync.world.table.items())


def test_an_event_of_long_ago_is_seen(sync: Sync, functions: Callable[[str], Call]) -> None:
    """GIVEN an event older than the retention that makes an owner WHEN it is followed THEN the log shows it.

    Counted from the event's own time, its record would be over before it is written.
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


def test_an_owner_whom_only_events_know_can_delete_the_organization(
    sync: Sync, create: Call, functions: Callable[[str], Call]
) -> None:
    """What is done over HTTP, and what events say, is one state: each goes on from the other's."""
    assert create.table.items() == []
    named: dict[str, Any] = {"organization": {"id": ORGANIZATION_ID, "name": "Acme"}}
    sync(event("organization.created", **named), event("member.added", **about(role="owner")))
    items = sync.world.table.items()

    request, cancel = (functions(f"{verb}_organization_deletion") for verb in ("request", "cancel"))
    for item in items:  # `functions` has put an organization of its own in its place
        sync.world.table.put(**item)
    request.data()
    outdated = event("organization.deletion_canceled", time="2026-03-02T00:00:00Z")
    assert [] == sync(outdated)
    assert "pending_deletion_at" in sync.world.table.item("ORG")

    cancel.data()
    assert "pending_deletion_at" not in sync.world.table.item("ORG")
    assert [] == [item for item in sync.world.table.items() if item["pk"] == "DELETIONS"]
