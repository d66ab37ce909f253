"""The middleware for ASGI: paths without a key, WebSockets, lifespans, what the application finds."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, Request

from keywright_client import Keywright
from keywright_client.asgi import ApiKeyMiddleware
from tests.clients.integrations.answers import KEY, RATE_LIMIT, verification
from tests.clients.integrations.applications import asynchronous, connect
from tests.support.in_process import of_asgi

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from keywright_client.asgi import Receive, Scope, Send
    from tests.clients.integrations.answers import Service

WITH_KEY = {"x-api-key": KEY.encode()}
DENIAL: dict[str, Any] = {"websocket.http.response": {}}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path of a request, accept WebSockets."""
    del receive
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def protected(service: Service, **options: Any) -> ApiKeyMiddleware:
    """Return the application behind the middleware."""
    return ApiKeyMiddleware(application, keywright=asynchronous(service), **options)


def call(app: ApiKeyMiddleware, scope: MutableMapping[str, Any]) -> None:
    """Call an application that neither receives nor sends."""

    async def never() -> MutableMapping[str, Any]:
        raise AssertionError

    async def ignore(_: MutableMapping[str, Any]) -> None:
        return

    asyncio.run(app(scope, never, ignore))


def test_the_body_of_a_refusal(service: Service) -> None:
    """The body of a refusal has code and message."""
    service.answer = verification("EXPIRED")
    response = of_asgi(protected(service))(WITH_KEY)

    assert {"error": {"code": "UNAUTHORIZED", "message": "The API key is not valid"}} == response.json()
    assert len(response.content) == int(response.headers["content-length"])


def test_the_headers_of_limits_are_besides_those_of_the_application(service: Service) -> None:
    """The application keeps its own headers."""
    service.answer = verification("VALID", rateLimit=RATE_LIMIT)
    response = of_asgi(protected(service))(WITH_KEY)

    assert "1" == response.headers["x-own"]
    assert '"rate";r=8;t=2' == response.headers["ratelimit"]


def test_an_exempt_path_needs_no_key(service: Service) -> None:
    """An exempt path is passed without asking Keywright."""
    get = of_asgi(protected(service, exempt=["/health"]))

    assert "/health" == get({}, "/health").text
    assert [] == service.asked


@pytest.mark.parametrize("path", ["/health/", "/healthy", "/health/reports", "//health", "/HEALTH", "/", "/reports"])
def test_other_paths_than_the_exempt_ones_need_a_key(service: Service, path: str) -> None:
    """A path is exempt as a whole only, so that no other route is reached without a key."""
    assert 401 == of_asgi(protected(service, exempt=["/health"]))({}, path).status_code


def test_the_state_of_the_request_has_the_result(service: Service) -> None:
    """An application of Starlette or FastAPI finds the result in the state of the request, next to what was there."""
    app = FastAPI()

    @app.get("/reports")
    def reports(request: Request) -> list[str]:
        return [request.state.api_key.name, request.state.other]

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        protected_app = ApiKeyMiddleware(app, keywright=asynchronous(service))
        await protected_app({**scope, "state": {"other": "kept"}}, receive, send)

    assert ["CI", "kept"] == of_asgi(with_state)(WITH_KEY).json()


def test_a_function_returns_the_address_of_the_caller(service: Service) -> None:
    """The function of the application sees the scope and decides which address is the caller's."""
    app = protected(service, client_ip=lambda scope: dict(scope["headers"])[b"x-real-ip"].decode())
    of_asgi(app)({**WITH_KEY, "x-real-ip": b"2001:db8::1"})

    assert ["2001:db8::1"] == [body["clientIp"] for body in service.asked]


@pytest.mark.parametrize("client", [{}, {"client": None}], ids=str)
def test_a_server_on_a_unix_socket_knows_no_address(service: Service, client: dict[str, None]) -> None:
    """Without the caller's address the key is verified without one."""
    scope = {"type": "http", "path": "/reports", "headers": list({b"x-api-key": KEY.encode()}.items()), **client}
    call(protected(service), scope)

    assert [None] == [body.get("clientIp") for body in service.asked]


# ---- WebSockets ----------------------------------------------------------------------------------------------


def test_a_websocket_with_a_key_is_accepted(service: Service) -> None:
    """The application accepts the WebSocket; what is left of the limits is in the headers of the acceptance."""
    service.answer = verification("VALID", rateLimit=RATE_LIMIT)
    (accepted,) = connect(protected(service), WITH_KEY, extensions={})

    assert "websocket.accept" == accepted["type"]
    assert (b"ratelimit", b'"rate";r=8;t=2') in accepted["headers"]


def test_a_websocket_without_a_key_is_answered(service: Service) -> None:
    """A server that can answer a WebSocket sends status, headers and body of the refusal."""
    start, body = connect(protected(service), {}, extensions=DENIAL)

    assert ["websocket.http.response.start", 401] == [start["type"], start["status"]]
    assert (b"www-authenticate", b"Bearer") in start["headers"]
    assert "websocket.http.response.body" == body["type"]
    assert "UNAUTHORIZED" == json.loads(body["body"])["error"]["code"]


@pytest.mark.parametrize("extensions", [{}, None], ids=str)
def test_a_websocket_without_a_key_is_closed(service: Service, extensions: dict[str, Any]) -> None:
    """Another server is told to close the WebSocket before it is accepted, which it answers with 403."""
    assert [
        {"type": "websocket.close", "code": 1008, "reason": "The request has no API key"},
    ] == connect(protected(service), {}, extensions=extensions)


# ---- Other events --------------------------------------------------------------------------------------------


def test_a_lifespan_is_passed(service: Service) -> None:
    """The application is started and stopped by its server, without a key."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        seen.append(scope["type"])

    call(ApiKeyMiddleware(app, keywright=asynchronous(service)), {"type": "lifespan"})

    assert ["lifespan"] == seen


def test_an_unknown_protocol_is_not_passed(service: Service) -> None:
    """A protocol that the middleware does not know reaches the application with a key only."""
    scope = {"type": "of the future", "path": "/reports", "headers": []}
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        seen.append(scope["type"])

    call(ApiKeyMiddleware(app, keywright=asynchronous(service)), scope)

    assert [] == seen


@pytest.mark.parametrize("name", ["permissions", "exempt"])
def test_lists_are_no_single_text(service: Service, name: str) -> None:
    """A text instead of a list of permissions or of paths is refused when the application starts."""
    with pytest.raises(TypeError, match=name):
        protected(service, **{name: "/health"})


def test_the_client_for_threads_is_refused() -> None:
    """The middleware does not start with the client that would stop its event loop."""
    with pytest.raises(TypeError, match="AsyncKeywright"):
        ApiKeyMiddleware(protected, keywright=Keywright("http://127.0.0.1:1/v1"))  # type: ignore[arg-type]
