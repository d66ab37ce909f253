"""Admitting the uses of keys that have limits: exactly, with one write unit for each limited holder.

A use of a key with limits is one conditional UpdateItem of the holder's item (store/limits.py). Its form is what the
container's last knowledge suggests, and a failed condition returns the item, which says the right form, or that the use
is refused:

    rate     idle       tat <= now                            tat = now + cost
             busy       now <= tat <= now + burst - cost      tat = tat + cost      (in intervals)
    quota    same       the period is this one, with room     used = used + cost
             next       the period is as known                used = cost, in this period

Each form is right for every state that its condition admits, so concurrent uses rarely need a second one.

`tat` belongs to the rate with which it was computed, and `used` to a kind of period. After a change of the limits, the
first use converts them, in a write that admits nothing:

    rate     tat and its interval are as known     tat = now + the uses that lie ahead, a burst at the most
    quota    the period is as known                used = 0, in the period of the new kind

Only a container that has read the limits after it has seen the item may convert it. So all conversions are in the order
of the changes: a container with older limits (RecordReuseSeconds) does not convert back, and give a second burst.

A container never admits from memory, except what it has claimed ahead (keys/leases.py). It refuses from memory what it
has read less than a second ago: `tat` and `used` only grow, except for a use that is given back because the
organization's limit refused it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import clock
from keywright.cache import Recent, once
from keywright.domain.limits import SECOND, CalendarPeriod
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.immutable import immutable, replace
from keywright.keys.leases import Lease, leases
from keywright.keys.outcome import Admission, Code, QuotaStatus, RateStatus
from keywright.log import describe, logger
from keywright.store import limits as store
from keywright.store.limits import LimitsGoneError, Part, Used

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from keywright.domain.limits import Limits, Quota, RateLimit

REMEMBERED_LIMITS = 20_000
"""Entries take some 400 bytes each, so 8 MB at the most."""
TRUSTED_NS = 1 * SECOND
"""How long a refusal is repeated from memory, so that a use that was given back is not refused for long."""

_ATTEMPTS = 10
"""Forms to try. Two are enough, unless other uses change the state in between, again and again."""
_UNREAD = 0


@immutable
class Known:
    """What a container knows of a holder's item.

    Attributes:
        read_at: when it was read, in nanoseconds since 1970.
        since: when the container first read an item of the same rate and kind of period.
    """

    used: Used
    read_at: int
    since: int


@immutable
class Need:
    """What limits say of a use at a time.

    Attributes:
        now: the time, in nanoseconds since 1970, as all times here.
        tat: of the rate before the use, in intervals of this rate.
        period: of the quota.
        used: uses in this period.
        refused: RATE_LIMITED or QUOTA_EXCEEDED; None if the use is admitted.
        retry_at: when a refused use would be admitted if nothing else is used; None if never.
    """

    now: int
    tat: int
    period: CalendarPeriod | None = None
    used: int = 0
    refused: Code | None = None
    retry_at: int | None = None


@immutable
class Taken:
    """A use that was admitted by one holder's limits, or refused.

    Attributes:
        used: what is used since; None if the limits were not asked.
        at: when they were.
        lease: that the use was taken from.
    """

    limits: Limits
    admission: Admission
    used: Used | None = None
    at: int = 0
    lease: Lease | None = None


@once
def known_limits() -> Recent[UUID, Known]:
    """Return this container's memory of what was used of limits, by holder."""
    return Recent(REMEMBERED_LIMITS)


def admit(holders: Sequence[Limits], cost: int) -> Admission:
    """Admit a use to all limits, or to none.

    A use that was taken of the first limit and refused by the second is given back. If that fails, it is lost.

    Args:
        holders: the key's limits, then those of its organization.
        cost: how much the use takes of each; 0 only looks, and is never refused.

    Raises:
        LimitsGoneError: a holder's limits are not as they were read.
        ServiceError: SERVICE_UNAVAILABLE if a quota could not be asked.
    """
    for limits in holders:
        refusal = _refusal_from_memory(limits, cost)
        if refusal is not None:
            return refusal
    taken: list[Taken] = []
    try:
        for limits in holders:
            use = _take(limits, cost)
            if use.admission.code is not Code.VALID:
                _give_back(taken, cost)
                return use.admission
            taken.append(use)
    except (ServiceError, LimitsGoneError):
        _give_back(taken, cost)
        raise
    return _tightest([use.admission for use in taken])


