"""The envelope of responses: `{"data": ..., "error": ...}`, and `pagination` in lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Generic, TypeVar

from keywright.errors import UNAUTHORIZED
from keywright.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from keywright.api.lambda_types import ProxyAnswer
    from keywright.errors import ServiceError


@immutable
class Pagination:
    """The position of a page in its list.

    Attributes:
        limit: the maximum number of items on the page.
        next_cursor: the `starting_after` of the next page; None on the last page.
    """

    limit: int
    next_cursor: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the `pagination` of a response."""
        return {"limit": self.limit, "has_more": self.next_cursor is not None, "next_cursor": self.next_cursor}


Item_co = TypeVar("Item_co", bound="BaseModel", covariant=True)


@immutable
class Listing(Generic[Item_co]):
    """A page of a list, newest first."""

    items: Sequence[Item_co]
    pagination: Pagination


@immutable
class Replayed:
    """The answer to an earlier request with the same Idempotency-Key."""

    data: BaseModel


@immutable
class Unwrapped(Generic[Item_co]):
    """A list outside of the envelope, for a caller with a protocol of its own: JSON text."""

    text: str


def success(
    data: Mapping[str, object] | Sequence[object], headers: Mapping[str, str], pagination: Pagination | None = None
) -> ProxyAnswer:
    """Return a response with data."""
    return _answer(200, {"data": data, "error": None}, headers, pagination)


def unwrapped(content: Unwrapped[Item_co], headers: Mapping[str, str]) -> ProxyAnswer:
    """Return a response without the envelope."""
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json", "cache-control": "no-store", **headers},
        "body": content.text,
    }


def failure(
    error: ServiceError, base_url: str, headers: Mapping[str, str], pagination: Pagination | None = None
) -> ProxyAnswer:
    """Return a response with an error.

    Args:
        error: the error.
        base_url: the address of this API, which the link to the error's documentation begins with.
        headers: the headers of every response; those of the error are added.
        pagination: of the list, if the request was for one.
    """
    kind = error.error
    body = {"data": None, "error": error_body(error, base_url)}
    extra = retry_header(error)
    if kind.code == UNAUTHORIZED.code:
        extra["www-authenticate"] = "Bearer"  # RFC 6750, section 3
    return _answer(kind.status, body, {**headers, **extra}, pagination)


def error_body(error: ServiceError, base_url: str) -> dict[str, str | None]:
    """Return an error as answers show it.

    Args:
        error: the error.
        base_url: what the link to the error's documentation begins with.
    """
    return {
        "code": error.error.code,
        "message": error.message,
        "hint": error.hint,
        "docs": f"{base_url}/docs#{error.error.code}",
    }


def retry_header(error: ServiceError) -> dict[str, str]:
    """Return the header that says when to repeat the request, if the error says so."""
    seconds = error.error.retry_after_seconds
    return {} if seconds is None else {"retry-after": str(seconds)}


def _answer(
    status: int, body: Mapping[str, object], headers: Mapping[str, str], pagination: Pagination | None
) -> ProxyAnswer:
    content = body if pagination is None else {**body, "pagination": pagination.as_json()}
    # ASCII only, so that every proxy and client can read it. Responses of this API must not be cached.
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store", **headers},
        "body": json.dumps(content, separators=(",", ":"), allow_nan=False),
    }
