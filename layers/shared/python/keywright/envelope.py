"""The one shape of every answer: `{"data": ..., "error": ...}`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from keywright.errors import UNAUTHORIZED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keywright.apigateway import ProxyAnswer
    from keywright.errors import ServiceError


def success(data: Mapping[str, object], headers: Mapping[str, str]) -> ProxyAnswer:
    """Answer 200 with data."""
    return _answer(200, {"data": data, "error": None}, headers)


def failure(error: ServiceError, base_url: str, headers: Mapping[str, str]) -> ProxyAnswer:
    """Answer with an error of the catalogue.

    Args:
        error: what is wrong, in public words.
        base_url: the address of this API, under which the documentation of the error is found.
        headers: sent in any case; those that belong to the error are added.
    """
    kind = error.error
    body = {
        "data": None,
        "error": {
            "code": kind.code,
            "message": error.message,
            "hint": error.hint,
            "docs": f"{base_url}/docs#{kind.code}",
        },
    }
    extra = {}
    if kind.retry_after_seconds is not None:
        extra["retry-after"] = str(kind.retry_after_seconds)
    if kind is UNAUTHORIZED:
        extra["www-authenticate"] = "Bearer"  # RFC 6750, section 3
    return _answer(kind.status, body, {**headers, **extra})


def _answer(status: int, body: Mapping[str, object], headers: Mapping[str, str]) -> ProxyAnswer:
    # ASCII only, so that no character of a body can trouble what carries it; and no answer of this API may be cached.
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store", **headers},
        "body": json.dumps(body, separators=(",", ":"), allow_nan=False),
    }
