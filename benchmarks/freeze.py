"""Freeze and thaw: the first verification after a pause in which the connection to DynamoDB stayed, ended or broke.

Lambda freezes a container after each answer, for as long as no request comes, and "purges idle connections over time"
(Lambda Developer Guide, "Best practices for working with AWS Lambda functions"). It does not say how a container learns
of that, so every way is measured. Here the process of the function is stopped and continued with signals, and a network
between it and the stub of AWS disturbs the connections that it has kept.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import statistics
import struct
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks import deployment, lambda_runtime, stub
from benchmarks.environments import NotInstalledError
from benchmarks.hot_path import answers, issued
from benchmarks.report import Section, Table
from local.options import ROOT

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.lambda_runtime import Container
    from benchmarks.measuring import Effort
    from benchmarks.stub import Stub

_TABLE = "keywright"
_HOST = "127.0.0.1"
_FROZEN_SECONDS = {False: (20.0, 60.0), True: (2.0,)}
_CONTAINERS = {False: 3, True: 1}
"""Containers of each case: more would wait for the processors while they start."""
_WARM_CALLS = 20
_CHUNK_BYTES = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER without a time: closing sends RST."""
_USES = {"Attributes": {"request_count": {"N": "1"}, "days": {"M": {}}}}


class Disturbance(StrEnum):
    """Fate of the open connections during a freeze."""

    NONE = "stays open"
    CLOSED = "closed by the host (FIN)"
    RESET = "reset by the host (RST)"
    FORGOTTEN = "forgotten by the host: it resets the next request"
    SILENT = "lost without a trace: no answer, no reset"


@dataclass(eq=False, slots=True)
class _Connection:
    client: StreamWriter
    server: StreamWriter
    disturbance: Disturbance = Disturbance.NONE

    def disturb(self, disturbance: Disturbance) -> None:
        self.disturbance = disturbance
        match disturbance:
            case Disturbance.CLOSED:
                self.client.close()
            case Disturbance.RESET:
                self.reset()
            case _:
                pass

    def reset(self) -> None:
        raw: socket.socket = self.client.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.client.transport.abort()


