"""Freezing containers: the network that disturbs their connections, and the table of what follows."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from benchmarks.freeze import Disturbance, is_allowed, network_to
from local.server import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.freeze import Network

on_sockets = [pytest.mark.allow_hosts(HOST), pytest.mark.deep]


@contextmanager
def echo() -> Iterator[int]:
    """Run a server that returns what it gets; yield its port."""

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(100):
                connection.sendall(data)

    def accept(listener: socket.socket) -> None:
        try:
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        except OSError:
            return

    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def connected() -> Iterator[tuple[Network, int, socket.socket]]:
    """Yield a network, its port, and a connection that has been used."""
    with echo() as host, network_to(host) as (network, port), socket.create_connection((HOST, port), 5) as connection:
        connection.sendall(b"before")
        assert b"before" == connection.recv(100)
        yield network, port, connection


class TestNetwork:
    """What happens to a connection, as the client sees it."""

    pytestmark = on_sockets

    def test_an_undisturbed_connection_stays(self) -> None:
        """A connection that is not disturbed carries more requests, and none is lost."""
        with connected() as (network, _, connection):
            network.disturb(Disturbance.NONE)
            connection.sendall(b"after")

            assert b"after" == connection.recv(100)
            assert 0 == network.lost

    def test_a_closed_connection_ends(self) -> None:
        """The client reads the end of a closed connection."""
        with connected() as (network, _, connection):
            network.disturb(Disturbance.CLOSED)

            assert b"" == connection.recv(100)

    def test_a_reset_connection_breaks(self) -> None:
        """The client sees the reset without a request."""
        with connected() as (network, _, connection):
            network.disturb(Disturbance.RESET)

            with pytest.raises(ConnectionResetError):
                connection.recv(100)

    def test_a_forgotten_connection_breaks_with_the_next_request(self) -> None:
        """A forgotten connection looks open until its next request, which is lost."""
        with connected() as (network, _, connection):
            network.disturb(Disturbance.FORGOTTEN)
            connection.setblocking(False)  # noqa: FBT003 - the name of the standard library
            with pytest.raises(BlockingIOError):
                connection.recv(100)
            connection.settimeout(5)
            connection.sendall(b"after")

            with pytest.raises(ConnectionResetError):
                connection.recv(100)
            assert 1 == network.lost

    def test_a_silent_connection_never_answers(self) -> None:
        """A request on a silent connection is lost, while a new connection works."""
        with connected() as (network, port, connection):
            network.disturb(Disturbance.SILENT)
            connection.sendall(b"after")
            with socket.create_connection((HOST, port), 5) as another:
                another.sendall(b"another")
                assert b"another" == another.recv(100)
            connection.setblocking(False)  # noqa: FBT003 - the name of the standard library

            with pytest.raises(BlockingIOError):
                connection.recv(100)
            assert 1 == network.lost


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"policyDocument": {"Statement": [{"Effect": "Allow"}, {"Effect": "Deny"}]}}, True),
        ({"policyDocument": {"Statement": [{"Effect": "Deny"}]}}, False),
        ({"errorMessage": "Unauthorized"}, False),
        (None, False),
    ],
    ids=["allowed", "denied", "error", "nothing"],
)
def test_only_a_policy_that_allows_counts_as_allowed(answer: object, expected: bool) -> None:  # noqa: FBT001 - a case
    """A verification counts as allowed only if its policy allows something."""
    assert expected is is_allowed(answer)
