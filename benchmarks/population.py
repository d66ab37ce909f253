"""Populations of keys: how often a request is the first use of its key in its container, and what that costs callers.

A container remembers which secret matched which hash, so the first use of a key in each container takes a hash more.
How often that happens depends on how many keys and containers there are, and on how popular each key is. It is
simulated: keys by Zipf's law, requests at random times to random containers. Processes check it, which run the real
verification on the same requests, with the times of the requests as their clock.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter, OrderedDict
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast
from unittest.mock import patch

from benchmarks import deployment, issued_keys, partition_server
from benchmarks.budgets import Budget, Limit
from benchmarks.partition_server import start_container
from benchmarks.report import Section, Table
from tools.costs import read_costs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.measuring import Effort
    from benchmarks.partition_server import RunningServer

HOUR = 3600.0
LIFETIME_SECONDS = 45 * 60.0
"""Mean lifetime of a container. AWS promises none."""
FLUSH_SECONDS = 60.0
"""UsageFlushSeconds as delivered."""
REMEMBERED = 20_000
"""Secrets that a container remembers (REMEMBERED_MATCHES of the verification)."""
MOST_PENDING = 10_000
"""Keys with unwritten uses in a container (MAXIMUM_KEYS of the meter)."""
OWN_MILLISECONDS = 1.0
"""Time of a verification without DynamoDB, as in the other simulation."""
ARGON2_MILLISECONDS = 23.0
"""Time of one Argon2id hash with the template's parameters, as measured on the hot path."""
HMAC_MILLISECONDS = 0.0
"""Time of one HMAC, to a hundredth of a millisecond."""

ARGON2ID, HMAC = "argon2id", "hmac-sha256"
"""Values of KeyHash."""

_CHECKED_SECONDS = {False: 1200.0, True: 180.0}
_PERCENTILES = (0.5, 0.9, 0.99, 0.999)
_CHUNK = 10_000
_END_SECONDS = 60.0
"""Time to write what a process has not written at its end; Lambda gives less."""
_SEED = 7


class Request(NamedTuple):
    """A verification.

    Attributes:
        at: seconds since the beginning.
        key: number of the key, 0 for the most popular.
        container: number of the container that it is sent to.
    """

    at: float
    key: int
    container: int


@dataclass(frozen=True, slots=True)
class Population:
    """Keys and containers, and how often keys are verified.

    Attributes:
        rate: verifications a second, of all keys.
        lifetime_seconds: mean lifetime of a container, which another takes the place of; infinite for no other.
        remembered: secrets that a container remembers.
        key_hash: KeyHash of the deployment, which changes no count but that of Argon2id hashes.
    """

    keys: int
    containers: int
    rate: float = 100.0
    lifetime_seconds: float = LIFETIME_SECONDS
    remembered: int = REMEMBERED
    key_hash: str = ARGON2ID


POPULATIONS = (
    *(Population(keys, containers) for keys in (10, 1_000, 100_000) for containers in (1, 4, 16, 64)),
    *(Population(1_000, 16, rate) for rate in (10.0, 500.0)),
)
CHECKED = (
    Population(200, 2, 20.0, float("inf")),
    Population(200, 4, 20.0, float("inf")),
    Population(200, 2, 20.0, float("inf"), remembered=50),
    Population(200, 2, 20.0, float("inf"), key_hash=HMAC),
)
"""Small enough for processes. One forgets secrets."""


def requests(population: Population, seconds: float, seed: int) -> Iterator[Request]:
    """Return requests at random times: the n-th key is used 1/n as often as the first, every container equally often.

    Args:
        population: who is asked how often.
        seconds: length of the time.
        seed: equal seeds give equal requests.
    """
    draw = random.Random(seed)  # noqa: S311 - a seed that can be repeated
    weights = list(accumulate(1 / rank for rank in range(1, population.keys + 1)))
    keys, containers = range(population.keys), range(population.containers)
    now = 0.0
    while True:
        chosen = draw.choices(keys, cum_weights=weights, k=_CHUNK)
        for key, container in zip(chosen, draw.choices(containers, k=_CHUNK), strict=True):
            now += draw.expovariate(population.rate)
            if now >= seconds:
                return
            yield Request(now, key, container)


