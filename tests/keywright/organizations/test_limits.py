"""Limits of an organization: the next use of any of its keys is admitted by the key's limits and by these, or by none.

Uses are verifications, in a container that remembers nothing unless a test says so.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock
from keywright.domain.audit_event import AuditEvent
from keywright.domain.limits import Period, Quota, RateLimit
from keywright.domain.organization_state import OrganizationChange, Setting
from keywright.domain.principals import Actor, ActorType
from keywright.keys.outcome import Code
from keywright.keys.verification import verify
from keywright.operators import keys as operator_keys
from keywright.operators import organizations as operator_organizations
from keywright.organizations.apply import ProviderEvent, apply
from tests.support import faults
from tests.support.client import meanwhile
from tests.support.environment import new_container
from tests.support.sample_keys import SampleKey
from tests.support.world import ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.world import Table, World

OPERATOR = Actor(ActorType.OPERATOR, "arn:aws:sts::123456789012:assumed-role/Ops/ada")
ID = uuid.UUID(ORGANIZATION_ID)
NOW = "2030-01-31T12:00:00.000Z"
KEY = SampleKey()
OTHER_KEY = SampleKey(key_id=nth_id(2))
UNLIMITED = {Setting.RATE_LIMIT: None, Setting.QUOTA: None}


@pytest.fixture
def table(world: World, stop_clock: Callable[[str], datetime]) -> Table:
    """Return the table with an organization and two keys; the clock stands still."""
    stop_clock(NOW)
    world.table.put_organization()
    KEY.put(world.table)
    OTHER_KEY.put(world.table)
    return world.table


def rate(uses: int) -> str:
    """Return the text of a rate limit that admits so many uses at once."""
    return RateLimit(uses, 60, uses).stored()


def quota(uses: int) -> str:
    """Return the text of a quota of so many uses a month."""
    return Quota(uses, Period.MONTH).stored()


def limit(settings: dict[Setting, str | None]) -> bool:
    """Set limits of the organization as an operator does."""
    return operator_organizations.update_organization(OPERATOR, ID, settings)


def limit_key(table: Table, **limits: str) -> None:
    """Give limits to the key."""
    KEY.put(table, **limits)
    table.put(pk=f"LIMIT#{KEY.key_id}", sk="LIMIT")


def use(key: SampleKey = KEY) -> Code:
    """Verify a key in a new container."""
    new_container()
    return verify(key.text()).code


def used(table: Table, holder_id: str) -> dict[str, Any]:
    """Return what was used of a holder's limits."""
    (item,) = [item for item in table.items() if item["pk"] == f"LIMIT#{holder_id}"]
    return {name: value for name, value in item.items() if name in {"tat", "quota_used"}}


def limits(table: Table) -> list[str]:
    """Return the partition keys of all items of limits."""
    return [item["pk"] for item in table.items() if item["pk"].startswith("LIMIT#")]


@pytest.mark.parametrize(
    ("setting", "text", "code"),
    [(Setting.RATE_LIMIT, rate(3), Code.RATE_LIMITED), (Setting.QUOTA, quota(3), Code.QUOTA_EXCEEDED)],
)
@pytest.mark.usefixtures("table")
def test_all_keys_of_an_organization_share_its_limits(setting: Setting, text: str, code: Code) -> None:
    """GIVEN a limit of three WHEN two keys are used in turn THEN the fourth use is refused, by either."""
    limit({setting: text})

    assert [Code.VALID] * 3 + [code] * 2 == [use(key) for key in (KEY, OTHER_KEY, KEY, OTHER_KEY, KEY)]


def test_the_next_use_follows_every_change(table: Table) -> None:
    """A limit that is set, raised, lowered or cleared counts on the very next verification."""
    assert Code.VALID == use()

    limit({Setting.RATE_LIMIT: rate(1)})
    assert [Code.VALID, Code.RATE_LIMITED] == [use(), use()]
    limit({Setting.RATE_LIMIT: rate(2)})
    assert [Code.VALID, Code.RATE_LIMITED] == [use(), use()]
    limit({Setting.QUOTA: quota(1), Setting.RATE_LIMIT: None})
    assert [Code.VALID, Code.QUOTA_EXCEEDED] == [use(), use()]
    limit(dict(UNLIMITED))
    assert Code.VALID == use()
    assert [] == limits(table)


@pytest.mark.parametrize("of_key", ["rate_limit", "quota"])
@pytest.mark.parametrize("setting", [Setting.RATE_LIMIT, Setting.QUOTA])
def test_a_use_that_the_organization_refuses_costs_the_key_nothing(table: Table, of_key: str, setting: Setting) -> None:
    """GIVEN a key whose organization has no uses left WHEN it is used THEN what it has used is as before."""
    limit_key(table, **{of_key: {"rate_limit": rate, "quota": quota}[of_key](10)})
    limit({setting: {Setting.RATE_LIMIT: rate, Setting.QUOTA: quota}[setting](1)})
    assert Code.VALID == use()
    before = used(table, KEY.key_id), used(table, ORGANIZATION_ID)

    refused = {use() for _ in range(3)}

    assert {{Setting.RATE_LIMIT: Code.RATE_LIMITED, Setting.QUOTA: Code.QUOTA_EXCEEDED}[setting]} == refused
    assert before == (used(table, KEY.key_id), used(table, ORGANIZATION_ID))


