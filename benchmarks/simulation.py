"""Simulation of a million verifications a second: the resources they need, and which limits they reach.

The numbers are computed from those of one verification. The sizes of organizations follow Zipf's law, and all keys of
an organization are used equally. The number of containers is that of concurrent requests (Little's law), and each
request goes to a random container.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.cost import Prices
from benchmarks.report import Section, Table

if TYPE_CHECKING:
    from benchmarks.measuring import Effort

VERIFICATIONS_PER_SECOND = 1_000_000
ORGANIZATIONS = 10_000
KEYS_PER_ORGANIZATION = 20
READ_UNITS_PER_VERIFICATION = 2
PARTITION_READ_UNITS = 3_000
"""Per second and partition (Amazon DynamoDB Developer Guide, "Best practices for partition keys")."""
USES_WRITE_UNITS = 1

_OWN_MILLISECONDS = 1.0
"""Time of a verification with 1024 MB without DynamoDB: that of the hot path, on a processor half as fast."""
_EXPONENT = 1.0
"""Zipf's: the second organization makes half as many requests as the first, the third a third."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Settings that reduce the work of verifications.

    Attributes:
        kept_seconds: how long API Gateway caches the authorizer's answer for a key.
        reuse_seconds: RecordReuseSeconds.
        flush_seconds: UsageFlushSeconds.
    """

    name: str
    kept_seconds: float = 0
    reuse_seconds: float = 0
    flush_seconds: float = 60


SETTINGS = (
    Setting("as delivered: asked and read every time"),
    Setting("UsageFlushSeconds=3600", flush_seconds=3600),
    Setting("the same, RecordReuseSeconds=10", flush_seconds=3600, reuse_seconds=10),
    Setting("the same, RecordReuseSeconds=60", flush_seconds=3600, reuse_seconds=60),
    Setting("API Gateway keeps answers for 10 s", kept_seconds=10),
    Setting("API Gateway keeps answers for 60 s", kept_seconds=60),
)


@dataclass(frozen=True, slots=True)
class Load:
    """The load that results from a setting, per second.

    Attributes:
        above_limit: number of organizations that exceed the limit of their partition.
        largest_read_units: read units of the largest organization.
        largest_write_units: write units of the largest organization.
    """

    invocations: float
    containers: float
    read_units: float
    write_units: float
    above_limit: int
    largest_read_units: float
    largest_write_units: float


def rates(exponent: float) -> list[float]:
    """Return the verifications per second of every organization."""
    weights = [1 / rank**exponent for rank in range(1, ORGANIZATIONS + 1)]
    total = sum(weights)
    return [VERIFICATIONS_PER_SECOND * weight / total for weight in weights]


def invocations_per_second(rate: float, kept_seconds: float) -> float:
    """Return how often the authorizer is invoked for a key: once until its cached answer expires.

    After the answer has expired, the next request arrives on average 1 / rate later.
    """
    return 1 / (kept_seconds + 1 / rate)


def reads_per_second(rate: float, reuse_seconds: float, containers: float) -> float:
    """Return how often a key is read: each container reads it again after its cached record has expired."""
    return containers / (reuse_seconds + containers / rate)


def load(setting: Setting, exponent: float, read_milliseconds: float) -> Load:
    """Compute the load that results from a setting."""
    invocations = [
        KEYS_PER_ORGANIZATION * invocations_per_second(rate / KEYS_PER_ORGANIZATION, setting.kept_seconds)
        for rate in rates(exponent)
    ]
    containers = max(1.0, sum(invocations) * (_OWN_MILLISECONDS + read_milliseconds) / 1000)
    # Verifications without a read are faster, so fewer containers are busy, and each reuses its records more.
    for _ in range(20):
        reads = [
            KEYS_PER_ORGANIZATION * reads_per_second(rate / KEYS_PER_ORGANIZATION, setting.reuse_seconds, containers)
            for rate in invocations
        ]
        containers = max(1.0, (sum(invocations) * _OWN_MILLISECONDS + sum(reads) * read_milliseconds) / 1000)
    read_units = [READ_UNITS_PER_VERIFICATION * rate for rate in reads]
    # A container writes the uses of a key when the first of them is old enough.
    write_units = [
        USES_WRITE_UNITS
        * KEYS_PER_ORGANIZATION
        * reads_per_second(rate / KEYS_PER_ORGANIZATION, setting.flush_seconds, containers)
        for rate in invocations
    ]
    return Load(
        invocations=sum(invocations),
        containers=containers,
        read_units=sum(read_units),
        write_units=sum(write_units),
        above_limit=sum(units > PARTITION_READ_UNITS for units in read_units),
        largest_read_units=max(read_units),
        largest_write_units=max(write_units),
    )


def run(effort: Effort) -> Section:
    """Compute the load and the cost of every setting."""
    del effort
    prices = Prices()
    read_milliseconds = prices.assumptions["dynamodb_read_milliseconds"]
    section = Section("simulation", "Simulation: a million verifications a second")
    rows: list[tuple[Any, ...]] = []
    for setting in SETTINGS:
        result = load(setting, _EXPONENT, read_milliseconds)
        milliseconds = result.containers / result.invocations * 1000
        dollars = (
            result.invocations * (prices.invocation(milliseconds) + prices.logs)
            + prices.units(result.read_units, result.write_units)
        ) * 3600
        numbers = (
            result.invocations,
            result.containers,
            result.read_units,
            result.write_units,
            result.largest_read_units,
            result.largest_write_units,
            result.above_limit,
            dollars,
        )
        rows.append((setting.name, *(round(number) for number in numbers)))
    columns = (
        "setting",
        "invocations/s",
        "containers",
        "read units/s",
        "write units/s",
        "of the largest",
        "writes of it",
        "above limit",
        "dollars/hour",
    )
    share = rates(_EXPONENT)[0] / VERIFICATIONS_PER_SECOND
    title = f"Zipf exponent {_EXPONENT:g}: the largest of {ORGANIZATIONS:,} organizations makes {share:.1%} of requests"
    section.tables.append(Table(title, columns, rows))
    assumed = f"{KEYS_PER_ORGANIZATION} keys in each organization; a read takes {read_milliseconds:g} ms, the rest of a"
    assumed += f" verification {_OWN_MILLISECONDS:g} ms. Prices of {prices.as_of}, {prices.region}, no API Gateway."
    limit = f"Above the limit: organizations that need more than {PARTITION_READ_UNITS:,} read units a second. They"
    limit += " are throttled, and their callers get 503. Uses that cannot be written are kept and written later."
    section.notes = [assumed, limit]
    return section
