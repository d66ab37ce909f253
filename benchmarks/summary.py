"""The table of docs/performance.md: what a report says, in lines that a reader takes in within a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.budgets import Limit
from benchmarks.report import format_cell
from tools.cost_tables import EXAMPLE
from tools.costs import ARGON2ID, read_costs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLUMNS = ("", "measured", "budget")

_MILLION = 1e6
_MICROSECONDS = 1000
"""In a millisecond."""


class Line(NamedTuple):
    """A line of the table.

    Attributes:
        limit: of the number that stands first; None without a budget.
        text: what was measured. `{}` stands for that number; other names in braces for cells of the report.
    """

    what: str
    limit: Limit | None
    text: str


def lines(measured: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Return the lines of the table for a report; those of parts that it does not have are left out."""
    values = {entry["name"]: entry["value"] for section in measured.values() for entry in section.get("budgets", [])}
    for what, limit, text in _lines(measured):
        if limit is not None and limit.title not in values:
            continue
        shown = text if limit is None else text.replace("{}", format_cell(values[limit.title]))
        yield what, shown, "" if limit is None else f"{limit.most:g}"


def _lines(measured: Mapping[str, Any]) -> Iterator[Line]:
    if "hot_path" in measured:
        yield from _hot_path(measured["hot_path"])
    if "cold_start" in measured:
        yield from _cold_start(measured["cold_start"])
    yield Line("one key, offered 10 times its limit", Limit.ADMITTED, "admits {} x the limit, all containers together")
    yield _dollars()


def _hot_path(section: Mapping[str, Any]) -> Iterator[Line]:
    medians, calls = _cells(section, "median us"), _cells(section, "p99 us")
    warm, bare = medians["authorize_api_key, warm"], medians["bare boto3 batch_get_item"]
    read = read_costs().assumed("read_milliseconds")
    share = warm / (warm + read * _MICROSECONDS)
    yield Line(
        "a verification",
        Limit.WARM,
        f"{{}} x one read by boto3: {_us(warm)} against {_us(bare)}, p99 {_us(calls['authorize_api_key, warm'])}; one "
        f"request, two read units. Behind a read of {read:g} ms that is {share:.0%} of the answer",
    )
    flushing = medians["authorize_api_key, warm, writes the uses of a minute"]
    yield Line(
        "the one in a minute that writes a key's uses", None, f"{_us(flushing)}: one request and one write unit more"
    )
    yield Line(
        "a verification of a key with limits", Limit.LIMITED, "{} x one read by boto3; two requests, one write unit"
    )
    yield Line(
        "the first of a key in a container",
        Limit.FIRST_HMAC,
        "{} x a later one with `KeyHash=hmac-sha256`; "
        f"{medians['authorize_api_key, first verify of a key'] / _MICROSECONDS:.0f} ms with `argon2id`",
    )
    forged = medians["forged key, refused by its tag"]
    logged = medians["forged key, with its line in the log"]
    yield Line(
        "a forged key",
        Limit.FORGED,
        f"{{}} x one read by boto3: {_us(forged)}, {_us(logged)} with its line in the log; no request, no hash",
    )


def _cold_start(section: Mapping[str, Any]) -> Iterator[Line]:
    starts = _cells(section, "median ms")
    client = starts["a boto3 DynamoDB client, unused"]
    for limit, name in ((Limit.COLD_AUTHORIZER, "authorize_api_key"), (Limit.COLD_CREATE, "create_api_key")):
        yield Line(
            f"cold start of {name}",
            limit,
            f"{{}} x a function that makes a boto3 client: {starts[name]:.0f} ms against {client:.0f}",
        )


def _dollars() -> Line:
    costs = read_costs()
    company, start = costs.companies[EXAMPLE], costs.start(ARGON2ID)
    ways = {
        "authorizer": "the authorizer",
        "invocation": "direct invocation",
        "verify": "POST",
        "batch": "batches of 100",
    }
    dollars = {
        name: costs.bill(costs.consumed(costs.ways[way], company, start)).total / company.verifications * _MILLION
        for way, name in ways.items()
    }
    shown = ", ".join(f"${amount:.2f} by {name}" for name, amount in dollars.items())
    return Line("a million verifications", None, f"{shown}, with 1% cold starts ([costs](deploy.md#what-it-costs))")


def _cells(section: Mapping[str, Any], column: str) -> dict[str, float]:
    """Return the numbers of a column by the first cell of their lines, of the first table that has the column."""
    table = next(table for table in section["tables"] if column in table["columns"])
    at = table["columns"].index(column)
    return {row[0]: row[at] for row in table["rows"]}


def _us(microseconds: float) -> str:
    return f"{format_cell(float(f'{microseconds:.3g}'))} µs"