def need_of(limits: Limits, used: Used, cost: int, now: int) -> Need:
    """Return what limits say of a use: the rate first, then the quota."""
    need = Need(now, now)
    if limits.rate is not None:
        need = _need_of_rate(limits, limits.rate, used, cost, now)
    if limits.quota is None:
        return need
    quota, period = limits.quota, _period(limits.quota, used, now)
    count = used.used if used.period == period.name else 0
    if need.refused is None and cost and count + cost > quota.limit:
        retry_at = period.ends_at if cost <= quota.limit else None
        return Need(now, need.tat, period, count, Code.QUOTA_EXCEEDED, retry_at)
    return Need(now, need.tat, period, count, need.refused, need.retry_at)


def _need_of_rate(limits: Limits, rate: RateLimit, used: Used, cost: int, now: int) -> Need:
    tat = _converted(rate, used, now) if _is_of_another_rate(limits, used) else max(used.tat, now)
    room = limits.span - cost * rate.interval
    if cost == 0 or tat <= now + room:
        return Need(now, tat)
    return Need(now, tat, refused=Code.RATE_LIMITED, retry_at=tat - room if room >= 0 else None)


def _is_of_another_rate(limits: Limits, used: Used) -> bool:
    return limits.rate is not None and used.interval not in {0, limits.rate.interval}


def _is_of_another_kind(limits: Limits, used: Used) -> bool:
    return limits.quota is not None and used.kind not in {None, limits.quota.period}


