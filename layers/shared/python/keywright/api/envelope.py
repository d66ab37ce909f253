"""The one shape of every answer: `{"data": ..., "error": ...}`, and `pagination` with lists."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from keywright.errors import UNAUTHORIZED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from keywright.api.lambda_types import ProxyAnswer
    from keywright.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Pagination:
    """Where a page stands in its list.

    Attributes:
        limit: the items that were asked for.
        next_cursor: what `starting_after` takes for the next page; None on the last one.
    """

    limit: int
    next_cursor: str | None = None

    def as_json(self) -> dict[str, object]:
        """Write it as answers have it."""
        return {"limit": self.limit, "has_more": self.next_cursor is not None, "next_cursor": self.next_cursor}


Item_co = TypeVar("Item_co", bound="BaseModel", covariant=True)


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item_co]):
    """A page of a list, newest first."""

    items: Sequence[Item_co]
    pagination: Pagination


@dataclass(frozen=True, slots=True)
class Replayed:
    """The answer that an earlier request with the same Idempotency-Key got."""

    data: BaseModel


def success(
    data: Mapping[str, object] | Sequence[object], headers: Mapping[str, str], pagination: Pagination | None = None
) -> ProxyAnswer:
    """Answer 200 with data."""
    return _answer(200, {"data": data, "error": None}, headers, pagination)


def failure(
    error: ServiceError, base_url: str, headers: Mapping[str, str], pagination: Pagination | None = None
) -> ProxyAnswer:
    """Answer with an error of the catalogue.

    Args:
        error: what is wrong, in public words.
        base_url: the address of this API, under which the documentation of the error is found.
        headers: sent in any case; those that belong to the error are added.
        pagination: of the list that could not be given.
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
    return _answer(kind.status, body, {**headers, **extra}, pagination)


def _answer(
    status: int, body: Mapping[str, object], headers: Mapping[str, str], pagination: Pagination | None
) -> ProxyAnswer:
    content = body if pagination is None else {**body, "pagination": pagination.as_json()}
    # ASCII only, so that no character of a body can trouble what carries it; and no answer of this API may be cached.
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store", **headers},
        "body": json.dumps(content, separators=(",", ":"), allow_nan=False),
    }
