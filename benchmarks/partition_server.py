"""A server of DynamoDB's interface that holds items by key, and admits so many units a second for each partition.

It evaluates no conditions and keeps no changes: of written uses it adds up the counts. Beyond a limit it does what
DynamoDB documents: a request of which nothing was admitted gets ProvisionedThroughputExceededException, and of a read
whose items were admitted in part the rest is in UnprocessedKeys (Amazon DynamoDB API Reference, "BatchGetItem").

`python -m benchmarks.partition_server` reads a line of JSON from standard input, prints its port, and ends when its
input closes.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_HOST = "127.0.0.1"
_READ_UNIT_BYTES = 4096
_WRITE_UNIT_BYTES = 1024
"""Amazon DynamoDB Developer Guide, "DynamoDB read and write operations"."""
_ITEM_OF_A_TRANSACTION = 2
_OK = 200
_REFUSED = 400
_REASONS = {_OK: "OK", _REFUSED: "Bad Request"}
_THROTTLED = {
    "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "message": "The level of configured provisioned throughput for the table was exceeded.",
}

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limit:
    """Units that a partition admits in a second."""

    read_units: float
    write_units: float


@dataclass(slots=True)
class Bucket:
    """A token bucket that begins full and holds the tokens of one second.

    A request is admitted while there is a whole token, and may owe the rest: so a large item waits longer, and is not
    starved by small ones.

    Attributes:
        rate: tokens a second.
        clock: seconds, monotonic.
    """

    rate: float
    clock: Callable[[], float] = time.monotonic
    _tokens: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        """Fill the bucket."""
        self._tokens, self._at = self.rate, self.clock()

    def drain(self) -> None:
        """Take all tokens that there are."""
        self._tokens, self._at = 0.0, self.clock()

    def admits(self, tokens: float) -> bool:
        """Take tokens; return whether the request is admitted. A refusal takes none."""
        now = self.clock()
        self._tokens, self._at = min(self.rate, self._tokens + (now - self._at) * self.rate), now
        if self._tokens < 1:
            return False
        self._tokens -= tokens
        return True


class RunningServer:
    """A running server, as its clients see it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{_HOST}:{port}"

    def counts(self) -> dict[str, int]:
        """Return the number of requests of each operation and partition, of those refused, and of uses written.

        Their names are `BatchGetItem ORG#id`, `BatchGetItem ORG#id refused` and `uses ORG#id`.
        """
        return self._get("/counts")

    def drain(self) -> None:
        """Take all units that partitions hold, so that none are left from a time without requests."""
        self._get("/drain")

    def _get(self, path: str) -> dict[str, int]:
        with urllib.request.urlopen(self.url + path) as answer:  # noqa: S310 - loopback
            counts: dict[str, int] = json.loads(answer.read())
        return counts