@pytest.mark.parametrize(("of_key", "code"), [("rate_limit", Code.RATE_LIMITED), ("quota", Code.QUOTA_EXCEEDED)])
def test_a_use_that_the_key_refuses_costs_the_organization_nothing(table: Table, of_key: str, code: Code) -> None:
    """GIVEN a key without uses left WHEN it is used THEN its organization's other keys have as many as before."""
    limit_key(table, **{of_key: {"rate_limit": rate, "quota": quota}[of_key](1)})
    limit({Setting.QUOTA: quota(3)})

    assert [Code.VALID, code, code] == [use(), use(), use()]
    assert {"quota_used": 1} == used(table, ORGANIZATION_ID)
    assert [Code.VALID, Code.VALID, Code.QUOTA_EXCEEDED] == [use(OTHER_KEY) for _ in range(3)]


def test_another_organization_is_not_limited(table: Table) -> None:
    """The limit of one organization is not that of another."""
    other = SampleKey(organization_id="00000000-0000-4000-8000-000000000000", key_id=nth_id(3))
    table.put_organization(other.organization_id)
    other.put(table)
    limit({Setting.QUOTA: quota(1)})

    assert [Code.VALID, Code.QUOTA_EXCEEDED] == [use(), use()]
    assert [Code.VALID, Code.VALID] == [use(other), use(other)]


def test_a_verification_survives_the_end_of_a_limit(table: Table) -> None:
    """GIVEN a key that was read with its organization's limit WHEN the limit is cleared THEN the use is admitted."""
    limit({Setting.QUOTA: quota(1)})
    assert [Code.VALID, Code.QUOTA_EXCEEDED] == [use(), use()]
    new_container()

    with faults.injected(None, meanwhile(lambda: limit(dict(UNLIMITED)))) as operations:
        assert Code.VALID == verify(KEY.text()).code

    assert "UpdateItem" in operations
    assert [] == limits(table)


def test_an_event_limits_the_next_use(table: Table) -> None:
    """A limit of the identity provider holds as an operator's, and a later event takes it away."""
    at = clock.now() - timedelta(minutes=2)

    def send(event_id: str, text: str | None) -> None:
        change = OrganizationChange(AuditEvent.ORGANIZATION_UPDATED, settings={Setting.QUOTA: text})
        apply(ProviderEvent("billing", event_id, at + timedelta(seconds=int(event_id)), ID, change))

    send("2", quota(1))
    send("1", None)  # late
    assert [Code.VALID, Code.QUOTA_EXCEEDED] == [use(), use()]

    send("3", None)
    assert Code.VALID == use()
    assert [] == limits(table)


def test_an_operators_limit_wins_over_an_older_event(table: Table) -> None:
    """Operators' changes count with the time at which they are made."""
    limit({Setting.QUOTA: quota(5)})
    older = OrganizationChange(AuditEvent.ORGANIZATION_UPDATED, settings={Setting.QUOTA: None})

    apply(ProviderEvent("billing", "1", clock.now() - timedelta(minutes=1), ID, older))

    assert quota(5) == table.item("ORG")["quota"]
    assert [f"LIMIT#{ORGANIZATION_ID}"] == limits(table)


def test_concurrent_changes_of_limits_are_both_made(table: Table) -> None:
    """GIVEN two operators who set different limits at once THEN both are set, with one item."""
    with faults.injected(None, meanwhile(lambda: limit({Setting.QUOTA: quota(5)}))):
        limit({Setting.RATE_LIMIT: rate(5)})

    organization = table.item("ORG")
    assert rate(5) == organization["rate_limit"]
    assert quota(5) == organization["quota"]
    assert [f"LIMIT#{ORGANIZATION_ID}"] == limits(table)


@pytest.mark.parametrize(
    "revoke",
    [
        lambda: operator_keys.revoke_key(OPERATOR, ID, uuid.UUID(KEY.key_id)),
        lambda: list(operator_keys.revoke_keys(OPERATOR, ID)),
        lambda: list(operator_keys.revoke_keys(OPERATOR, ID, "user_9")),
    ],
    ids=["one", "all", "those of a user"],
)
@pytest.mark.parametrize("of_key", ["rate_limit", "quota"])
def test_a_revoked_key_leaves_no_item_of_limits(table: Table, of_key: str, revoke: Callable[[], object]) -> None:
    """What a key has used of limits is deleted with it; its organization's stays."""
    limit_key(table, **{of_key: {"rate_limit": rate, "quota": quota}[of_key](10)})
    limit({Setting.QUOTA: quota(10)})
    assert Code.VALID == use()

    revoke()

    assert [f"LIMIT#{ORGANIZATION_ID}"] == limits(table)
    assert {"quota_used": 1} == used(table, ORGANIZATION_ID)
