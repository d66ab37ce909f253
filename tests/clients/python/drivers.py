"""Both clients behind one way to call them, answers of a pretended Keywright, and a search for secrets in errors."""

from __future__ import annotations

import inspect
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.credentials import Credentials

from keywright_client import AsyncKeywright, Keywright
from tests.support.depth import mostly_deep

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterator

URL = "https://abc123.execute-api.eu-west-1.amazonaws.com/v1"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:keywright-VerifyApiKey"
KEY_ID = "019b7e3c-9585-719d-81cb-3b8af1c594c2"
KEY_TEXT = "kk_" + "SECRETTEXTOFAKEY" * 4
TOKEN = "SECRETTOKEN.of.a.session"
SECRET_ACCESS_KEY = "SECRETACCESSKEY"
SESSION_TOKEN = "SECRETSESSIONTOKEN"
PLAIN_HTTP = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""No certificates: a client would read those of this machine, which takes longer than a test."""
SECRETS = (KEY_TEXT, TOKEN, SECRET_ACCESS_KEY, SESSION_TOKEN)

FEWER_KINDS = pytest.mark.parametrize(
    "kind", mostly_deep(["threads", "asyncio"], lambda kind: kind == "threads"), indirect=True
)
"""For tests with many cases of what both clients share: at quick depth, only the client for threads."""


def credentials() -> Credentials:
    """Return AWS credentials that do not change."""
    return Credentials("AKIDEXAMPLE", SECRET_ACCESS_KEY, SESSION_TOKEN)


@dataclass(frozen=True, slots=True)
class Items:
    """An asynchronous iterator, iterated as a list of Keywright is."""

    iterator: Any
    run: Callable[[Awaitable[Any]], Any]

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self.run(anext(self.iterator))
        except StopAsyncIteration:
            raise StopIteration from None


class Blocking:
    """AsyncKeywright, called as Keywright is."""

    def __init__(self, client: AsyncKeywright, runner: asyncio.Runner) -> None:
        self.client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            result = method(*arguments, **options)
            return self._run(result) if inspect.isawaitable(result) else Items(result, self._run)

        return call

    def _run(self, result: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await result

        return self._runner.run(awaited())


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of client.

    Attributes:
        runner: event loop of the asyncio client, or None for the one for threads.
    """

    runner: asyncio.Runner | None
    _opened: list[httpx.Client | httpx.AsyncClient] = field(default_factory=list)

    def client(
        self,
        url: str | None = None,
        *,
        handler: Callable[[httpx.Request], httpx.Response] | None = None,
        **options: Any,
    ) -> Any:
        """Return a client.

        Args:
            url: address of the API, if the options have no function.
            handler: answers the requests; None sends them.
            options: options of the client; by default it has credentials, a region and a token.
        """
        arguments = {"credentials": credentials(), "token": TOKEN, "region": "eu-west-1", **options}
        transport = httpx.MockTransport(handler) if handler else None
        if self.runner is None:
            http = httpx.Client(transport=transport, verify=PLAIN_HTTP, trust_env=False)
            self._opened.append(http)
            return Keywright(url, http=http, **arguments)
        async_http = httpx.AsyncClient(transport=transport, verify=PLAIN_HTTP, trust_env=False)
        self._opened.append(async_http)
        return Blocking(AsyncKeywright(url, http=async_http, **arguments), self.runner)

    def close(self) -> None:
        """Close the connections of all clients."""
        for http in self._opened:
            if isinstance(http, httpx.Client):
                http.close()
            elif self.runner is not None:
                self.runner.run(http.aclose())

    def all(self, items: Any) -> list[Any]:
        """Return all items of a list that a client has returned, without a loop run for each of them."""
        if not isinstance(items, Items):
            return list(items)

        async def collected() -> list[Any]:
            return [item async for item in items.iterator]

        if self.runner is None:
            raise TypeError("an asynchronous iterator of a client for threads")
        return self.runner.run(collected())


