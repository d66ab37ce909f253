"""A million verifications a second, over organizations of very different sizes: what that takes, and where it ends.

Nothing is measured here: it is worked out from what one verification takes. Organizations follow Zipf's law, the
largest first, as customers do; all the keys of one are used alike. Containers are as many as are busy at once
(Little's law), and each request goes to any of them.
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
"""A second, on one partition: Amazon DynamoDB Developer Guide, "Best practices for partition keys"."""
USES_WRITE_UNITS = 4

_OWN_MILLISECONDS = 1.0
"""Of a verification on 1024 MB; the handler's own time, as the hot path shows it, on a processor half as fast."""
_EXPONENTS = (0.8, 1.0, 1.2)


@dataclass(frozen=True, slots=True)
class Setting:
    """How verifications are spared.

    Attributes:
        kept_seconds: how long API Gateway keeps an authorizer's answer for a key.
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
    """What a setting leads to.

    Attributes:
        above_limit: organizations whose partition is asked for more than it can give.
        largest_read_units: a second, of the largest organization; the next likewise.
    """

    invocations: float
    containers: float
    read_units: float
    write_units: float
    above_limit: int
    largest_read_units: float
    largest_write_units: float


def rates(exponent: float) -> list[float]:
    """Give the verifications a second of every organization."""
    weights = [1 / rank**exponent for rank in range(1, ORGANIZATIONS + 1)]
    total = sum(weights)
    return [VERIFICATIONS_PER_SECOND * weight / total for weight in weights]


def invocations_per_second(rate: float, kept_seconds: float) -> float:
    """How often the authorizer is asked about a key: once, and then not until its answer is too old.

    After an answer has become too old, the next request comes on average 1 / rate later.
    """
    return 1 / (kept_seconds + 1 / rate)


def reads_per_second(rate: float, reuse_seconds: float, containers: float) -> float:
    """How often a key is read: each container that is asked about it reads it again when its record is too old."""
    return containers / (reuse_seconds + containers / rate)


def load(setting: Setting, exponent: float, read_milliseconds: float) -> Load:
    """Work out what a setting leads to."""
    asked = [
        KEYS_PER_ORGANIZATION * invocations_per_second(rate / KEYS_PER_ORGANIZATION, setting.kept_seconds)
        for rate in rates(exponent)
    ]
    containers = max(1.0, sum(asked) * (_OWN_MILLISECONDS + read_milliseconds) / 1000)
    # Those that do not read are done sooner, so that fewer containers are busy, and their records are used more.
    for _ in range(20):
        reads = [
            KEYS_PER_ORGANIZATION * reads_per_second(rate / KEYS_PER_ORGANIZATION, setting.reuse_seconds, containers)
            for rate in asked
        ]
        containers = max(1.0, (sum(asked) * _OWN_MILLISECONDS + sum(reads) * read_milliseconds) / 1000)
    read_units = [READ_UNITS_PER_VERIFICATION * rate for rate in reads]
    # A container writes the uses of a key when the first of them is old enough.
    write_units = [
        USES_WRITE_UNITS
        * KEYS_PER_ORGANIZATION
        * reads_per_second(rate / KEYS_PER_ORGANIZATION, setting.flush_seconds, containers)
        for rate in asked
    ]
    return Load(
        invocations=sum(asked),
        containers=containers,
        read_units=sum(read_units),
        write_units=sum(write_units),
        above_limit=sum(units > PARTITION_READ_UNITS for units in read_units),
        largest_read_units=max(read_units),
        largest_write_units=max(write_units),
    )


def run(effort: Effort) -> Section:
    """Work it out."""
    del effort
    prices = Prices()
    read_milliseconds = prices.assumptions["dynamodb_read_milliseconds"]
    section = Section("simulation", "Simulation: a million verifications a second")
    data: dict[str, Any] = section.data
    for exponent in _EXPONENTS:
        rows: list[tuple[Any, ...]] = []
        for setting in SETTINGS:
            found = load(setting, exponent, read_milliseconds)
            milliseconds = found.containers / found.invocations * 1000
            dollars = (
                found.invocations * (prices.invocation(milliseconds) + prices.logs)
                + prices.units(found.read_units, found.write_units)
            ) * 3600
            rows.append(
                (
                    setting.name,
                    round(found.invocations),
                    round(found.containers),
                    round(found.read_units),
                    round(found.write_units),
                    round(found.largest_read_units),
                    round(found.largest_write_units),
                    found.above_limit,
                    round(dollars),
                )
            )
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
        share = rates(exponent)[0] / VERIFICATIONS_PER_SECOND
        title = (
            f"Zipf exponent {exponent:g}: the largest of {ORGANIZATIONS:,} organizations makes {share:.1%} of requests"
        )
        section.tables.append(Table(title, columns, rows))
        data[f"{exponent:g}"] = [list(row) for row in rows]
    assumed = f"{KEYS_PER_ORGANIZATION} keys in each organization; a read takes {read_milliseconds:g} ms, the rest of a"
    assumed += f" verification {_OWN_MILLISECONDS:g} ms. Prices of {prices.as_of}, {prices.region}, no API Gateway."
    limit = f"Above the limit: organizations that ask for more than {PARTITION_READ_UNITS:,} read units a second. They"
    limit += " are throttled, and their callers read 503. Uses that cannot be written are kept and written later."
    section.notes = [assumed, limit]
    return section
