"""Counts: what operations ask of DynamoDB, and hash. They are the same on every machine, so they hold exactly."""

from __future__ import annotations

import importlib
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import deployment, issued_keys, table
from benchmarks.budgets import Budget, Limit
from benchmarks.report import Section, Table
from local import dynamodb_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measuring import Effort

_RUNS = 3
_OFTEN = 10_000
"""Uses of a limit that is not reached."""
_FIRST = "first verification of a key in a container"
_FIRST_HMAC = "first verification of a key in a container, KeyHash=hmac-sha256"
_WARM = "warm verification"
_LIMITED = "warm verification of a key with limits"
_FLUSHING = "warm verification that writes the uses of a minute"
_FORGED = "forged key"
_CREATE = "create"


class Count(NamedTuple):
    """Consumption of an operation.

    Attributes:
        requests: to DynamoDB.
        hashes: computed with Argon2id.
    """

    requests: int
    read_units: float
    write_units: float
    hashes: int


class Operation(NamedTuple):
    """An operation to count, and its preparation, which is not counted."""

    act: Callable[[], object]
    prepare: Callable[[], object] = lambda: None


def run(effort: Effort) -> Section:
    """Count the operations that have budgets. The effort makes no difference."""
    del effort
    section = Section("counts", "Counts: what operations ask of DynamoDB, and hash")
    try:
        with ExitStack() as stack:
            url = stack.enter_context(dynamodb_local.run_server(dynamodb_local.JARS))
            counts = _counts(url, stack)
    except dynamodb_local.NotStartedError as error:
        section.failures.append(str(error))
        return section
    section.tables.append(
        Table(
            "On DynamoDB Local",
            ("operation", "requests", "read units", "write units", "Argon2id hashes"),
            [(name, *count) for name, count in counts.items()],
        )
    )
    section.budgets = [
        Budget(Limit.WARM_REQUESTS, counts[_WARM].requests),
        Budget(Limit.WARM_READ_UNITS, counts[_WARM].read_units),
        Budget(Limit.WARM_HASHES, counts[_WARM].hashes),
        Budget(Limit.FIRST_REQUESTS, counts[_FIRST].requests),
        Budget(Limit.FIRST_HASHES, counts[_FIRST].hashes),
        Budget(Limit.FIRST_HMAC_REQUESTS, counts[_FIRST_HMAC].requests),
        Budget(Limit.FIRST_HMAC_HASHES, counts[_FIRST_HMAC].hashes),
        Budget(Limit.LIMITED_REQUESTS, counts[_LIMITED].requests),
        Budget(Limit.LIMITED_WRITE_UNITS, counts[_LIMITED].write_units),
        Budget(Limit.FLUSH_REQUESTS, counts[_FLUSHING].requests),
        Budget(Limit.FLUSH_WRITE_UNITS, counts[_FLUSHING].write_units),
        Budget(Limit.FORGED_REQUESTS, counts[_FORGED].requests),
        Budget(Limit.FORGED_HASHES, counts[_FORGED].hashes),
        Budget(Limit.CREATE_REQUESTS, counts[_CREATE].requests),
        Budget(Limit.CREATE_WRITE_UNITS, counts[_CREATE].write_units),
    ]
    return section


def _counts(url: str, stack: ExitStack) -> dict[str, Count]:
    client = table.enter_benchmark_table(url, stack)
    from tests.support.capacity import measured  # noqa: PLC0415 - after the environment
    from tests.support.world import Table as TestTable  # noqa: PLC0415 - the same

    operations = _operations(client)
    with measured(TestTable(client, table.BENCHMARK_TABLE)) as consumed, _recorded_hashes() as hashes:
        return {name: _count(operation, consumed, hashes) for name, operation in operations.items()}


def _count(operation: Operation, consumed: list[Any], hashes: list[str]) -> Count:
    """Return the count of an operation, which must not vary between runs."""
    seen = set()
    for _ in range(_RUNS):
        operation.prepare()
        consumed.clear()
        hashes.clear()
        operation.act()
        units = [(one.read_units, one.write_units) for one in consumed]
        seen.add(Count(len(units), sum(read for read, _ in units), sum(write for _, write in units), len(hashes)))
    if len(seen) > 1:
        raise RuntimeError(f"the counts vary: {seen}")
    return seen.pop()


@contextmanager
def _recorded_hashes() -> Iterator[list[str]]:
    """Record every use of Argon2's library while the context is open."""
    low_level: Any = importlib.import_module("argon2.low_level")  # after the environment
    library = low_level.lib
    recorded: list[str] = []

    class Recorder:
        def __getattr__(self, name: str) -> object:
            if name in {"argon2_hash", "argon2_verify"}:
                recorded.append(name)
            return getattr(library, name)

    low_level.lib = Recorder()
    try:
        yield recorded
    finally:
        low_level.lib = library


def _operations(client: Any) -> dict[str, Operation]:
    """Return the operations by name."""
    from keywright.domain.limits import Period, Quota, RateLimit  # noqa: PLC0415 - after the environment
    from keywright.keys.usage import UsageMeter, meter  # noqa: PLC0415 - the same
    from keywright.keys.verification import matches  # noqa: PLC0415
    from keywright.store import usage  # noqa: PLC0415

    authorize, create = deployment.load_handler("authorize_api_key"), deployment.load_handler("create_api_key")
    key_id, key = table.issue(deployment.ORGANIZATION_ID)
    _, hashed_quickly = deployment.with_hmac(lambda: table.issue(deployment.ORGANIZATION_ID))()
    limited_id, limited = table.issue(deployment.ORGANIZATION_ID)
    rate, quota = RateLimit(_OFTEN, 3600, _OFTEN), Quota(_OFTEN, Period.TOTAL)
    table.give_limits(client, deployment.ORGANIZATION_ID, limited_id, {"rate_limit": rate, "quota": quota})
    forged = issued_keys.forged(deployment.ORGANIZATION_ID, key_id)
    body = {"name": "CI", "permissions": ["sessions:read"], "metadata": {"plan": "pro"}}

    def verify(text: str) -> Callable[[], object]:
        return lambda: authorize(deployment.authorizer_event(text))

    def refuse() -> None:
        try:
            authorize(deployment.authorizer_event(forged))
        except Exception as error:
            if str(error) == "Unauthorized":
                return
            raise
        raise RuntimeError("a forged key was let in")

    def created() -> None:
        status = create(deployment.member_event("POST", "/auth/api-keys", body))["statusCode"]
        if status != 200:  # noqa: PLR2004 - the status of a success
            raise RuntimeError(f"create answered {status}")

    flushing = deployment.replacing(meter, UsageMeter(usage.add, 0), verify(key))
    return {
        _FIRST: Operation(verify(key), matches.cache_clear),
        _FIRST_HMAC: Operation(deployment.with_hmac(verify(hashed_quickly)), matches.cache_clear),
        _WARM: Operation(verify(key), verify(key)),
        _LIMITED: Operation(verify(limited), verify(limited)),
        _FLUSHING: Operation(flushing, verify(key)),
        _FORGED: Operation(refuse),
        _CREATE: Operation(created),
    }
