"""Faults during operations without a route: events, the purge, announcements, and the operator's new organization."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from keywright.errors import ServiceError
from keywright.keys.expirations import AnnouncementsFailedError
from keywright.operators import organizations as operator_organizations
from keywright.operators.refusals import RefusedError
from keywright.organizations.purge import PurgeFailedError
from tests.support import counts, network_faults
from tests.support.announcements import Announcements
from tests.support.depth import size
from tests.support.environment import new_container
from tests.support.history import batches, delayed, history
from tests.support.operations import OPERATOR
from tests.support.purge import DUE, NOW, SECONDS, Purge, due
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, Context, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.event_queue import Sync
    from tests.support.fault_proxy import FaultProxy
    from tests.support.simulated_time import SimulatedTime
    from tests.support.world import Table, World

ROUNDS = size("FAULT_ROUNDS", 2, full=4)
MOST_DELIVERIES = 100


def script(chance: random.Random, length: int = 12) -> list[network_faults.Fault | None]:
    """Return random faults for the next requests."""
    return [chance.choice([None, *network_faults.FAULTS.values()]) for _ in range(chance.randrange(length))]


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.deep
def test_events_leave_the_same_table(
    sync: Sync,
    proxy: FaultProxy,
    another_table: Callable[[], Table],
    stop_clock: Callable[[str], object],
    seed: int,
) -> None:
    """GIVEN events under faults WHEN failed ones are delivered again THEN the table is that of a run without faults.

    No event is set aside: faults of DynamoDB are not the event's.
    """
    chance = random.Random(seed)  # noqa: S311 - a seed that can be repeated
    stop_clock("2026-01-05T00:00:00.000Z")  # before any requested deletion is late
    events = delayed(history(chance, 40), chance)
    for batch in batches(events, chance):
        waiting, deliveries = list(batch), 0
        while waiting:
            with network_faults.injected(proxy, *script(chance)):
                waiting = [waiting[position] for position in sync(*waiting)]
            deliveries += 1
            assert deliveries < MOST_DELIVERIES
            counts.add(operations=1)
    assert [] == sync.put_aside()
    under_faults = sync.world.table.items()

    without = another_table()
    for batch in batches(events, chance):
        assert [] == sync(*batch)
    assert without.items() == under_faults


@pytest.fixture
def purge(
    proxy: FaultProxy,
    world: World,
    load_handler: Callable[[str], Callable[..., object]],
    stop_clock: Callable[[str], object],
) -> Purge:
    """The purge, on a table with an organization that is due and another one that is not."""
    del proxy
    stop_clock(NOW)
    return due(load_handler("purge_organizations"), world)


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.deep
def test_an_interrupted_purge_is_completed(purge: Purge, proxy: FaultProxy, time: SimulatedTime, seed: int) -> None:
    """However often a purge is interrupted, nothing is left, everything is counted once, and others keep all items."""
    chance = random.Random(seed)  # noqa: S311 - a seed that can be repeated
    items = chance.randrange(1, 60)
    limited = chance.randrange(60)
    purge.fill(items)
    purge.limit(limited)
    others = purge.left(OTHER_ORGANIZATION_ID)
    answer: dict[str, int] = {}
    runs = 0
    while not answer.get("purged"):
        started = time.monotonic()
        try:
            with network_faults.injected(proxy, *script(chance, 30)):
                answer = purge()
        except (ServiceError, PurgeFailedError):
            answer = {}
        assert time.monotonic() - started < SECONDS
        runs += 1
        assert runs < MOST_DELIVERIES
        counts.add(operations=1)
        new_container()

    assert {} == purge()
    assert [] == purge.left()
    assert [] == purge.limits()
    assert others == purge.left(OTHER_ORGANIZATION_ID)
    assert DUE == purge.record()["pending_deletion_at"]
    counted = sum(int(value) for name, value in purge.record().items() if name.startswith("deleted_"))
    assert items + limited + 1 == counted  # including the audit record of the request


NUMBERS = range(5)
EXPIRING = {nth_id(number): f"2030-01-31T{number:02}:00:00.000Z" for number in NUMBERS}
"""Keys of which one half has expired, and the other has not."""


@pytest.fixture
def announce(
    proxy: FaultProxy,
    world: World,
    load_handler: Callable[[str], Callable[..., object]],
    stop_clock: Callable[[str], object],
) -> Announcements:
    """announce_expirations, on a table with keys that are due for a notice, and an expiry without a key."""
    del proxy
    stop_clock("2030-01-31T02:00:00.000Z")
    context = Context(remaining_milliseconds=SECONDS * 1000)
    announcements = Announcements(load_handler("announce_expirations"), replace(world, context=context))
    world.table.put_organization()
    for key_id, at in EXPIRING.items():
        announcements.expire(at, key_id)
    world.table.put(pk="EXPIRIES", sk=f"2030-01-31T05:00:00.000Z#{ORGANIZATION_ID}#{nth_id(9)}")
    return announcements


def announced_until_done(
    announce: Announcements,
    faults_of_run: Callable[[], list[network_faults.Fault | None]],
    proxy: FaultProxy,
    time: SimulatedTime,
) -> None:
    """Run until nothing is left, with faults, and check that each notice was given once."""
    answer: dict[str, int] | None = None
    runs = 0
    while answer != {}:
        started = time.monotonic()
        try:
            with network_faults.injected(proxy, *faults_of_run()):
                answer = announce()
        except (ServiceError, AnnouncementsFailedError):
            answer = None
        assert time.monotonic() - started < SECONDS
        runs += 1
        assert runs < MOST_DELIVERIES
        counts.add(operations=1)
        new_container()

    given = sorted((notice.key_id, notice.expires_at, notice.days) for notice in announce.notices())
    assert [(nth_id(number), EXPIRING[nth_id(number)], int(number > 2)) for number in NUMBERS] == given
    assert {f"{EXPIRING[nth_id(number)]}#{ORGANIZATION_ID}#{nth_id(number)}": 1 for number in (3, 4)} == (
        announce.expiries()
    )


@pytest.mark.parametrize("repeats", [1, 100], ids=["once", "lasting"])
@pytest.mark.parametrize("position", range(8))
@pytest.mark.parametrize("fault", network_faults.FAULTS.values(), ids=network_faults.FAULTS)
@pytest.mark.deep
def test_a_notice_is_given_once_under_any_fault(  # noqa: PLR0913, PLR0917 - what a fault is made of
    announce: Announcements,
    proxy: FaultProxy,
    time: SimulatedTime,
    fault: network_faults.Fault,
    position: int,
    repeats: int,
) -> None:
    """GIVEN a fault at any request, once or from there on, WHEN runs follow THEN each notice is given exactly once."""
    script_of_runs = iter([[*[None] * position, *[fault] * repeats]])

    announced_until_done(announce, lambda: next(script_of_runs, []), proxy, time)


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.deep
def test_interrupted_announcements_are_continued(
    announce: Announcements, proxy: FaultProxy, time: SimulatedTime, seed: int
) -> None:
    """However often runs are interrupted, each notice is given exactly once."""
    chance = random.Random(seed)  # noqa: S311 - a seed that can be repeated

    announced_until_done(announce, lambda: script(chance, 30), proxy, time)


@pytest.mark.parametrize("repeats", [1, 100], ids=["once", "lasting"])
@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("fault", network_faults.FAULTS.values(), ids=network_faults.FAULTS)
@pytest.mark.deep
def test_an_organization_is_created_once(
    world: World, proxy: FaultProxy, fault: network_faults.Fault, position: int, repeats: int
) -> None:
    """GIVEN a fault WHEN the operator creates an organization, again if it failed, THEN it is there once, completely.

    An organization is complete with its owner and an audit record for each.
    """
    organization_id = uuid.uuid4()

    def create() -> None:
        counts.add(operations=1)
        operator_organizations.create_organization(OPERATOR, organization_id, "Acme", "ada")

    def kinds() -> list[str]:
        return sorted(sort_key.partition("#")[0] for sort_key in world.table.partition(str(organization_id)))

    try:
        with network_faults.injected(proxy, *[None] * position, *[fault] * repeats):
            create()
    except ServiceError:
        if kinds():
            with pytest.raises(RefusedError):
                create()
        else:
            create()

    assert ["AUDIT", "AUDIT", "MEMBER", "ORG"] == kinds()
