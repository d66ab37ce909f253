"""A year of keys that are made, changed and deleted at random: each notice is given exactly once.

Runs are skipped, doubled, killed, short of time, or overtaken by changes. EXPIRING_KEYS sets the number of keys, and
EXPIRING_DAYS how long they are watched: a quarter by default, a year at full depth.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from botocore.httpsession import URLLib3Session

from keywright import clock as keywright_clock
from keywright.aws import retries
from keywright.domain.principals import Actor, ActorType
from keywright.keys import expirations
from keywright.keys.expirations import AnnouncementsFailedError
from keywright.operators import keys as operator_keys
from tests.support import faults
from tests.support.announcements import SECONDS, Announcements, expiries_of_keys, notices
from tests.support.client import VALID_BODY, meanwhile
from tests.support.depth import size
from tests.support.figures import record
from tests.support.model import DAY, SECOND, rfc3339
from tests.support.purge import SCHEDULED
from tests.support.service import Caller, Service
from tests.support.stepped_clock import SteppedClock
from tests.support.world import Context, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest

    from tests.support.announcements import Notice
    from tests.support.world import World

KEYS = size("EXPIRING_KEYS", 30, full=1_000)
DAYS = size("EXPIRING_DAYS", 90, full=365)
ORGANIZATIONS = max(3, KEYS // 50)
WINDOWS = {30: 7, 7: 1, 1: 0, 0: None}
"""Each notice, and that which is due next."""
NOTICES = {30: "notices_of_30_days", 7: "notices_of_7_days", 1: "notices_of_a_day", 0: "notices_of_expired_keys"}
OPERATOR = Actor(ActorType.OPERATOR, "arn:aws:sts::123456789012:assumed-role/Ops/ada")


class Killed(BaseException):
    """The function's process ends here."""


@dataclass
class Period:
    """The time in which a key had one expiry. Times are milliseconds since 1970.

    Attributes:
        since: when it was set.
        until: when it was changed, or the key deleted; infinite if neither.
    """

    key_id: str
    organization_id: str
    at: int
    since: int
    until: float = float("inf")


@dataclass(frozen=True)
class Run:
    """A run of the function: from when to when, and whether it was whole and undisturbed."""

    start: int
    end: int
    is_whole: bool


