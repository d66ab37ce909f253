"""Simulation of a million verifications a second: the resources they need, and which limits they reach.

The numbers are computed from those of one verification. The sizes of organizations follow Zipf's law, and all keys of
an organization are used equally. The number of containers is that of concurrent requests (Little's law), and each
request goes to a random container.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.report import Section, Table
from tools.costs import asked_per_second, once_per_interval, read_costs, zipf_rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measuring import Effort
    from benchmarks.report import Cell
    from tools.costs import Costs

VERIFICATIONS_PER_SECOND = 1_000_000
ORGANIZATIONS = 10_000
KEYS_PER_ORGANIZATION = 20
LARGE_KEY_BYTES = 16 * 1024
"""Size of the item of a key with 15 KiB of metadata."""

_EXPONENT = 1.0
"""Zipf's: the second organization makes half as many requests as the first, the third a third."""
_ACCOUNT_CONCURRENCY = 1_000
"""Concurrent invocations of all functions of an account, unless it is raised (AWS Lambda Developer Guide, "Lambda
quotas").
"""
_SECONDS_PER_HOUR = 3600
_STARTS_PER_SECOND = 100
"""Containers that Lambda starts for a function: 1,000 in ten seconds (AWS Lambda Developer Guide, "Lambda scaling
behavior").
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """Settings that reduce the work of verifications.

    Attributes:
        kept_seconds: how long API Gateway caches the authorizer's answer for a key.
        reuse_seconds: RecordReuseSeconds.
        flush_seconds: UsageFlushSeconds.
        key_bytes: size of the items of keys.
    """

    name: str
    kept_seconds: float = 0
    reuse_seconds: float = 0
    flush_seconds: float = 60
    key_bytes: int = 1024


SETTINGS = (
    Setting("as delivered: asked and read every time"),
    Setting("the same, keys with 15 KiB of metadata", key_bytes=LARGE_KEY_BYTES),
    Setting("UsageFlushSeconds=3600", flush_seconds=3600),
    Setting("the same, RecordReuseSeconds=10", flush_seconds=3600, reuse_seconds=10),
    Setting("the same, RecordReuseSeconds=60", flush_seconds=3600, reuse_seconds=60),
    Setting("RecordReuseSeconds=60 alone", reuse_seconds=60),
    Setting("API Gateway keeps answers for 10 s", kept_seconds=10),
    Setting("API Gateway keeps answers for 60 s", kept_seconds=60),
)


@dataclass(frozen=True, slots=True)
class Load:
    """The load that results from a setting, per second.

    Attributes:
        above_limit: number of organizations that exceed a limit of their partition, of reads or of writes.
        above_write_limit: number of those that exceed the limit of writes.
        largest_read_units: read units of the largest organization.
        largest_write_units: write units of the largest organization.
    """

    invocations: float
    containers: float
    read_units: float
    write_units: float
    above_limit: int
    above_write_limit: int
    largest_read_units: float
    largest_write_units: float


def rates(exponent: float) -> list[float]:
    """Return the verifications per second of every organization."""
    return zipf_rates(VERIFICATIONS_PER_SECOND, ORGANIZATIONS, exponent)


def load(setting: Setting, exponent: float, costs: Costs) -> Load:
    """Compute the load that results from a setting."""
    own_milliseconds = costs.assumed("authorizer_milliseconds") + costs.assumed("runtime_milliseconds")
    read_milliseconds = costs.assumed("read_milliseconds")
    invocations = [_of_organization(asked_per_second, rate, setting.kept_seconds) for rate in rates(exponent)]
    containers = max(1.0, sum(invocations) * (own_milliseconds + read_milliseconds) / 1000)
    # Verifications without a read are faster, so fewer containers are busy, and each reuses its records more.
    for _ in range(20):
        reads = [_of_organization(once_per_interval, rate, setting.reuse_seconds, containers) for rate in invocations]
        containers = max(1.0, (sum(invocations) * own_milliseconds + sum(reads) * read_milliseconds) / 1000)
    read_units = [costs.read_units(setting.key_bytes) * rate for rate in reads]
    # A container writes the uses of a key when the first of them is old enough.
    write_units = [
        costs.assumed("write_units_per_flush")
        * _of_organization(once_per_interval, rate, setting.flush_seconds, containers)
        for rate in invocations
    ]
    is_above_writes = [units > costs.assumed("partition_write_units") for units in write_units]
    is_above_reads = [units > costs.assumed("partition_read_units") for units in read_units]
    return Load(
        invocations=sum(invocations),
        containers=containers,
        read_units=sum(read_units),
        write_units=sum(write_units),
        above_limit=sum(reads or writes for reads, writes in zip(is_above_reads, is_above_writes, strict=True)),
        above_write_limit=sum(is_above_writes),
        largest_read_units=max(read_units),
        largest_write_units=max(write_units),
    )


def dollars_per_hour(result: Load, costs: Costs) -> float:
    """Return what an hour of a load costs, without cold starts and without requests to API Gateway."""
    requests = result.invocations * _SECONDS_PER_HOUR
    gb_seconds = result.containers * _SECONDS_PER_HOUR * costs.assumed("function_memory_gb")
    log_gb = requests * costs.log_bytes(costs.ways["authorizer"]) / 1e9
    return (
        costs.price("lambda_request", requests)
        + costs.price("lambda_arm_gb_second", gb_seconds)
        + costs.price("dynamodb_read_unit", result.read_units * _SECONDS_PER_HOUR)
        + costs.price("dynamodb_write_unit", result.write_units * _SECONDS_PER_HOUR)
        + costs.price("logs_ingested_gb", log_gb)
        + costs.price("trace", costs.traces(requests, _SECONDS_PER_HOUR))
    )


def run(effort: Effort) -> Section:
    """Compute the load and the cost of every setting."""
    del effort
    costs = read_costs()
    section = Section("simulation", "Simulation: a million verifications a second")
    columns = (
        "setting",
        "invocations/s",
        "containers",
        "read units/s",
        "write units/s",
        "of the largest",
        "writes of it",
        "above a limit",
        "of writes",
        "dollars/hour",
    )
    share = rates(_EXPONENT)[0] / VERIFICATIONS_PER_SECOND
    title = f"Zipf exponent {_EXPONENT:g}: the largest of {ORGANIZATIONS:,} organizations makes {share:.1%} of requests"
    results = {setting.name: load(setting, _EXPONENT, costs) for setting in SETTINGS}
    section.tables.append(Table(title, columns, [_row(name, result, costs) for name, result in results.items()]))
    reads, writes = costs.assumed("partition_read_units"), costs.assumed("partition_write_units")
    seconds = results[SETTINGS[0].name].containers / _STARTS_PER_SECOND
    assumed = f"{KEYS_PER_ORGANIZATION} keys in each organization; durations and bytes: docs/costs/assumptions.json."
    assumed += f" Prices of {costs.as_of}, {costs.region}, with traces and logs, no API Gateway, no cold starts."
    limit = f"Above a limit: organizations that need more than {reads:,.0f} read or {writes:,.0f} write units a second."
    limit += (
        " Above that of reads, verifications are throttled, and their callers get 503. Above that of writes, uses are"
    )
    limit += " kept and written later, and changes of keys are throttled."
    first = results[SETTINGS[0].name]
    at_once = _ACCOUNT_CONCURRENCY * first.invocations / first.containers
    largest = reads / first.largest_read_units * VERIFICATIONS_PER_SECOND
    before = f"The largest organization exceeds its partition at {largest:,.0f} verifications a second of all."
    before += f" Lambda runs {_ACCOUNT_CONCURRENCY:,} invocations of an account at once unless you raise it, enough for"
    before += f" {at_once:,.0f} a second. It starts 1,000 containers of a function in ten seconds: those of the first"
    before += f" row take {seconds:.0f} s."
    section.notes = [assumed, limit, before]
    return section


def _of_organization(per_second: Callable[..., float], rate: float, *arguments: float) -> float:
    """Return how often something happens for all keys of an organization, which are used equally."""
    return KEYS_PER_ORGANIZATION * per_second(rate / KEYS_PER_ORGANIZATION, *arguments)


def _row(name: str, result: Load, costs: Costs) -> tuple[Cell, ...]:
    numbers = (
        result.invocations,
        result.containers,
        result.read_units,
        result.write_units,
        result.largest_read_units,
        result.largest_write_units,
        result.above_limit,
        result.above_write_limit,
        dollars_per_hour(result, costs),
    )
    return (name, *(round(number) for number in numbers))
