"""Admitting uses: rates, quotas and both, on a table, in simulated time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock
from keywright.domain.limits import SECOND, Limits, Period, Quota, RateLimit
from keywright.errors import ServiceError
from keywright.keys import limiter
from keywright.keys.outcome import Code, RateStatus
from keywright.store.limits import LimitsGoneError
from tests.support import faults
from tests.support.client import UNANSWERED, meanwhile
from tests.support.concurrency import at_once
from tests.support.simulated_limits import Container, SimulatedLimits

if TYPE_CHECKING:
    from tests.support.world import World

SLOW = RateLimit(limit=2, window_seconds=10, burst=2)
SEVERAL = RateLimit(limit=10, window_seconds=10, burst=10)
ONE = RateLimit(limit=1, window_seconds=1, burst=1)
READ, WRITE = "BatchGetItem", "UpdateItem"


@pytest.fixture
def limits(world: World, monkeypatch: pytest.MonkeyPatch) -> SimulatedLimits:
    """Limits in simulated time."""
    return SimulatedLimits.opened(world.table, monkeypatch)


def delete(limits: SimulatedLimits, holder: Limits) -> None:
    """Delete a holder's item."""
    key = {"pk": {"S": f"LIMIT#{holder.holder_id}"}, "sk": {"S": "LIMIT"}}
    limits.table.client.delete_item(TableName=limits.table.name, Key=key)


# Rates.


def test_a_burst_and_no_more_is_admitted_at_once(limits: SimulatedLimits) -> None:
    """A burst of two admits two uses at once, and refuses the third; after an interval, it admits one more."""
    holder = limits.holder(SLOW)

    assert 2 == limits.admitted(holder, uses=4)
    limits.pass_time(4.999)
    assert 0 == limits.admitted(holder, uses=1)
    limits.pass_time(0.001)
    assert 1 == limits.admitted(holder, uses=4)


def test_rest_gives_a_burst_and_no_more(limits: SimulatedLimits) -> None:
    """However long a holder rests, a burst is admitted afterwards."""
    holder = limits.holder(SLOW)
    limits.admitted(holder, uses=2)
    limits.pass_time(1000)

    assert 2 == limits.admitted(holder, uses=4)


def test_the_state_of_a_rate_is_answered(limits: SimulatedLimits) -> None:
    """An admission says what remains and when all is back; a refusal says when to try again."""
    holder = limits.holder(SLOW)

    assert RateStatus(2, 1, 5) == limits.ask(holder).rate
    limits.pass_time(1)
    assert RateStatus(2, 0, 9) == limits.ask(holder).rate
    limits.pass_time(0.5)
    refused = limits.ask(holder)
    assert Code.RATE_LIMITED == refused.code
    assert RateStatus(2, 0, 9) == refused.rate
    assert 4 == refused.retry_after_seconds


def test_a_use_that_costs_more_than_a_burst_is_never_admitted(limits: SimulatedLimits) -> None:
    """It is refused without a time to try again, and without a trace."""
    holder = limits.holder(SLOW)
    refused = limits.ask(holder, cost=3)

    assert Code.RATE_LIMITED == refused.code
    assert refused.retry_after_seconds is None
    assert {} == limits.item(holder)
    assert limits.admits(holder, cost=2)


def test_a_look_takes_nothing(limits: SimulatedLimits) -> None:
    """A use that costs nothing reads the state, and is not refused when nothing remains."""
    holder = limits.holder(SLOW, Quota(2, Period.DAY))
    limits.admitted(holder, uses=2)
    before = limits.item(holder)
    with faults.injected() as operations:
        look = limits.ask(holder, cost=0)

    assert Code.VALID == look.code
    assert look.rate is not None
    assert look.quota is not None
    assert 0 == look.rate.remaining
    assert 0 == look.quota.remaining
    assert [READ] == operations
    assert before == limits.item(holder)


