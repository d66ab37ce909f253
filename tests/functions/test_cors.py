"""CORS headers of a function's answers; which paths answer preflight requests is tested in tests/template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.client import VALID_BODY, calling

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("create_api_key")


def test_allowed_origins_get_their_headers(call: Call, setting: Callable[[str, str], None]) -> None:
    """An answer to an allowed origin carries CORS headers."""
    setting("ALLOWED_ORIGINS", "https://a.example,https://b.example")

    headers = call(VALID_BODY, headers={"origin": "https://b.example"})["headers"]

    assert "https://b.example" == headers["access-control-allow-origin"]
    assert "origin" == headers["vary"]
    assert "x-request-id" in headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://c.example", "null", "https://a.example.evil.example", "HTTPS://A.EXAMPLE"])
def test_other_origins_get_none(call: Call, setting: Callable[[str, str], None], origin: str) -> None:
    """An origin that is not on the list, compared exactly, gets no CORS headers."""
    setting("ALLOWED_ORIGINS", "https://a.example")

    headers = call(VALID_BODY, headers={"Origin": origin})["headers"]

    assert [] == [name for name in headers if name.startswith("access-control")]


def test_by_default_no_origin_is_allowed(call: Call) -> None:
    """Without allowed origins there are no CORS headers."""
    headers = call(VALID_BODY, headers={"origin": "https://a.example"})["headers"]

    assert {"content-type", "cache-control", "x-request-id"} == headers.keys()


@pytest.mark.parametrize("origin", ["https://a.example", "https://b.example"])
def test_preflight(call: Call, setting: Callable[[str, str], None], origin: str) -> None:
    """Only an allowed origin learns the allowed method and headers from a preflight, which has no credentials."""
    setting("ALLOWED_ORIGINS", "https://a.example")

    answer = call("", httpMethod="OPTIONS", headers={"origin": origin}, requestContext={"requestId": "r"})

    named = {name: value for name, value in answer["headers"].items() if name.startswith("access-control")}
    assert 204 == answer["statusCode"]
    assert "" == answer["body"]
    assert "no-store" == answer["headers"]["cache-control"]
    if origin == "https://b.example":
        assert {} == named
        return
    assert "https://a.example" == named["access-control-allow-origin"]
    assert "POST" in named["access-control-allow-methods"]
    assert {"authorization", "content-type"} <= set(named["access-control-allow-headers"].split(", "))
