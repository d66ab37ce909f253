"""Consumed capacity: by docs/capacity.md, and as DynamoDB reports it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from keywright.aws import retries
from keywright.aws.client import AwsError
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from keywright.aws.client import Answer
    from tests.support.world import Table

DOCUMENT = ROOT / "docs" / "capacity.md"

KIB = 1024

_SINGLE_WRITES = {"UpdateItem", "PutItem", "DeleteItem"}


@dataclass(frozen=True, slots=True)
class Consumption:
    """Requests to DynamoDB and the units they consumed."""

    requests: int = 0
    read_units: float = 0
    write_units: float = 0

    def __add__(self, other: Consumption) -> Consumption:
        return Consumption(
            self.requests + other.requests,
            self.read_units + other.read_units,
            self.write_units + other.write_units,
        )

    def __str__(self) -> str:
        return f"{self.requests} | {self.read_units:g} | {self.write_units:g}"


def documented(heading: str) -> dict[tuple[str, str], Consumption]:
    """Return the table under a heading: function and event, or operation and size -> consumption."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")][2:]
    consumptions: dict[tuple[str, str], Consumption] = {}
    for row in rows:
        function, cases, requests, read_units, write_units = (cell.strip() for cell in row)
        for case in cases.split(", "):
            assert (function, case) not in consumptions, f"{function} {case} is there twice"
            consumptions[function, case] = Consumption(int(requests), float(read_units), float(write_units))
    return consumptions


def write(heading: str, consumed: Mapping[tuple[str, str], Consumption]) -> None:
    """Write the table under a heading: a row for each function and consumption, with all cases that share it."""
    rows: dict[tuple[str, str], list[str]] = {}
    for (function, case), consumption in sorted(consumed.items()):
        if consumption != Consumption():
            rows.setdefault((function, str(consumption)), []).append(case)
    lines = [f"| {function} | {', '.join(cases)} | {figures} |" for (function, figures), cases in rows.items()]
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    section, separator, after = rest.partition("\n## ")
    head = section[: section.index("| ---")] + "| --- | --- | --- | --- | --- |\n"
    DOCUMENT.write_text(
        f"{before}\n## {heading}\n{head}" + "\n".join(lines) + f"\n{separator}{after}", encoding="utf-8"
    )


@contextmanager
def measured(table: Table) -> Iterator[list[Consumption]]:
    """Add the consumption of every request of the service to a list, as AWS counts it.

    DynamoDB counts reads. DynamoDB Local omits the unit of a key without an item and that of a write whose condition
    fails, which are added here, and counts one item of a transaction instead of all, so transactions are counted here
    from their items.
    """
    consumed: list[Consumption] = []
    before: list[float] = []

    client = retries.dynamodb()
    original = client.call

    def call(operation: str, parameters: Mapping[str, Any]) -> Answer:
        if operation == "TransactWriteItems":
            before[:] = [_size_bytes(table, step) for step in parameters["TransactItems"]]
            keys[:] = parameters["TransactItems"]
        elif operation == "BatchGetItem":
            keys[:] = parameters["RequestItems"][table.name]["Keys"]
        try:
            answer = original(operation, {**parameters, "ReturnConsumedCapacity": "TOTAL"})
        except AwsError as error:
            if operation in _SINGLE_WRITES and error.code == "ConditionalCheckFailedException":
                consumed.append(Consumption(1, 0, max(1, ceil(_size_of(error.content.get("Item", {})) / KIB))))
            else:
                note(operation, error.content)
            raise
        note(operation, answer.content)
        return answer

    def note(operation: str, parsed: Mapping[str, Any]) -> None:
        reported = parsed.get("ConsumedCapacity", [])
        units = sum(entry["CapacityUnits"] for entry in ([reported] if isinstance(reported, dict) else reported))
        match operation:
            case "TransactWriteItems":
                sizes = [max(size, _size_bytes(table, step)) for size, step in zip(before, keys, strict=True)]
                consumed.append(Consumption(1, 0, sum(2 * max(1, ceil(size / KIB)) for size in sizes)))
            case "BatchGetItem":
                consumed.append(Consumption(1, units + len(keys) - len(parsed["Responses"][table.name])))
            case "Query":
                consumed.append(Consumption(1, units))
            case name:
                assert name in _SINGLE_WRITES
                consumed.append(Consumption(1, 0, units))

    keys: list[Any] = []
    client.call = call  # type: ignore[method-assign]  # until the test ends
    try:
        yield consumed
    finally:
        client.call = original  # type: ignore[method-assign]


def _size_bytes(table: Table, step: Mapping[str, Any]) -> int:
    """Return the current size of the item of a transaction's step; 0 without one."""
    (operation,) = step.values()
    source = operation.get("Key") or operation["Item"]
    key = {name: source[name] for name in ("pk", "sk")}
    return _size_of(table.client.get_item(TableName=table.name, Key=key, ConsistentRead=True).get("Item", {}))


def _size_of(item: Mapping[str, Any]) -> int:
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Any) -> int:
    """Return the size of a value (DynamoDB Developer Guide, "DynamoDB item sizes and formats")."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return (len(content) + 1) // 2 + 1
        case "B":
            return len(content)
        case "L":
            return 3 + sum(1 + _value_bytes(element) for element in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_bytes(element) for name, element in content.items())
        case _:
            assert kind in {"BOOL", "NULL"}, "no other kinds are in the table"
            return 1
