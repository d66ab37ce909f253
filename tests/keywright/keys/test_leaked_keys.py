"""Keys whose text was reported as leaked: how they are enabled, rotated and shown."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from keywright.api.schemas import RotateApiKey, UpdateApiKey
from keywright.domain.principals import Actor, ActorType, Member, Origin
from keywright.domain.revocation_reason import RevocationReason
from keywright.errors import API_KEY_LEAKED, ServiceError
from keywright.keys import manage, rotate
from keywright.operators import keys as operator_keys
from tests.support import faults
from tests.support.client import meanwhile
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import Table, World

MEMBER = Member(UUID(ORGANIZATION_ID), "user_1")
OPERATOR = Actor(ActorType.OPERATOR, "ada")
ORIGIN = Origin("203.0.113.7", "request-1")
SHOWN = {"reportedAt": "2026-01-02T13:00:00.000Z", "source": "github", "url": "https://example.com/1"}
LEAK = json.dumps({"generation": 0, **SHOWN})


@pytest.fixture
def table(world: World) -> Table:
    """A table with a disabled key that was reported as leaked."""
    world.table.put_organization()
    world.table.put_member()
    world.table.put_key(enabled=False, leak=LEAK)
    world.table.put_unused()
    return world.table


def by_member(**fields: Any) -> None:
    """Change the key as a member."""
    manage.update(MEMBER, ORIGIN, UUID(KEY_ID), UpdateApiKey.model_validate(fields))


def by_operator(**fields: Any) -> None:
    """Change the key as an operator."""
    operator_keys.enable_key(OPERATOR, UUID(ORGANIZATION_ID), UUID(KEY_ID), clears_leak="leak" in fields)


each_way = pytest.mark.parametrize("change", [by_member, by_operator])


@each_way
def test_a_leaked_key_stays_disabled(table: Table, change: Callable[..., None]) -> None:
    """Enabling it alone is refused, for members and operators alike, and writes nothing."""
    before = table.items()

    with pytest.raises(ServiceError) as caught:
        change(enabled=True)

    assert API_KEY_LEAKED is caught.value.error
    assert before == table.items()


@each_way
def test_a_leaked_key_is_enabled_when_the_report_is_cleared(table: Table, change: Callable[..., None]) -> None:
    """Both fields change at once, and the audit record has both."""
    change(enabled=True, leak=None)

    item = table.item(f"KEY#{KEY_ID}")
    (record,) = table.under("AUDIT#")
    assert item["enabled"]
    assert "leak" not in item
    assert {"before": {"leak": SHOWN, "enabled": False}, "after": {"leak": None, "enabled": True}} == json.loads(
        record["changes"]
    )


def test_a_report_that_was_cleared_before(table: Table) -> None:
    """GIVEN a report that is cleared in a separate change THEN the key can be enabled."""
    by_member(leak=None)
    by_member(enabled=True)

    assert table.item(f"KEY#{KEY_ID}")["enabled"]


def test_other_fields_of_a_leaked_key(table: Table) -> None:
    """Any other change of a leaked key is made, and keeps the report; also of one that is enabled."""
    by_member(name="another")
    by_member(enabled=False)
    table.put_key(leak=LEAK)
    by_member(enabled=True)

    assert LEAK == json.dumps(json.loads(table.item(f"KEY#{KEY_ID}")["leak"]))


def test_a_report_just_before_a_key_is_enabled(table: Table) -> None:
    """GIVEN a leak that is reported between the read and the write THEN the key is not enabled."""
    table.put_key(enabled=False)

    with (
        faults.injected(None, meanwhile(lambda: table.put_key(enabled=False, leak=LEAK, version=2))),
        pytest.raises(ServiceError) as caught,
    ):
        by_member(enabled=True)

    assert API_KEY_LEAKED is caught.value.error
    assert not table.item(f"KEY#{KEY_ID}")["enabled"]


@pytest.mark.parametrize(
    ("attributes", "seconds", "is_cleared"),
    [
        ({}, 0, True),
        ({}, 1, False),
        ({"expires_at": "2020-01-01T00:00:00.000Z"}, 3600, True),
    ],
    ids=["no grace period", "a grace period", "a grace period that is over with the key"],
)
def test_a_rotation_clears_the_report_if_it_ends_the_text(
    table: Table,
    attributes: dict[str, Any],
    seconds: int,
    is_cleared: bool,  # noqa: FBT001 - a case
) -> None:
    """The report goes with the text that it is about: at once in the same transaction, or not."""
    table.put_key(enabled=False, leak=LEAK, **attributes)
    body = RotateApiKey.model_validate({"gracePeriodSeconds": seconds, "reason": "compromised"})

    rotate.rotate(MEMBER, ORIGIN, UUID(KEY_ID), body, None)

    (record,) = table.under("AUDIT#")
    changes = json.loads(record["changes"])
    assert is_cleared == ("leak" not in table.item(f"KEY#{KEY_ID}"))
    assert (SHOWN if is_cleared else None) == changes["before"].get("leak")
    assert is_cleared == ("leak" in changes["after"])
    assert "compromised" == record["reason"]


def test_an_operators_rotation_clears_the_report(table: Table) -> None:
    """Members and operators rotate alike."""
    organization_id, key_id = UUID(ORGANIZATION_ID), UUID(KEY_ID)
    operator_keys.rotate_key(OPERATOR, organization_id, key_id, timedelta(0), RevocationReason.COMPROMISED)

    assert "leak" not in table.item(f"KEY#{KEY_ID}")
    assert "compromised" == table.under("AUDIT#")[0]["reason"]


def test_a_leaked_key_is_shown(table: Table) -> None:
    """Members see the report, without the generation of the text."""
    del table

    assert SHOWN == manage.get(MEMBER, UUID(KEY_ID)).model_dump(by_alias=True)["leak"]
