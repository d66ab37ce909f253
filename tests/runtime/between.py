"""A proxy between the functions and AWS, which passes requests on unless a test interferes."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx

from local.server import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASS_SECONDS = 60

_OF_ONE_CONNECTION = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}


@dataclass(slots=True)
class Request:
    """One request on its way.

    Attributes:
        operation: such as TransactWriteItems.
        pass_on: sends it to AWS and receives the answer, not yet returned to the function.
    """

    operation: str
    pass_on: Callable[[], None]


@dataclass(slots=True)
class Between:
    """Handling of requests.

    Attributes:
        interfere: handles a request and returns whether to answer it; None passes all on.
        hangs: whether requests stay unanswered until the end.
    """

    url: str = ""
    interfere: Callable[[Request], bool] | None = None
    hangs: bool = False
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def standing_before(aws: str) -> Iterator[Between]:
    """Run the proxy in front of an endpoint while the context is open."""
    between = Between()
    client = httpx.Client(base_url=aws, timeout=PASS_SECONDS, trust_env=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if between.hangs:
                between.ended.wait()
                self.close_connection = True
                return
            answers: list[httpx.Response] = []

            def pass_on() -> None:
                answers.append(client.post(self.path, content=body, headers=dict(self.headers)))

            operation = self.headers["x-amz-target"].rpartition(".")[2]
            if between.interfere is not None and not between.interfere(Request(operation, pass_on)):
                self.close_connection = True
                return
            if not answers:
                pass_on()
            self._answer(answers[0])

        def _answer(self, answer: httpx.Response) -> None:
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in _OF_ONE_CONNECTION:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    between.url = f"http://{HOST}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield between
    finally:
        between.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
        client.close()
