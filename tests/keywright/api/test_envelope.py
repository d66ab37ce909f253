"""The shape of every answer."""

from __future__ import annotations

import json

import pytest

from keywright.api import envelope
from keywright.errors import CATALOGUE, UNAUTHORIZED, ErrorType, ServiceError

BASE_URL = "https://api.example.com/v1"


def test_success_holds_data_and_no_error() -> None:
    """`{"data": ..., "error": null}`, never cached."""
    answer = envelope.success({"id": "1"}, {"x-request-id": "r"})

    assert {
        "statusCode": 200,
        "headers": {"content-type": "application/json", "cache-control": "no-store", "x-request-id": "r"},
        "body": '{"data":{"id":"1"},"error":null}',
    } == answer


@pytest.mark.parametrize("error", CATALOGUE.values(), ids=CATALOGUE.keys())
def test_failure_holds_four_strings(error: ErrorType) -> None:
    """Code, message, hint and docs: none is ever empty, and docs leads to the error's own entry."""
    answer = envelope.failure(ServiceError(error), BASE_URL, {})
    body = json.loads(answer["body"])

    assert error.status == answer["statusCode"]
    assert {"data": None, "error": body["error"]} == body
    assert {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "docs": f"{BASE_URL}/docs#{error.code}",
    } == body["error"]
    assert all(body["error"].values())


def test_retry_after_comes_with_429_and_503_only() -> None:
    """Errors that a retry can resolve say how long to wait."""
    statuses = {
        error.status
        for error in CATALOGUE.values()
        if "retry-after" in envelope.failure(ServiceError(error), BASE_URL, {})["headers"]
    }

    assert {429, 503} == statuses


def test_401_names_the_scheme() -> None:
    """RFC 9110, section 15.5.2: a 401 must carry www-authenticate."""
    answer = envelope.failure(ServiceError(UNAUTHORIZED), BASE_URL, {})

    assert "Bearer" == answer["headers"]["www-authenticate"]


def test_the_private_reason_stays_private() -> None:
    """The reason for the log is not in the answer."""
    answer = envelope.failure(ServiceError(UNAUTHORIZED, reason="kid 7 is unknown"), BASE_URL, {})

    assert "kid 7" not in answer["body"]


def test_what_cannot_be_encoded_is_escaped() -> None:
    """Even a lone surrogate in a message travels as ASCII."""
    answer = envelope.failure(ServiceError(UNAUTHORIZED, "\ud800\N{SNOWMAN}"), BASE_URL, {})

    assert answer["body"].isascii()


def test_internal_error_has_the_contracts_message() -> None:
    """The message of a 500 is the published sentence, which callers match on."""
    assert "An unexpected error occurred" == CATALOGUE["INTERNAL_SERVER_ERROR"].message
