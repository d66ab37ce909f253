"""Admitting the uses of keys that have limits: exactly, with one write unit for each limited holder.

A use of a key with limits is one conditional UpdateItem of the holder's item (store/limits.py). Its form is what the
container's last knowledge suggests, and a failed condition returns the item, which says the right form, or that the use
is refused:

    rate     idle       tat <= now                            tat = now + cost
             busy       now <= tat <= now + burst - cost      tat = tat + cost      (in intervals)
             changed    tat and its interval are as known     tat = now + the uses that lie ahead + cost
    quota    same       the period is this one, with room     used = used + cost
             next       the period is as known                used = cost, in this period

Concurrent uses need no retries: each form is right for every state that its condition admits.

A container never admits from memory. It refuses from memory what it has read less than a second ago: `tat` and `used`
only grow, except for a use that is given back because the organization's limit refused it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright import clock
from keywright.cache import Recent, once
from keywright.domain.limits import SECOND, CalendarPeriod
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
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
"""Forms to try. Two are enough, unless a period ends or a rate changes in between."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a container knows of a holder's item, and when it was read, in nanoseconds since 1970."""

    used: Used
    read_at: int


@dataclass(frozen=True, slots=True)
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


@once
def known_limits() -> Recent[UUID, Known]:
    """Return this container's memory of what was used of limits, by holder."""
    return Recent(REMEMBERED_LIMITS)


def admit(holders: Sequence[Limits], cost: int) -> Admission:
    """Admit a use to all limits, or to none.

    A use that was taken of the first limit and refused by the second is given back. If that fails, it is lost.

    Args:
        holders: the key's limits, then those of its organization.
        cost: how much the use takes of each; 0 only looks.

    Raises:
        LimitsGoneError: a holder has no limits any more.
        ServiceError: SERVICE_UNAVAILABLE if a quota could not be asked.
    """
    for limits in holders:
        refusal = _refusal_from_memory(limits, cost)
        if refusal is not None:
            return refusal
    admissions: list[Admission] = []
    taken: list[Limits] = []
    try:
        for limits in holders:
            admission = _take(limits, cost)
            if admission.code is not Code.VALID:
                _give_back(taken, cost)
                return admission
            admissions.append(admission)
            if admission.is_asked:
                taken.append(limits)
    except (ServiceError, LimitsGoneError):
        _give_back(taken, cost)
        raise
    return _tightest(admissions)


def need_of(limits: Limits, used: Used, cost: int, now: int) -> Need:
    """Return what limits say of a use: the rate first, then the quota."""
    need = Need(now, now)
    if limits.rate is not None:
        need = _need_of_rate(limits.rate, used, cost, now)
    if limits.quota is None:
        return need
    quota, period = limits.quota, _period(limits.quota, used, now)
    count = used.used if used.period == period.name else 0
    if need.refused is None and count + cost > quota.limit:
        retry_at = period.ends_at if cost <= quota.limit else None
        return Need(now, need.tat, period, count, Code.QUOTA_EXCEEDED, retry_at)
    return Need(now, need.tat, period, count, need.refused, need.retry_at)