@dataclass(slots=True)
class Pretended:
    """A pretended Keywright: answers one after the other, of which the last is repeated.

    Attributes:
        answers: responses to return, or exceptions to raise.
        received: requests.
    """

    answers: list[httpx.Response | Exception]
    received: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.received.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content, request=request)

    def bodies(self) -> list[Any]:
        """Return the bodies that were sent."""
        return [json.loads(request.content) for request in self.received]


def pretended(*answers: httpx.Response | Exception) -> Pretended:
    """Return a Keywright that answers so."""
    return Pretended(list(answers))


def success(data: object, **more: object) -> httpx.Response:
    """Return a success of the API."""
    return httpx.Response(200, json={"data": data, "error": None, **more}, headers={"x-request-id": "r-1"})


def page(items: list[Any], next_cursor: str | None) -> httpx.Response:
    """Return a page of a list."""
    pagination = {"limit": 100, "has_more": next_cursor is not None, "next_cursor": next_cursor}
    return success(items, pagination=pagination)


def failure(status: int, code: str, message: str = "No", hint: str = "Do it.", **headers: str) -> httpx.Response:
    """Return an error of the API; headers have `_` for `-`."""
    error = {"code": code, "message": message, "hint": hint, "docs": f"https://api.example.com/v1/docs#{code}"}
    lines = {"x-request-id": "r-1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.Response(status, json={"data": None, "error": error}, headers=lines)


def invoked(response: httpx.Response) -> httpx.Response:
    """Return the answer of Lambda for a function that answers as this response of the API does."""
    payload = {"status": response.status_code, "headers": dict(response.headers), **response.json()}
    return httpx.Response(200, json=payload, headers={"x-amzn-requestid": "l-1"})


def verified(code: str = "VALID", **fields: Any) -> dict[str, Any]:
    """Return the data of a verification."""
    return {
        "valid": code == "VALID",
        "code": code,
        "id": KEY_ID,
        "organizationId": "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01",
        "name": "CI",
        "permissions": ["sessions:read"],
        "missingPermissions": [],
        "metadata": {"plan": "pro"},
        "expiresAt": None,
        "allowedIps": None,
        "rateLimit": None,
        "quota": None,
        "retryAfterSeconds": None,
        "leak": None,
        **fields,
    }


def details(**fields: Any) -> dict[str, Any]:
    """Return the data of a key."""
    return {
        "id": KEY_ID,
        "name": "CI",
        "enabled": True,
        "permissions": ["sessions:read"],
        "metadata": {},
        "createdAt": "2026-01-02T11:59:59.999Z",
        "updatedAt": "2026-01-02T11:59:59.999Z",
        "expiresAt": None,
        "lastUsedAt": None,
        "lastUsedIp": None,
        "requestCount": 0,
        "hint": "kk_...dIbP",
        "rateLimit": None,
        "quota": None,
        "allowedIps": None,
        "leak": None,
        "createdBy": "user_1",
        "previousKeyExpiresAt": None,
        "previousKeyLastUsedAt": None,
        **fields,
    }


def shown(error: BaseException) -> str:
    """Return all that a log or a debugger can show of an error: texts, attributes, and the errors that it chains."""
    parts: list[str] = []
    errors: list[BaseException | None] = [error]
    while errors:
        current = errors.pop()
        if current is not None:
            parts += [str(current), repr(current), repr(current.args), repr(getattr(current, "__dict__", {}))]
            parts += [_request(value) for value in vars(current).values() if isinstance(value, httpx.Request)]
            errors += [current.__cause__, current.__context__]
    return "\n".join(parts)


def _request(request: httpx.Request) -> str:
    return f"{request.headers.raw!r} {request.content!r}"


def leaked(text: str) -> list[str]:
    """Return the secrets that are in a text."""
    return [secret for secret in SECRETS if secret in text]
