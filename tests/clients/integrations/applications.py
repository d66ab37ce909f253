"""An application of each framework, with a route that requires a permission, and a client of it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from botocore.credentials import Credentials
from flask import Flask, g

from keywright_client import AsyncKeywright, Keywright
from keywright_client.asgi import ApiKeyMiddleware
from keywright_client.flask import api_key_required
from tests.clients.integrations import fastapi_application
from tests.clients.integrations.answers import REQUIRED
from tests.support import django_project
from tests.support.in_process import ADDRESS, of_asgi, of_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping
    from contextlib import AbstractContextManager

    from fastapi import FastAPI

    from keywright_client.asgi import Application, Receive, Scope, Send
    from tests.clients.integrations.answers import Service
    from tests.support.in_process import Get


def arguments(service: Service) -> dict[str, Any]:
    """Return the arguments of a client that asks a service of a test, without a network, once."""
    return {
        "url": "http://127.0.0.1:1/v1",
        "region": "us-east-1",
        "credentials": Credentials("AKIDEXAMPLE", "secret"),
        "retries": 0,
        "http": httpx.Client(transport=httpx.MockTransport(service)),
    }


def blocking(service: Service) -> Keywright:
    """Return a client that asks a service of a test."""
    return Keywright(**arguments(service))


def asynchronous(service: Service) -> AsyncKeywright:
    """Return an asynchronous client that asks a service of a test."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(service))
    return AsyncKeywright(**{**arguments(service), "http": http})


@contextmanager
def fastapi(service: Service) -> Iterator[Get]:
    """Yield a client of a FastAPI application that verifies keys with a blocking client."""
    yield of_asgi(fastapi_application.create(blocking(service)))


@contextmanager
def fastapi_async(service: Service) -> Iterator[Get]:
    """Yield a client of a FastAPI application that verifies keys with an asynchronous client."""
    yield of_asgi(fastapi_application.create(asynchronous(service)))


@contextmanager
def flask(service: Service) -> Iterator[Get]:
    """Yield a client of a Flask application."""
    app, keywright = Flask(__name__), blocking(service)

    @app.get("/reports")
    @api_key_required(keywright, permissions=REQUIRED, cost=3)
    def reports() -> dict[str, str]:
        return {"id": g.api_key.id}

    yield of_wsgi(app)


@contextmanager
def rest_framework(service: Service) -> Iterator[Get]:
    """Yield a client of a Django project with a view of Django REST framework."""
    django_project.configure()
    from tests.clients.integrations import views  # noqa: PLC0415 - not before Django is configured

    with django_project.project(KEYWRIGHT=arguments(service), ROOT_URLCONF=views.routes()) as app:
        yield of_wsgi(app)


@contextmanager
def asgi(service: Service) -> Iterator[Get]:
    """Yield a client of an ASGI application behind the middleware."""
    yield of_asgi(ApiKeyMiddleware(id_of_the_key, keywright=asynchronous(service), permissions=REQUIRED, cost=3))


async def id_of_the_key(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with the id of its key."""
    del receive
    body = b'{"id": "%s"}' % scope["state"]["api_key"].id.encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


FRAMEWORKS: dict[str, Callable[[Service], AbstractContextManager[Get]]] = {
    "fastapi": fastapi,
    "fastapi_async": fastapi_async,
    "flask": flask,
    "rest_framework": rest_framework,
    "asgi": asgi,
}


def connect(
    app: Application | FastAPI, headers: Mapping[str, bytes], extensions: Mapping[str, Any]
) -> list[MutableMapping[str, Any]]:
    """Return what an ASGI application sends to a WebSocket that a caller opens and closes."""
    events: list[MutableMapping[str, Any]] = [
        {"type": "websocket.connect"},
        {"type": "websocket.disconnect", "code": 1000},
    ]
    scope = {
        "type": "websocket",
        "path": "/live",
        "query_string": b"",
        "headers": [(name.encode(), value) for name, value in headers.items()],
        "client": (ADDRESS, 50_000),
        "extensions": extensions,
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return events.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    return sent
