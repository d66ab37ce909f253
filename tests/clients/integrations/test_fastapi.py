"""The integration of FastAPI: its description, WebSockets, the caller's address."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from fastapi.routing import APIWebSocketRoute

from keywright_client.fastapi import ApiKey
from tests.clients.integrations import fastapi_application
from tests.clients.integrations.answers import KEY, RATE_LIMIT, verification
from tests.clients.integrations.applications import asynchronous, blocking, connect
from tests.support.in_process import of_asgi

if TYPE_CHECKING:
    from keywright_client import AsyncKeywright
    from keywright_client.results import Verification
    from tests.clients.integrations.answers import Service

DENIAL: dict[str, Any] = {"websocket.http.response": {}}


def test_the_description_of_the_application_has_both_headers(service: Service) -> None:
    """The OpenAPI description names both headers as alternatives, so that the documentation page can send a key."""
    described = fastapi_application.create(blocking(service)).openapi()

    assert {
        "ApiKeyHeader": {"type": "apiKey", "in": "header", "name": "x-api-key"},
        "ApiKeyBearer": {"type": "http", "scheme": "bearer"},
    } == described["components"]["securitySchemes"]
    assert [{"ApiKeyHeader": []}, {"ApiKeyBearer": []}] == described["paths"]["/reports"]["get"]["security"]


def test_a_refusal_is_the_detail_of_an_http_exception(service: Service) -> None:
    """The body of a refusal is that of FastAPI's own errors, with code and message."""
    service.answer = verification("RATE_LIMITED")
    response = of_asgi(fastapi_application.create(blocking(service)))({"x-api-key": KEY.encode()})

    assert {
        "detail": {"code": "RATE_LIMITED", "message": "The API key or its organization has reached its rate limit"}
    } == response.json()


@pytest.mark.parametrize(("path", "status"), [("/reports/response", 200), ("/reports/missing", 404)])
def test_a_response_of_the_route_gets_the_limits_once(service: Service, path: str, status: int) -> None:
    """A route that returns a response, or raises an exception, passes the headers of the limits to it."""
    service.answer = verification("VALID", rateLimit=RATE_LIMIT)
    response = of_asgi(fastapi_application.create(blocking(service)))({"x-api-key": KEY.encode()}, path)

    assert status == response.status_code
    assert ['"rate";r=8;t=2'] == response.headers.get_list("ratelimit")


def test_a_function_returns_the_address_of_the_caller(service: Service) -> None:
    """The function of the application sees the request and decides which address is the caller's."""
    app = fastapi_application.create(blocking(service), client_ip=lambda connection: connection.headers["x-real-ip"])
    of_asgi(app)({"x-api-key": KEY.encode(), "x-real-ip": b"2001:db8::1"})

    assert ["2001:db8::1"] == [body["clientIp"] for body in service.asked]


def test_a_client_in_the_place_of_the_one_for_asyncio(service: Service) -> None:
    """An object that forwards to the client for asyncio, such as one that counts, is awaited like it."""

    class Forwarding:
        def __init__(self, keywright: AsyncKeywright) -> None:
            self._keywright = keywright

        async def verify(self, text: str, **options: Any) -> Verification:
            return await self._keywright.verify(text, **options)

    app = fastapi_application.create(cast("AsyncKeywright", Forwarding(asynchronous(service))))

    assert 200 == of_asgi(app)({"x-api-key": KEY.encode()}).status_code


def test_a_websocket_with_a_key_is_accepted(service: Service) -> None:
    """The route of a WebSocket gets the result of the verification."""
    service.answer = verification("VALID", id="another", rateLimit=RATE_LIMIT)
    accepted, message = connect(
        fastapi_application.create(asynchronous(service)), {"x-api-key": KEY.encode()}, extensions=DENIAL
    )

    assert "websocket.accept" == accepted["type"]
    assert {"id": "another"} == json.loads(message["text"])


def test_a_websocket_without_a_key_is_401(service: Service) -> None:
    """A WebSocket is refused with a response before it is accepted."""
    start, body = connect(fastapi_application.create(asynchronous(service)), {}, extensions=DENIAL)

    assert ["websocket.http.response.start", 401] == [start["type"], start["status"]]
    assert (b"www-authenticate", b"Bearer") in start["headers"]
    assert "UNAUTHORIZED" == json.loads(body["body"])["detail"]["code"]


def test_a_websocket_of_a_server_that_sends_no_responses_for_it(service: Service) -> None:
    """Without the extension of ASGI, a WebSocket is closed before it is accepted."""
    (closed,) = connect(fastapi_application.create(asynchronous(service)), {}, extensions={})

    assert ["websocket.close", 1008] == [closed["type"], closed["code"]]


def test_headers_are_described_not_read_by_the_security_schemes(service: Service) -> None:
    """The dependencies of a WebSocket ask for nothing that old versions of FastAPI give to requests only."""
    app = fastapi_application.create(asynchronous(service))
    (live,) = (route for route in app.routes if isinstance(route, APIWebSocketRoute))
    (api_key,) = live.dependant.dependencies

    assert 2 == len(api_key.dependencies)
    assert {None} == {of.request_param_name for of in (api_key, *api_key.dependencies)}


def test_permissions_are_no_single_text(service: Service) -> None:
    """A text instead of a list of permissions is refused when the application starts."""
    with pytest.raises(TypeError, match="permissions"):
        ApiKey(blocking(service), permissions="analytics:read")
