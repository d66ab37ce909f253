"""Cost of operations: what they consume on DynamoDB Local, and verifications by the cost model of the documentation."""

from __future__ import annotations

import json
import statistics
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import deployment, issued_keys, table
from benchmarks.report import Section, Table
from local import dynamodb_local
from tools.cost_tables import EXAMPLE
from tools.costs import ARGON2ID, HMAC_SHA256, WARM, read_costs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.measuring import Effort
    from benchmarks.report import Cell
    from keywright.domain.limits import Quota, RateLimit
    from tests.support.capacity import Consumption
    from tools.costs import Costs

_Action = tuple[Callable[[], Any], Callable[[Any], Any]]

_MILLION = 1_000_000
_KEYS_LISTED = 10
_OFTEN = 10_000
"""Uses of a limit that is not reached."""
_AUTHORIZER = "verify, by the authorizer"
_VERIFY = "verify, by POST /verify"
_FLUSH = "write the uses of a key, once in UsageFlushSeconds"
_BATCH = "verify, 100 keys by POST /verify-batch"
_BATCH_KEYS = 100
_LIMITED = "verify, key with a rate limit"
_LIMITED_TWICE = "verify, key and organization with rate limits"
_WAYS = {_AUTHORIZER: "authorizer", _VERIFY: "verify", _LIMITED: "authorizer_with_limits", _BATCH: "batch"}
"""The way of asking whose requests and units each operation measures."""


@dataclass(frozen=True, slots=True)
class MeasuredOperation:
    """The consumption of an operation.

    Attributes:
        own_milliseconds: CPU time of this process, without waiting for DynamoDB.
    """

    consumption: Consumption
    hashes: int
    own_milliseconds: float


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
    costs = read_costs()
    section.failures += differences(operations, costs)
    section.tables.append(
        Table(
            f"Dollars for a million verifications, by the price list of {costs.region} as of {costs.as_of}",
            ("way of asking", "containers", "Lambda", "DynamoDB", "API Gateway", "logs", "traces", "pepper", "all"),
            list(_bills(costs)),
        )
    )
    company = costs.companies[EXAMPLE]
    share = costs.assumed("cold_start_share") * 100
    warm = (
        f"Warm, or with {share:g} % cold starts, for each KeyHash. Durations, bytes of logs and what else is assumed,"
    )
    month = (
        f"For a company with {company.keys:,} keys and {company.verifications:,} verifications a month. The request to"
    )
    section.notes = [
        f"{warm} each with its reason: docs/costs/assumptions.json.",
        f"{month} the protected API is not included: it costs the same with any authorizer.",
    ]
    return section


def differences(operations: Mapping[str, MeasuredOperation], costs: Costs) -> list[str]:
    """Return where the measured requests and units differ from those that the costs assume."""
    found = []
    for operation, way_name in _WAYS.items():
        way, consumption = costs.ways[way_name], operations[operation].consumption
        assumed = way.read_requests + way.limit_updates, way.batch * way.read_units, way.limit_updates
        measured = consumption.requests, consumption.read_units, consumption.write_units
        if assumed != measured:
            found.append(f"{operation}: requests, read and write units are {measured}, but the costs assume {assumed}")
    flushed = operations[_FLUSH].consumption.write_units
    if flushed != costs.assumed("write_units_per_flush"):
        found.append(f"{_FLUSH}: {flushed} write units, but the costs assume {costs.assumed('write_units_per_flush')}")
    return found


def _bills(costs: Costs) -> Iterator[tuple[Cell, ...]]:
    company = costs.companies[EXAMPLE]
    starts = {"warm": WARM} | {f"cold starts, {scheme}": costs.start(scheme) for scheme in (ARGON2ID, HMAC_SHA256)}
    for way in costs.ways.values():
        for name, start in starts.items():
            bill = costs.bill(costs.consumed(way, company, start))
            parts = (bill.function, bill.dynamodb, bill.api_gateway, bill.logs, bill.traces, bill.pepper, bill.total)
            *dollars, total = (part / company.verifications * _MILLION for part in parts)
            yield (way.title, name, *dollars, f"{total:,.2f}")


def _measured(url: str, stack: ExitStack, *, calls: int) -> dict[str, MeasuredOperation]:
    client = table.enter_benchmark_table(url, stack)
    for _ in range(_KEYS_LISTED):
        table.issue(deployment.ORGANIZATION_ID)
    from tests.support.capacity import measured  # noqa: PLC0415 - after the environment
    from tests.support.world import Table as TestTable  # noqa: PLC0415 - the same

    operations = _operations() | _limited_operations(client) | {_BATCH: _batch_operation(client)}
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
    forged = issued_keys.forged(deployment.ORGANIZATION_ID, key_id)
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
        _AUTHORIZER: (lambda: None, lambda _: authorize(deployment.authorizer_event(key))),
        _VERIFY: (lambda: None, lambda _: _ok(verify(deployment.backend_event({"key": key})))),
        "verify, a forged key": (
            lambda: None,
            lambda _: _ok(verify(deployment.backend_event({"key": forged}))),
        ),
        _FLUSH: (used, lambda _: meter().flush_all(seconds=30)),
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


def _batch_operation(client: DynamoDBClient) -> _Action:
    """Return a verification of as many keys as a request can have, each of another organization."""
    verify = deployment.load_handler("verify_api_keys")
    organization_ids = [uuid.uuid4() for _ in range(_BATCH_KEYS)]
    table.put_organizations(client, organization_ids)
    keys = [table.issue(organization_id)[1] for organization_id in organization_ids]
    event = deployment.backend_event({"verifications": [{"key": key} for key in keys]})

    def are_valid(answer: Any) -> bool:
        _ok(answer)
        return all(result["valid"] for result in json.loads(answer["body"])["data"]["results"])

    def meet_all() -> None:
        """Compute the first hashes; on a slow machine one request has no time for a hundred."""
        while not are_valid(verify(event)):
            pass
        _forget_uses()

    def act(_: Any) -> None:
        if not are_valid(verify(event)):
            raise RuntimeError("not all keys of the batch are valid")

    return meet_all, act


def _ok(answer: Any) -> None:
    if answer["statusCode"] != 200:  # noqa: PLR2004 - a failure must not be measured
        raise RuntimeError(answer["body"])


def _forget_uses() -> None:
    from keywright.keys.usage import meter  # noqa: PLC0415

    meter.cache_clear()
