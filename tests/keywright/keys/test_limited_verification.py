"""Verifying a key that has limits, or whose organization has: asked last, exact, and read again when they change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from keywright import clock
from keywright.domain.limits import Period, Quota, RateLimit
from keywright.domain.principals import Actor, ActorType
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys import changes, deletion
from keywright.keys.outcome import Code, IdentifiedKey, RateStatus
from keywright.keys.verification import Use, requiring, verify
from keywright.store import credentials
from tests.support import faults
from tests.support.client import meanwhile
from tests.support.sample_keys import SampleKey
from tests.support.world import KEY_ID, ORGANIZATION_ID, PENDING_DELETION_AT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import Table, World

KEY = SampleKey()
ACTOR = Actor(ActorType.USER, "user_1")
SLOW = RateLimit(2, 3600, 2)
READ, WRITE = "BatchGetItem", "UpdateItem"


@pytest.fixture
def table(world: World) -> Table:
    """A table with one organization."""
    world.table.put_organization()
    return world.table


def put_limit(table: Table, holder_id: str = KEY_ID) -> None:
    """Write the item of a holder."""
    table.put(pk=f"LIMIT#{holder_id}", sk="LIMIT")


def put_key(table: Table, rate: RateLimit | None = None, quota: Quota | None = None, **attributes: Any) -> None:
    """Write the key and its organization's item of limits; with its own if it has limits."""
    limits = {"rate_limit": rate and rate.stored(), "quota": quota and quota.stored()}
    KEY.put(table, **{name: text for name, text in limits.items() if text}, **attributes)


def codes(number: int, use: Use | None = None) -> list[Code]:
    """Verify the key that many times."""
    return [verify(KEY.text(), use or requiring([])).code for _ in range(number)]


def used(table: Table) -> dict[str, Any]:
    """Return the key's item of limits, without its key."""
    (item,) = [item for item in table.items() if item["pk"] == f"LIMIT#{KEY_ID}"]
    return {name: value for name, value in item.items() if name not in {"pk", "sk"}}


def change(**fields: Any) -> None:
    """Change the key, as a member does."""
    credential = credentials.read(UUID(ORGANIZATION_ID), UUID(KEY_ID))
    assert credential is not None
    changes.commit_change(credential.key, fields, ACTOR, None, [])


def test_a_key_without_limits_costs_nothing_more(table: Table) -> None:
    """One read, and no item."""
    put_key(table)
    with faults.injected() as operations:
        assert [Code.VALID] * 2 == codes(2)

    assert [READ] * 2 == operations
    assert [] == [item for item in table.items() if item["pk"].startswith("LIMIT")]


def test_the_limits_of_both_are_asked(table: Table) -> None:
    """Those of the key first; each has its item."""
    put_key(table, SLOW)
    put_limit(table)
    assert [Code.VALID, Code.VALID, Code.RATE_LIMITED] == codes(3)

    table.put_organization(quota=Quota(1, Period.TOTAL).stored(), rate_limit=SLOW.stored())
    put_limit(table, ORGANIZATION_ID)
    put_key(table, RateLimit(10, 3600, 10))
    assert [Code.VALID, Code.QUOTA_EXCEEDED] == codes(2)


@pytest.mark.parametrize(
    ("attributes", "use"),
    [
        ({"enabled": False}, requiring([])),
        ({"expires_at": "2020-01-01T00:00:00.000Z"}, requiring([])),
        ({"allowed_ips": ["192.0.2.1"]}, requiring([])),
        ({"allowed_ips": ["192.0.2.1"]}, requiring([], "192.0.2.2")),
        ({}, requiring(["webhooks:write"])),
    ],
)
def test_a_refusal_spends_nothing(table: Table, attributes: dict[str, Any], use: Use) -> None:
    """GIVEN any other reason to refuse a key THEN its limits are not asked."""
    put_key(table, SLOW, **attributes)
    put_limit(table)
    with faults.injected() as operations:
        (code,) = codes(1, use)

    assert code not in {Code.VALID, Code.RATE_LIMITED}
    assert WRITE not in operations
    assert {} == used(table)


def test_a_frozen_organization_spends_nothing(table: Table) -> None:
    """GIVEN a scheduled deletion THEN the limits are not asked."""
    table.put_organization(pending_deletion_at=PENDING_DELETION_AT)
    put_key(table, SLOW)
    put_limit(table)

    assert [Code.ORGANIZATION_FROZEN] == codes(1)
    assert {} == used(table)


