"""Stand-in for a custom domain: one address in front of the API, whose id in the emulator changes."""

from __future__ import annotations

import http.client
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from local.server import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER_SECONDS = 30
"""API Gateway's integration timeout is 29 seconds."""

AT_ONCE = 4
"""Limit of simultaneous requests: the emulator starts a process for each, so the others wait."""

_BACKLOG = 128
# Headers of a connection, and one of S3 that the emulator adds to everything.
_NOT_PASSED_ON = {"connection", "keep-alive", "transfer-encoding", "x-amz-request-id"}


@dataclass(slots=True)
class Front:
    """A running front.

    Attributes:
        url: its address, with the stage.
        api_id: the API that requests are sent to.
    """

    url: str
    api_id: str = ""


class _Server(ThreadingHTTPServer):
    request_queue_size = _BACKLOG
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect, as a test of broken requests does."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def standing_before(port: int, stage: str) -> Iterator[Front]:
    """Forward requests to the emulator at a port while the context is open; every byte but the path is kept."""
    turns = threading.Semaphore(AT_ONCE)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            length = self.headers.get("content-length")
            body = self.rfile.read(int(length)) if length else None
            connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
            turns.acquire()
            try:
                path = f"/_aws/execute-api/{front.api_id}{self.path}"
                connection.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value.encode("latin-1"))
                connection.endheaders(body)
                self._answer(connection.getresponse())
            finally:
                turns.release()
                connection.close()

        do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = pass_on  # noqa: N815 - names of BaseHTTPRequestHandler

        def _answer(self, answer: http.client.HTTPResponse) -> None:
            content = answer.read()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in _NOT_PASSED_ON:
                    self.send_header(name, value)
            if "content-length" not in answer.headers:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = _Server((HOST, 0), Handler)
    front = Front(f"http://{HOST}:{server.server_port}/{stage}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