def test_a_look_is_not_refused_after_a_limit_was_lowered(limits: SimulatedLimits) -> None:
    """GIVEN more uses than the limits of now allow THEN a look says that nothing remains."""
    holder = limits.holder(RateLimit(10, 10, 10), Quota(10, Period.DAY))
    limits.admitted(holder, uses=10)
    look = limits.ask(limits.changed(holder, RateLimit(10, 10, 1), Quota(1, Period.DAY)), cost=0)

    assert Code.VALID == look.code
    assert look.rate is not None
    assert look.quota is not None
    assert 0 == look.rate.remaining
    assert 0 == look.quota.remaining


def test_a_use_costs_one_write(limits: SimulatedLimits) -> None:
    """The first use, one of a rate that is in use, and one of a rate at rest again are one request each."""
    holder = limits.holder(SLOW)
    with faults.injected() as operations:
        limits.admitted(holder, uses=2)
        limits.pass_time(100)
        limits.admitted(holder, uses=1)

    assert [WRITE] * 3 == operations


@pytest.mark.parametrize("seconds", [0, 3, 100])
def test_old_knowledge_costs_one_more_write(limits: SimulatedLimits, seconds: int) -> None:
    """GIVEN a use in another container THEN a use is admitted by the second form at the latest."""
    holder = limits.holder(SEVERAL)
    mine, theirs = Container(), Container()
    limits.admitted(holder, uses=2, container=mine)
    limits.pass_time(seconds)
    limits.admitted(holder, uses=4, container=theirs)
    with faults.injected() as operations:
        assert limits.admits(holder, container=mine)

    assert [WRITE] * (2 if seconds else 1) == operations


def test_old_knowledge_does_not_refuse(limits: SimulatedLimits) -> None:
    """GIVEN a refusal longer than a second ago THEN the item is read before a use is refused again."""
    holder = limits.holder(SLOW)
    limits.admitted(holder, uses=3)
    limits.table.put(pk=f"LIMIT#{holder.holder_id}", sk="LIMIT")  # all is back, by another container
    limits.pass_time(0.999)
    assert not limits.admits(holder)
    limits.pass_time(0.001)

    assert limits.admits(holder)


def test_knowledge_from_the_future_does_not_refuse(limits: SimulatedLimits) -> None:
    """GIVEN a clock that was set back THEN a refusal is read again."""
    holder = limits.holder(SLOW)
    limits.admitted(holder, uses=3)
    limits.pass_time(-0.1)
    with faults.injected() as operations:
        assert not limits.admits(holder)

    assert [READ] == operations


def test_refusals_write_nothing(limits: SimulatedLimits) -> None:
    """600 uses in ten seconds, at ten a second, are 110 writes and a read for each second and time to try again."""
    holder = limits.holder(RateLimit(10, 1, 10))
    with faults.injected() as operations:
        admitted = 0
        for _ in range(600):
            admitted += limits.admits(holder)
            limits.pass_time(1 / 60)

    assert 109 == admitted
    assert admitted == operations.count(WRITE)
    assert 10 > operations.count(READ)


def test_two_containers_admit_together_what_one_would(limits: SimulatedLimits) -> None:
    """Clocks that differ by a second admit a second's uses too many, at most, however long it goes on."""
    holder, containers = limits.holder(RateLimit(10, 10, 3)), [Container(), Container(ahead=SECOND)]
    admitted = 0
    for number in range(200):
        admitted += limits.admits(holder, container=containers[number % 2])
        limits.pass_time(0.1)

    assert 3 + 20 - 1 <= admitted <= 3 + 20 + 1