def test_a_wrong_secret_spends_nothing(table: Table) -> None:
    """GIVEN the id of a key without its secret THEN its limits cannot be used up."""
    put_key(table, SLOW)
    put_limit(table)

    assert Code.NOT_FOUND == verify(SampleKey(secret="another-than-the-right").text()).code
    assert {} == used(table)


def test_a_limit_that_is_taken_meanwhile_is_read_again(table: Table) -> None:
    """GIVEN a change between the read of a key and its use THEN the key is read once more, and has no limit."""
    put_key(table, SLOW)
    put_limit(table)
    assert [Code.VALID] == codes(1)  # the secret is remembered
    with faults.injected(None, meanwhile(lambda: change(rate_limit=None))) as operations:
        assert [Code.VALID] == codes(1)

    assert [READ, WRITE] == operations[:2]
    assert READ == operations[-1]
    assert [] == [item for item in table.items() if item["pk"].startswith("LIMIT")]


def test_a_key_that_is_deleted_meanwhile_leaves_no_item(table: Table) -> None:
    """GIVEN a deletion between the read of a key and its use THEN the key is unknown, and nothing is left of it."""
    put_key(table, SLOW, Quota(5, Period.DAY))
    table.put_unused()
    put_limit(table)

    def delete() -> None:
        credential = credentials.read(UUID(ORGANIZATION_ID), UUID(KEY_ID))
        assert credential is not None
        deletion.commit_deletion(credential.key, ACTOR, None, [])

    with faults.injected(None, meanwhile(delete)):
        assert [Code.NOT_FOUND] == codes(1)
    assert [] == [item for item in table.items() if KEY_ID in item["pk"] + item["sk"] and "AUDIT" not in item["sk"]]


def test_a_missing_item_is_a_503(table: Table) -> None:
    """GIVEN a limit without its item, as no change leaves it THEN the key is not admitted without being asked."""
    put_key(table, SLOW)
    with faults.injected() as operations, pytest.raises(ServiceError) as caught:
        codes(1)

    assert SERVICE_UNAVAILABLE == caught.value.error
    assert 3 == operations.count(READ)


def test_a_changed_rate_is_read_again_from_a_reused_record(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN a record that is reused WHEN another container has converted the item THEN the new rate counts at once."""
    setting("RECORD_REUSE_SECONDS", "60")
    put_key(table, RateLimit(100, 3600, 100))
    put_limit(table)
    assert [Code.VALID] * 2 == codes(2)
    change(rate_limit=SLOW)
    far = clock.now_ns() + 2 * SLOW.interval
    table.put(pk=f"LIMIT#{KEY_ID}", sk="LIMIT", tat=far, rate_interval=SLOW.interval)

    assert [Code.RATE_LIMITED] * 2 == codes(2)


def test_a_raised_rate_counts_on_the_next_use(table: Table) -> None:
    """GIVEN a rate that is used up WHEN it is raised THEN the next use is admitted."""
    put_key(table, SLOW)
    put_limit(table)
    assert [Code.VALID, Code.VALID, Code.RATE_LIMITED] == codes(3)
    change(rate_limit=RateLimit(5, 60, 5))

    assert [Code.VALID] * 3 + [Code.RATE_LIMITED] == codes(4)


def test_a_limiter_that_fails_is_measured(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    """GIVEN a rate that cannot be asked THEN the key is admitted, and the log line has the metric."""
    put_key(table, SLOW)
    put_limit(table)
    with faults.injected(None, *[faults.timeout] * 2):
        verification = verify(KEY.text())

    assert isinstance(verification, IdentifiedKey)
    assert verification.admission is not None
    assert Code.VALID == verification.code
    assert RateStatus(2) == verification.admission.rate
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 1 == line["LimiterFailures"]


def test_a_quota_that_cannot_be_asked_is_a_503(table: Table) -> None:
    """GIVEN a quota and a table that does not answer THEN the key is neither valid nor refused."""
    put_key(table, SLOW, Quota(5, Period.DAY))
    put_limit(table)
    with faults.injected(None, *[faults.timeout] * 2), pytest.raises(ServiceError) as caught:
        codes(1)

    assert SERVICE_UNAVAILABLE == caught.value.error
