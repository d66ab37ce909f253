"""Growth: latency by the amount of data, and memory of a container by the number of verifications."""

from __future__ import annotations

import random
import secrets
import statistics
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import deployment, hot_path, stub, table
from benchmarks.measuring import in_turns
from benchmarks.report import Bars, Section, Table
from local import dynamodb_local

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from benchmarks.measuring import Effort, Sample

_SIZES = {False: (10, 1_000, 100_000), True: (10, 100, 1_000)}
_ORGANIZATIONS = {False: 10_000, True: 200}
_VERIFICATIONS = {False: 500_000, True: 20_000}
_CONTAINER_KEYS = {False: 100_000, True: 2_000}
_STEPS = 5
_PAGE_BYTES = 4096
_CHEAP = {"ARGON2_MEMORY_KIB": "8", "ARGON2_ITERATIONS": "1"}


def run(effort: Effort) -> Section:
    """Measure latency and memory."""
    section = Section("growth", "Growth: the same work on more data")
    with ExitStack() as stack:
        secrets_manager = stack.enter_context(stub.run_stub(hot_path.answers([])))
        try:
            url = stack.enter_context(dynamodb_local.run_server(dynamodb_local.JARS))
        except dynamodb_local.NotStartedError as error:
            section.failures.append(str(error))
            return section
        deployment.enter(
            AWS_ENDPOINT_URL=secrets_manager.url,
            AWS_ENDPOINT_URL_DYNAMODB=url,
            TABLE_NAME=table.BENCHMARK_TABLE,
            **_CHEAP,
        )
        section.tables.append(_by_size(effort, section, stack))
        section.tables.append(_memory(effort, section))
    section.notes += [
        "Hashing has its cheapest settings, so that everything else is measured.",
        "Memory is that of a whole process with the real code; its key records are generated instead of read.",
    ]
    return section


def _by_size(effort: Effort, section: Section, stack: ExitStack) -> Table:
    client = table.create_benchmark_table()
    sizes = _SIZES[effort.is_quick]
    organizations = {f"{size:,} keys in the organization": uuid.uuid4() for size in sizes}
    table.put_organizations(client, organizations.values())
    functions: dict[str, Callable[[], object]] = {}
    for (name, organization_id), size in zip(organizations.items(), sizes, strict=True):
        print(f"Writing {name} ...", flush=True)
        table.fill(client, organization_id, size - 1)
        functions |= _actions(name, organization_id)
    number = _ORGANIZATIONS[effort.is_quick]
    print(f"Writing {number:,} organizations ...", flush=True)
    many = [uuid.uuid4() for _ in range(number)]
    table.put_organizations(client, many)
    functions |= _actions(f"one of {number:,} organizations more, 1 key", many[0])
    with hot_path.discarded_output():
        samples = in_turns(functions, effort)
    section.pictures["growth"] = Bars(
        "The same work on more data, on DynamoDB Local",
        "milliseconds",
        [(name, sample.median * 1000, True) for name, sample in samples.items()],
    )
    section.samples = {name: sample.rounds for name, sample in samples.items()}
    first = {action: samples[f"{action}: {next(iter(organizations))}"] for action in ("verify", "list a page of 100")}
    del stack
    return Table(
        "On DynamoDB Local",
        ("what", "median ms", "quartiles", "x the smallest"),
        [(name, *_row(sample), sample.ratio(first[name.partition(":")[0]])) for name, sample in samples.items()],
    )


def _row(sample: Sample) -> tuple[float, str]:
    low, high = (value * 1000 for value in sample.spread)
    return sample.median * 1000, f"{low:.3g} .. {high:.3g}"


def _actions(name: str, organization_id: UUID) -> dict[str, Callable[[], object]]:
    from keywright.api.schemas import ListApiKeysQuery  # noqa: PLC0415 - the same
    from keywright.api.validation import validate  # noqa: PLC0415 - the same
    from keywright.keys import manage, verification  # noqa: PLC0415 - after the environment

    _, key = table.issue(organization_id)
    query = validate(ListApiKeysQuery, {"limit": "100"})
    return {
        f"verify: {name}": lambda: verification.verify(key),
        f"list a page of 100: {name}": lambda: manage.list_keys(table.admin_of(organization_id), query),
    }


def _memory(effort: Effort, section: Section) -> Table:
    """Measure the memory of a container that verifies many keys."""
    from keywright.keys import verification  # noqa: PLC0415 - after the environment
    from keywright.keys.usage import UsageMeter, meter  # noqa: PLC0415 - the same
    from keywright.store import credentials  # noqa: PLC0415

    number = _CONTAINER_KEYS[effort.is_quick]
    print(f"Making {number:,} keys ...", flush=True)
    texts, records = _generated_keys(number)
    credentials.read = lambda organization_id, key_id: records[key_id]  # noqa: ARG005 - the signature of the original
    meter._values[:] = [UsageMeter(lambda _: None, 60)]  # noqa: SLF001 - a meter that writes nothing
    verification.matches.cache_clear()
    before, total = _resident_megabytes(), _VERIFICATIONS[effort.is_quick]
    rows: list[tuple[Any, ...]] = [("before the first", before, 0.0, None)]
    draw = random.Random(1)  # noqa: S311 - selects keys, no secrets
    with hot_path.discarded_output():
        for step in range(_STEPS):
            started = time.perf_counter()
            for _ in range(total // _STEPS):
                verification.verify(draw.choice(texts))
            taken = (time.perf_counter() - started) / (total // _STEPS)
            megabytes = _resident_megabytes()
            rows.append((f"after {(step + 1) * total // _STEPS:,}", megabytes, megabytes - before, taken * 1e6))
    growth = statistics.fmean(row[1] for row in rows[-2:]) - rows[len(rows) // 2][1]
    section.notes.append(f"In its second half the container grew by {growth:.1f} MB.")
    return Table(
        f"Memory of a container that verifies {number:,} keys at random",
        ("verifications", "resident MB", "more than before", "us each"),
        rows,
    )


def _generated_keys(number: int) -> tuple[list[str], dict[UUID, Any]]:
    """Generate keys with cheap but real hashes, and the records that the store would return for them."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from keywright.domain import key_hash, key_text  # noqa: PLC0415
    from keywright.ids import uuid7  # noqa: PLC0415
    from keywright.settings import settings  # noqa: PLC0415
    from keywright.store import pepper  # noqa: PLC0415
    from keywright.store.api_keys import ApiKeyRecord  # noqa: PLC0415
    from keywright.store.credentials import Credential  # noqa: PLC0415

    keyring, now = pepper.keyring(), datetime.now(UTC)
    texts, records = [], {}
    for _ in range(number):
        key_id = uuid7()
        payload = key_text.payload(
            pepper_version=keyring.current_version,
            organization_id=deployment.ORGANIZATION_ID,
            key_id=key_id,
            generation=0,
            secret=secrets.token_bytes(key_text.SECRET_BYTES),
        )
        texts.append(key_text.encode(settings().key_prefix, payload, keyring.current.tag_key))
        records[key_id] = Credential(
            ApiKeyRecord(
                organization_id=deployment.ORGANIZATION_ID,
                key_id=key_id,
                name="CI",
                permissions=("sessions:read",),
                metadata="{}",
                hash=key_hash.hash_digest(key_hash.keyed_digest(payload, keyring.current.hash_key), settings().argon2),
                generation=0,
                hint="kk_...wxyz",
                created_by=deployment.USER_ID,
                created_at=now,
                updated_at=now,
            ),
            is_frozen=False,
        )
    return texts, records


def _resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6
