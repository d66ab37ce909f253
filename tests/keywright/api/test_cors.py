"""CORS headers: for listed origins only, exactly as they are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.api import cors

if TYPE_CHECKING:
    from collections.abc import Callable

ALLOWED = "https://app.example.com"
OTHERS = [
    None,
    "",
    "null",
    "*",
    "https://evil.example.com",
    "http://app.example.com",
    "https://app.example.com/",
    "https://APP.example.com",
    "https://app.example.com.evil.example",
    "https://app.example.com:8443",
]


def test_a_listed_origin_gets_its_own_name(setting: Callable[[str, str], None]) -> None:
    """The answer names the origin of the request, and caches keep it for this origin only."""
    setting("ALLOWED_ORIGINS", f"https://b.example.com,{ALLOWED}")

    assert {
        "vary": "origin",
        "access-control-allow-origin": ALLOWED,
        "access-control-expose-headers": "x-request-id, retry-after, www-authenticate, idempotent-replayed",
    } == cors.response_headers(ALLOWED)
    assert {
        **cors.response_headers(ALLOWED),
        "access-control-allow-methods": "GET, POST, PATCH, DELETE, OPTIONS",
        "access-control-allow-headers": "authorization, content-type, idempotency-key, x-api-key",
        "access-control-max-age": "600",
    } == cors.preflight_headers(ALLOWED)


@pytest.mark.parametrize("origin", OTHERS)
def test_another_origin_gets_no_permission(setting: Callable[[str, str], None], origin: str | None) -> None:
    """The answer says only that it depends on the origin, so that no cache shows it to a listed one."""
    setting("ALLOWED_ORIGINS", ALLOWED)

    assert {"vary": "origin"} == cors.response_headers(origin)
    assert {"vary": "origin"} == cors.preflight_headers(origin)


@pytest.mark.parametrize("origin", [*OTHERS, ALLOWED])
def test_without_listed_origins_there_are_no_headers(setting: Callable[[str, str], None], origin: str | None) -> None:
    """By default no page of another origin may call the API."""
    setting("ALLOWED_ORIGINS", "")

    assert {} == cors.response_headers(origin)
    assert {} == cors.preflight_headers(origin)
