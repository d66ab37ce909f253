"""Load on the local service over DynamoDB Local: many connections, mixed traffic, limited time.

usage: python -m tests.load

Environment variables: CONNECTIONS (200), SECONDS (60), SEED (1)

Afterwards the answers are compared with table and audit log, and the published events with all audit records of the
table. It ends with 1 if a change was lost or doubled, if an answer was a 5xx other than a deliberate 503, if the events
are not exactly the records, or if the service's memory grew.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import urlopen

import boto3

from local import dynamodb_local
from local.backend import DYNAMODB_ENDPOINT
from tests.load.books import Books, published, unpublished, violations
from tests.load.memory import has_grown, resident_megabytes
from tests.load.traffic import Caller, Figures
from tests.support.depth import size
from tests.support.figures import record
from tests.support.local_service import local_process
from tests.support.world import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTIONS = size("CONNECTIONS", 200)
SECONDS = size("SECONDS", 60)
SEED = size("SEED", 1)
ORGANIZATIONS = [f"00000000-0000-0000-0000-0000010ad{number:03x}" for number in range(8)]
OWNER = "load-owner"
SHOWN = 20
END_SECONDS = 180
"""Time for the callers' last check of each of their keys."""


def main() -> int:
    """Run the load; return 0 without a violation."""
    with ExitStack() as opened:
        dynamodb = opened.enter_context(dynamodb_local.run_server(dynamodb_local.JARS))
        os.environ[DYNAMODB_ENDPOINT] = dynamodb
        directory = Path(opened.enter_context(TemporaryDirectory(prefix="keywright-load-")))
        with local_process(directory, EVENTS="1") as (stack_file, service):
            stack = json.loads(stack_file.read_text(encoding="utf-8"))
            table = connect(stack)
            figures, books, memory = run(stack, table, service)
        lines = (directory / "output.txt").read_text(encoding="utf-8").splitlines()  # complete: the service has ended
        records = [item["sk"].removeprefix("AUDIT#") for item in table.under("AUDIT#")]
        events = published(lines)
        figures.violations += unpublished(events, records)
        report(figures, books, memory, len(events))
        return 1 if figures.violations else 0


def run(stack: Mapping[str, Any], table: Table, service: int) -> tuple[Figures, Mapping[str, Books], list[float]]:
    """Run the load on a running service with that process id; return the answers, and its memory for each second."""
    books = {organization_id: Books() for organization_id in ORGANIZATIONS}
    for organization_id in ORGANIZATIONS:
        table.put_organization(organization_id)
        table.put_member(OWNER, "owner", organization_id)
    figures = Figures()
    callers = []
    for number in range(CONNECTIONS):
        organization_id = ORGANIZATIONS[number % len(ORGANIZATIONS)]
        with urlopen(f"{stack['issuer']}/token?user={OWNER}&organization={quote(organization_id)}") as response:  # noqa: S310 - on this machine
            token = response.read().decode()
        callers.append(Caller(stack, token, books[organization_id], figures, SEED * 1_000_000 + number))
    begin = threading.Barrier(CONNECTIONS)
    threads = [threading.Thread(target=caller.run, args=(begin, SECONDS), daemon=True) for caller in callers]
    sys.stdout.write(f"{CONNECTIONS} connections for {SECONDS} seconds ...\n")
    memory = watched(threads, service)
    if any(thread.is_alive() for thread in threads):
        figures.violations.append(f"callers are still waiting, {END_SECONDS} seconds after the end")

    figures.violations += [
        f"organization {organization_id}: {line}"
        for organization_id, book in books.items()
        for line in violations(book, table.partition(organization_id))
    ]
    if has_grown(memory, SECONDS):
        figures.violations.append("the service's memory has grown")
    return figures, books, memory


def watched(threads: list[threading.Thread], service: int) -> list[float]:
    """Run the callers; return the service's memory in megabytes for each second."""
    for thread in threads:
        thread.start()
    memory: list[float] = []
    ends_at = time.monotonic() + SECONDS + END_SECONDS
    while any(thread.is_alive() for thread in threads) and time.monotonic() < ends_at:
        memory.append(resident_megabytes(service))
        time.sleep(1)
    return memory


def connect(stack: Mapping[str, Any]) -> Table:
    """Return the service's table."""
    iam = stack["iam"]
    client = boto3.client(
        "dynamodb",
        endpoint_url=stack["aws_endpoint_url"],
        region_name=iam["region"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    return Table(client, stack["table_name"])


def report(figures: Figures, books: Mapping[str, Books], memory: list[float], events: int) -> None:
    """Print requests, answers and the state of the table."""
    lines = [f"{'operation':14}{'requests':>9}  {'statuses':34}{'median ms':>10}{'p99 ms':>8}"]
    for operation, seconds in sorted(figures.seconds.items()):
        statuses = {status: times for (name, status), times in sorted(figures.answers.items()) if name == operation}
        shown = ", ".join(f"{status}: {times}" for status, times in statuses.items())
        slowest = statistics.quantiles(seconds, n=100)[98] if len(seconds) > 1 else seconds[0]
        median = statistics.median(seconds)
        lines.append(f"{operation:14}{len(seconds):>9}  {shown:34}{median * 1000:>10.0f}{slowest * 1000:>8.0f}")
    total = sum(figures.answers.values())
    changes: Counter[str] = sum((book.changes for book in books.values()), Counter())
    keys = [key for book in books.values() for key in book.keys.values()]
    lines += [
        f"{total} requests, {sum(n for (_, status), n in figures.answers.items() if status == 503)} deliberate 503s",
        f"answered changes, each once in the audit log: {dict(sorted(changes.items()))}",
        f"published events: {events}",
        f"keys: {sum(not key.is_deleted for key in keys)} there, {sum(key.is_deleted for key in keys)} deleted",
        f"answered uses, each counted once: {sum(key.uses for key in keys if not key.is_deleted)}",
        f"memory of the service: {describe(memory)}",
        f"violations: {len(figures.violations)}",
        *figures.violations[:SHOWN],
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    record(
        "load",
        requests=total,
        changes=changes.total(),
        uses=sum(key.uses for key in keys if not key.is_deleted),
        deliberate_503s=sum(number for (_, status), number in figures.answers.items() if status == 503),
        megabytes=round(max(memory)),
    )


def describe(memory: list[float]) -> str:
    """Return some of the measurements, evenly spaced."""
    step = max(1, len(memory) // 8)
    return " ".join(f"{megabytes:.0f}" for megabytes in memory[::step]) + " MB"


if __name__ == "__main__":
    sys.exit(main())