@contextmanager
def run_server(
    items: Sequence[Item], secret: str, limits: Mapping[str, Limit] | None = None
) -> Iterator[RunningServer]:
    """Run a server while the context is open.

    Args:
        items: with pk and sk, in the format of DynamoDB's interface.
        secret: text of every secret in Secrets Manager.
        limits: of partitions, by pk; others have none.
    """
    content = {
        "items": list(items),
        "secret": secret,
        "limits": {name: [limit.read_units, limit.write_units] for name, limit in (limits or {}).items()},
    }
    command = [sys.executable, "-m", "benchmarks.partition_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603
        assert process.stdin is not None, "stdin is a pipe"  # noqa: S101
        assert process.stdout is not None, "stdout is a pipe"  # noqa: S101
        process.stdin.write(json.dumps(content) + "\n")
        process.stdin.flush()
        try:
            yield RunningServer(int(process.stdout.readline()))
        finally:
            process.stdin.close()


def start_container(module: str, **settings: str) -> subprocess.Popen[str]:
    """Start a process with the environment of this one, which `deployment.enter` has made that of a function.

    Args:
        module: that is run.
        settings: variables that differ.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "layers" / "shared" / "python"), **settings}
    command = [sys.executable, "-m", module]
    return subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )


class Table:
    """The items of the server, and what it answers.

    Args:
        items: with pk and sk.
        secret: text of every secret.
        limits: read and write units of partitions, by pk.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        items: Sequence[Item],
        secret: str,
        limits: Mapping[str, Sequence[float]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._items = {_name(item): item for item in items}
        self._sizes = {name: len(json.dumps(item)) for name, item in self._items.items()}
        self._secret = secret
        self._reads = {name: Bucket(read, clock) for name, (read, _) in limits.items()}
        self._writes = {name: Bucket(write, clock) for name, (_, write) in limits.items()}
        self.counts: Counter[str] = Counter()

    def drain(self) -> None:
        """Take all units that partitions hold."""
        for bucket in (*self._reads.values(), *self._writes.values()):
            bucket.drain()

    def answer(self, target: str, request: Mapping[str, Any]) -> tuple[int, Any]:
        """Return status and content of the answer to a request.

        Args:
            target: the header x-amz-target.
            request: the body.
        """
        operation = target.rpartition(".")[2]
        match operation:
            case "GetSecretValue":
                return _OK, {"ARN": "a", "Name": "pepper", "SecretString": self._secret}
            case "BatchGetItem":
                ((table, asked),) = request["RequestItems"].items()
                keys, answer = asked["Keys"], self._read(table, asked)
            case "UpdateItem":
                keys, answer = [request["Key"]], self._update(request)
            case "TransactWriteItems":
                parts = [part for step in request["TransactItems"] for part in step.values()]
                keys = [part["Key"] if "Key" in part else part["Item"] for part in parts]
                answer = self._change(keys)
            case _:
                raise ValueError(operation)
        name = f"{operation} {keys[0]['pk']['S']}"
        self.counts[name] += 1
        if answer is None:
            self.counts[f"{name} refused"] += 1
            return _REFUSED, _THROTTLED
        return _OK, answer

    def _read(self, table: str, asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
        admitted: list[Item] = []
        rest: list[Item] = []
        for key in asked["Keys"]:
            units = max(1, ceil(self._sizes.get(_name(key), 0) / _READ_UNIT_BYTES))
            (admitted if self._admits(self._reads, key, units) else rest).append(key)
        if not admitted:
            return None
        found = [self._items[_name(key)] for key in admitted if _name(key) in self._items]
        return {
            "Responses": {table: found},
            "UnprocessedKeys": {table: {**asked, "Keys": rest}} if rest else {},
        }

    def _update(self, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if not self._admits(self._writes, request["Key"], self._write_units(request["Key"])):
            return None
        self.counts[f"uses {request['Key']['pk']['S']}"] += int(request["ExpressionAttributeValues"][":count"]["N"])
        return {"Attributes": self._items[_name(request["Key"])]}

    def _change(self, keys: Sequence[Item]) -> Mapping[str, Any] | None:
        """Admit a transaction as a whole; all its items are of one partition."""
        units = _ITEM_OF_A_TRANSACTION * sum(self._write_units(key) for key in keys)
        return {} if self._admits(self._writes, keys[0], units) else None

    def _write_units(self, key: Item) -> int:
        return max(1, ceil(self._sizes.get(_name(key), 0) / _WRITE_UNIT_BYTES))

    @staticmethod
    def _admits(buckets: Mapping[str, Bucket], key: Item, units: int) -> bool:
        bucket = buckets.get(key["pk"]["S"])
        return bucket is None or bucket.admits(units)


def _name(key: Item) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


async def _serve(table: Table, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            if first.startswith("GET /drain"):
                table.drain()
            if first.startswith("GET"):
                writer.write(_http(_OK, table.counts))
            else:
                writer.write(_http(*table.answer(headers["x-amz-target"], json.loads(body))))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _http(status: int, content: Any) -> bytes:
    body = json.dumps(content).encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/x-amz-json-1.0\r\n"
        "x-amzn-RequestId: OEPB0CSH7F2GQNIO7S1M8KBSIVVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        f"x-amz-crc32: {zlib.crc32(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _main() -> None:
    content = json.loads(sys.stdin.readline())
    table = Table(content["items"], content["secret"], content["limits"])
    server = await asyncio.start_server(lambda *both: _serve(table, *both), _HOST, 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_main())
