"""One HTTP server for everything here: waitress on a loopback port, in a thread of its own."""

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
"""What is read of a body; larger than any limit to be served, so that the refusal can be worded by the service."""
_SHUTDOWN_SECONDS = 1
_LOOP_END_SECONDS = 10
"""What a loop that was told to end may take: no time at all, but on a machine that is busy with something else."""
_BACKLOG = 1024


class PortError(Exception):
    """A port cannot be listened on; the message says why."""


def reserve(port: int) -> socket.socket:
    """Listen on a loopback port; connections wait until they are served. 0 takes any free port.

    Raises:
        PortError: the port is taken, or not allowed.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere the option would let two programs share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = {errno.EADDRINUSE: "is taken", errno.EACCES: "needs more rights than you have"}
        raise PortError(f"port {port} {reason.get(error.errno or 0, 'cannot be used')}") from error
    return listener


def port_of(listener: socket.socket) -> int:
    """Give the port of a listening socket."""
    port: int = listener.getsockname()[1]
    return port


class Server:
    """Serves a WSGI application on a reserved port until `stop`.

    Attributes:
        port: where it listens.
        url: the same as an address, without a slash at its end.
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
        if not isinstance(server, BaseWSGIServer):  # it is one for each socket, and one socket was given
            raise TypeError("waitress made more than one server")
        self._server = server
        if channel is not None:
            self._server.channel_class = channel
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"http-{self.port}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let running requests end, for a second at most, and close every connection; once is enough."""
        if self._stopping.is_set():
            return
        self._server.task_dispatcher.shutdown(timeout=_SHUTDOWN_SECONDS)
        self._stopping.set()
        self._server.pull_trigger()
        self._thread.join(_LOOP_END_SECONDS)  # before the sockets it waits for are closed
        wasyncore.close_all(self._sockets)  # type: ignore[arg-type]

    def _serve(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=self._sockets, count=1)  # type: ignore[arg-type]