class Network:
    """Passes connections on to a host, and disturbs them.

    Args:
        port: of the host, on this machine.

    Attributes:
        connected: number of connections so far.
        lost: number of requests so far that did not reach the host.
    """

    def __init__(self, port: int) -> None:
        self.connected = 0
        self.lost = 0
        self._host_port = port
        self._open: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> int:
        """Start and return the port to connect to."""
        self._thread.start()
        opening = asyncio.start_server(self._pass_on, _HOST, 0)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        """End all connections."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def disturb(self, disturbance: Disturbance) -> None:
        """Disturb all open connections; new ones are passed on."""

        async def disturb() -> None:
            for connection in tuple(self._open):
                connection.disturb(disturbance)

        asyncio.run_coroutine_threadsafe(disturb(), self._loop).result()

    async def _stop(self) -> None:
        self._server.close()
        for connection in self._open:
            connection.client.transport.abort()
            connection.server.transport.abort()
        own = asyncio.current_task()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not own))

    async def _pass_on(self, from_client: StreamReader, client: StreamWriter) -> None:
        self.connected += 1
        from_server, server = await asyncio.open_connection(_HOST, self._host_port)
        connection = _Connection(client, server)
        self._open.add(connection)
        try:
            await asyncio.gather(self._requests(connection, from_client), _copy(from_server, client))
        finally:
            self._open.discard(connection)
            for writer in (client, server):
                writer.close()

    async def _requests(self, connection: _Connection, from_client: StreamReader) -> None:
        with suppress(OSError):
            while data := await from_client.read(_CHUNK_BYTES):
                if connection.disturbance is Disturbance.FORGOTTEN:
                    self.lost += 1
                    connection.reset()
                elif connection.disturbance is Disturbance.SILENT:
                    self.lost += 1
                else:
                    connection.server.write(data)
        connection.server.close()


async def _copy(source: StreamReader, target: StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(_CHUNK_BYTES):
            target.write(data)
    target.close()


@contextmanager
def network_to(port: int) -> Iterator[tuple[Network, int]]:
    """Run a network to a port of this machine while the context is open; yield it and the port to connect to."""
    network = Network(port)
    try:
        yield network, network.start()
    finally:
        network.stop()


@dataclass(slots=True)
class Thawed:
    """A verification after a freeze.

    Attributes:
        is_allowed: whether the valid key was allowed.
        requests: that were made, including lost ones.
        connections: that were opened.
    """

    seconds: float
    is_allowed: bool
    requests: int
    connections: int


@dataclass(slots=True)
class _Frozen:
    """A container, its network and its stub.

    Attributes:
        warm: seconds of verifications before the freeze.
    """

    disturbance: Disturbance
    container: Container
    network: Network
    server: Stub
    event: Mapping[str, Any]
    warm: list[float] = field(default_factory=list)

    def prepare(self) -> None:
        """Start the process and use its connections."""
        self.verify()
        self.warm += [self.verify().seconds for _ in range(_WARM_CALLS)]

    def freeze(self) -> None:
        os.kill(self.container.process_id(), signal.SIGSTOP)
        self.network.disturb(self.disturbance)

    def thaw(self) -> Thawed:
        os.kill(self.container.process_id(), signal.SIGCONT)
        return self.verify()

    def verify(self) -> Thawed:
        requests, connections = self._requests(), self.network.connected
        started = time.perf_counter()
        answer = self.container.invoke(self.event)
        seconds = time.perf_counter() - started
        return Thawed(seconds, is_allowed(answer), self._requests() - requests, self.network.connected - connections)

    def _requests(self) -> int:
        return self.server.requests() + self.network.lost


def is_allowed(answer: Any) -> bool:
    """Return whether an answer of authorize_api_key is a policy that allows something."""
    policy = answer.get("policyDocument", {}) if isinstance(answer, dict) else {}
    return any(statement["Effect"] == "Allow" for statement in policy.get("Statement", []))


def run(effort: Effort) -> Section:
    """Freeze containers, disturb their connections, and thaw them."""
    deployment.enter(TABLE_NAME=_TABLE)
    from keywright.aws.transport import IDLE_SECONDS  # noqa: PLC0415 - after the environment

    section = Section("freeze", "Freeze and thaw: the first verification after a time without a request")
    measured = []
    try:
        for seconds in _FROZEN_SECONDS[effort.is_quick]:
            thawed = _measured(seconds, _CONTAINERS[effort.is_quick])
            section.tables.append(thawed_table(f"The first verification after {seconds:g} s", thawed))
            measured += thawed
    except NotInstalledError as error:
        section.failures.append(str(error))
        return section
    section.notes = [
        "The process of authorize_api_key is stopped under Lambda's runtime emulator.",
        f"Each line is of {_CONTAINERS[effort.is_quick]} containers, thawed one after another.",
        "Times are those of the answers of the emulator. AWS is a stub with TLS that answers at once.",
        "'before': verifications with a kept connection, before the freeze.",
        "Requests include the write of the uses of the last minute, which is due after a freeze of a minute.",
        f"A connection that rested for more than {IDLE_SECONDS} s is replaced. The end of a younger one is noticed.",
        "'forgotten' and 'lost' cannot be noticed: a request is lost with the connection.",
    ]
    section.samples = [
        (str(frozen.disturbance), frozen.warm, [(thawed.seconds, thawed.requests) for thawed in verifications])
        for frozen, verifications in measured
    ]
    return section


def _measured(seconds: float, containers: int) -> list[tuple[_Frozen, list[Thawed]]]:
    """Return each container, and its first two verifications after the freeze."""
    installed = lambda_runtime.install()
    deployment.enter(TABLE_NAME=_TABLE)
    _, key, items = issued()
    event = deployment.authorizer_event(key)
    constant = answers(items) | {"DynamoDB_20120810.UpdateItem": _USES}
    with ExitStack() as stack:
        frozen = []
        for disturbance in (kind for kind in Disturbance for _ in range(containers)):
            server = stack.enter_context(stub.run_stub(constant, stub.ENCRYPTED))
            network, port = stack.enter_context(network_to(urlsplit(server.url).port or 0))
            variables = server.environment | {"AWS_ENDPOINT_URL": f"https://{_HOST}:{port}"}
            environment = deployment.environment(TABLE_NAME=_TABLE, PYTHONPATH=str(lambda_runtime.LAYER), **variables)
            folder = ROOT / "functions" / "authorize_api_key"
            container = stack.enter_context(lambda_runtime.emulated(installed, folder, environment))
            frozen.append(_Frozen(disturbance, container, network, server, event))
            frozen[-1].prepare()
        print(f"Frozen for {seconds:g} s ...", flush=True)
        for one in frozen:
            one.freeze()
        time.sleep(seconds)
        # In any order: the first ones also wait for a machine that rested.
        order = random.Random(7).sample(frozen, len(frozen))  # noqa: S311 - reproducible
        return [(one, [one.thaw(), one.verify()]) for one in order]


def thawed_table(title: str, measured: Sequence[tuple[_Frozen, Sequence[Thawed]]]) -> Table:
    """Return the table of the first two verifications after the freeze, a disturbance a line."""
    rows: list[tuple[Any, ...]] = []
    for disturbance in Disturbance:
        ours = [(frozen, verifications) for frozen, verifications in measured if frozen.disturbance is disturbance]
        first = [verifications[0] for _, verifications in ours]
        second = [verifications[1].seconds for _, verifications in ours]
        allowed = sum(thawed.is_allowed for thawed in first)
        rows.append(
            (
                str(disturbance),
                statistics.median(seconds for frozen, _ in ours for seconds in frozen.warm) * 1000,
                statistics.median(thawed.seconds for thawed in first) * 1000,
                max(thawed.seconds for thawed in first) * 1000,
                f"{allowed} of {len(first)}",
                max(thawed.requests for thawed in first),
                max(thawed.connections for thawed in first),
                statistics.median(second) * 1000,
            )
        )
    columns = (
        *("the kept connection", "before ms", "first ms, median", "first ms, maximum", "allowed"),
        *("requests", "new connections", "second ms"),
    )
    return Table(title, columns, rows)
