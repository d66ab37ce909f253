"""Items of limits: there exactly as long as their holder has a limit, and changed by one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from keywright.domain.limits import Limits
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.store import limits, table
from keywright.store.limits import LimitsGoneError, Part, Used
from keywright.store.table import Expression
from tests.support import faults
from tests.support.client import UNANSWERED

if TYPE_CHECKING:
    from tests.support.world import World

HOLDER = UUID(int=1)
LIMITS = Limits(HOLDER, "key")
WRITE = "UpdateItem"
STORED = {"tat": 5, "rate_interval": 2, "quota_period": "day 2026-01-01", "quota_used": 7}
ADD = Part("quota_used <= :most", "quota_used = quota_used + :one", {":most": 7, ":one": 1})
BEGIN = Part("tat = :known", "tat = :tat, quota_period = :period", {":known": 5, ":tat": 2**62, ":period": "total"})


@pytest.fixture
def world_with_item(world: World) -> World:
    """A table with the item of a holder."""
    world.table.put(pk=f"LIMIT#{HOLDER}", sk="LIMIT", **STORED)
    return world


def item(world: World) -> dict[str, Any]:
    """Return the only item, without its key."""
    (found,) = world.table.items()
    return {name: value for name, value in found.items() if name not in {"pk", "sk"}}


def test_what_is_used_is_read(world_with_item: World) -> None:
    """All attributes, and the kind of the period."""
    del world_with_item
    used = limits.read(LIMITS)

    assert Used(5, 2, "day 2026-01-01", 7) == used
    assert "day" == used.kind


def test_a_new_item_has_nothing_used(world: World) -> None:
    """Neither a time nor a period."""
    world.table.put(pk=f"LIMIT#{HOLDER}", sk="LIMIT")

    assert Used() == limits.read(LIMITS)
    assert limits.read(LIMITS).kind is None


def test_all_parts_are_changed_in_one_request(world_with_item: World) -> None:
    """The result is the item as it is then."""
    with faults.injected() as operations:
        result = limits.change(LIMITS, [BEGIN, ADD])

    assert (True, Used(2**62, 2, "total", 8)) == result
    assert [WRITE] == operations
    assert {"tat": 2**62, "rate_interval": 2, "quota_period": "total", "quota_used": 8} == item(world_with_item)


@pytest.mark.parametrize("values", [{"quota_used": 8}, {"tat": 6}])
def test_one_condition_that_fails_changes_nothing(world: World, values: dict[str, int]) -> None:
    """The result is the item as it is, without a second request."""
    world.table.put(pk=f"LIMIT#{HOLDER}", sk="LIMIT", **{**STORED, **values})
    with faults.injected() as operations:
        is_done, used = limits.change(LIMITS, [BEGIN, ADD])

    assert not is_done
    assert {**STORED, **values}["tat"] == used.tat
    assert {**STORED, **values}["quota_used"] == used.used
    assert [WRITE] == operations
    assert {**STORED, **values} == item(world)


@pytest.mark.parametrize("part", [ADD, BEGIN, Part("attribute_not_exists(tat)", "tat = :one", {":one": 1})])
def test_a_use_writes_no_new_item(world: World, part: Part) -> None:
    """GIVEN no item THEN the limits are gone, and stay so."""
    with pytest.raises(LimitsGoneError):
        limits.change(LIMITS, [part])
    with pytest.raises(LimitsGoneError):
        limits.read(LIMITS)

    assert [] == world.table.items()


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.error("TransactionConflictException")])
def test_a_change_is_attempted_twice(world_with_item: World, fault: faults.Fault) -> None:
    """A fault that passes is not seen; one that stays is a 503 after the second attempt."""
    with faults.injected(fault) as operations:
        assert limits.change(LIMITS, [ADD])[0]
    assert [WRITE] * 2 == operations

    with faults.injected(*[fault] * 9) as operations, pytest.raises(ServiceError) as caught:
        limits.change(LIMITS, [ADD])
    assert SERVICE_UNAVAILABLE == caught.value.error
    assert [WRITE] * 2 == operations
    assert 8 == item(world_with_item)["quota_used"]


def test_a_change_that_must_not_be_repeated_is_attempted_once(world_with_item: World) -> None:
    """GIVEN a lost answer THEN the change is made once."""
    with faults.injected(faults.lost_answer) as operations, pytest.raises(ServiceError):
        limits.change(LIMITS, [ADD], attempts=1)

    assert [WRITE] == operations
    assert 8 == item(world_with_item)["quota_used"]


@pytest.mark.parametrize(
    ("had_limits", "has_limits", "kinds"),
    [(False, False, []), (True, True, []), (False, True, ["Put"]), (True, False, ["Delete"])],
)
def test_the_item_is_written_and_deleted_with_the_limits(
    had_limits: bool,  # noqa: FBT001 - a parameter of the test
    has_limits: bool,  # noqa: FBT001 - a parameter of the test
    kinds: list[str],
) -> None:
    """A step only where the first limit is given or the last one taken."""
    steps = limits.steps(HOLDER, had_limits=had_limits, has_limits=has_limits)

    assert kinds == [step.kind for step in steps]


def test_the_steps_give_and_take_the_item(world: World) -> None:
    """A given limit begins with nothing used; a taken one leaves nothing."""
    record = table.put_new({"pk": {"S": "A"}, "sk": {"S": "1"}})
    table.commit(limits.steps(HOLDER, had_limits=False, has_limits=True), record)
    assert Used() == limits.read(LIMITS)
    limits.change(LIMITS, [Part("attribute_not_exists(tat)", "tat = :one", {":one": 1})])
    table.commit(
        limits.steps(HOLDER, had_limits=True, has_limits=False), table.put_new({"pk": {"S": "A"}, "sk": {"S": "2"}})
    )

    assert ["A", "A"] == [found["pk"] for found in world.table.items()]


def test_an_update_without_an_item_is_told_from_one_with_an_item(world_with_item: World) -> None:
    """The item as it was comes with a condition that failed; None says that there is none."""
    change, condition = Expression("SET a = :a", {":a": {"N": "1"}}), Expression("attribute_exists(a)")
    del world_with_item
    there = table.update_item({"pk": {"S": f"LIMIT#{HOLDER}"}, "sk": {"S": "LIMIT"}}, change, condition, 1)
    nowhere = table.update_item({"pk": {"S": "none"}, "sk": {"S": "LIMIT"}}, change, condition, 1)

    assert not there.is_done
    assert there.item is not None
    assert "5" == there.item["tat"]["N"]
    assert nowhere.is_done is False
    assert nowhere.item is None
