"""Tests reach servers on this machine only if they have one, whatever was patched before."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest
import pytest_socket

pytestmark = pytest.mark.xdist_group("sockets")  # in this order, in one worker


def test_a_test_without_a_server_has_no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Creating a socket is refused; what this test patches is put back after the sockets were allowed again."""
    monkeypatch.setattr(socket, "socket", socket.socket)

    with pytest.warns(UserWarning, match="socket"), pytest.raises(pytest_socket.SocketBlockedError):
        socket.socket()


def test_a_test_with_a_server_has_them_again(moto_url: str) -> None:
    """The next test connects to its server."""
    address = urlsplit(moto_url)

    socket.create_connection((address.hostname, address.port)).close()