class Year:
    """The service for a year, with what should have been noticed."""

    def __init__(self, service: Service, purge: Callable[..., Any], clock: SteppedClock, seed: int) -> None:
        self.service, self.purge, self.clock = service, purge, clock
        self.announce = Announcements(service.handlers["announce_expirations"], service.world)
        self.chance = random.Random(seed)  # noqa: S311 - a seed that can be repeated
        self.organizations = [nth_id(number) for number in range(ORGANIZATIONS)]
        self.keys: dict[str, str] = {}
        """The organization of each key."""
        self.current: dict[str, Period] = {}
        """The period of each key that expires."""
        self.periods: list[Period] = []
        self.runs: list[Run] = []
        self.notices: list[Notice] = []
        """Those of purged organizations."""
        self.purged_on: dict[int, str] = {}
        for organization_id in self.organizations:
            service.open_organization(organization_id, user_1="admin", owner="owner")

    @property
    def now(self) -> int:
        """The time in milliseconds."""
        return self.clock.milliseconds

    def live(self) -> None:
        """Let the year pass."""
        first, acts = self.now, [self.create, self.change, self.delete, self.touch]
        for day in range(DAYS):
            self.clock.milliseconds = first + day * DAY
            number = self._number(2 * KEYS / DAYS)
            for _ in range(number):
                self._wait(DAY / 2 / number)
                self.chance.choices(acts, [10, 5, 2, 3])[0]()
            if day in self.purged_on:
                self._purge(self.purged_on[day])
            elif day % 80 == 40 and len(self.organizations) > 1:
                self._freeze(day)
            self._wait(DAY / 3)
            self._run()

    def _number(self, mean: float) -> int:
        """Return a random whole number with a mean."""
        return int(mean) + (self.chance.random() < mean % 1)

    def _wait(self, most: float) -> None:
        self.clock.advance(seconds=(1 + int(self.chance.random() * most)) / SECOND)

    # What is done to keys.

    def create(self) -> None:
        """Create a key."""
        if len(self.keys) >= KEYS:
            return
        organization_id = self.chance.choice(self.organizations)
        at = self._expiry()
        body = VALID_BODY | {"expiresAt": None if at is None else rfc3339(at)}
        key_id = self.service.create(Caller(organization_id), body).data["id"]
        self.keys[key_id] = organization_id
        self._set(key_id, at)

    def _expiry(self) -> int | None:
        chance = self.chance
        whole = chance.choice([1, 7, 30, 31, 60, 90, 365]) * DAY
        return chance.choices(
            [
                None,
                self.now + chance.choice([1, SECOND, DAY // 2]),
                self.now + whole + chance.choice([-1, 0, 1]),
                self.now + 1 + int(chance.random() * 400 * DAY),
                self.now - self.now % (90 * DAY) + 90 * DAY,  # as many others
            ],
            [1, 1, 3, 6, 3],
        )[0]

    def _set(self, key_id: str, at: int | None) -> None:
        """Note that a key expires at a time, or never."""
        before = self.current.pop(key_id, None)
        if before is not None and before.at == at:
            self.current[key_id] = before
            return
        if before is not None:
            before.until = self.now
        if at is not None:
            self.current[key_id] = Period(key_id, self.keys[key_id], at, self.now)
            self.periods.append(self.current[key_id])

    def _key(self) -> tuple[str, Caller] | None:
        """Return a key that can be changed, and an admin of its organization."""
        for _ in range(10):
            if self.keys and self.keys[key_id := self.chance.choice(list(self.keys))] in self.organizations:
                return key_id, Caller(self.keys[key_id])
        return None

    def change(self) -> None:
        """Change the expiry of a key, sometimes to what it is."""
        if chosen := self._key():
            key_id, admin = chosen
            period = self.current.get(key_id)
            at = period.at if period and period.at > self.now and self.chance.random() < 0.1 else self._expiry()
            assert self.service.update(admin, key_id, expiresAt=None if at is None else rfc3339(at)).data
            self._set(key_id, at)

    def delete(self) -> None:
        """Delete a key, as an admin, its holder or an operator."""
        if not (chosen := self._key()):
            return
        key_id, admin = chosen
        match self.chance.randrange(3):
            case 0:
                assert self.service.delete(admin, key_id).data
            case 1:
                of_key = {"apiKeyId": key_id, "keyName": "CI", "permissions": "sessions:read"}
                assert self.service.call("revoke_current_api_key", admin, authorizer=of_key).data
            case _:
                assert operator_keys.revoke_key(OPERATOR, UUID(admin.organization_id), UUID(key_id))
        self._set(key_id, None)
        del self.keys[key_id]

    def touch(self) -> None:
        """Change something else of a key."""
        if chosen := self._key():
            key_id, admin = chosen
            match self.chance.randrange(3):
                case 0:
                    assert self.service.rotate(admin, key_id, self.chance.choice([0, 3600])).data
                case 1:
                    assert self.service.update(admin, key_id, enabled=self.chance.random() < 0.5).data
                case _:
                    operator_keys.disable_key(OPERATOR, UUID(admin.organization_id), UUID(key_id))

    def _freeze(self, day: int) -> None:
        """Request the deletion of an organization, which is purged after 30 days."""
        organization_id = self.organizations.pop()
        assert self.service.freeze(organization_id).data
        self.purged_on[day + 31] = organization_id

    def _purge(self, organization_id: str) -> None:
        self.notices += notices(self.service.partition(organization_id).values())
        assert 1 == self.purge(SCHEDULED, Context(remaining_milliseconds=SECONDS * 1000))["purged"]
        for key_id in [key_id for key_id, owner in self.keys.items() if owner == organization_id]:
            self._set(key_id, None)
            del self.keys[key_id]

    # Runs of the function.

    def _run(self) -> None:
        kinds = [self._skip, self._whole, self._two_at_once, self._killed, self._short_of_time, self._overtaken]
        self.chance.choices(kinds, [2, 8, 1, 2, 1, 2])[0]()

    def _skip(self) -> None:
        pass

    def _whole(self) -> None:
        assert "unfinished" not in self.announce()
        self.runs.append(Run(self.now, self.now, is_whole=True))

    def _two_at_once(self) -> None:
        places = [None] * self.chance.randrange(6)
        with faults.injected(*places, meanwhile(self.announce)):
            self.announce()
        self.runs.append(Run(self.now, self.now, is_whole=True))

    def _killed(self) -> None:
        with killing(self.chance.randrange(8), is_sent=self.chance.random() < 0.5), suppress(Killed):
            self.announce()
        self.runs.append(Run(self.now, self.now, is_whole=False))

    def _short_of_time(self) -> None:
        answers = iter([False] * self.chance.randrange(8))
        with pytest.MonkeyPatch.context() as late:
            late.setattr(expirations, "_is_late", lambda: next(answers, True))
            with suppress(AnnouncementsFailedError):
                self.announce()
        self.runs.append(Run(self.now, self.now, is_whole=False))

    def _overtaken(self) -> None:
        """Change keys during a run."""
        start = self.now

        def change() -> None:
            for _ in range(3):
                self.clock.advance(seconds=0.001)
                self.chance.choice([self.change, self.delete])()
            self.clock.advance(seconds=0.001)

        with faults.injected(*[None] * self.chance.randrange(5), meanwhile(change)):
            self.announce()
        self.runs.append(Run(start, self.now, is_whole=False))

    # Checks.

    def check(self) -> Counter[int]:
        """Check every notice of every period; return how many were given, by their days."""
        given: dict[tuple[str, str], list[tuple[int, int]]] = {}
        counts: Counter[int] = Counter()
        self.notices += notices(self.service.world.table.items())
        for notice in self.notices:
            given.setdefault((notice.key_id, notice.expires_at), []).append(
                (notice.days, milliseconds(notice.given_at))
            )
            counts[notice.days] += 1
        for period in self.periods:
            of_period = given.get((period.key_id, rfc3339(period.at)), [])
            for days in WINDOWS:
                self._check(period, days, [at for each, at in of_period if each == days])
        assert counts.total() == len(self.notices)
        assert {key_id for key_id, _ in given} <= {period.key_id for period in self.periods}
        return counts

    def _check(self, period: Period, days: int, given: list[int]) -> None:
        """Check a notice: given once in its window if a whole run was in it, by one of the runs in it."""
        following = WINDOWS[days]
        opens = period.at - days * DAY
        closes = float("inf") if following is None else period.at - following * DAY
        in_period = [at for at in given if period.since <= at <= period.until]
        window = [
            run
            for run in self.runs
            if opens <= run.start < closes and run.end >= period.since and run.start <= period.until
        ]
        if opens <= period.since:
            assert [] == in_period, (period, days)
            return
        assert len(in_period) <= 1, (period, days)
        assert all(any(run.start <= at <= run.end for run in window) for at in in_period)
        if any(run.is_whole for run in window):
            assert 1 == len(in_period), (period, days)


def milliseconds(text: str) -> int:
    """Return a time in milliseconds since 1970."""
    return round(keywright_clock.stored(text).timestamp() * 1000)


@contextmanager
def killing(transactions: int, *, is_sent: bool) -> Iterator[None]:
    """Kill the process after that many transactions, at the next one: before it is sent, or before its answer."""
    done = 0

    def hook(request: AWSPreparedRequest, operation: str) -> None:
        nonlocal done
        if operation != "TransactWriteItems":
            return
        if done == transactions:
            if is_sent:
                URLLib3Session().send(request)
            raise Killed
        done += 1

    with faults.intercepted(retries.dynamodb(), hook):
        yield


@pytest.fixture
def year(world: World, load_handler: Callable[[str], Callable[..., Any]], monkeypatch: pytest.MonkeyPatch) -> Year:
    """A year of the service that begins now, by a clock that only the test advances."""
    clock = SteppedClock()
    for module in ("clock", "ids", "api.request"):
        monkeypatch.setattr(f"keywright.{module}.time", clock)
    monkeypatch.setattr(retries, "BACKOFF_SECONDS", 0)
    service = Service.opened(world, load_handler, "announce_expirations", seconds=SECONDS)
    return Year(service, load_handler("purge_organizations"), clock, seed=KEYS)


def test_each_notice_of_a_year_is_given_once(year: Year) -> None:
    """GIVEN a year of random changes and runs THEN each notice was given exactly once, if there was a run in its time.

    No notice is given that was due when the expiry was set, or after it was changed or the key deleted. Each key that
    expires has its expiry in the table, until it was announced, and there is no other.
    """
    year.live()

    counts = year.check()
    left = set(year.announce.expiries())
    assert left <= expiries_of_keys(year.service.world.table)
    over = {f"{rfc3339(p.at)}#{p.organization_id}#{p.key_id}" for p in year.current.values() if p.at <= year.now}
    assert expiries_of_keys(year.service.world.table) - left <= over
    assert {30, 7, 1, 0} == counts.keys()
    record("expirations", notices=counts.total(), **{name: counts[days] for days, name in NOTICES.items()})
