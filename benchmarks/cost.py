"""Cost of operations: what they consume on DynamoDB Local, at the prices of AWS."""

from __future__ import annotations

import json
import math
import statistics
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import deployment, hot_path, stub, table
from benchmarks.report import Section, Table
from local import dynamodb_local
from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.measuring import Effort
    from keywright.domain.limits import Quota, RateLimit
    from tests.support.capacity import Consumption

PRICES = ROOT / "docs" / "costs" / "prices.json"
ASSUMPTIONS = ROOT / "benchmarks" / "assumptions.json"

_Action = tuple[Callable[[], Any], Callable[[Any], Any]]

_MILLION = 1_000_000
_KEYS_LISTED = 10
_REUSE_SECONDS = 10
_KEPT_SECONDS = 60
_OFTEN = 10_000
"""Uses of a limit that is not reached."""
_LIMITED = "verify, key with a rate limit"
_LIMITED_TWICE = "verify, key and organization with rate limits"


@dataclass(frozen=True, slots=True)
class MeasuredOperation:
    """The consumption of an operation.

    Attributes:
        own_milliseconds: CPU time of this process, without waiting for DynamoDB.
    """

    consumption: Consumption
    hashes: int
    own_milliseconds: float


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost of an operation in dollars, by part."""

    function: float = 0.0
    dynamodb: float = 0.0
    api_gateway: float = 0.0
    logs: float = 0.0

    @property
    def parts(self) -> tuple[float, float, float, float]:
        """The cost of each part."""
        return self.function, self.dynamodb, self.api_gateway, self.logs

    @property
    def total(self) -> float:
        """The total cost."""
        return sum(self.parts)

    def times(self, share: float) -> Bill:
        """Return the bill of an operation that runs in a share of cases."""
        return Bill(*(part * share for part in self.parts))


class Prices:
    """The price list of the documentation, and assumptions for what cannot be measured on one machine."""

    def __init__(self) -> None:
        content = json.loads(PRICES.read_text(encoding="utf-8"))
        self.as_of: str = content["as_of"]
        self.region: str = content["region"]
        self._prices: dict[str, float] = {
            name: entry["price"] / entry["per"] for name, entry in content["prices"].items()
        }
        assumptions = json.loads(ASSUMPTIONS.read_text(encoding="utf-8"))
        self.assumptions: dict[str, float] = {name: value for name, value in assumptions.items() if name != "what"}

    def invocation(self, milliseconds: float) -> float:
        """Return the price of an invocation. Lambda bills whole milliseconds."""
        gigabyte_seconds = math.ceil(milliseconds) / 1000 * self.assumptions["function_megabytes"] / 1024
        return self._prices["lambda_request"] + gigabyte_seconds * self._prices["lambda_arm_gb_second"]

    def units(self, read: float, write: float) -> float:
        """Return the price of read and write units."""
        return read * self._prices["dynamodb_read_unit"] + write * self._prices["dynamodb_write_unit"]

    @property
    def api_gateway_request(self) -> float:
        """The price of a request to a REST API."""
        return self._prices["api_gateway_rest_request"]

    @property
    def logs(self) -> float:
        """The price of the logs of an invocation."""
        return self.assumptions["log_bytes_per_invocation"] / 1e9 * self._prices["logs_ingested_gb"]


def run(effort: Effort) -> Section:
    """Measure the operations and compute their cost."""
    section = Section("cost", "Cost: what operations consume, and what that costs")
    try:
        with ExitStack() as stack:
            url = stack.enter_context(dynamodb_local.run_server(dynamodb_local.JARS))
            operations = _measured(url, stack, calls=effort.calls)
    except dynamodb_local.NotStartedError as error:
        section.failures.append(str(error))
        return section
    section.tables.append(
        Table(
            "Requests and units of DynamoDB, hashes, and CPU time of the function itself",
            ("operation", "requests", "read units", "write units", "hashes", "CPU ms"),
            [
                (
                    name,
                    operation.consumption.requests,
                    operation.consumption.read_units,
                    operation.consumption.write_units,
                    operation.hashes,
                    operation.own_milliseconds,
                )
                for name, operation in operations.items()
            ],
        )
    )
    prices = Prices()
    bills = _bills(operations, prices)
    section.tables.append(
        Table(
            f"Dollars for a million, by the price list of {prices.region} as of {prices.as_of}",
            ("what, and how", "Lambda", "DynamoDB", "API Gateway", "logs", "all"),
            [
                (
                    name,
                    *(
                        _MILLION * part
                        for part in (bill.function, bill.dynamodb, bill.api_gateway, bill.logs, bill.total)
                    ),
                )
                for name, bill in bills.items()
            ],
        )
    )
    per_minute = prices.assumptions["verifications_per_key_and_minute"]
    assumed = prices.assumptions
    times = f"A read is assumed to take {assumed['dynamodb_read_milliseconds']:g} ms, a transaction"
    times += f" {assumed['dynamodb_transaction_milliseconds']:g} ms, the change of a limit's item"
    times += f" {assumed['dynamodb_update_milliseconds']:g} ms, with {assumed['function_megabytes']:g} MB: see"
    times += " benchmarks/assumptions.json."
    section.notes = [
        times,
        f"Each key is assumed to be used {per_minute:g} times a minute in each container; its uses are written once.",
        "The request to the protected API is not included: it costs the same with any authorizer.",
    ]
    return section


def _measured(url: str, stack: ExitStack, *, calls: int) -> dict[str, MeasuredOperation]:
    secrets_manager = stack.enter_context(stub.run_stub(hot_path.answers([])))
    deployment.enter(
        AWS_ENDPOINT_URL=secrets_manager.url, AWS_ENDPOINT_URL_DYNAMODB=url, TABLE_NAME=table.BENCHMARK_TABLE
    )
    stack.enter_context(hot_path.discarded_output())
    client = table.create_benchmark_table()
    table.put_organizations(client, [deployment.ORGANIZATION_ID])
    for _ in range(_KEYS_LISTED):
        table.issue(deployment.ORGANIZATION_ID)
    from tests.support.capacity import measured  # noqa: PLC0415 - after the environment
    from tests.support.world import Table as TestTable  # noqa: PLC0415 - the same

    operations = _operations() | _limited_operations(client)
    # Time first: measuring the consumption sends additional requests.
    milliseconds = {name: _own_milliseconds(*operation, calls) for name, operation in operations.items()}
    measured_operations = {}
    with measured(TestTable(client, table.BENCHMARK_TABLE)) as consumed:
        for name, operation in operations.items():
            consumption, hashes = _consumed(*operation, consumed)
            measured_operations[name] = MeasuredOperation(consumption, hashes, milliseconds[name])
    return measured_operations


def _own_milliseconds(prepare: Callable[[], Any], act: Callable[[Any], Any], calls: int) -> float:
    taken = []
    for _ in range(calls):
        subject = prepare()
        started = time.process_time()
        act(subject)
        taken.append(time.process_time() - started)
    return statistics.median(taken) * 1000


def _consumed(
    prepare: Callable[[], Any], act: Callable[[Any], Any], consumed: list[Consumption]
) -> tuple[Consumption, int]:
    """Return the consumption and the number of hashes of an operation, which must not vary between runs."""
    seen = set()
    with _recorded_hashes() as hashes:
        for _ in range(3):
            subject = prepare()
            consumed.clear()
            hashes.clear()
            act(subject)
            seen.add((sum(consumed[1:], consumed[0]) if consumed else _nothing(), len(hashes)))
    (first, *others) = seen
    if others:
        raise RuntimeError(f"the consumption varies: {seen}")
    return first


def _nothing() -> Consumption:
    from tests.support.capacity import Consumption  # noqa: PLC0415

    return Consumption()


@contextmanager
def _recorded_hashes() -> Iterator[list[int]]:
    """Record every hash that is computed while the context is open."""
    from keywright.domain import key_hash  # noqa: PLC0415

    originals = key_hash.matches, key_hash.hash_digest
    recorded: list[int] = []

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def hashed(*arguments: Any) -> Any:
            recorded.append(1)
            return function(*arguments)

        return hashed

    key_hash.matches, key_hash.hash_digest = counted(key_hash.matches), counted(key_hash.hash_digest)
    try:
        yield recorded
    finally:
        key_hash.matches, key_hash.hash_digest = originals


def _operations() -> dict[str, _Action]:
    """Return the operations by name, each with its preparation and its action."""
    from keywright.keys.usage import meter  # noqa: PLC0415
    from keywright.keys.verification import matches  # noqa: PLC0415

    event, handler = deployment.member_event, deployment.load_handler
    authorize, verify = handler("authorize_api_key"), handler("verify_api_key")
    key_id, key = table.issue(deployment.ORGANIZATION_ID)
    body = {"name": "CI", "permissions": ["sessions:read"], "metadata": {"plan": "pro"}}

    def changing(
        name: str, method: str, path: str, content: object = None
    ) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
        function = handler(name)
        return (
            lambda: table.issue(deployment.ORGANIZATION_ID)[0],
            lambda identifier: _ok(function(event(method, path, content, id=str(identifier)))),
        )

    def used() -> None:
        _forget_uses()
        authorize(deployment.authorizer_event(key))

    create, listing, get = handler("create_api_key"), handler("list_api_keys"), handler("get_api_key")
    with_key = event("POST", "/auth/api-keys", body)
    return {
        "verify, first of a key in a container": (
            matches.cache_clear,
            lambda _: authorize(deployment.authorizer_event(key)),
        ),
        "verify, by the authorizer": (lambda: None, lambda _: authorize(deployment.authorizer_event(key))),
        "verify, by POST /verify": (lambda: None, lambda _: _ok(verify(deployment.backend_event({"key": key})))),
        "verify, a forged key": (
            lambda: None,
            lambda _: _ok(verify(deployment.backend_event({"key": key[:-4] + "0000"}))),
        ),
        "write the uses of a key, once a minute": (used, lambda _: meter().flush_all(seconds=30)),
        "create": (lambda: None, lambda _: _ok(create(event("POST", "/auth/api-keys", body)))),
        "create, with an Idempotency-Key": (
            lambda: {**with_key, "headers": {**with_key["headers"], "Idempotency-Key": str(uuid.uuid4())}},
            lambda prepared: _ok(create(prepared)),
        ),
        "get": (lambda: None, lambda _: _ok(get(event("GET", "/auth/api-keys/{id}", id=str(key_id))))),
        "list 10": (lambda: None, lambda _: _ok(listing(event("GET", "/auth/api-keys")))),
        "update": changing("update_api_key", "PATCH", "/auth/api-keys/{id}", {"name": "other"}),
        "rotate": changing("rotate_api_key", "POST", "/auth/api-keys/{id}/rotate", {}),
        "delete": changing("delete_api_key", "DELETE", "/auth/api-keys/{id}"),
    }


def _limited_operations(client: DynamoDBClient) -> dict[str, _Action]:
    """Return the verifications of keys with limits, by name, each with its preparation and its action."""
    from keywright.domain.limits import Period, Quota, RateLimit  # noqa: PLC0415 - after the environment
    from keywright.keys import verification  # noqa: PLC0415 - the same
    from keywright.keys.limiter import known_limits  # noqa: PLC0415 - the same

    authorize = deployment.load_handler("authorize_api_key")
    organization_id, limited_organization_id = deployment.ORGANIZATION_ID, uuid.uuid4()
    table.put_organizations(client, [limited_organization_id])
    rate, quota = RateLimit(_OFTEN, 3600, _OFTEN), Quota(_OFTEN, Period.DAY)
    table.give_limits(client, limited_organization_id, limited_organization_id, {"rate_limit": rate})

    def issued(in_organization: uuid.UUID, **limits: RateLimit | Quota) -> str:
        key_id, key = table.issue(in_organization)
        table.give_limits(client, in_organization, key_id, limits)
        return key

    def used_up() -> str:
        """Return a key whose only use was made in another container."""
        key = issued(organization_id, rate_limit=RateLimit(1, 3600, 1))
        allow(key)
        known_limits.cache_clear()
        return key

    def refused() -> str:
        key = used_up()
        deny(key)
        return key

    def allow(key: str) -> None:
        answer = authorize(deployment.authorizer_event(key))
        if answer["policyDocument"]["Statement"][0]["Effect"] != "Allow":
            raise RuntimeError(f"refused: {answer}")

    def deny(key: str) -> None:
        code = verification.verify(key).code
        if code != "RATE_LIMITED":
            raise RuntimeError(f"not refused by a limit, but {code}")

    def admitted(in_organization: uuid.UUID, **limits: RateLimit | Quota) -> _Action:
        key = issued(in_organization, **limits)
        return lambda: allow(key), lambda _: allow(key)

    return {
        _LIMITED: admitted(organization_id, rate_limit=rate),
        "verify, key with a quota": admitted(organization_id, quota=quota),
        "verify, key with a rate limit and a quota": admitted(organization_id, rate_limit=rate, quota=quota),
        _LIMITED_TWICE: admitted(limited_organization_id, rate_limit=rate),
        "verify, refused by a limit, the first time in a container": (used_up, deny),
        "verify, refused by a limit, again within a second": (refused, deny),
    }


def _ok(answer: Any) -> None:
    if answer["statusCode"] != 200:  # noqa: PLR2004 - a failure must not be measured
        raise RuntimeError(answer["body"])


def _forget_uses() -> None:
    from keywright.keys.usage import meter  # noqa: PLC0415

    meter.cache_clear()


def _bills(operations: Mapping[str, MeasuredOperation], prices: Prices) -> dict[str, Bill]:
    read_milliseconds = prices.assumptions["dynamodb_read_milliseconds"]
    update_milliseconds = prices.assumptions["dynamodb_update_milliseconds"]
    write_milliseconds = prices.assumptions["dynamodb_transaction_milliseconds"]
    per_minute = prices.assumptions["verifications_per_key_and_minute"]
    uses = operations["write the uses of a key, once a minute"].consumption
    uses_dollars = prices.units(uses.read_units, uses.write_units) / per_minute

    def verification(name: str, reads: float = 1.0, *, through_api_gateway: bool = False) -> Bill:
        operation, consumption = operations[name], operations[name].consumption
        waiting = reads * read_milliseconds + consumption.write_units * update_milliseconds
        return Bill(
            function=prices.invocation(operation.own_milliseconds + waiting),
            dynamodb=prices.units(reads * consumption.read_units, consumption.write_units) + uses_dollars,
            api_gateway=prices.api_gateway_request if through_api_gateway else 0.0,
            logs=prices.logs,
        )

    def reads_with_reuse() -> float:
        """Return the share of verifications that read: the first in each period of RecordReuseSeconds."""
        return 1 / (1 + per_minute / 60 * _REUSE_SECONDS)

    created = operations["create"]
    authorizer = "verify, by the authorizer"
    return {
        "verification: authorizer, asked every time": verification(authorizer),
        f"verification: authorizer, RecordReuseSeconds={_REUSE_SECONDS}": verification(authorizer, reads_with_reuse()),
        f"verification: authorizer, API Gateway keeps its answer for {_KEPT_SECONDS} s": verification(authorizer).times(
            1 / (1 + per_minute / 60 * _KEPT_SECONDS)
        ),
        "verification: authorizer, key with limits": verification(_LIMITED),
        "verification: authorizer, key and organization with limits": verification(_LIMITED_TWICE),
        "verification: POST /verify, by a backend": verification("verify, by POST /verify", through_api_gateway=True),
        "create": Bill(
            function=prices.invocation(created.own_milliseconds + write_milliseconds),
            dynamodb=prices.units(created.consumption.read_units, created.consumption.write_units),
            api_gateway=prices.api_gateway_request,
            logs=prices.logs,
        ),
    }