def test_a_rate_that_is_used_at_its_limit_takes_two_writes_at_most(limits: SimulatedLimits) -> None:
    """GIVEN another use just before each write, and writes that take longer than an interval THEN the second admits."""
    holder = limits.holder(RateLimit(1000, 1, 1000))

    def use_elsewhere() -> None:
        limits.pass_time(0.005)
        state = {"tat": limits.now - SECOND // 1000, "rate_interval": SECOND // 1000}
        limits.table.put(pk=f"LIMIT#{holder.holder_id}", sk="LIMIT", **state)

    with faults.injected(*[meanwhile(use_elsewhere)] * 10) as operations:
        admitted = limits.ask(holder)

    assert Code.VALID == admitted.code
    assert [WRITE] * 2 == operations


def test_a_use_is_not_refused_by_the_time_at_which_it_began(limits: SimulatedLimits) -> None:
    """GIVEN a rate at rest WHEN four of its burst of five are used while a use waits THEN that one is the fifth."""
    holder = limits.holder(RateLimit(5, 3600, 5))

    def use_elsewhere() -> None:
        limits.pass_time(0.001)
        state = {"tat": limits.now + 4 * 720 * SECOND, "rate_interval": 720 * SECOND}
        limits.table.put(pk=f"LIMIT#{holder.holder_id}", sk="LIMIT", **state)

    with faults.injected(meanwhile(use_elsewhere)) as operations:
        assert limits.admits(holder)

    assert [WRITE] * 2 == operations
    assert not limits.admits(holder)


def test_a_state_that_always_changes_admits_nothing(limits: SimulatedLimits) -> None:
    """GIVEN other uses before each write THEN a use is refused for a second: contention is no way around a limit."""
    holder = limits.holder(RateLimit(10, 1, 10))
    states = [{"tat": limits.now + 1, "rate_interval": SECOND // 10}, {"tat": 1, "rate_interval": SECOND // 10}] * 5
    others = [
        meanwhile(lambda state=state: limits.table.put(pk=f"LIMIT#{holder.holder_id}", sk="LIMIT", **state))  # type: ignore[misc]
        for state in states
    ]
    with faults.injected(*others) as operations:
        refused = limits.ask(holder)

    assert [WRITE] * 10 == operations
    assert Code.RATE_LIMITED == refused.code
    assert 1 == refused.retry_after_seconds


def test_a_quota_that_always_changes_is_a_503(limits: SimulatedLimits) -> None:
    """GIVEN another period before each write THEN the quota could not be asked."""
    holder = limits.holder(quota=Quota(10, Period.DAY))
    others = [
        meanwhile(
            lambda day=day: limits.table.put(  # type: ignore[misc]
                pk=f"LIMIT#{holder.holder_id}", sk="LIMIT", quota_period=f"day 2025-01-{day}", quota_used=1
            )
        )
        for day in range(10, 20)
    ]
    with faults.injected(*others), pytest.raises(ServiceError):
        limits.ask(holder)


# Quotas.


def test_a_quota_admits_its_number(limits: SimulatedLimits) -> None:
    """A quota of two admits two uses, and refuses the third until the next period, or for good."""
    month, total = limits.holder(quota=Quota(2, Period.MONTH)), limits.holder(quota=Quota(2, Period.TOTAL))

    for holder in (month, total):
        assert 2 == limits.admitted(holder, uses=3)
    refused = limits.ask(month)
    assert Code.QUOTA_EXCEEDED == refused.code
    assert refused.quota is not None
    assert refused.quota.resets_at is not None
    assert (refused.quota.resets_at - limits.now) // SECOND == refused.retry_after_seconds
    assert limits.ask(total).retry_after_seconds is None
    limits.now = refused.quota.resets_at
    assert 2 == limits.admitted(month, uses=3)
    assert 0 == limits.admitted(total, uses=1)


def test_a_use_that_costs_more_than_a_quota_is_never_admitted(limits: SimulatedLimits) -> None:
    """It is refused without a time to try again."""
    refused = limits.ask(limits.holder(quota=Quota(2, Period.DAY)), cost=3)

    assert Code.QUOTA_EXCEEDED == refused.code
    assert refused.retry_after_seconds is None


def test_a_use_that_the_quota_refuses_takes_nothing_of_the_rate(limits: SimulatedLimits) -> None:
    """One write takes of both, or of none; the rate is named first."""
    holder = limits.holder(SEVERAL, Quota(2, Period.DAY))

    assert 2 == limits.admitted(holder, uses=2)
    before = limits.item(holder)
    assert Code.QUOTA_EXCEEDED == limits.ask(holder).code
    assert Code.QUOTA_EXCEEDED == limits.ask(holder, container=Container()).code
    assert before == limits.item(holder)
    assert Code.RATE_LIMITED == limits.ask(holder, cost=11).code


@pytest.mark.parametrize("period", [Period.DAY, Period.WEEK, Period.MONTH])
def test_a_period_is_begun_once(limits: SimulatedLimits, period: Period) -> None:
    """GIVEN a container whose clock is a second ahead THEN both count in the next period from then on."""
    ahead, behind = Container(ahead=SECOND), Container()
    holder = limits.holder(quota=Quota(3, period))
    limits.admitted(holder, uses=3, container=behind)
    ends_at = period.containing(limits.now).ends_at
    assert ends_at is not None
    limits.now = ends_at - SECOND // 2

    assert not limits.admits(holder, container=Container())
    assert limits.admits(holder, container=ahead)
    limits.running = Container()
    assert limits.admits(holder)
    assert limits.admits(holder, container=ahead)
    assert not limits.admits(holder, container=Container())
    assert not limits.admits(holder, container=ahead)
    status = limits.ask(holder, cost=0, container=Container()).quota
    assert status is not None
    assert 3 == status.used
    assert period.containing(ends_at).ends_at == status.resets_at


def test_a_period_that_another_container_has_begun_is_not_begun_again(limits: SimulatedLimits) -> None:
    """GIVEN two containers that know the last period THEN the second one counts on."""
    holder, containers = limits.holder(quota=Quota(3, Period.DAY)), [Container(), Container()]
    for container in containers:
        limits.admits(holder, container=container)
    limits.pass_time(86_400)

    assert [True, True, True, False] == [limits.admits(holder, container=containers[n % 2]) for n in range(4)]


# Changed limits.


@pytest.mark.parametrize(
    "raised", [RateLimit(20, 10, 10), RateLimit(10, 5, 10), RateLimit(10, 10, 10), RateLimit(999, 3600, 20)]
)
def test_a_raised_rate_counts_on_the_next_use(limits: SimulatedLimits, raised: RateLimit) -> None:
    """The uses ahead are counted in intervals of the new rate."""
    holder = limits.holder(RateLimit(10, 10, 5))
    limits.admitted(holder, uses=5)
    refused = limits.ask(limits.changed(holder, RateLimit(10, 10, 5)))
    assert Code.RATE_LIMITED == refused.code

    assert raised.burst - 5 == limits.admitted(limits.changed(holder, raised), uses=raised.burst)


def test_a_shorter_window_counts_on_the_next_use(limits: SimulatedLimits) -> None:
    """GIVEN ten uses in an hour that are used up WHEN it becomes ten a minute THEN one is admitted in six seconds."""
    holder = limits.holder(RateLimit(10, 3600, 10))
    limits.admitted(holder, uses=10)
    raised = limits.changed(holder, RateLimit(10, 60, 10))

    assert 6 == limits.ask(raised).retry_after_seconds
    limits.pass_time(6)
    assert 1 == limits.admitted(raised, uses=2)


def test_a_lowered_rate_refuses_for_a_burst_at_most(limits: SimulatedLimits) -> None:
    """GIVEN a thousand uses ahead WHEN the rate becomes one a second THEN one is admitted after a second."""
    holder = limits.holder(RateLimit(100, 100, 100))
    limits.admitted(holder, uses=100)
    lowered = limits.changed(holder, RateLimit(2, 1, 1))
    refused = limits.ask(lowered)

    assert Code.RATE_LIMITED == refused.code
    assert 1 == refused.retry_after_seconds
    limits.pass_time(0.5)
    assert 1 == limits.admitted(lowered, uses=2)


def test_a_change_costs_one_write_more(limits: SimulatedLimits) -> None:
    """The first use converts the item; the next ones do not."""
    holder = limits.holder(SLOW, Quota(10, Period.DAY))
    limits.admits(holder)
    changed = limits.changed(holder, SEVERAL, Quota(10, Period.MONTH))
    with faults.injected() as operations:
        limits.admitted(changed, uses=2)

    assert [WRITE] * 3 == operations
    assert {"quota_period": "month 2026-05-01", "quota_used": 2} == {
        name: value for name, value in limits.item(holder).items() if name.startswith("quota")
    }


def test_older_limits_give_no_second_burst(limits: SimulatedLimits) -> None:
    """GIVEN a container that reuses a record WHEN the rate is lowered THEN it reads the key again, and admits as new.

    If it converted the item back, each conversion of the others would give it another burst.
    """
    mine, theirs = Container(), Container()
    old = limits.holder(RateLimit(100, 100, 100))
    limits.admitted(old, uses=100, container=theirs)
    limits.pass_time(0.5)
    limits.running = mine
    lowered = limits.changed(old, RateLimit(3, 1, 1))
    limits.admits(lowered)
    limits.pass_time(1)  # all of the new burst is back
    limits.running = theirs

    with pytest.raises(LimitsGoneError):
        limiter.admit([old], 1)


def test_a_new_container_does_not_use_a_rate_at_rest_with_older_limits(limits: SimulatedLimits) -> None:
    """GIVEN a rate at rest that was changed WHEN a container that knows nothing reuses a record THEN it reads again."""
    old = limits.holder(RateLimit(100, 100, 100))
    limits.pass_time(0.5)
    limits.admits(limits.changed(old, RateLimit(2, 1, 1)))
    limits.pass_time(2)
    limits.running = Container()

    with pytest.raises(LimitsGoneError):
        limiter.admit([old], 1)


def test_limits_are_not_read_again_each_time_the_item_is_seen(limits: SimulatedLimits) -> None:
    """GIVEN limits that were read after a container first saw the item of older ones THEN they are converted at once.

    Other threads may see the item again meanwhile, and must not make the first one read the key for ever.
    """
    old = limits.holder(SLOW)
    limits.admits(old)
    limits.pass_time(1)
    new = limits.changed(old, SEVERAL)
    limits.pass_time(0.1)
    limits.ask(old, cost=0)

    assert Code.VALID == limiter.admit([new], 1).code


def test_an_older_quota_does_not_start_anew(limits: SimulatedLimits) -> None:
    """GIVEN a container that reuses a record WHEN a quota gets another period THEN it reads the key again."""
    mine, theirs = Container(), Container()
    old = limits.holder(quota=Quota(2, Period.DAY))
    limits.admitted(old, uses=2, container=theirs)
    limits.pass_time(2)
    limits.running = mine
    assert 2 == limits.admitted(limits.changed(old, quota=Quota(2, Period.WEEK)), uses=3)
    limits.running = theirs

    with pytest.raises(LimitsGoneError):
        limiter.admit([old], 1)


def test_a_changed_quota_keeps_its_count(limits: SimulatedLimits) -> None:
    """A quota of another number counts on, whether it is raised or lowered."""
    holder = limits.holder(quota=Quota(2, Period.DAY))
    limits.admitted(holder, uses=2)

    assert 1 == limits.admitted(limits.changed(holder, quota=Quota(3, Period.DAY)), uses=2)
    assert 0 == limits.admitted(limits.changed(holder, quota=Quota(1, Period.DAY)), uses=2)


@pytest.mark.parametrize(("first", "remaining"), [({"rate": SLOW}, [0, 4]), ({"quota": Quota(5, Period.DAY)}, [1, 3])])
def test_a_limit_that_is_added_counts_from_then_on(
    limits: SimulatedLimits, first: dict[str, Any], remaining: list[int]
) -> None:
    """A quota beside a rate, and a rate beside a quota, begin with nothing used."""
    holder = limits.holder(**first)
    limits.admits(holder)
    admission = limits.ask(limits.changed(holder, SLOW, Quota(5, Period.DAY)))

    assert admission.rate is not None
    assert admission.quota is not None
    assert remaining == [admission.rate.remaining, admission.quota.remaining]


# A key and its organization.


def test_both_limits_must_admit_a_use(limits: SimulatedLimits) -> None:
    """A use that the organization refuses takes nothing of the key, rate or quota."""
    key, organization = limits.holder(SEVERAL, Quota(5, Period.DAY)), limits.holder(SLOW, of="organization")
    assert 2 == limits.admitted(key, organization, uses=2)
    before = limits.item(key)
    refused = limits.ask(key, organization, container=Container())

    assert Code.RATE_LIMITED == refused.code
    assert "organization" == refused.of
    assert before == limits.item(key)


def test_a_refusal_of_the_organization_is_repeated_from_memory(limits: SimulatedLimits) -> None:
    """The key is not asked, so there is nothing to give back."""
    key, organization = limits.holder(SEVERAL), limits.holder(SLOW, of="organization")
    limits.admitted(key, organization, uses=3)
    with faults.injected() as operations:
        assert not limits.admits(key, organization)

    assert [] == operations


def test_a_look_gives_nothing_back(limits: SimulatedLimits) -> None:
    """GIVEN an organization that cannot be asked THEN a look at the key has no effect."""
    key = limits.holder(SEVERAL)
    organization = limits.holder(quota=Quota(1, Period.DAY), of="organization")
    limits.admits(key)
    before = limits.item(key)
    with faults.injected(None, *[faults.timeout] * 10) as operations, pytest.raises(ServiceError):
        limits.ask(key, organization, cost=0, container=Container())

    assert WRITE not in operations
    assert before == limits.item(key)


def test_what_is_given_back_late_gives_no_second_use(limits: SimulatedLimits) -> None:
    """GIVEN a use whose interval has passed, and another use since WHEN it is given back THEN one use was admitted.

    A burst of one: had the first use never been, the other one would still be all of it.
    """
    key, organization = limits.holder(ONE), limits.holder(SLOW, of="organization")
    limits.admitted(organization, uses=2)
    other = Container()

    def late() -> None:
        mine = limits.running
        limits.pass_time(1)
        assert limits.admits(key, container=other)
        limits.running = mine

    limits.running = Container()
    with faults.injected(None, meanwhile(late)):
        assert not limits.admits(key, organization)
    assert not limits.admits(key, container=Container())


def test_a_part_of_a_use_is_given_back(limits: SimulatedLimits) -> None:
    """GIVEN a rate at rest WHEN half an interval passes before a use is given back THEN all is back."""
    key, organization = limits.holder(SLOW), limits.holder(SLOW, of="organization")
    limits.admitted(organization, uses=2)
    with faults.injected(None, meanwhile(lambda: limits.pass_time(2.5))):
        assert not limits.admits(key, organization, container=Container())

    assert limits.now == limits.item(key)["tat"]


def test_uses_of_others_are_not_given_back(limits: SimulatedLimits) -> None:
    """GIVEN a new period between a use and its return THEN the new period's count stays."""
    key = limits.holder(quota=Quota(5, Period.DAY))
    organization = limits.holder(quota=Quota(1, Period.MONTH), of="organization")
    limits.admits(organization)
    me = Container()

    def next_day() -> None:
        limits.pass_time(86_400)
        assert limits.admits(key, container=me)

    with faults.injected(None, None, meanwhile(next_day)):
        assert not limits.admits(key, organization, container=me)

    assert 1 == limits.item(key)["quota_used"]


@pytest.mark.parametrize("fault", [faults.lost_answer, faults.timeout])
def test_a_use_is_given_back_once_at_most(limits: SimulatedLimits, fault: faults.Fault) -> None:
    """GIVEN a fault THEN it is not repeated: a lost answer gives no admission."""
    key, organization = limits.holder(SEVERAL, Quota(5, Period.DAY)), limits.holder(SLOW, of="organization")
    limits.admitted(organization, uses=2)
    limits.admitted(key, uses=3)
    with faults.injected(None, None, None, *[fault] * 9) as operations:
        assert not limits.admits(key, organization, container=Container())

    assert [WRITE] * 4 == [operation for operation in operations if operation == WRITE]
    assert limits.item(key)["quota_used"] == (3 if fault is faults.lost_answer else 4)


def test_the_tightest_limits_are_answered(limits: SimulatedLimits) -> None:
    """An admission has the rate and the quota of which the least remains."""
    key = limits.holder(SEVERAL, Quota(5, Period.DAY))
    organization = limits.holder(SLOW, Quota(100, Period.DAY), of="organization")
    admission = limits.ask(key, organization)

    assert admission.rate is not None
    assert admission.quota is not None
    assert 2 == admission.rate.limit
    assert 5 == admission.quota.limit


# Failures.


@pytest.mark.parametrize("fault", UNANSWERED)
def test_a_rate_that_cannot_be_asked_admits_and_says_so(limits: SimulatedLimits, fault: faults.Fault) -> None:
    """After two attempts; nothing is known of what remains."""
    with faults.injected(*[fault] * 9) as operations:
        admission = limits.ask(limits.holder(SLOW))

    assert [WRITE, WRITE] == operations
    assert Code.VALID == admission.code
    assert admission.is_asked is False
    assert RateStatus(2) == admission.rate


def test_a_quota_that_cannot_be_asked_is_a_503(limits: SimulatedLimits) -> None:
    """With or without a rate; what was taken of the key is given back."""
    key, organization = limits.holder(SEVERAL), limits.holder(SLOW, Quota(1, Period.DAY), of="organization")
    limits.admits(key)
    before = limits.item(key)
    with faults.injected(None, *[faults.timeout] * 2), pytest.raises(ServiceError):
        limits.ask(key, organization)

    assert before == limits.item(key)


def test_a_rate_that_was_not_asked_is_not_given_back(limits: SimulatedLimits) -> None:
    """GIVEN a key that could not be asked WHEN the organization refuses THEN nothing of the key is given back."""
    key, organization = limits.holder(SEVERAL), limits.holder(SLOW, of="organization")
    limits.admitted(key, uses=3)
    limits.admitted(organization, uses=2)
    before = limits.item(key)
    with faults.injected(*[faults.timeout] * 2):
        assert not limits.admits(key, organization, container=Container())

    assert before == limits.item(key)


def test_a_lost_answer_costs_one_use(limits: SimulatedLimits) -> None:
    """GIVEN a write whose answer is lost THEN the use is taken twice, and admitted once."""
    holder = limits.holder(SEVERAL, Quota(10, Period.DAY))
    limits.admits(holder)
    with faults.injected(faults.lost_answer):
        assert limits.admits(holder)

    assert 3 == limits.item(holder)["quota_used"]
    assert 7 == limits.admitted(holder, uses=10)


def test_a_holder_without_an_item_has_no_limits(limits: SimulatedLimits) -> None:
    """GIVEN a deletion in between THEN the holder is to be read again, and no item comes back."""
    holder = limits.holder(SLOW, Quota(5, Period.DAY))
    limits.admits(holder)

    with faults.injected(meanwhile(lambda: delete(limits, holder))), pytest.raises(LimitsGoneError):
        limiter.admit([holder], 1)
    with pytest.raises(LimitsGoneError):
        limiter.admit([holder], 0)
    assert [] == limits.table.items()


def test_uses_are_given_back_if_the_organization_has_no_limits(limits: SimulatedLimits) -> None:
    """The verification reads both again, and takes again."""
    key, organization = limits.holder(SEVERAL), limits.holder(SLOW, of="organization")
    limits.admits(key)
    before = limits.item(key)
    delete(limits, organization)

    with pytest.raises(LimitsGoneError):
        limiter.admit([key, organization], 1)
    assert before == limits.item(key)


def test_a_return_to_a_deleted_holder_leaves_no_item(limits: SimulatedLimits) -> None:
    """GIVEN a key that is deleted before its use is given back THEN no item comes back."""
    key, organization = limits.holder(SEVERAL), limits.holder(SLOW, of="organization")
    limits.admitted(organization, uses=2)
    with faults.injected(None, None, meanwhile(lambda: delete(limits, key))) as operations:
        limits.ask(key, organization, container=Container())

    assert [WRITE] * 3 == operations
    assert [f"LIMIT#{organization.holder_id}"] == [item["pk"] for item in limits.table.items()]


def test_threads_share_a_burst(world: World) -> None:
    """In real time: of twenty uses at once, a burst of five admits five; a quota of five, five."""
    rate, quota = RateLimit(5, 3600, 5), Quota(5, Period.TOTAL)
    for given in ((rate, None), (None, quota), (rate, quota)):
        limits = SimulatedLimits(world.table, clock.now_ns())
        holder = limits.holder(*given)
        codes = at_once([lambda holder=holder: limiter.admit([holder], 1).code] * 20)  # type: ignore[misc]
        assert 5 == codes.count(Code.VALID)