def _need_of_rate(rate: RateLimit, used: Used, cost: int, now: int) -> Need:
    tat = max(used.tat, now)
    if tat > now and used.interval != rate.interval:
        # The rate was changed: as many uses lie ahead, but no more than a burst of them.
        uses = -(-(tat - now) // used.interval)
        tat = now + min(uses, rate.burst) * rate.interval
    if tat <= rate.latest(now, cost):
        return Need(now, tat)
    retry_at = tat - (rate.burst - cost) * rate.interval if cost <= rate.burst else None
    return Need(now, tat, refused=Code.RATE_LIMITED, retry_at=retry_at)


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
    if known is None or not 0 <= now - known.read_at < TRUSTED_NS:
        return None
    need = need_of(limits, known.used, cost, now)
    return _admission(limits, need) if need.refused else None


def _take(limits: Limits, cost: int) -> Admission:
    """Admit a use to one holder's limits, or refuse it.

    Raises:
        LimitsGoneError: the holder has no limits any more.
        ServiceError: SERVICE_UNAVAILABLE if a quota could not be asked.
    """
    try:
        return _ask(limits, cost)
    except ServiceError as error:
        if limits.quota is not None:
            raise
        logger().warning("a rate limit was not asked", extra={"details": describe(error)})
        return Admission(Code.VALID, limits.of, RateStatus(limits.rate.limit) if limits.rate else None, is_asked=False)


def _ask(limits: Limits, cost: int) -> Admission:
    used, is_certain = _last_known(limits), False
    for _ in range(_ATTEMPTS):
        now = clock.now_ns()
        need = need_of(limits, used, cost, now)
        if need.refused and is_certain:
            return _admission(limits, need)
        if need.refused or cost == 0:
            is_done, used = False, store.read(limits)
        else:
            is_done, used = store.change(limits, _parts(limits, used, need, cost))
        known_limits().put(limits.holder_id, Known(used, now))
        if is_done or cost == 0:
            return _admission(limits, need_of(limits, used, 0, now))
        is_certain = True
    raise ServiceError(SERVICE_UNAVAILABLE, reason="a limit changed too often to be asked")


def _last_known(limits: Limits) -> Used:
    """Return what this container knows; without any memory, the most likely: a rate at rest, and a quota in use."""
    known = known_limits().get(limits.holder_id)
    if known is not None:
        return known.used
    return Used(period=limits.quota.period.containing(clock.now_ns()).name if limits.quota else None)


def _parts(limits: Limits, used: Used, need: Need, cost: int) -> list[Part]:
    """Return the forms of an admitted use."""
    parts: list[Part] = []
    if limits.rate is not None:
        parts.append(_rate_part(limits.rate, used, need, cost))
    if need.period is not None and limits.quota is not None:
        parts.append(_quota_part(limits.quota, need.period, used, cost))
    return parts


def _rate_part(rate: RateLimit, used: Used, need: Need, cost: int) -> Part:
    taken, interval = cost * rate.interval, {":interval": rate.interval}
    if used.tat <= need.now:
        return Part(
            "(attribute_not_exists(tat) OR tat <= :now)",
            "tat = :tat, rate_interval = :interval",
            {":now": need.now, ":tat": need.now + taken, **interval},
        )
    if used.interval == rate.interval:
        return Part(
            "tat >= :now AND tat <= :latest AND rate_interval = :interval",
            "tat = tat + :taken",
            {":now": need.now, ":latest": rate.latest(need.now, cost), ":taken": taken, **interval},
        )
    return Part(
        "tat = :known_tat AND rate_interval = :known_interval",
        "tat = :tat, rate_interval = :interval",
        {":known_tat": used.tat, ":known_interval": used.interval, ":tat": need.tat + taken, **interval},
    )


def _quota_part(quota: Quota, period: CalendarPeriod, used: Used, cost: int) -> Part:
    if used.period == period.name:
        return Part(
            "quota_period = :period AND quota_used <= :most",
            "quota_used = quota_used + :cost",
            {":period": period.name, ":most": quota.limit - cost, ":cost": cost},
        )
    begun = "quota_period = :period, quota_used = :cost"
    values: dict[str, int | str] = {":period": period.name, ":cost": cost}
    if used.period is None:
        return Part("attribute_not_exists(quota_period)", begun, values)
    return Part("quota_period = :known_period", begun, {":known_period": used.period, **values})


def _give_back(taken: Iterable[Limits], cost: int) -> None:
    """Give back uses that were taken just now. A failure is logged: the uses are lost."""
    if cost == 0:
        return
    for limits in taken:
        used = _last_known(limits)
        parts: list[Part] = []
        if limits.rate is not None:
            values = {":interval": limits.rate.interval, ":taken": cost * limits.rate.interval}
            parts.append(Part("rate_interval = :interval", "tat = tat - :taken", values))
        if limits.quota is not None:
            of_period: dict[str, int | str] = {":period": used.period or "", ":cost": cost}
            parts.append(
                Part("quota_period = :period AND quota_used >= :cost", "quota_used = quota_used - :cost", of_period)
            )
        try:
            _, used = store.change(limits, parts)
        except (ServiceError, LimitsGoneError) as error:
            logger().warning("a use was not given back", extra={"details": describe(error)})
            continue
        known_limits().put(limits.holder_id, Known(used, clock.now_ns()))


def _admission(limits: Limits, need: Need) -> Admission:
    rate, quota = limits.rate, limits.quota
    rate_status = quota_status = None
    if rate is not None:
        rate_status = RateStatus(rate.limit, rate.remaining(need.now, need.tat), _seconds(need.tat - need.now))
    if quota is not None and need.period is not None:
        remaining = max(0, quota.limit - need.used)
        quota_status = QuotaStatus(quota.limit, need.used, remaining, need.period.ends_at)
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