@dataclass(slots=True)
class Container:
    """Memory of a simulated container.

    Attributes:
        remembered: most secrets that it remembers.
        ends_at: when another container takes its place.
        matched: keys whose secret it remembers, the least recently used first.
        pending: keys with unwritten uses, and since when, the longest first.
    """

    remembered: int = REMEMBERED
    ends_at: float = float("inf")
    matched: OrderedDict[int, None] = field(default_factory=OrderedDict)
    pending: OrderedDict[int, float] = field(default_factory=OrderedDict)

    def use(self, now: float, key: int) -> tuple[bool, bool]:
        """Verify a key; return whether that took a hash, and whether uses were written."""
        is_first = key not in self.matched
        if is_first:
            self.matched[key] = None
            if len(self.matched) > self.remembered:
                self.matched.popitem(last=False)
        else:
            self.matched.move_to_end(key)
        since = self.pending.setdefault(key, now)
        if now - since >= FLUSH_SECONDS:
            del self.pending[key]
            return is_first, True
        if len(self.pending) > MOST_PENDING:
            self.pending.popitem(last=False)
            return is_first, True
        return is_first, False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a simulation.

    Attributes:
        kinds: number of requests, by whether they took a hash and whether they wrote uses.
        firsts: first uses of keys in each container.
        written: writes of uses by each container, those at its end included.
    """

    kinds: Counter[tuple[bool, bool]]
    firsts: tuple[int, ...]
    written: tuple[int, ...]

    @property
    def requests(self) -> int:
        """The number of requests."""
        return self.kinds.total()

    @property
    def first_uses(self) -> float:
        """The share of requests that were the first use of their key in their container."""
        return sum(self.firsts) / self.requests

    def percentiles(self, hash_milliseconds: float, read_milliseconds: float, write_milliseconds: float) -> list[float]:
        """Return p50, p90, p99 and p99.9 of the milliseconds of a verification, if each step always takes the same."""
        base = OWN_MILLISECONDS + read_milliseconds
        taken = sorted(
            (base + is_first * hash_milliseconds + is_writing * write_milliseconds, count)
            for (is_first, is_writing), count in self.kinds.items()
        )
        percentiles = []
        for share in _PERCENTILES:
            seen = accumulate(count for _, count in taken)
            percentiles.append(
                next(time for (time, _), below in zip(taken, seen, strict=True) if below >= share * self.requests)
            )
        return percentiles


def simulate(population: Population, stream: Iterable[Request], seed: int = _SEED) -> Outcome:
    """Send requests to containers that are empty at the beginning.

    Args:
        population: the containers.
        stream: in the order of time.
        seed: of the lifetimes of containers.
    """
    draw = random.Random(seed)  # noqa: S311 - a seed that can be repeated
    has_end = population.lifetime_seconds < float("inf")

    def started(now: float) -> Container:
        ends_at = now + draw.expovariate(1 / population.lifetime_seconds) if has_end else float("inf")
        return Container(population.remembered, ends_at)

    containers = [started(0.0) for _ in range(population.containers)]
    kinds: Counter[tuple[bool, bool]] = Counter()
    firsts, written = [0] * population.containers, [0] * population.containers
    for now, key, number in stream:
        container = containers[number]
        if now >= container.ends_at:
            written[number] += len(container.pending)
            container = containers[number] = started(now)
        kind = container.use(now, key)
        kinds[kind] += 1
        firsts[number] += kind[0]
        written[number] += kind[1]
    for number, container in enumerate(containers):
        written[number] += len(container.pending)
    return Outcome(kinds, tuple(firsts), tuple(written))


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts of processes with the requests of a population, beside those of the simulation.

    Attributes:
        firsts: first uses of keys in each process, those whose secret it did not remember.
        hashes: of Argon2id, by all processes.
        written: writes of uses by each process.
        requested: writes that the server has got.
        uses: that the server has got.
    """

    population: Population
    simulated: Outcome
    firsts: tuple[int, ...]
    hashes: int
    written: tuple[int, ...]
    requested: int
    uses: int

    @property
    def differences(self) -> int:
        """The number of first uses, hashes, writes and uses that are too many or too few."""
        hashes = sum(self.simulated.firsts) if self.population.key_hash == ARGON2ID else 0
        pairs = [
            *zip(self.simulated.firsts, self.firsts, strict=True),
            (hashes, self.hashes),
            *zip(self.simulated.written, self.written, strict=True),
            (sum(self.simulated.written), self.requested),
            (self.simulated.requests, self.uses),
        ]
        return sum(abs(expected - actual) for expected, actual in pairs)


