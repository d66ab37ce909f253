"""AWS's JSON services over HTTP, without boto3's client.

The client costs more than a verification itself: its import and the service's description on a cold start, and
serializers, parsers, event hooks and endpoint rules on each call. What makes it safe is here as well: the same
addresses, credentials that are renewed, signatures, certificates, proxies, time-outs, connections that are kept and
looked at before they are used again, DynamoDB's checksum. Retries are the caller's (`aws.with_retries`), as with
the client.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import select
import socket
import ssl
import weakref
import zlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from keywright.store import aws_environment
from keywright.store.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keywright.store.aws_environment import Service

_OK = 200
_CHECKSUM_HEADER = "x-amz-crc32"


class AwsError(Exception):
    """The service refused a request.

    Attributes:
        code: of the error, as ThrottlingException; the status where the body names none.
        status: of HTTP.
        content: the body, as far as it is a JSON object.
    """

    def __init__(self, code: str, status: int, content: Mapping[str, Any]) -> None:
        self.code = code
        self.status = status
        self.content = content
        super().__init__(f"{code} ({status})")


class NoAnswerError(Exception):
    """No answer came, not all of it, or not the one that was sent; the same call may succeed in a moment."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer as it came, its headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer, its headers in lower case."""

    content: Mapping[str, Any]
    headers: Mapping[str, str]


class HttpClient:
    """One service's calls, over connections that are kept. Threads may share it.

    Args:
        service: the service.
        environment: what Lambda sets: region, credentials, and what users may add to it (endpoints, FIPS, proxies).
        connect_timeout_seconds: for connecting.
        read_timeout_seconds: for each read.
        maximum_connections: how many are kept while nobody uses them.
    """

    def __init__(
        self,
        service: Service,
        environment: Mapping[str, str],
        *,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        maximum_connections: int,
    ) -> None:
        self.endpoint = aws_environment.endpoint(service, environment)
        self.connect_timeout_seconds = connect_timeout_seconds
        self.read_timeout_seconds = read_timeout_seconds
        self._signer = Signer(service, self.endpoint, aws_environment.keys(environment))
        self._route = _route(self.endpoint.url, environment)
        self._maximum_connections = maximum_connections
        self._idle: deque[http.client.HTTPConnection] = deque()
        weakref.finalize(self, _close, self._idle)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """Make a call, once.

        Args:
            operation: its name, as BatchGetItem.
            parameters: as the service's HTTP interface takes them; binary values may be bytes.

        Raises:
            AwsError: the service refused it.
            NoAnswerError: nobody knows what became of it.
        """
        body = json.dumps(parameters, separators=(",", ":"), default=_base64).encode()
        response = self.send(self._signer.headers(operation, body), body)
        # botocore compares DynamoDB's checksum too, and retries if it does not agree.
        checksum = response.headers.get(_CHECKSUM_HEADER, "")
        if checksum.isdigit() and zlib.crc32(response.body) != int(checksum):
            raise NoAnswerError("the checksum of the answer does not agree")
        content = _object(response.body)
        if response.status != _OK:
            raise AwsError(_code(response.status, content), response.status, content or {})
        if content is None:
            raise NoAnswerError("the answer is not a JSON object")
        return Answer(content, response.headers)

    def send(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Send a signed request and read the whole answer.

        Raises:
            NoAnswerError: a connection cannot be made, or breaks, or nothing comes over it in time.
        """
        connection = self._connection()
        try:
            connection.request("POST", self._route.target, body, headers)
            found = connection.getresponse()
            response = Response(
                found.status, {name.lower(): value for name, value in found.headers.items()}, found.read()
            )
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error
        if found.will_close or len(self._idle) >= self._maximum_connections:
            connection.close()
        else:
            self._idle.append(connection)
        return response

    def _connection(self) -> http.client.HTTPConnection:
        """Give a connection that nobody uses: one that is kept, or a new one.

        Raises:
            NoAnswerError: it cannot be made.
        """
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if _is_open(connection):
                return connection
            connection.close()
        connection = self._route.connection(self.connect_timeout_seconds)
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.sock.settimeout(self.read_timeout_seconds)
        return connection


@dataclass(frozen=True, slots=True)
class _Route:
    """How connections to a host are made.

    Attributes:
        host: of the service, or of the proxy.
        tls: None for plain HTTP.
        tunnel: what a proxy is asked for a tunnel to, and the headers that it is asked with.
        target: what a request names as its target.
    """

    host: str
    tls: ssl.SSLContext | None
    tunnel: tuple[str, dict[str, str]] | None
    target: str

    def connection(self, connect_timeout_seconds: float) -> http.client.HTTPConnection:
        if self.tls is None:
            return http.client.HTTPConnection(self.host, timeout=connect_timeout_seconds)
        connection = http.client.HTTPSConnection(self.host, timeout=connect_timeout_seconds, context=self.tls)
        if self.tunnel is not None:
            tunnel, headers = self.tunnel
            connection.set_tunnel(tunnel, headers=headers)
        return connection


def _route(url: str, environment: Mapping[str, str]) -> _Route:
    address = urlsplit(url)
    tls = None
    if address.scheme == "https":
        tls = ssl.create_default_context(cafile=aws_environment.certificates(environment))
    proxy = _proxy(address.scheme, address.netloc)
    if proxy is None:
        return _Route(address.netloc, tls, None, address.path)
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    host = via.netloc.rpartition("@")[2]
    headers = {}
    if via.username:
        from urllib.parse import unquote  # noqa: PLC0415 - few proxies ask for a password

        credentials = f"{unquote(via.username)}:{unquote(via.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    # Through a proxy, plain HTTP names the whole address (RFC 9112, section 3.2.2); TLS goes through a tunnel.
    return _Route(host, tls, (address.netloc, headers) if tls else None, address.path if tls else url)


def _proxy(scheme: str, host: str) -> str | None:
    """Give the proxy that this process has for a host, by the rules that Python itself goes by."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - hardly any function has a proxy

    return None if proxy_bypass(host) else getproxies().get(scheme)


def _close(connections: deque[http.client.HTTPConnection]) -> None:
    for connection in connections:
        connection.close()


def _is_open(connection: http.client.HTTPConnection) -> bool:
    """Tell whether a kept connection can be used: nothing is to be read from one, unless it was closed."""
    try:
        poll = select.poll()
        poll.register(connection.sock, select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0)
    except (OSError, ValueError):
        return False


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _code(status: int, content: Mapping[str, Any] | None) -> str:
    """Give an error's code as botocore's parser does: it stands behind the last `#` of `__type`."""
    return str((content or {}).get("__type") or status).rpartition("#")[2]


def _base64(value: object) -> str:
    """Write what JSON has no form for: bytes, and nothing else."""
    if not isinstance(value, bytes):
        raise TypeError(type(value).__name__)
    return base64.b64encode(value).decode()
