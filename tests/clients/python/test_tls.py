"""The clients' own connections with TLS: certificates of the environment, time-outs, proxies."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from keywright_client import ApiConnectionError, ApiError, AsyncKeywright, Keywright
from keywright_client.addresses import Address
from keywright_client.answers import Lost
from keywright_client.connections import Connections
from keywright_client.flow import Send
from tests.clients.python.drivers import KEY_TEXT, URL, Kind, credentials
from tests.support.canned_server import HOST, serving
from tests.support.environment import LOOPBACK
from tests.support.webhook_receiver import Receiver, receiving, write_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

OPTIONS: dict[str, Any] = {"credentials": credentials(), "region": "eu-west-1", "retries": 0}


@pytest.fixture
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def receiver(tmp_path: Path, without_proxies: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A server with TLS, whose certificate the environment trusts."""
    certificate = write_certificate(tmp_path)
    without_proxies.setenv("SSL_CERT_FILE", str(certificate))
    with receiving(certificate) as receiver:
        yield receiver


def test_a_request_with_tls(receiver: Receiver) -> None:
    """A request arrives at a server whose certificate is trusted; its answer is read."""
    with Keywright(f"{receiver.url}/v1", **OPTIONS) as client, pytest.raises(ApiError, match="not from Keywright"):
        client.verify(KEY_TEXT)

    assert ["/v1/auth/api-keys/verify"] == [delivery.path for delivery in receiver.deliveries]


def test_a_server_that_is_not_trusted(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent to a server whose certificate is not trusted."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        Keywright(f"{receiver.url}/v1", **OPTIONS) as client,
        pytest.raises(ApiConnectionError, match="the certificate is not trusted"),
    ):
        client.verify(KEY_TEXT)

    assert [] == receiver.deliveries


@pytest.mark.usefixtures("without_proxies")
def test_a_connection_that_takes_too_long(kind: Kind) -> None:
    """A request whose TLS connection was not made in time was not sent: it cannot have taken effect."""
    with socket.create_server((HOST, 0)) as listener:
        host = f"{HOST}:{listener.getsockname()[1]}"
        send = Send("DELETE", Address(f"https://{host}/v1", host), {}, None)
        options: dict[str, Any] = {**OPTIONS, "timeout_seconds": 0.2}
        lost: object
        if kind.runner is None:
            with Keywright(f"https://{host}/v1", **options) as client:
                lost = client._sent(send)
        else:
            lost = kind.runner.run(sent_with_asyncio(send, options))

    assert Lost("timed out", may_be_sent=False) == lost


async def sent_with_asyncio(send: Send, options: dict[str, Any]) -> object:
    """Return the outcome of an attempt."""
    async with AsyncKeywright(send.address.url, **options) as client:
        return await client._sent(send)


def test_a_proxy_of_the_environment(without_proxies: pytest.MonkeyPatch) -> None:
    """Requests with TLS go through the proxy of the environment, which sees no key."""
    with serving(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n") as proxy:
        without_proxies.setenv("HTTPS_PROXY", proxy.url)
        with Keywright(URL, **OPTIONS) as client, pytest.raises(ApiConnectionError, match="the proxy did not connect"):
            client.verify(KEY_TEXT)

    assert ["CONNECT abc123.execute-api.eu-west-1.amazonaws.com:443 HTTP/1.1"] == [
        received.line.strip() for received in proxy.received
    ]
    assert [b""] == [received.body for received in proxy.received]


def test_connections_are_made_once() -> None:
    """A client keeps its httpx client."""
    connections = Connections(None, is_local=True)

    assert connections.get() is connections.get()