def run(effort: Effort) -> Section:
    """Simulate populations for an hour, and check the simulation against processes."""
    section = Section("population", "Populations of keys: first uses in a container, by keys and containers")
    seconds = HOUR / 60 if effort.is_quick else HOUR
    costs = read_costs()
    times = costs.assumed("read_milliseconds"), costs.assumed("update_milliseconds")
    rows: list[tuple[Any, ...]] = []
    for population in POPULATIONS:
        print(f"{population.keys:,} keys, {population.containers} containers, {population.rate:g}/s ...", flush=True)
        outcome = simulate(population, requests(population, seconds, _SEED))
        rows.append(
            (
                population.keys,
                population.containers,
                population.rate,
                f"{outcome.first_uses:.3%}",
                round(sum(outcome.written) / seconds, 2),
                _written(outcome.percentiles(ARGON2_MILLISECONDS, *times)),
                _written(outcome.percentiles(HMAC_MILLISECONDS, *times)),
            )
        )
    columns = ("keys", "containers", "verifications/s", "first uses", "writes/s", ARGON2ID, HMAC)
    title = (
        f"Simulated, {seconds / 60:g} minutes from empty containers on; p50 / p90 / p99 / p99.9 of a verification, ms"
    )
    section.tables.append(Table(title, columns, rows))
    counted = list(_checked(_CHECKED_SECONDS[effort.is_quick]))
    section.tables.append(_check_table(counted))
    differences = sum(one.differences for one in counted)
    section.budgets = [Budget(Limit.POPULATION_DIFFERENCES, differences)]
    lives = f"A container lives {LIFETIME_SECONDS / 60:g} minutes on average, and another takes its place; cold starts"
    lives += f" are not included. It remembers {REMEMBERED:,} secrets, and writes the uses of a key after"
    checked = "The check: processes with the real code, one request at a time, on the requests of the simulation, whose"
    checked += (
        " times are their clock. First uses and hashes are those of their log; the server counts writes and uses."
    )
    section.notes = [
        f"Keys by Zipf's law with exponent 1, at random times, to random containers. {_assumed(*times)}",
        f"{lives} {FLUSH_SECONDS:g} s.",
        checked,
        "Nothing was measured on AWS.",
    ]
    return section


def _assumed(read_milliseconds: float, update_milliseconds: float) -> str:
    return (
        f"Assumed: a read takes {read_milliseconds:g} ms, a write {update_milliseconds:g} ms, an Argon2id hash "
        f"{ARGON2_MILLISECONDS:g} ms, an HMAC nothing, the rest {OWN_MILLISECONDS:g} ms, each always the same."
    )


def _written(percentiles: Sequence[float]) -> str:
    return " / ".join(f"{milliseconds:g}" for milliseconds in percentiles)


def _check_table(counted: Sequence[Counted]) -> Table:
    rows = [
        (
            _named(one.population),
            one.simulated.requests,
            _both(one.simulated.firsts, one.firsts),
            one.hashes,
            _both(one.simulated.written, one.written),
            one.differences,
        )
        for one in counted
    ]
    columns = ("what", "verifications", "first uses", "Argon2id hashes", "writes", "differences")
    return Table("Checked: simulated and counted, of each process", columns, rows)


