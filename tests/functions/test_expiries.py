"""The expiry of a key in the table: written, replaced and deleted with the key, in the same request."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest

from keywright import clock
from keywright.aws import retries
from keywright.operators import keys as operator_keys
from tests.support import faults
from tests.support.announcements import expiries, expiries_of_keys
from tests.support.client import VALID_BODY
from tests.support.imported_keys import OPERATOR, imported, new_text
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from botocore.awsrequest import AWSPreparedRequest

    from tests.support.client import Call
    from tests.support.world import Table

NOON = "2030-01-31T12:00:00.000Z"
AT, LATER = "2031-01-31T12:00:00.000Z", "2031-06-30T00:00:00.000Z"
ORGANIZATION = UUID(ORGANIZATION_ID)
CHECKS = 2
"""Conditions of a member's change: on the member and on the organization."""


@contextmanager
def counted() -> Iterator[tuple[list[str], Counter[str]]]:
    """Yield the operations that are sent, and the steps of their transactions by kind; filled as they are sent."""
    operations: list[str] = []
    steps: Counter[str] = Counter()

    def hook(request: AWSPreparedRequest, operation: str) -> None:
        operations.append(operation)
        if operation == "TransactWriteItems":
            items = json.loads(cast("bytes", request.body))["TransactItems"]
            steps.update(kind for item in items for kind in item)

    with faults.intercepted(retries.dynamodb(), hook):
        yield operations, steps


def put_key(table: Table, at: str | None, **attributes: Any) -> None:
    """Write a key with or without an expiry, as a request does."""
    table.put_unused()
    table.put_key(**({} if at is None else {"expires_at": at}), **attributes)
    if at is not None:
        table.put(pk="EXPIRIES", sk=f"{at}#{ORGANIZATION_ID}#{KEY_ID}")


@pytest.mark.parametrize("at", [None, AT], ids=["never", "expires"])
def test_a_create_takes_one_request_and_one_more_write_with_an_expiry(
    functions: Callable[[str], Call], at: str | None
) -> None:
    """Without `expiresAt`, a create writes the key, its usage and the audit record; with it, also the expiry."""
    call = functions("create_api_key")

    with counted() as (operations, steps):
        call.data(VALID_BODY if at is None else VALID_BODY | {"expiresAt": at})

    assert ["TransactWriteItems"] == operations
    assert {"ConditionCheck": CHECKS, "Put": 3 if at is None else 4} == steps
    assert expiries_of_keys(call.table) == expiries(call.table).keys()
    assert (at is not None) == bool(expiries(call.table))


@pytest.mark.parametrize(
    ("before", "after", "puts", "deletes"),
    [
        pytest.param(None, None, 0, 0, id="never, removed"),
        pytest.param(None, AT, 1, 0, id="set"),
        pytest.param(AT, LATER, 1, 1, id="changed"),
        pytest.param(AT, AT, 0, 0, id="set to what it is"),
        pytest.param(AT, None, 0, 1, id="removed"),
        pytest.param(AT, "unchanged", 0, 0, id="another field"),
    ],
)
def test_a_change_replaces_the_expiry(
    functions: Callable[[str], Call], before: str | None, after: str | None, puts: int, deletes: int
) -> None:
    """PATCH takes two requests, and a write and a deletion only for an expiry that changes."""
    call = functions("update_api_key")
    put_key(call.table, before)

    with counted() as (operations, steps):
        call.data({"name": "new"} if after == "unchanged" else {"expiresAt": after})

    assert ["BatchGetItem", "TransactWriteItems"] == operations
    assert {"ConditionCheck": CHECKS, "Put": 2 + puts} | ({"Delete": deletes} if deletes else {}) == steps
    assert expiries_of_keys(call.table) == expiries(call.table).keys()


@pytest.mark.parametrize("function", ["delete_api_key", "revoke_current_api_key"])
@pytest.mark.parametrize("at", [None, AT], ids=["never", "expires"])
def test_a_deleted_key_leaves_no_expiry(functions: Callable[[str], Call], function: str, at: str | None) -> None:
    """A deletion takes as many requests as before, and one more step for a key that expires."""
    call = functions(function)
    put_key(call.table, at)

    with counted() as (operations, steps):
        call.data(**({"key_id": KEY_ID} if function == "delete_api_key" else {}))

    assert ["BatchGetItem", "TransactWriteItems"] == operations
    assert (2 if at is None else 3) == steps["Delete"]
    assert {} == expiries(call.table)


def test_a_rotation_keeps_the_expiry(functions: Callable[[str], Call]) -> None:
    """A rotated key expires when it would have, and what was noticed stays."""
    call = functions("rotate_api_key")
    put_key(call.table, AT)
    call.table.put(pk="EXPIRIES", sk=f"{AT}#{ORGANIZATION_ID}#{KEY_ID}", noticed=30)

    with counted() as (_, steps):
        call.data()

    assert {"ConditionCheck": CHECKS, "Put": 2} == steps
    assert {f"{AT}#{ORGANIZATION_ID}#{KEY_ID}": 30} == expiries(call.table)


@pytest.mark.parametrize("at", [None, AT], ids=["never", "expires"])
def test_an_imported_key_has_its_expiry(functions: Callable[[str], Call], at: str | None) -> None:
    """An import writes the expiry with the key, and the operator's revocation deletes it."""
    table = functions("get_api_key").table
    moment: dict[str, Any] = {} if at is None else {"expires_at": clock.stored(at)}

    key_id = imported(new_text(), **moment).key_id

    assert key_id
    assert expiries_of_keys(table) == expiries(table).keys()
    assert (at is not None) == bool(expiries(table))
    assert operator_keys.revoke_key(OPERATOR, ORGANIZATION, key_id)
    assert {} == expiries(table)


@pytest.mark.parametrize(
    ("at", "noticed"),
    [
        pytest.param("2030-03-02T12:00:00.001Z", None, id="more than 30 days"),
        pytest.param("2030-03-02T12:00:00.000Z", 30, id="30 days"),
        pytest.param("2030-02-10T12:00:00.000Z", 30, id="10 days"),
        pytest.param("2030-02-07T12:00:00.000Z", 7, id="7 days"),
        pytest.param("2030-02-01T12:00:00.000Z", 1, id="a day"),
        pytest.param("2030-01-31T12:00:00.001Z", 1, id="a millisecond"),
    ],
)
@pytest.mark.parametrize("function", ["create_api_key", "update_api_key"])
def test_notices_that_were_due_before_are_not_given(
    functions: Callable[[str], Call],
    stop_clock: Callable[[str], datetime],
    function: str,
    at: str,
    noticed: int | None,
) -> None:
    """GIVEN a key that is made to expire in ten days THEN the notice of 30 days counts as given."""
    stop_clock(NOON)
    call = functions(function)
    if function == "update_api_key":
        put_key(call.table, AT)

    call.data(VALID_BODY | {"expiresAt": at} if function == "create_api_key" else {"expiresAt": at})

    assert [noticed] == list(expiries(call.table).values())


def test_a_refused_create_leaves_no_expiry(functions: Callable[[str], Call]) -> None:
    """GIVEN an organization that is scheduled for deletion THEN neither key nor expiry is written."""
    call = functions("create_api_key")
    call.table.freeze()

    assert 410 == call.refused(VALID_BODY | {"expiresAt": AT}).status
    assert {} == expiries(call.table)
