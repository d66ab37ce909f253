"""The integration of Flask: async views, the caller's address, what decorated views keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask import Flask, g, request

from keywright_client.flask import api_key_required
from tests.clients.integrations.answers import KEY, RATE_LIMIT, verification
from tests.clients.integrations.applications import asynchronous, blocking
from tests.support.in_process import of_wsgi

if TYPE_CHECKING:
    from tests.clients.integrations.answers import Service

WITH_KEY = {"x-api-key": KEY.encode()}


def test_the_body_of_a_refusal(service: Service) -> None:
    """The body of a refusal has code and message."""
    service.answer = verification("IP_NOT_ALLOWED")
    app = Flask(__name__)
    app.get("/reports")(api_key_required(blocking(service))(lambda: "never"))

    assert {"error": {"code": "IP_NOT_ALLOWED", "message": "The API key may not be used from this address"}} == of_wsgi(
        app
    )(WITH_KEY).json()


def test_an_async_view(service: Service) -> None:
    """An async view gets the result of the verification."""
    app = Flask(__name__)

    @app.get("/reports")
    @api_key_required(blocking(service))
    async def reports() -> str:
        name: str = g.api_key.name
        return name

    assert "CI" == of_wsgi(app)(WITH_KEY).text


def test_a_function_returns_the_address_of_the_caller(service: Service) -> None:
    """The function of the application sees the request and decides which address is the caller's."""
    app = Flask(__name__)
    protected = api_key_required(blocking(service), client_ip=lambda request: request.headers["x-real-ip"])
    app.get("/reports")(protected(lambda: "reports"))
    of_wsgi(app)({**WITH_KEY, "x-real-ip": b"2001:db8::1"})

    assert ["2001:db8::1"] == [body["clientIp"] for body in service.asked]


def test_the_arguments_of_the_route_reach_the_view(service: Service) -> None:
    """A decorated view keeps its name, its arguments and its own status and headers."""
    app = Flask(__name__)
    service.answer = verification("VALID", rateLimit=RATE_LIMIT)

    @app.get("/reports/<int:number>")
    @api_key_required(blocking(service))
    def report(number: int) -> tuple[str, int, dict[str, str]]:
        return f"{request.endpoint} {number}", 202, {"x-own": "1"}

    response = of_wsgi(app)(WITH_KEY, "/reports/7")

    assert 202 == response.status_code
    assert "report 7" == response.text
    assert "1" == response.headers["x-own"]
    assert '"rate";r=8;t=2' == response.headers["ratelimit"]


def test_a_view_without_the_decorator_needs_no_key(service: Service) -> None:
    """Other views of the application are not touched."""
    app = Flask(__name__)
    app.get("/health")(lambda: "healthy")

    assert "healthy" == of_wsgi(app)({}, "/health").text
    assert [] == service.asked


def test_permissions_are_no_single_text(service: Service) -> None:
    """A text instead of a list of permissions is refused when the application starts."""
    with pytest.raises(TypeError, match="permissions"):
        api_key_required(blocking(service), permissions="analytics:read")


def test_the_client_for_asyncio_is_refused(service: Service) -> None:
    """The application does not start with the client whose results it would not wait for."""
    with pytest.raises(TypeError, match="Keywright"):
        api_key_required(asynchronous(service))  # type: ignore[arg-type]