def _converted(rate: RateLimit, used: Used, now: int) -> int:
    """Return the `tat` of as many uses that lie ahead of now, but no more than a burst."""
    uses = max(0, -(-(used.tat - now) // used.interval))
    return now + min(uses, rate.burst) * rate.interval


def _period(quota: Quota, used: Used, now: int) -> CalendarPeriod:
    """Return the period of a time: the next one if a container whose clock is ahead has begun it."""
    period = quota.period.containing(now)
    if period.ends_at is not None and period.name != used.period:
        following = quota.period.containing(period.ends_at)
        if following.name == used.period:
            return following
    return period


def _refusal_from_memory(limits: Limits, cost: int) -> Admission | None:
    known, now = known_limits().get(limits.holder_id), clock.now_ns()
    if known is None or not 0 <= now - known.read_at < TRUSTED_NS or _conversion(limits, known.used, now):
        return None
    need = need_of(limits, known.used, cost, now)
    if need.refused is None or (limits.lateness and _lease(limits).holds(cost, now)):
        return None
    return _admission(limits, need)


def _take(limits: Limits, cost: int) -> Taken:
    """Admit a use to one holder's limits, or refuse it.

    Raises:
        LimitsGoneError: the limits are not as they were read.
        ServiceError: SERVICE_UNAVAILABLE if a quota could not be asked.
    """
    try:
        return _take_or_claim(limits, cost) if limits.lateness and cost else _ask(limits, cost)
    except ServiceError as error:
        if limits.quota is not None:
            raise
        logger().warning("a rate limit was not asked", extra={"details": describe(error)})
        status = RateStatus(limits.rate.limit) if limits.rate else None
        return Taken(limits, Admission(Code.VALID, limits.of, status, is_asked=False))


def _take_or_claim(limits: Limits, cost: int) -> Taken:
    """Take a use that was claimed ahead; without one, claim this use and some more."""
    lease, now = _lease(limits), clock.now_ns()
    if lease.spend(cost, now):
        used = _last_known(limits, now).used
        return Taken(limits, _admission(limits, need_of(limits, used, 0, now)), used, now, lease)
    ahead = lease.begin_claim(now)
    taken = _claim(limits, lease, cost, ahead) if ahead else None
    if taken is None or taken.admission.code is not Code.VALID:
        taken = _ask(limits, cost)
    if taken.admission.code is Code.VALID:
        lease.count(cost, now)
    return taken


def _claim(limits: Limits, lease: Lease, cost: int, ahead: int) -> Taken:
    claimed, at = 0, 0
    try:
        taken = _ask(limits, cost + ahead)
        if taken.admission.code is Code.VALID:
            claimed, at = ahead, taken.at
        return taken
    finally:
        lease.end_claim(claimed, at)


def _lease(limits: Limits) -> Lease:
    lease = leases().get(limits.holder_id)
    if lease is None or lease.lateness != limits.lateness:
        lease = Lease(limits.lateness)
        leases().put(limits.holder_id, lease)
    return lease


def _ask(limits: Limits, cost: int) -> Taken:
    # One time for all forms: a use that was not at rest then is not at rest later either, so the second form is right.
    # With the time of each attempt, a rate that is used at its limit would change from one form to the other meanwhile.
    # Only a refusal is by the present time: others may have used a whole burst since.
    now = clock.now_ns()
    known = _last_known(limits, now)
    is_certain = False
    for _ in range(_ATTEMPTS):
        need = need_of(limits, known.used, cost, now)
        conversion = _conversion(limits, known.used, now)
        if cost == 0 or (need.refused and not is_certain):
            is_done, used = cost == 0, store.read(limits)
        elif conversion:
            if limits.read_at < known.since:
                raise LimitsGoneError(limits.of)
            is_done, used = False, store.change(limits, conversion)[1]
        elif need.refused:
            now = clock.now_ns()
            need = need_of(limits, known.used, cost, now)
            if need.refused:
                return Taken(limits, _admission(limits, need), known.used, now)
            continue
        else:
            is_done, used = store.change(limits, _parts(limits, known.used, need, cost))
        known, is_certain = _remember(limits, used, now), True
        if is_done:
            return Taken(limits, _admission(limits, need_of(limits, used, 0, now)), used, now)
    # Other uses were faster, ten times. Never admit for that: many uses at once would be a way around the limit.
    if limits.rate is None:
        raise ServiceError(SERVICE_UNAVAILABLE, reason="a quota changed too often to be asked")
    contended = replace(need_of(limits, known.used, 0, now), refused=Code.RATE_LIMITED, retry_at=now)
    return Taken(limits, _admission(limits, contended), known.used, now)


def _remember(limits: Limits, used: Used, now: int) -> Known:
    before = known_limits().get(limits.holder_id)
    is_alike = before is not None and (before.used.interval, before.used.kind) == (used.interval, used.kind)
    known = Known(used, now, before.since if before is not None and is_alike else now)
    known_limits().put(limits.holder_id, known)
    return known


def _last_known(limits: Limits, now: int) -> Known:
    """Return what this container knows; without any memory, the most likely: a rate at rest, and a quota in use."""
    known = known_limits().get(limits.holder_id)
    if known is not None:
        return known
    period = limits.quota.period.containing(now).name if limits.quota else None
    return Known(Used(period=period), _UNREAD, _UNREAD)


def _conversion(limits: Limits, used: Used, now: int) -> list[Part]:
    """Return the conversion of what was used of other limits; none if it was used of these."""
    parts: list[Part] = []
    if limits.rate is not None and _is_of_another_rate(limits, used):
        values = {
            ":known_tat": used.tat,
            ":known_interval": used.interval,
            ":tat": _converted(limits.rate, used, now),
            ":interval": limits.rate.interval,
        }
        condition = "tat = :known_tat AND rate_interval = :known_interval"
        parts.append(Part(condition, "tat = :tat, rate_interval = :interval", values))
    if limits.quota is not None and _is_of_another_kind(limits, used):
        parts.append(_next_period(_period(limits.quota, used, now), used, 0))
    return parts


def _parts(limits: Limits, used: Used, need: Need, cost: int) -> list[Part]:
    """Return the forms of an admitted use."""
    parts: list[Part] = []
    if limits.rate is not None:
        parts.append(_rate_part(limits, limits.rate, used, need, cost))
    if need.period is not None and limits.quota is not None:
        parts.append(_quota_part(limits.quota, need.period, used, cost))
    return parts


def _rate_part(limits: Limits, rate: RateLimit, used: Used, need: Need, cost: int) -> Part:
    taken, interval = cost * rate.interval, {":interval": rate.interval}
    if used.tat <= need.now:
        return Part(
            "(attribute_not_exists(tat) OR (tat <= :now AND rate_interval = :interval))",
            "tat = :tat, rate_interval = :interval",
            {":now": need.now, ":tat": need.now + taken, **interval},
        )
    return Part(
        "tat >= :now AND tat <= :latest AND rate_interval = :interval",
        "tat = tat + :taken",
        {":now": need.now, ":latest": need.now + limits.span - taken, ":taken": taken, **interval},
    )


def _quota_part(quota: Quota, period: CalendarPeriod, used: Used, cost: int) -> Part:
    if used.period == period.name:
        return Part(
            "quota_period = :period AND quota_used <= :most",
            "quota_used = quota_used + :cost",
            {":period": period.name, ":most": quota.limit - cost, ":cost": cost},
        )
    return _next_period(period, used, cost)


def _next_period(period: CalendarPeriod, used: Used, cost: int) -> Part:
    begun = "quota_period = :period, quota_used = :cost"
    values: dict[str, int | str] = {":period": period.name, ":cost": cost}
    if used.period is None:
        return Part("attribute_not_exists(quota_period)", begun, values)
    return Part("quota_period = :known_period", begun, {":known_period": used.period, **values})


# How much of a rate is given back, if there are other uses in between:
#
#     key's tat    now                    + 1 interval
#      |------------|----------------------|
#      use taken    another use (idle)     use given back: its interval has passed, so there is nothing to give back.
#
# Without the use, `tat` would have been the time of the other use, not earlier. So only the part of the interval that
# still lies ahead is given back: all of it if other uses lay ahead when this one was taken.
#
# A lost answer is not repeated: giving back twice would give an admission.


def _give_back(taken: Iterable[Taken], cost: int) -> None:
    """Give back uses that were taken just now. A failure is logged: the uses are lost."""
    for use in taken:
        if use.lease is not None:
            use.lease.put_back(cost)
            continue
        parts = _parts_back(use, cost) if cost and use.used else []
        if not parts:
            continue
        try:
            _, used = store.change(use.limits, parts, attempts=1)
        except (ServiceError, LimitsGoneError) as error:
            logger().warning("a use was not given back", extra={"details": describe(error)})
            continue
        _remember(use.limits, used, clock.now_ns())


def _parts_back(use: Taken, cost: int) -> list[Part]:
    rate, quota, used = use.limits.rate, use.limits.quota, use.used
    parts: list[Part] = []
    if rate is not None and used is not None:
        taken = cost * rate.interval
        back = taken - max(0, clock.now_ns() - (used.tat - taken))
        if back > 0:
            parts.append(
                Part("rate_interval = :interval", "tat = tat - :back", {":interval": rate.interval, ":back": back})
            )
    if quota is not None and used is not None and used.period is not None:
        parts.append(
            Part(
                "quota_period = :period AND quota_used >= :cost",
                "quota_used = quota_used - :cost",
                {":period": used.period, ":cost": cost},
            )
        )
    return parts


def _admission(limits: Limits, need: Need) -> Admission:
    rate, quota = limits.rate, limits.quota
    rate_status = quota_status = None
    if rate is not None:
        remaining = max(0, (need.now + limits.span - need.tat) // rate.interval)
        rate_status = RateStatus(rate.limit, remaining, _seconds(need.tat - need.now))
    if quota is not None and need.period is not None:
        unused = max(0, quota.limit - need.used)
        quota_status = QuotaStatus(quota.limit, need.used, unused, need.period.ends_at)
    retry_after = None if need.retry_at is None else max(1, _seconds(need.retry_at - need.now))
    return Admission(need.refused or Code.VALID, limits.of, rate_status, quota_status, retry_after)


def _seconds(nanoseconds: int) -> int:
    """Return whole seconds, rounded up."""
    return -(-nanoseconds // SECOND)


def _tightest(admissions: Sequence[Admission]) -> Admission:
    """Return an admission with the rate and the quota of which the least remains."""
    rates = [admission.rate for admission in admissions if admission.rate]
    quotas = [admission.quota for admission in admissions if admission.quota]
    return Admission(
        Code.VALID,
        admissions[0].of,
        min(rates, key=lambda rate: -1 if rate.remaining is None else rate.remaining, default=None),
        min(quotas, key=lambda quota: quota.remaining, default=None),
        is_asked=all(admission.is_asked for admission in admissions),
    )