def _named(population: Population) -> str:
    processes = f"{population.containers} processes, {population.keys} keys"
    return f"{processes}, {population.remembered:,} remembered, {population.key_hash}"


def _both(simulated: Sequence[int], counted: Sequence[int]) -> str:
    return ", ".join(f"{expected} and {actual}" for expected, actual in zip(simulated, counted, strict=True))


def _checked(seconds: float) -> Iterator[Counted]:
    """Run processes on the requests of each population that is checked."""
    deployment.enter(TABLE_NAME=issued_keys.TABLE, **issued_keys.CHEAPEST_HASH)
    for population in CHECKED:
        print(f"{_named(population)} ...", flush=True)
        organization_id = deployment.ORGANIZATION_ID
        keys = [issued_keys.issue(organization_id, key_hash=population.key_hash) for _ in range(population.keys)]
        items = [item for key in keys for item in key.items]
        items += issued_keys.organization_items(organization_id)
        texts = [key.text for key in keys]
        stream = list(requests(population, seconds, _SEED))
        with partition_server.run_server(items, issued_keys.secret()) as server:
            answers = _in_processes(population, stream, texts, server)
            counts = server.counts()
        yield Counted(
            population,
            simulate(population, stream),
            tuple(answer["firsts"] for answer in answers),
            sum(answer["hashes"] for answer in answers),
            tuple(answer["written"] for answer in answers),
            counts[f"UpdateItem ORG#{deployment.ORGANIZATION_ID}"],
            counts[f"uses ORG#{deployment.ORGANIZATION_ID}"],
        )


def _in_processes(
    population: Population, stream: Sequence[Request], texts: Sequence[str], server: RunningServer
) -> list[dict[str, int]]:
    """Run a process for each container on its requests; return what they counted."""
    with ExitStack() as stack:
        processes = []
        for container in range(population.containers):
            process = stack.enter_context(
                start_container("benchmarks.population", AWS_ENDPOINT_URL=server.url, KEY_HASH=population.key_hash)
            )
            task = {
                "texts": list(texts),
                "remembered": population.remembered,
                "calls": [(request.at, request.key) for request in stream if request.container == container],
            }
            with cast("IO[str]", process.stdin) as pipe:
                json.dump(task, pipe)
            processes.append(process)
        return [json.loads(cast("IO[str]", process.stdout).read()) for process in processes]


class _Log:
    """Standard output of a container: adds up the first uses and the hashes that its lines have."""

    def __init__(self) -> None:
        self.firsts = 0
        self.hashes = 0

    def write(self, text: str) -> int:
        """Count what a line has."""
        if '"Hashes"' in text:
            line = json.loads(text)
            self.firsts += not line["RememberedMatches"]
            self.hashes += line["Hashes"]
        return len(text)

    def flush(self) -> None:
        """Do nothing."""


def _contain() -> None:
    """Be a container: verify the keys of a task in standard input; print what was counted."""
    from keywright.keys import usage, verification  # noqa: PLC0415 - only a container has the layer in its path
    from keywright.store import usage as stored_usage  # noqa: PLC0415 - the same

    task = json.load(sys.stdin)
    now, written, add = 0.0, 0, stored_usage.add

    def counted(uses: stored_usage.Uses) -> None:
        nonlocal written
        add(uses)
        written += 1

    log = _Log()
    with (
        patch.object(stored_usage, "add", counted),
        patch.object(usage, "UsageMeter", partial(usage.UsageMeter, clock=lambda: now)),
        patch.object(verification, "REMEMBERED_MATCHES", task["remembered"]),
        redirect_stdout(cast("IO[str]", log)),
    ):
        for at, key in task["calls"]:
            now = at
            verification.verify(task["texts"][key])
        usage.meter().flush_all(seconds=_END_SECONDS)
    print(json.dumps({"firsts": log.firsts, "hashes": log.hashes, "written": written}))


if __name__ == "__main__":
    _contain()
