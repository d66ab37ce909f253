"""The HTTP of both clients: what is sent with httpx, and why an answer did not arrive."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import httpx

from keywright_client.answers import Lost, Reply

if TYPE_CHECKING:
    from keywright_client.flow import Send

TIMED_OUT = Lost("timed out")
_FOUND = 302
"""The usual status of a redirect. httpx does not say which it was."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""There was no connection to send the request on."""


def request(send: Send, timeout_seconds: float) -> httpx.Request:
    """Return a request as it was signed: without the headers, cookies and parameters that a client may add."""
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), timeout_seconds)
    return httpx.Request(
        send.method, send.address.url, headers=send.headers, content=send.body, extensions={"timeout": timeouts}
    )


def failed(error: httpx.RequestError) -> Reply | Lost:
    """Return why an answer did not arrive, or that it is a redirect to an address that httpx cannot read.

    Nothing of the request or of the error's text is in it.
    """
    if isinstance(error.__context__, httpx.InvalidURL):  # httpx reads it also if redirects are not followed
        return Reply(_FOUND, {}, b"")
    return Lost(_reason(error), may_be_sent=not isinstance(error, _NOT_SENT))


def _reason(error: httpx.RequestError) -> str:
    match error:
        case httpx.TimeoutException():
            return TIMED_OUT.reason
        case httpx.ProxyError():
            return "the proxy did not connect"
        case httpx.ConnectError():
            return _reason_of_no_connection(error)
        case httpx.RemoteProtocolError():
            return "the connection ended before the answer was complete, or it is not HTTP"
        case httpx.NetworkError():
            return "the connection broke"
    return type(error).__name__


def _reason_of_no_connection(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return "the name cannot be resolved"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "TLS failed"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        cause = cause.__cause__ or cause.__context__
    return "cannot connect"
