"""The cost model: what verifications consume, and what that costs on AWS, by docs/costs.

The one model of the tables in docs/deploy.md and of the benchmarks `cost` and `simulation`. Prices are in prices.json,
what is assumed about a request, a key and a month in assumptions.json.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

COSTS_FOLDER = ROOT / "docs" / "costs"

ARGON2ID = "argon2id"
HMAC_SHA256 = "hmac-sha256"
_GB = 10**9
_MILLISECONDS = 1000
_GROUPED = 20
"""The part of a rank by which the ranks of a group differ."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way of asking whether a key is valid.

    Attributes:
        batch: verifications in one invocation.
        read_requests: BatchGetItem requests of an invocation.
        read_units: of one verification. More for a key above 4 KiB: see `Costs.read_units`.
        limit_updates: UpdateItem requests of a verification, for limits; each takes a write unit.
        is_endpoint: whether the function is verify_api_key or its like, which also logs the request.
        is_over_api_gateway: whether each invocation is a request to Keywright's API.
        reuse_seconds: RecordReuseSeconds.
        kept_seconds: how long API Gateway keeps the authorizer's answer for a key.
    """

    title: str
    read_requests: int
    read_units: float
    batch: int = 1
    limit_updates: int = 0
    is_endpoint: bool = False
    is_over_api_gateway: bool = False
    reuse_seconds: float = 0
    kept_seconds: float = 0


@dataclass(frozen=True, slots=True)
class Company:
    """A company that uses Keywright.

    Attributes:
        keys: used by Zipf's law.
        verifications: in a month, spread evenly over it.
        changes: changes and lists of keys in a month.
        created_keys: keys created in a month; each is also a change.
        active_methods: methods of Keywright's API that are used, which have metrics of their own.
    """

    keys: int
    verifications: int
    changes: int
    created_keys: int
    active_methods: int


@dataclass(frozen=True, slots=True)
class Start:
    """How containers start.

    Attributes:
        share: of invocations that start a container; 0 without cold starts.
        key_hash: KeyHash, the scheme of the hash that the first use of a key in a container computes.
    """

    share: float = 0.0
    key_hash: str = ARGON2ID


WARM = Start()


@dataclass(frozen=True, slots=True)
class Consumed:
    """What the verifications of a month consume."""

    api_gateway_requests: float
    invocations: float
    gb_seconds: float
    read_units: float
    write_units: float
    log_gb: float
    traces: float
    secret_requests: float


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars by part of the bill."""

    api_gateway: float
    function: float
    dynamodb: float
    logs: float
    traces: float
    pepper: float

    @property
    def total(self) -> float:
        """The sum of all parts."""
        return sum(float(getattr(self, part.name)) for part in fields(self))


def zipf_rates(total: float, count: int, exponent: float) -> list[float]:
    """Return the uses per second of each of `count` keys or organizations by Zipf's law, in descending order."""
    weights = [1 / rank**exponent for rank in range(1, count + 1)]
    scale = total / sum(weights)
    return [scale * weight for weight in weights]


def asked_per_second(rate: float, kept_seconds: float) -> float:
    """Return how often an authorizer is asked about a key: once until its kept answer expires.

    After the answer has expired, the next request arrives on average 1 / rate later.
    """
    return 1 / (kept_seconds + 1 / rate)


def once_per_interval(rate: float, seconds: float, containers: float) -> float:
    """Return how often per second something happens that each container does at most once in an interval for a key.

    So often a key is read with RecordReuseSeconds, and its uses are written with UsageFlushSeconds.
    """
    return containers / (seconds + containers / rate)


