"""The HTTP server of the local service: waitress on a loopback port, in a separate thread."""

from __future__ import annotations

import errno
import os
import socket
import threading
from typing import TYPE_CHECKING

from waitress import wasyncore
from waitress.server import BaseWSGIServer, create_server

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from waitress.channel import HTTPChannel

HOST = "127.0.0.1"

_MAX_BODY_BYTES = 64 * 1024 * 1024
"""The largest body that is read: above every limit of the service, so that the service answers larger bodies itself."""
_SHUTDOWN_SECONDS = 1
_LOOP_END_SECONDS = 10
"""How long to wait for the loop to end. It ends at once unless the machine is busy."""
_BACKLOG = 1024


class PortError(Exception):
    """A port is not available; the message says why."""


def reserve(port: int, host: str = HOST) -> socket.socket:
    """Listen on a port, 0 for any free one. Connections wait until a server accepts them.

    Raises:
        PortError: the port is in use, or not permitted, or the address is not one of this machine.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # on other systems, the option would let two programs share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise PortError(f"{host} is not an address of this machine") from error
        reason = {errno.EADDRINUSE: "is in use", errno.EACCES: "needs more privileges"}
        raise PortError(f"port {port} {reason.get(error.errno or 0, 'cannot be used')}") from error
    return listener


def port_of(listener: socket.socket) -> int:
    """Return the port of a listening socket."""
    port: int = listener.getsockname()[1]
    return port


class Server:
    """A server of a WSGI application on a reserved port, until `stop`.

    Attributes:
        port: the port.
        url: the URL, without a trailing slash.
    """

    def __init__(
        self,
        application: WSGIApplication,
        listener: socket.socket,
        *,
        threads: int,
        channel: type[HTTPChannel] | None = None,
    ) -> None:
        self.port = port_of(listener)
        self.url = f"http://{HOST}:{self.port}"
        self._sockets: dict[int, wasyncore.dispatcher] = {}
        server = create_server(
            application,
            map=self._sockets,  # type: ignore[arg-type]  # the stub is wrong: dispatchers
            sockets=[listener],
            threads=threads,
            max_request_body_size=_MAX_BODY_BYTES,
            connection_limit=1000,
            clear_untrusted_proxy_headers=False,  # the gateway sets its own
            ident="",
            asyncore_use_poll=True,  # select() ends at 1,024 descriptors
        )
        if not isinstance(server, BaseWSGIServer):  # one server per socket
            raise TypeError("waitress made more than one server")
        self._server = server
        if channel is not None:
            self._server.channel_class = channel
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"http-{self.port}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Wait up to a second for running requests, then close every connection. Further calls do nothing."""
        if self._stopping.is_set():
            return
        self._server.task_dispatcher.shutdown(timeout=_SHUTDOWN_SECONDS)
        self._stopping.set()
        self._server.pull_trigger()
        self._thread.join(_LOOP_END_SECONDS)  # before its sockets are closed
        wasyncore.close_all(self._sockets)  # type: ignore[arg-type]

    def _serve(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=self._sockets, count=1)  # type: ignore[arg-type]
