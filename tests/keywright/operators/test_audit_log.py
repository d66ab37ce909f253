"""Reading and following the audit log as an operator."""

from __future__ import annotations

import uuid
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from keywright import clock
from keywright.domain.audit_event import AuditEvent
from keywright.domain.principals import ActorType
from keywright.operators import audit_log
from keywright.operators.refusals import NotFoundError
from keywright.store import audit
from keywright.store.audit import AuditFilter
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.world import Table, World

ID = uuid.UUID(ORGANIZATION_ID)
NOW = "2030-01-31T12:00:00.000Z"


@pytest.fixture
def table(world: World) -> Table:
    """Return the table with an organization."""
    world.table.put_organization()
    return world.table


def write(table: Table, at: str, received_at: str | None = None, **fields: str) -> str:
    """Write a record, and return its id."""
    record_id = str(audit.new_id(clock.stored(at)))
    item = {
        "event": "member.added",
        "actor_type": "user",
        "actor_id": "ada",
        "target_type": "member",
        "target_id": "bob",
        "changes": '{"before": null, "after": {"role": "admin"}}',
        "created_at": at,
        "received_at": received_at or at,
        **fields,
    }
    table.put(pk=f"ORG#{ORGANIZATION_ID}", sk=f"AUDIT#{record_id}", **item)
    return record_id


def minute(number: int, hour: int = 11) -> str:
    """Return a time in the hour before NOW."""
    return f"2030-01-31T{hour}:{number:02}:00.000Z"


def test_the_latest_records_are_oldest_first(table: Table, stop_clock: Callable[[str], datetime]) -> None:
    """The newest record is the last; whether there are older ones is told."""
    stop_clock(NOW)
    ids = [write(table, minute(number)) for number in range(4)]

    assert (ids[1:], True) == shown(AuditFilter(), 3)
    assert (ids, False) == shown(AuditFilter(), 4)


def shown(records: AuditFilter, limit: int = 100) -> tuple[list[str], bool]:
    """Return the ids of the latest records, and whether there are older ones."""
    found, has_more = audit_log.latest_records(ID, records, limit)
    return [record.id for record in found], has_more


def test_every_filter(table: Table, stop_clock: Callable[[str], datetime]) -> None:
    """Each filter keeps the record that it describes, alone."""
    stop_clock(NOW)
    write(table, minute(1))
    operator = write(table, minute(2), actor_type="operator", actor_id="arn:1")
    eve = write(table, minute(3), actor_id="eve")
    key = write(table, minute(4), event="api_key.deleted", target_id="k")
    last = write(table, minute(5))

    assert [operator] == shown(AuditFilter(actor_types=[ActorType.OPERATOR]))[0]
    assert [eve] == shown(AuditFilter(actor_id="eve"))[0]
    assert [key] == shown(AuditFilter(events=[AuditEvent.API_KEY_DELETED]))[0]
    assert [key] == shown(AuditFilter(target_id="k"))[0]
    assert [last] == shown(AuditFilter(created_from=clock.stored(minute(5))))[0]
    assert [operator] == shown(AuditFilter(created_from=clock.stored(minute(2)), created_to=clock.stored(minute(2))))[0]
    assert [] == shown(AuditFilter(actor_types=[ActorType.OPERATOR], actor_id="eve"))[0]


def test_a_missing_organization(world: World) -> None:
    """A mistyped organization is an error, not an empty log."""
    del world

    with pytest.raises(NotFoundError):
        audit_log.latest_records(ID, AuditFilter(), 1)


def test_new_and_late_records_are_followed_once(
    table: Table, stop_clock: Callable[[str], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a known record WHEN others are written, one late THEN each is yielded once, in the order of the changes."""
    stop_clock(NOW)
    write(table, minute(58))
    known, _ = audit_log.latest_records(ID, AuditFilter(), 10)
    written: list[str] = []

    def meanwhile(_: float) -> None:
        number = len(written) // 3
        late = write(table, minute(59 - number), received_at=minute(number, 12))
        too_late = write(table, minute(30), received_at=minute(number, 12))
        written.extend([late, write(table, minute(number + 1, 12)), too_late])
        stop_clock(minute(number + 1, 12))

    monkeypatch.setattr("time.sleep", meanwhile)

    followed = [record.id for record in islice(audit_log.following_records(ID, AuditFilter(), known), 4)]

    assert [written[0], written[1], written[3], written[4]] == followed


def test_an_empty_log_is_followed_from_now_on(
    table: Table, stop_clock: Callable[[str], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that were filtered out before are not shown; new ones are."""
    stop_clock(NOW)
    monkeypatch.setattr("time.sleep", lambda _: write(table, NOW, target_id="new"))

    followed = audit_log.following_records(ID, AuditFilter(target_id="new"), [])

    assert "new" == next(followed).target_id