@lru_cache(64)
def zipf_groups(total: float, count: int, exponent: float) -> tuple[tuple[float, int], ...]:
    """Return the rates of `zipf_rates` as groups of neighbors: their average, and how many they are.

    The first hundred are alone, the others with those of up to 5 % higher ranks, so that sums over a hundred thousand
    keys are quick and change by less than a thousandth.
    """
    rates = zipf_rates(total, count, exponent)
    groups, begin = [], 0
    while begin < count:
        end = min(count, begin + 1 + begin // _GROUPED)
        groups.append((sum(rates[begin:end]) / (end - begin), end - begin))
        begin = end
    return tuple(groups)


def first_uses(shares: Sequence[tuple[float, int]], uses: float) -> float:
    """Return the expected number of keys among `uses` random uses, which a new container meets for the first time.

    Args:
        shares: groups of keys: the share of each key in all uses, and the number of keys.
        uses: verifications of a container in its life.
    """
    return sum(count * (1 - math.pow(1 - share, uses)) for share, count in shares)


def _share_of_intervals(rates: Sequence[tuple[float, int]], seconds: float, containers: float) -> float:
    """Return the share of uses with which an interval of their key and container begins; of groups of keys."""
    begun = sum(count * once_per_interval(rate, seconds, containers) for rate, count in rates)
    return begun / sum(rate * count for rate, count in rates)


class Costs:
    """The price list and the assumptions.

    Attributes:
        as_of: the day of the prices, as YYYY-MM-DD.
    """

    def __init__(self, prices: dict[str, Any], assumptions: dict[str, Any]) -> None:
        self.as_of: str = prices["as_of"]
        self.region: str = prices["region"]
        self.currency: str = prices["currency"]
        self.note: str = prices["note"]
        self._prices: dict[str, Any] = prices["prices"]
        self._numbers: dict[str, Any] = assumptions["numbers"]
        self.ways = {name: Way(**way) for name, way in assumptions["ways"].items()}
        self.companies = {name: Company(**company) for name, company in assumptions["companies"].items()}

    def assumed(self, name: str) -> float:
        """Return an assumed number, in the unit that assumptions.json names."""
        return float(self._numbers[name]["value"])

    def price(self, name: str, amount: float) -> float:
        """Return the price of an amount in a month, which may be cheaper beyond some amounts."""
        entry = self._prices[name]
        steps = [
            (0.0, float(entry["price"])),
            *((float(begin), float(price)) for begin, price in entry.get("then", [])),
        ]
        ends = [begin for begin, _ in steps[1:]] + [math.inf]
        return sum(
            price * max(0.0, min(amount, end) - begin) / float(entry["per"])
            for (begin, price), end in zip(steps, ends, strict=True)
        )

    def read_units(self, key_bytes: int) -> int:
        """Return the read units of one verification: those of the key's item, and one for its organization.

        Args:
            key_bytes: size of the key's item, nearly all of it metadata if it is large.
        """
        return max(1, math.ceil(key_bytes / self.assumed("bytes_per_read_unit"))) + 1

    def start(self, key_hash: str) -> Start:
        """Return the assumed share of cold starts, with a KeyHash."""
        return Start(self.assumed("cold_start_share"), key_hash)

    def traces(self, requests: float, seconds: float) -> float:
        """Return how many evenly spread requests the default rule of X-Ray records."""
        at_once = min(requests, self.assumed("traced_at_once_per_second") * seconds)
        return at_once + (requests - at_once) * self.assumed("traced_share_of_the_rest")

    def log_bytes(self, way: Way) -> float:
        """Return the bytes that an invocation logs, with those of Lambda and API Gateway, without a cold start's."""
        return (
            way.batch * self.assumed("verification_line_bytes")
            + way.is_endpoint * self.assumed("request_line_bytes")
            + self.assumed("platform_lines_bytes")
            + way.is_over_api_gateway * self.assumed("access_line_bytes")
        )

    def consumed(self, way: Way, company: Company, start: Start = WARM) -> Consumed:
        """Return what the verifications of a company consume in a month."""
        seconds = self.assumed("seconds_per_month")
        keys = zipf_groups(company.verifications / seconds, company.keys, self.assumed("key_popularity_exponent"))
        asked = [(asked_per_second(rate, way.kept_seconds), count) for rate, count in keys]
        per_second = sum(rate * count for rate, count in asked)
        containers = self._containers(way, per_second)
        reads = _share_of_intervals(asked, way.reuse_seconds, containers)
        writes = _share_of_intervals(asked, self.assumed("usage_flush_seconds"), containers)
        first = 0.0
        if start.share:
            uses = way.batch / start.share
            first = first_uses([(rate / per_second, count) for rate, count in asked], uses) / uses
            # A container that ends writes what it counted, so it writes each of its keys at least once.
            writes = max(writes, first)
        verifications = per_second * seconds
        invocations = verifications / way.batch
        milliseconds = self._milliseconds(way, reads, way.limit_updates + writes)
        milliseconds += way.batch * first * self.assumed(f"{start.key_hash.replace('-', '_')}_milliseconds")
        milliseconds += start.share * self._cold_milliseconds(way)
        log_bytes = self.log_bytes(way) + start.share * self.assumed("cold_start_line_bytes")
        return Consumed(
            api_gateway_requests=invocations * way.is_over_api_gateway,
            invocations=invocations,
            gb_seconds=invocations * milliseconds / _MILLISECONDS * self.assumed("function_memory_gb"),
            read_units=verifications * reads * way.read_units,
            write_units=verifications * (way.limit_updates + writes * self.assumed("write_units_per_flush")),
            log_gb=invocations * log_bytes / _GB,
            traces=self.traces(invocations, seconds),
            secret_requests=invocations * start.share,
        )

    def bill(self, consumed: Consumed) -> Bill:
        """Return what verifications cost, without what every deployment pays."""
        return Bill(
            api_gateway=self.price("api_gateway_rest_request", consumed.api_gateway_requests),
            function=self._lambda(consumed.invocations, consumed.gb_seconds),
            dynamodb=self.price("dynamodb_read_unit", consumed.read_units)
            + self.price("dynamodb_write_unit", consumed.write_units),
            logs=self.price("logs_ingested_gb", consumed.log_gb) + self.price("logs_stored_gb", consumed.log_gb),
            traces=self.price("trace", consumed.traces),
            pepper=self.price("secret_request", consumed.secret_requests),
        )

    def month(self, way: Way, company: Company, start: Start) -> dict[str, float]:
        """Return the whole bill of a company for a month, by part: verifications, changes and what is always paid."""
        bill = self.bill(self.consumed(way, company, start))
        changes = float(company.changes)
        invocations = changes * self.assumed("invocations_per_change")
        cold = invocations * self.assumed("cold_start_share_of_changes")
        milliseconds = changes * self.assumed("milliseconds_per_change") + cold * self.assumed(
            "endpoint_init_milliseconds"
        )
        log_gb = changes * self.assumed("log_bytes_per_change") / _GB
        stored_gb = (
            company.keys * self.assumed("bytes_per_key")
            + changes * self.assumed("audit_months") * self.assumed("bytes_per_audit_record")
        ) / _GB
        metrics = company.active_methods * self.assumed("metrics_per_active_method") + self.assumed(
            "verification_metrics"
        )
        return {
            "API Gateway": bill.api_gateway + self.price("api_gateway_rest_request", changes),
            "Lambda": bill.function + self._lambda(invocations, self._gb_seconds(milliseconds)),
            "DynamoDB": bill.dynamodb
            + self.price("dynamodb_read_unit", changes * self.assumed("read_units_per_change"))
            + self.price("dynamodb_write_unit", changes * self.assumed("write_units_per_change"))
            + self.price("dynamodb_storage_gb", stored_gb)
            + self.price("dynamodb_recovery_gb", stored_gb),
            # At most: lists have no event, and an invocation publishes up to 100.
            "Events": self.price("eventbridge_event", changes)
            + self._lambda(changes, self._gb_seconds(changes * self.assumed("milliseconds_per_event"))),
            "Logs": bill.logs + self.price("logs_ingested_gb", log_gb) + self.price("logs_stored_gb", log_gb),
            "Metrics, alarms, dashboard": self.price("metric", metrics)
            + self.price("alarm_metric", self.assumed("alarm_metrics"))
            + self.price("dashboard", 1),
            "Traces": bill.traces + self.price("trace", changes),
            "Pepper": bill.pepper + self.price("secret", 1) + self.price("secret_request", cold),
        }

    def archive(self, company: Company) -> float:
        """Return the monthly cost of the archive of the audit log, with an object of each shard every five minutes."""
        objects = min(
            float(company.changes), self.assumed("stream_shards") * self.assumed("archived_objects_per_shard")
        )
        stored_gb = company.changes * self.assumed("audit_months") * self.assumed("bytes_per_archived_record") / _GB
        return (
            self.price("s3_put_request", objects)
            + self.price("s3_get_request", objects)
            + self.price("s3_storage_gb", stored_gb)
            + self._lambda(objects, self._gb_seconds(objects * self.assumed("milliseconds_per_archived_object")))
            + self.price("dynamodb_read_unit", objects)
            + self.price("dynamodb_write_unit", objects)
            + self.price("alarm_metric", self.assumed("archive_alarm_metrics"))
        )

    def _milliseconds(self, way: Way, reads: float, updates: float) -> float:
        """Return the billed time of an invocation in a warm container that has met its keys.

        Args:
            way: of asking.
            reads: share of verifications that read.
            updates: UpdateItem requests of a verification.
        """
        own = self.assumed("endpoint_milliseconds" if way.is_endpoint else "authorizer_milliseconds")
        read = self.assumed("read_milliseconds" if way.batch == 1 else "batch_read_milliseconds")
        return (
            own
            + (way.batch - 1) * self.assumed("batch_item_milliseconds")
            + self.assumed("runtime_milliseconds")
            + self.assumed("rounding_milliseconds")
            + way.read_requests * reads * read
            + way.batch * updates * self.assumed("update_milliseconds")
        )

    def _cold_milliseconds(self, way: Way) -> float:
        """Return what a cold start adds to the billed time: INIT, connections and the pepper."""
        init = "endpoint_init_milliseconds" if way.is_endpoint else "authorizer_init_milliseconds"
        return self.assumed(init) + self.assumed("first_invocation_milliseconds")

    def _containers(self, way: Way, per_second: float) -> float:
        """Return the number of containers, for the peak of the day (Little's law)."""
        seconds = self._milliseconds(way, 1.0, way.limit_updates) / _MILLISECONDS
        return max(self.assumed("least_containers"), self.assumed("peak_factor") * per_second / way.batch * seconds)

    def _gb_seconds(self, milliseconds: float) -> float:
        return milliseconds / _MILLISECONDS * self.assumed("function_memory_gb")

    def _lambda(self, invocations: float, gb_seconds: float) -> float:
        return self.price("lambda_request", invocations) + self.price("lambda_arm_gb_second", gb_seconds)


def read_costs() -> Costs:
    """Read the prices and assumptions of the documentation."""
    prices = json.loads((COSTS_FOLDER / "prices.json").read_text(encoding="utf-8"))
    assumptions = json.loads((COSTS_FOLDER / "assumptions.json").read_text(encoding="utf-8"))
    return Costs(prices, assumptions)
