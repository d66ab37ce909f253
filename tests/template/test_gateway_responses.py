"""What API Gateway answers by itself: in the envelope, with the codes and headers of the contract."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import botocore.session
import pytest

from keywright.errors import NOT_FOUND
from local.intrinsics import Json, mapping, text
from tests.template.cloudformation import properties

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTEXT = {
    "$context.domainName": "abc123.execute-api.eu-west-1.amazonaws.com",
    "$context.stage": "v1",
    # Of a denial; both authorizers give them, and nothing in them comes from the caller.
    "$context.authorizer.code": "FORBIDDEN",
    "$context.authorizer.message": "The session does not act for an organization",
    "$context.authorizer.hint": "Sign in with an organization selected.",
}
OWN_ADDRESS = "https://abc123.execute-api.eu-west-1.amazonaws.com/v1"

EXPECTED: Mapping[str, tuple[str, str]] = {
    "DEFAULT_4XX": ("400", "BAD_REQUEST"),
    "BAD_REQUEST_BODY": ("400", "BAD_REQUEST"),
    "BAD_REQUEST_PARAMETERS": ("400", "BAD_REQUEST"),
    "UNSUPPORTED_MEDIA_TYPE": ("400", "BAD_REQUEST"),
    "UNAUTHORIZED": ("401", "UNAUTHORIZED"),
    "EXPIRED_TOKEN": ("401", "UNAUTHORIZED"),
    "INVALID_API_KEY": ("401", "UNAUTHORIZED"),
    "INVALID_SIGNATURE": ("401", "UNAUTHORIZED"),
    "ACCESS_DENIED": ("403", "FORBIDDEN"),
    "WAF_FILTERED": ("403", "FORBIDDEN"),
    "MISSING_AUTHENTICATION_TOKEN": ("404", "NOT_FOUND"),
    "RESOURCE_NOT_FOUND": ("404", "NOT_FOUND"),
    "REQUEST_TOO_LARGE": ("413", "PAYLOAD_TOO_LARGE"),
    "THROTTLED": ("429", "TOO_MANY_REQUESTS"),
    "QUOTA_EXCEEDED": ("429", "TOO_MANY_REQUESTS"),
    "DEFAULT_5XX": ("500", "INTERNAL_SERVER_ERROR"),
    "API_CONFIGURATION_ERROR": ("500", "INTERNAL_SERVER_ERROR"),
    "AUTHORIZER_CONFIGURATION_ERROR": ("503", "SERVICE_UNAVAILABLE"),
    "AUTHORIZER_FAILURE": ("503", "SERVICE_UNAVAILABLE"),
    "INTEGRATION_FAILURE": ("503", "SERVICE_UNAVAILABLE"),
    "INTEGRATION_TIMEOUT": ("503", "SERVICE_UNAVAILABLE"),
}

each_kind = pytest.mark.parametrize("kind", sorted(EXPECTED))


def test_every_answer_api_gateway_can_make_is_worded() -> None:
    """Nobody meets API Gateway's own wording. The list is the one of AWS's API description."""
    kinds = botocore.session.get_session().get_service_model("apigateway").shape_for("GatewayResponseType")

    assert set(_responses()) == set(kinds.metadata["enum"])


@each_kind
def test_an_answer_has_the_status_and_code_of_the_contract(kind: str) -> None:
    """Clients see one set of statuses and codes, whoever answers; above all no 502 and no 504."""
    assert (text(_responses()[kind]["StatusCode"], kind), _error(kind)["code"]) == EXPECTED[kind]


@each_kind
def test_an_answer_is_the_failure_envelope(kind: str) -> None:
    """The body is JSON of the contract's shape, and all four texts say something."""
    envelope = json.loads(_body(kind))
    error = envelope["error"]

    assert envelope == {"data": None, "error": error}
    assert set(error) == {"code", "message", "hint", "docs"}
    assert all(isinstance(value, str) and value.strip() for value in error.values())


@pytest.mark.parametrize("kind", sorted(kind for kind, (status, _) in EXPECTED.items() if status == "404"))
def test_an_unknown_route_is_explained_as_in_the_catalogue(kind: str) -> None:
    """Who left out the version, or mistyped, reads how paths begin."""
    assert (NOT_FOUND.message, NOT_FOUND.hint) == (_error(kind)["message"], _error(kind)["hint"])


@each_kind
def test_an_answer_names_the_documentation_of_this_api(kind: str) -> None:
    """The link works for a stack without a domain of its own."""
    assert _error(kind)["docs"] == f"{OWN_ADDRESS}/docs#{EXPECTED[kind][1]}"


@each_kind
def test_an_answer_names_the_documentation_under_the_public_address(kind: str) -> None:
    """Behind a custom domain, links do not lead around it."""
    error = _error(kind, PublicUrl="https://api.example.com/keys/v1")

    assert error["docs"] == f"https://api.example.com/keys/v1/docs#{EXPECTED[kind][1]}"


@each_kind
def test_an_answer_substitutes_nothing_that_a_caller_sent(kind: str) -> None:
    """No request can break the JSON or put words into it."""
    assert "$" not in _body(kind)


@pytest.mark.parametrize("kind", sorted(kind for kind, (status, _) in EXPECTED.items() if status == "500"))
def test_an_unexpected_error_says_nothing_about_its_cause(kind: str) -> None:
    """Details are in the log only."""
    assert _error(kind)["message"] == "An unexpected error occurred"


@each_kind
def test_an_answer_can_be_found_and_is_not_cached(kind: str) -> None:
    """It carries the request id and no-store; 401 and the answers worth a retry carry their own header."""
    expected = {"cache-control": "'no-store'", "x-request-id": "context.requestId"}
    status, _ = EXPECTED[kind]
    if status == "401":
        expected["www-authenticate"] = "'Bearer'"
    if status in {"429", "503"}:
        expected["retry-after"] = "'1'"

    assert _headers(kind) == expected


@each_kind
def test_an_answer_can_be_read_by_pages_of_the_first_allowed_origin(kind: str) -> None:
    """A page sees the error itself, not a CORS failure. API Gateway can only name one fixed origin."""
    without = _headers(kind)
    headers = _headers(kind, AllowedOrigins="https://app.example.com,https://admin.example.com")

    assert headers == {**without, "access-control-allow-origin": "'https://app.example.com'", "vary": "'Origin'"}


def _responses(**parameters: str) -> dict[str, dict[str, Json]]:
    responses = mapping(properties("Api", **parameters)["GatewayResponses"], "GatewayResponses")
    return {kind: mapping(response, kind) for kind, response in responses.items()}


def _headers(kind: str, **parameters: str) -> dict[str, Json]:
    response = _responses(**parameters)[kind]
    return mapping(mapping(response["ResponseParameters"], kind)["Headers"], kind)


def _body(kind: str, **parameters: str) -> str:
    """Give the body as API Gateway sends it: variables of the context replaced, nothing else."""
    templates = mapping(_responses(**parameters)[kind]["ResponseTemplates"], kind)
    assert set(templates) == {"application/json"}
    template = text(templates["application/json"], kind)
    return re.sub(r"\$context(\.[A-Za-z]+)+", lambda variable: CONTEXT[variable[0]], template)


def _error(kind: str, **parameters: str) -> dict[str, str]:
    error: dict[str, str] = json.loads(_body(kind, **parameters))["error"]
    return error
