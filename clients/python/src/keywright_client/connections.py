"""The httpx clients to send with: one for each process, and with asyncio for each event loop.

A connection that two processes use gives one of them the answer to the other's request.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import httpx

from keywright_client import processes
from keywright_client.errors import ConfigurationError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)


class _Brought(Generic[Client]):
    """The httpx client of the caller, which only the process may use that brought it."""

    def __init__(self, http: Client) -> None:
        self._http: Client = http
        self._process = processes.current()

    def get(self) -> Client:
        """Return the client.

        Raises:
            ConfigurationError: this is a fork of the process that brought it.
        """
        if processes.current() != self._process:
            raise ConfigurationError(
                "http: this httpx client belongs to the process before the fork; create both clients in each process"
            )
        return self._http


class Connections:
    """The connections of a client for threads.

    Args:
        http: httpx client of the caller, or None.
        is_local: whether all addresses are on this machine, without TLS.
    """

    def __init__(self, http: httpx.Client | None, *, is_local: bool) -> None:
        self._brought = None if http is None else _Brought(http)
        self._own = processes.PerProcess(lambda: _opened(is_local=is_local))
        if http is None:
            self._own.get()

    def get(self) -> httpx.Client:
        """Return the httpx client of this process.

        Raises:
            ConfigurationError: the caller's client belongs to another process.
        """
        return self._brought.get() if self._brought else self._own.get()

    def close(self) -> None:
        """Close the connections of this process, unless the caller brought them."""
        if self._brought is None:
            self._own.get().close()


class AsyncConnections:
    """The connections of a client for asyncio. An event loop cannot use the connections of another one.

    Args:
        http: httpx client of the caller, or None.
        is_local: whether all addresses are on this machine, without TLS.
    """

    def __init__(self, http: httpx.AsyncClient | None, *, is_local: bool) -> None:
        self._brought = None if http is None else _Brought(http)
        self._is_local = is_local
        self._context = None if http else _context(is_local=is_local)
        self._own: processes.PerProcess[dict[AbstractEventLoop, httpx.AsyncClient]] = processes.PerProcess(dict)
        self._is_closed = False

    def get(self) -> httpx.AsyncClient:
        """Return the httpx client of the running event loop.

        Raises:
            ConfigurationError: the caller's client belongs to another process.
            RuntimeError: the connections are closed.
        """
        if self._brought:
            return self._brought.get()
        if self._is_closed:
            raise RuntimeError("the client is closed")
        clients, loop = self._own.get(), asyncio.get_running_loop()
        http = clients.get(loop)
        if http is None:
            for other in list(clients):
                if other.is_closed():
                    clients.pop(other, None)  # with its connections, which nothing else can close any more
            context = cast("ssl.SSLContext", self._context)
            http = clients[loop] = httpx.AsyncClient(verify=context, trust_env=not self._is_local)
        return http

    async def close(self) -> None:
        """Close the connections of the running event loop, unless the caller brought them."""
        self._is_closed = True
        if http := self._own.get().pop(asyncio.get_running_loop(), None):
            await http.aclose()


def _opened(*, is_local: bool) -> httpx.Client:
    # A proxy would see what goes to this machine in clear text.
    return httpx.Client(verify=_context(is_local=is_local), trust_env=not is_local)


def _context(*, is_local: bool) -> ssl.SSLContext:
    """Return the certificates to trust: none without TLS, as reading them takes longer than a request."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_local else httpx.create_ssl_context()
