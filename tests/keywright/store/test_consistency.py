"""Every read of the table is strongly consistent: an answer of a moment ago could revive a revoked key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from keywright.aws import retries
from keywright.domain.limits import Limits
from keywright.domain.permissions import Role
from keywright.domain.principals import Member
from keywright.store import api_keys, audit, authorization, credentials, limits, organizations, purges, table, usage
from keywright.store.api_keys import ApiKeyFilter
from keywright.store.audit import AuditFilter
from tests.support import faults
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest

    from tests.support.world import World

ORGANIZATION, KEY, NOW = UUID(ORGANIZATION_ID), UUID(KEY_ID), datetime(2026, 1, 1, tzinfo=UTC)
READS: dict[str, Callable[[], object]] = {
    "table.read": lambda: table.read(ORGANIZATION, ["ORG"]),
    "credentials.read": lambda: credentials.read(ORGANIZATION, KEY),
    "limits.read": lambda: limits.read(Limits(KEY, "key")),
    "usage.read_usage": lambda: usage.read_usage(ORGANIZATION, [KEY]),
    "authorization.read_as": lambda: authorization.read_as(Member(ORGANIZATION, "user_1"), Role.ADMIN),
    "organizations.members": lambda: list(organizations.members(ORGANIZATION)),
    "organizations.every_organization": lambda: list(organizations.every_organization(lambda _: None)),
    "api_keys.newest_api_keys": lambda: list(api_keys.newest_api_keys(ORGANIZATION, None, ApiKeyFilter(), 10)),
    "audit.newest_records": lambda: list(audit.newest_records(ORGANIZATION, None, AuditFilter(), 10, NOW)),
    "purges.due": lambda: list(purges.due(NOW)),
    "purges.began_at": lambda: purges.began_at(ORGANIZATION),
    "purges.remaining": lambda: purges.remaining(ORGANIZATION, 10),
}
"""Every way to read the table."""


def is_consistent(request: dict[str, Any]) -> bool:
    """Return whether a request is strongly consistent, for all tables that it reads."""
    parts = list(request["RequestItems"].values()) if "RequestItems" in request else [request]
    return all(part.get("ConsistentRead") is True for part in parts)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_read_is_strongly_consistent(world: World, read: Callable[[], object]) -> None:
    """GIVEN a change that was confirmed WHEN the table is read THEN the change is seen."""
    world.table.put_organization()
    world.table.put_member()
    world.table.put(pk=f"LIMIT#{KEY}", sk="LIMIT")
    requests: list[dict[str, Any]] = []

    def note(request: AWSPreparedRequest, _operation: str) -> None:
        requests.append(json.loads(request.body or b"{}"))  # type: ignore[arg-type]  # the stub names no bytes

    with faults.intercepted(retries.dynamodb(), note):
        read()

    assert requests
    assert [] == [request for request in requests if not is_consistent(request)]
