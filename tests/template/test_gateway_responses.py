"""The errors that API Gateway returns itself: those of keywright.errors, in the envelope of the functions."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import botocore.session
import pytest

from local.intrinsics import Json, mapping, text
from tests.support.cloudformation import properties
from tests.support.environment import ROOT
from tools.errors import RESPONSES, with_responses

if TYPE_CHECKING:
    from keywright.errors import ErrorType

DENIAL = {
    "$context.authorizer.code": "FORBIDDEN",
    "$context.authorizer.message": "The session does not act for an organization",
    "$context.authorizer.hint": "Sign in with an organization selected.",
}
"""The context of a denial. Both authorizers set it, and nothing in it comes from the caller."""
CONTEXT = {
    "$context.domainName": "abc123.execute-api.eu-west-1.amazonaws.com",
    "$context.stage": "v1",
    **DENIAL,
}
OWN_ADDRESS = "https://abc123.execute-api.eu-west-1.amazonaws.com/v1"
RETRYABLE = {429, 503}

each_error = pytest.mark.parametrize(("kind", "error"), RESPONSES.items(), ids=RESPONSES)
each_kind = pytest.mark.parametrize("kind", ["ACCESS_DENIED", *RESPONSES])


def test_the_template_holds_the_errors_of_the_catalog() -> None:
    """The errors in the template are those of keywright.errors: `make generate` changes nothing."""
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")

    assert with_responses(template) == template


def test_every_error_of_api_gateway_is_defined() -> None:
    """Every response type of AWS's API description is defined, so API Gateway's own wording is never returned."""
    kinds = botocore.session.get_session().get_service_model("apigateway").shape_for("GatewayResponseType")

    assert set(kinds.metadata["enum"]) == set(_responses())


@each_error
def test_an_error_is_that_of_the_catalog(kind: str, error: ErrorType) -> None:
    """Status, code, message and hint are those of keywright.errors."""
    body = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "docs": f"{OWN_ADDRESS}/docs#{error.code}",
    }

    assert str(error.status) == text(_responses()[kind]["StatusCode"], kind)
    assert body == _error(kind)


def test_a_denial_is_that_of_the_authorizer() -> None:
    """A denial is a 403 whose code, message and hint come from the authorizer's context."""
    code, message, hint = DENIAL.values()

    assert "403" == text(_responses()["ACCESS_DENIED"]["StatusCode"], "ACCESS_DENIED")
    assert {"code": code, "message": message, "hint": hint, "docs": f"{OWN_ADDRESS}/docs#{code}"} == _error(
        "ACCESS_DENIED"
    )


@each_kind
def test_a_body_is_the_failure_envelope(kind: str) -> None:
    """The body is JSON with `data` and `error` only."""
    envelope = json.loads(_body(kind))

    assert {"data": None, "error": _error(kind)} == envelope


@each_kind
def test_docs_uses_the_public_url(kind: str) -> None:
    """Behind a custom domain, the link of an error leads to that domain."""
    error = _error(kind, PublicUrl="https://api.example.com/keys/v1")

    assert f"https://api.example.com/keys/v1/docs#{error['code']}" == error["docs"]


@each_kind
def test_a_body_contains_nothing_that_a_caller_sent(kind: str) -> None:
    """A body has no variable that a caller controls, so no request can break the JSON or add text."""
    assert "$" not in _body(kind)


@each_error
def test_a_response_has_the_headers_of_its_error(kind: str, error: ErrorType) -> None:
    """A response has the request id and no-store, a challenge with 401, and retry-after if the catalog has one."""
    expected = {"cache-control": "'no-store'", "x-request-id": "context.requestId"}
    if error.status == 401:
        expected["www-authenticate"] = "'Bearer'"
    if error.retry_after_seconds is not None:
        expected["retry-after"] = f"'{error.retry_after_seconds}'"

    assert expected == _headers(kind)
    assert ("retry-after" in expected) == (error.status in RETRYABLE)


@each_kind
def test_pages_of_the_first_allowed_origin_can_read_it(kind: str) -> None:
    """Pages of the first allowed origin can read the error. API Gateway can name one fixed origin only."""
    without = _headers(kind)
    headers = _headers(kind, AllowedOrigins="https://app.example.com,https://admin.example.com")

    assert {**without, "access-control-allow-origin": "'https://app.example.com'", "vary": "'Origin'"} == headers


def _responses(**parameters: str) -> dict[str, dict[str, Json]]:
    responses = mapping(properties("Api", **parameters)["GatewayResponses"], "GatewayResponses")
    return {kind: mapping(response, kind) for kind, response in responses.items()}


def _headers(kind: str, **parameters: str) -> dict[str, Json]:
    response = _responses(**parameters)[kind]
    return mapping(mapping(response["ResponseParameters"], kind)["Headers"], kind)


def _body(kind: str, **parameters: str) -> str:
    """Return the body as API Gateway sends it, with the variables of the context replaced."""
    templates = mapping(_responses(**parameters)[kind]["ResponseTemplates"], kind)
    assert set(templates) == {"application/json"}
    template = text(templates["application/json"], kind)
    return re.sub(r"\$context(\.[A-Za-z]+)+", lambda variable: CONTEXT[variable[0]], template)


def _error(kind: str, **parameters: str) -> dict[str, str]:
    error: dict[str, str] = json.loads(_body(kind, **parameters))["error"]
    return error
