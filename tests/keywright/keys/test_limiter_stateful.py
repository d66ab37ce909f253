"""Random uses of limits that change, in simulated time: every answer is that of a list of the admitted uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from keywright.domain.limits import SECOND, Period, Quota, RateLimit
from keywright.keys import limiter
from tests.support.depth import size
from tests.support.simulated_limits import Container, SimulatedLimits

if TYPE_CHECKING:
    import pytest

    from keywright.keys.outcome import Admission
    from tests.support.world import World

EXAMPLES = size("LIMITER_EXAMPLES", 4, full=40)
CLOCK_EXAMPLES = size("LIMITER_CLOCK_EXAMPLES", 2, full=10)


def depth(examples: int, steps: int) -> settings:
    """Return how many sequences of how many steps to run."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


BOUNDARIES = [
    datetime(2028, 2, 29, tzinfo=UTC),  # a leap day begins
    datetime(2028, 3, 1, tzinfo=UTC),
    datetime(2026, 3, 1, tzinfo=UTC),
    datetime(2026, 11, 30, tzinfo=UTC),  # a Monday
    datetime(2027, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 15, tzinfo=UTC),
]
starts = st.builds(
    lambda at, before: int(at.timestamp()) * SECOND - before,
    st.sampled_from(BOUNDARIES),
    st.integers(-2 * SECOND, 5 * SECOND),
)
rates = st.none() | st.builds(
    lambda limit, window, burst: RateLimit(limit, window, min(burst, limit)),
    st.integers(1, 20),
    st.sampled_from([1, 3, 60, 3600]),
    st.integers(1, 20),
)
quotas = st.none() | st.builds(Quota, st.integers(1, 12), st.sampled_from(Period))
limits_of_a_key = st.tuples(rates, quotas).filter(any)
fast_rates = st.builds(
    lambda a_second, window, burst: RateLimit(a_second * window, window, min(burst, a_second * window)),
    st.integers(101, 330),
    st.sampled_from([1, 30]),
    st.sampled_from([3, 120, 5_000]),
)
costs = st.sampled_from([1, 1, 1, 2, 5])
which = st.integers(0, 1)
steps_of_time = st.one_of(
    st.integers(0, 2 * SECOND),
    st.sampled_from([1_000, SECOND // 20, SECOND // 3, SECOND, 60 * SECOND, 86_400 * SECOND, 31 * 86_400 * SECOND]),
)


def calendar(period: Period, now: int) -> tuple[object, ...]:
    """Return what tells one period from another, by the calendar of Python."""
    day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=now // SECOND)).date()
    match period:
        case Period.DAY:
            return (period, day)
        case Period.WEEK:
            return (period, *day.isocalendar()[:2])
        case Period.MONTH:
            return (period, day.year, day.month)
        case Period.TOTAL:
            return (period,)


@dataclass(slots=True)
class Model:
    """What was admitted: times and costs for a rate, and a number for a quota."""

    rate: RateLimit | None
    quota: Quota | None
    uses: list[tuple[int, int]] = field(default_factory=list)
    interval: int = 0
    counted_in: tuple[object, ...] | None = None
    count: int = 0

    def convert(self, now: int) -> None:
        """Count the uses that lie ahead in intervals of the rate, and begin the quota's period."""
        if self.rate is not None and self.interval != self.rate.interval:
            ahead = -(-max(0, self._latest_end() - now) // (self.interval or 1))
            self.uses = [(now, min(ahead, self.rate.burst))]
            self.interval = self.rate.interval
        if self.quota is not None and self.counted_in != calendar(self.quota.period, now):
            self.counted_in, self.count = calendar(self.quota.period, now), 0

    def refusals(self, cost: int, now: int) -> list[str]:
        """Return why a use is refused: it would be one too many since some earlier one, or in this period."""
        self.convert(now)
        reasons = []
        if self.rate is not None:
            ends = max(now, self._latest_end()) + cost * self.interval
            if ends > now + self.rate.burst * self.interval:
                reasons.append("RATE_LIMITED")
        if self.quota is not None and self.count + cost > self.quota.limit:
            reasons.append("QUOTA_EXCEEDED")
        return reasons

    def admit(self, cost: int, now: int) -> None:
        """Note a use."""
        if self.rate is not None:
            self.uses.append((now, cost))
        self.count += cost if self.quota is not None else 0

    def _latest_end(self) -> int:
        """Return when the last use has come back: each stretch of uses takes its intervals, from its first one on."""
        ends, total = 0, 0
        for at, cost in reversed(self.uses):
            total += cost
            ends = max(ends, at + total * self.interval)
        return ends


class LimitsThatChange(RuleBasedStateMachine):
    """Two containers with one clock, a key whose limits change, and its organization."""

    def __init__(self, scene: SimulatedLimits) -> None:
        super().__init__()
        self.scene = scene
        self.containers = [Container(), Container()]
        self.last = 0
        """The container that has used the key last, and so knows what is used."""

    @initialize(start=starts, key=limits_of_a_key, organization=limits_of_a_key)
    def begin(
        self,
        start: int,
        key: tuple[RateLimit | None, Quota | None],
        organization: tuple[RateLimit | None, Quota | None],
    ) -> None:
        """Begin shortly before or after the end of a period."""
        self.scene.now = start
        self.key, self.organization = self.scene.holder(*key), self.scene.holder(*organization, of="organization")
        self.of_key, self.of_organization = Model(*key), Model(*organization)

    @rule(container=which, cost=costs)
    def use(self, container: int, cost: int) -> None:
        """Use the key, whose organization has no limits. One that missed a use may name the other reason."""
        answer = self.scene.ask(self.key, cost=cost, container=self.containers[container])
        refusals = self.of_key.refusals(cost, self.scene.now)
        if not refusals:
            assert "VALID" == answer.code
            self.of_key.admit(cost, self.scene.now)
            self.last = container
        elif container == self.last:
            assert refusals[0] == answer.code
            self.check_time_to_try_again(answer, cost)
        else:
            assert answer.code in refusals

    @rule(container=which, cost=costs)
    def use_of_both(self, container: int, cost: int) -> None:
        """Use both limits: a use that one refuses takes nothing of the other."""
        answer = self.scene.ask(self.key, self.organization, cost=cost, container=self.containers[container])
        models = (self.of_key, self.of_organization)
        refusals = [refusal for model in models for refusal in model.refusals(cost, self.scene.now)]
        if not refusals:
            assert "VALID" == answer.code
            self.of_key.admit(cost, self.scene.now)
            self.of_organization.admit(cost, self.scene.now)
            self.last = container
        else:
            assert answer.code in refusals

    @rule(container=which)
    def look(self, container: int) -> None:
        """Look at what remains."""
        answer = self.scene.ask(self.key, cost=0, container=self.containers[container])
        assert "VALID" == answer.code
        if answer.rate is not None:
            remaining = answer.rate.remaining
            assert remaining is not None
            assert self.of_key.refusals(remaining + 1, self.scene.now)
            if remaining and answer.quota is None:
                assert not self.of_key.refusals(remaining, self.scene.now)
        if answer.quota is not None:
            self.of_key.convert(self.scene.now)
            assert self.of_key.count == answer.quota.used

    @rule(limits=limits_of_a_key, container=which)
    def change(self, limits: tuple[RateLimit | None, Quota | None], container: int) -> None:
        """Change the key's limits, up or down; the next use converts what was used.

        Refusals are repeated from memory for a second, even those of limits that were changed and changed back.
        """
        self.scene.now += limiter.TRUSTED_NS
        self.scene.running = self.containers[container]
        self.key = self.scene.changed(self.key, *limits)
        self.of_key.rate, self.of_key.quota = limits
        self.use(container, 1)

    @rule(nanoseconds=steps_of_time)
    def wait(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.scene.now += nanoseconds // 1_000 * 1_000

    def check_time_to_try_again(self, answer: Admission, cost: int) -> None:
        """Check that a refused use is admitted at the time that it says, and not a second earlier."""
        if answer.code != "RATE_LIMITED" or self.of_key.quota is not None:
            return
        seconds = answer.retry_after_seconds
        if seconds is None:
            assert self.of_key.refusals(cost, self.scene.now + 10**18)
        else:
            assert not self.of_key.refusals(cost, self.scene.now + seconds * SECOND)
            assert seconds == 1 or self.of_key.refusals(cost, self.scene.now + (seconds - 1) * SECOND)


class ClocksThatDiffer(RuleBasedStateMachine):
    """Two containers whose clocks differ by a second, a rate that is claimed ahead, and an organization's quota."""

    def __init__(self, scene: SimulatedLimits) -> None:
        super().__init__()
        self.scene = scene
        self.containers = [Container(), Container(ahead=SECOND)]
        self.times: list[int] = []
        self.counts: dict[int, int] = {}

    @initialize(start=starts, rate=fast_rates, quota=st.integers(1, 100))
    def begin(self, start: int, rate: RateLimit, quota: int) -> None:
        """Begin shortly before or after the end of a period."""
        self.scene.now, self.rate, self.quota = start, rate, quota
        self.key = self.scene.holder(rate)
        self.organization = self.scene.holder(quota=Quota(quota, Period.DAY), of="organization")

    @rule(container=which, uses=st.integers(1, 30), pause=st.integers(0, SECOND // 50), has_quota=st.booleans())
    def use(self, container: int, uses: int, pause: int, *, has_quota: bool) -> None:
        """Use the key many times, at times that the container's clock shows."""
        holders = (self.key, self.organization) if has_quota else (self.key,)
        for _ in range(uses):
            admission = self.scene.ask(*holders, container=self.containers[container])
            if admission.code == "VALID":
                self.note(admission)
            self.scene.now += pause // 1_000 * 1_000

    @rule(nanoseconds=steps_of_time)
    def wait(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.scene.now += nanoseconds // 1_000 * 1_000

    def note(self, admission: Admission) -> None:
        """Note a use: a second of difference gives a second's uses at most, and no period more than its quota."""
        self.times.append(self.scene.now)
        allowance = self.rate.burst * self.rate.interval + SECOND
        for number, since in enumerate(reversed(self.times), 1):
            assert number * self.rate.interval <= self.scene.now - since + allowance
        if admission.quota is not None:
            ends_at = admission.quota.resets_at or 0
            self.counts[ends_at] = self.counts.get(ends_at, 0) + 1
            assert self.counts[ends_at] <= self.quota


def test_every_answer_is_that_of_the_model(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are used, changed and awaited admit exactly what the model admits."""
    scene = SimulatedLimits.opened(world.table, monkeypatch)
    run_state_machine_as_test(lambda: LimitsThatChange(scene), settings=depth(EXAMPLES, 40))  # type: ignore[no-untyped-call]


def test_different_clocks_admit_a_second_more_at_most(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two containers whose clocks differ admit what a second gives beyond the rate, and never more than a quota."""
    scene = SimulatedLimits.opened(world.table, monkeypatch)
    run_state_machine_as_test(lambda: ClocksThatDiffer(scene), settings=depth(CLOCK_EXAMPLES, 15))  # type: ignore[no-untyped-call]


def test_the_model_is_about_limits() -> None:
    """The model refuses the use after a burst, and admits it an interval later."""
    model = Model(RateLimit(2, 10, 2), None)
    for _ in range(2):
        assert not model.refusals(1, SECOND)
        model.admit(1, SECOND)

    assert ["RATE_LIMITED"] == model.refusals(1, 6 * SECOND - 1)
    assert not model.refusals(1, 6 * SECOND)
