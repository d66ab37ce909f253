"""The endpoints that are called with a session: what each needs, what it sends to DynamoDB, what it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import VALID_BODY, Refusal
from tests.support.world import Table, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

NO_PAGE = {"limit": 10, "has_more": False, "next_cursor": None}
"""The pagination of a list without items, and of a list that is refused."""


def _put_record(table: Table) -> None:
    table.put_audit(nth_id(1))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint, with a request that succeeds.

    Attributes:
        name: the folder of its function.
        requests: the requests to DynamoDB of a success, in order.
        event: its event in the audit log; None if it only reads.
        writes: number of items of its transaction.
        body: the body of the request.
        prepare: writes what the request is about.
        role: the least role that may send it.
        is_list: whether its answers have a pagination, refusals included.
        hashes: number of Argon2id hashes of a success.
    """

    name: str
    requests: tuple[str, ...]
    event: str | None = None
    writes: int = 0
    body: dict[str, Any] | None = None
    prepare: Callable[[Table], object] = Table.put_key
    role: str = "admin"
    is_list: bool = False
    hashes: int = 0

    @property
    def forbidden(self) -> Refusal:
        """Return the answer to a caller who may not send the request."""
        hints = {
            "admin": "Ask an owner or admin of the organization to do it, or to change your role.",
            "owner": "Only an owner of the organization can do this.",
            "member": "Only a member who is not suspended can do this. "
            "Check that you are signed in to the right organization.",
        }
        return Refusal(
            status=403,
            code="FORBIDDEN",
            message="You are not allowed to do this in this organization",
            hint=hints[self.role],
            pagination=NO_PAGE if self.is_list else None,
        )


READ, QUERY, WRITE = "BatchGetItem", "Query", "TransactWriteItems"

CREATE = Endpoint("create_api_key", (WRITE,), "api_key.created", 5, body=VALID_BODY, hashes=1)
LIST = Endpoint("list_api_keys", (READ, QUERY, READ), is_list=True)
GET = Endpoint("get_api_key", (READ,))
GET_USAGE = Endpoint("get_api_key_usage", (READ,))
UPDATE = Endpoint("update_api_key", (READ, WRITE), "api_key.updated", 4, body={"name": "New"})
ROTATE = Endpoint("rotate_api_key", (READ, WRITE), "api_key.rotated", 4, hashes=1)
DELETE = Endpoint("delete_api_key", (READ, WRITE), "api_key.deleted", 5)
GET_ORGANIZATION = Endpoint("get_current_organization", (READ,), role="member")
LIST_RECORDS = Endpoint("list_audit_logs", (READ, QUERY), prepare=_put_record, is_list=True)
REQUEST_DELETION = Endpoint(
    "request_organization_deletion", (WRITE,), "organization.deletion_requested", 4, role="owner"
)
CANCEL_DELETION = Endpoint(
    "cancel_organization_deletion",
    (READ, WRITE),
    "organization.deletion_canceled",
    5,
    prepare=Table.freeze,
    role="owner",
)
VERIFY = Endpoint("verify_api_key", (READ,), body={"key": "kk_0"})
VERIFY_BATCH = Endpoint("verify_api_keys", (READ,), body={"verifications": [{"key": "kk_0"}]})
"""Called by backends, without a session."""
CURRENT = Endpoint("get_current_api_key", (READ,))
REVOKE_CURRENT = Endpoint("revoke_current_api_key", (READ, WRITE), "api_key.deleted", 4)
"""Called by the holders of keys, without a session."""

READING = (LIST, GET, GET_USAGE, GET_ORGANIZATION, LIST_RECORDS)
WRITING = (CREATE, UPDATE, ROTATE, DELETE, REQUEST_DELETION, CANCEL_DELETION)
OF_ONE_KEY = (GET, GET_USAGE, UPDATE, ROTATE, DELETE)
CHANGING_A_KEY = (UPDATE, ROTATE, DELETE)


def each(*endpoints: Endpoint) -> pytest.MarkDecorator:
    """Run a test for each of some endpoints."""
    return pytest.mark.parametrize("endpoint", endpoints, ids=lambda endpoint: endpoint.name)
