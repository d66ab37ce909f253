"""Requests to web applications in the process of the tests. As with their servers, an exception is a 500."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import httpx
from werkzeug.test import Client

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIApplication

    from fastapi import FastAPI

    from keywright_client.asgi import Application

ADDRESS = "192.0.2.7"
"""From where the applications are called."""


class Get(Protocol):
    """Sends a GET request to an application."""

    def __call__(self, headers: Mapping[str, bytes], path: str = "/reports") -> httpx.Response:
        """Return the response."""
        ...


def of_wsgi(app: WSGIApplication) -> Get:
    """Return a client of a WSGI application."""

    def get(headers: Mapping[str, bytes], path: str = "/reports") -> httpx.Response:
        latin = {name: value.decode("latin-1") for name, value in headers.items()}
        response = Client(app).get(path, headers=latin, environ_overrides={"REMOTE_ADDR": ADDRESS})
        return httpx.Response(response.status_code, headers=list(response.headers), content=response.data)

    return get


def of_asgi(app: Application | FastAPI) -> Get:
    """Return a client of an ASGI application."""

    async def send(headers: Mapping[str, bytes], path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(ADDRESS, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://backend") as client:
            return await client.get(path, headers={name.encode(): value for name, value in headers.items()})

    def get(headers: Mapping[str, bytes], path: str = "/reports") -> httpx.Response:
        return asyncio.run(send(headers, path))

    return get
