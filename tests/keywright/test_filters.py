"""Filters of lists: each one that a query accepts reaches the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from keywright.api.schemas import ListApiKeysQuery, ListAuditLogsQuery, PageQuery
from keywright.domain.principals import Member
from keywright.keys import manage
from keywright.organizations import audit_log
from keywright.store import api_keys, audit, authorization, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

CALLER = Member(UUID(int=1), "user_1")
CURSOR = "01980000-0000-7000-8000-000000000001"
PAGE = {"limit": "7", "starting_after": CURSOR}
API_KEYS = {"enabled": "true", "permission": "sessions:read", "expires_before": "2030-01-31T12:00:00Z"}
AUDIT_LOGS = {
    "event": "api_key.created",
    "actor_type": "system",
    "actor_user_id": "user_1",
    "actor_api_key_id": CURSOR,
    "target_id": CURSOR,
    "created_from": "2026-01-01T00:00:00Z",
    "created_to": "2026-01-01T00:00:00Z",
}
"""A value of each filter."""


@pytest.fixture
def read(environment: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The arguments of each reading of a list, in place of the readings."""
    readings: list[tuple[object, ...]] = []

    def newest(*arguments: object) -> Iterator[Any]:
        readings.append(arguments[:4])  # without the time
        return iter(())

    environment.setattr(authorization, "read_as", lambda *_: {})
    environment.setattr(usage, "read_usage", lambda *_: {})
    environment.setattr(api_keys, "newest_api_keys", newest)
    environment.setattr(audit, "newest_records", newest)
    return readings


LISTS = [(ListApiKeysQuery, manage.list_keys, API_KEYS), (ListAuditLogsQuery, audit_log.list_logs, AUDIT_LOGS)]


@pytest.mark.parametrize(("query", "list_", "filters"), LISTS, ids=["keys", "audit log"])
def test_every_filter_is_tested(query: type[BaseModel], list_: object, filters: dict[str, str]) -> None:
    """A filter that is added to a query needs a value above."""
    del list_

    assert query.model_fields.keys() - PageQuery.model_fields.keys() == filters.keys()
    assert PageQuery.model_fields.keys() == PAGE.keys()


@pytest.mark.parametrize(
    ("query", "list_", "parameter", "value"),
    [
        pytest.param(query, list_, parameter, value, id=f"{query.__name__}-{parameter}")
        for query, list_, filters in LISTS
        for parameter, value in {**filters, **PAGE}.items()
    ],
)
def test_every_parameter_changes_what_is_read(
    read: list[tuple[object, ...]],
    query: type[BaseModel],
    list_: Callable[[Member, BaseModel], object],
    parameter: str,
    value: str,
) -> None:
    """GIVEN a list with one parameter and without THEN two different readings are made."""
    list_(CALLER, query.model_validate({}))
    list_(CALLER, query.model_validate({parameter: value}))

    assert 2 == len(read)
    assert read[0] != read[1]
