"""What limits add to a verification: a write unit for each holder, and nothing for a refusal from memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.keys.outcome import Code
from keywright.keys.verification import verify
from tests.support.capacity import Consumption, measured
from tests.support.environment import new_container
from tests.support.sample_keys import SampleKey
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from tests.support.world import World

KEY = SampleKey()
RATE = '{"limit":2,"windowSeconds":3600,"burst":2}'
QUOTA = '{"limit":1000,"period":"month"}'
READ = Consumption(1, 2, 0)
"""The read of the key and its organization."""
ASKED = Consumption(1, 0, 1)
"""A use of a holder's limits."""


def seed(world: World, of_organization: dict[str, str], **of_key: str) -> None:
    """Write a key with limits, and limits of its organization."""
    world.table.put_organization(**of_organization)
    world.table.put_key(hash=KEY.hash(), **of_key)
    for holder_id in (KEY_ID, *([ORGANIZATION_ID] if of_organization else [])):
        world.table.put(pk=f"LIMIT#{holder_id}", sk="LIMIT")


@pytest.mark.parametrize(
    ("of_organization", "of_key", "asked"),
    [
        ({}, {"rate_limit": RATE}, ASKED),
        ({}, {"quota": QUOTA}, ASKED),
        ({}, {"rate_limit": RATE, "quota": QUOTA}, ASKED),
        ({"rate_limit": RATE}, {"rate_limit": RATE}, ASKED + ASKED),
    ],
    ids=["rate", "quota", "both", "organization too"],
)
def test_a_use_costs_a_write_unit_for_each_holder(
    world: World, of_organization: dict[str, str], of_key: dict[str, str], asked: Consumption
) -> None:
    """GIVEN limits that were used before WHEN the key is verified THEN each holder's item takes one write unit."""
    seed(world, of_organization, **of_key)
    verify(KEY.text())

    with measured(world.table) as consumed:
        verification = verify(KEY.text())

    assert Code.VALID == verification.code
    assert READ + asked == sum(consumed, Consumption())


def test_a_refusal_costs_a_write_unit_once_in_a_container(world: World) -> None:
    """GIVEN a limit that others used up WHEN a container refuses twice THEN it asks the first time only."""
    seed(world, {}, rate_limit=RATE)
    verify(KEY.text())
    verify(KEY.text())
    new_container()

    for expected in (READ + ASKED, READ):
        with measured(world.table) as consumed:
            verification = verify(KEY.text())

        assert Code.RATE_LIMITED == verification.code
        assert expected == sum(consumed, Consumption())
