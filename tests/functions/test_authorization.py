"""Every endpoint that is called with a session: who may call it, and what everybody else is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from keywright.domain.permissions import Role, at_least
from tests.support import faults
from tests.support.client import meanwhile
from tests.support.endpoints import (
    CANCEL_DELETION,
    CHANGING_A_KEY,
    CREATE,
    NO_PAGE,
    READING,
    REQUEST_DELETION,
    WRITING,
    Endpoint,
    each,
)
from tests.support.world import KEY_ID, OTHER_ORGANIZATION_ID, STRANGERS, member, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call
    from tests.support.world import Table

REFUSED_WHILE_FROZEN = (CREATE, *CHANGING_A_KEY, REQUEST_DELETION)


def admin(table: Table) -> None:
    """Make `someone` an admin: a role that manages keys but does not own the organization."""
    table.put_member("someone", "admin")


FORBIDDEN = [
    *(
        (endpoint, stranger)
        for endpoint in (*READING, *WRITING)
        for stranger in STRANGERS
        if stranger is not member or endpoint.role != "member"
    ),
    *((endpoint, admin) for endpoint in (REQUEST_DELETION, CANCEL_DELETION)),
]
"""Each endpoint with the callers who may not call it."""


@pytest.mark.parametrize("role", Role)
@each(*READING, *WRITING)
def test_each_role_is_allowed_what_it_may(call: Call, endpoint: Endpoint, role: Role) -> None:
    """All members see the organization; owners and admins manage keys; only owners request and cancel deletions."""
    endpoint.prepare(call.table)
    call.table.put_member("someone", role)

    is_allowed = role in at_least(Role(endpoint.role))
    assert (200 if is_allowed else 403) == call(endpoint.body, user_id="someone")["statusCode"]


@each(*READING, *WRITING)
def test_401_an_expired_session_in_the_gateways_cache(call: Call, endpoint: Endpoint) -> None:
    """An expired session is refused even while API Gateway caches the authorizer's answer."""
    endpoint.prepare(call.table)
    expired = {"expiresAt": str(int(time.time()))}

    refusal = call.refused(endpoint.body, authorizer=expired)

    assert 401 == refusal.status
    assert "UNAUTHORIZED" == refusal.code
    assert (NO_PAGE if endpoint.is_list else None) == refusal.pagination
    assert "Bearer" == call(endpoint.body, authorizer=expired)["headers"]["www-authenticate"]


@each(*READING, *WRITING)
def test_401_without_an_authorizer(call: Call, endpoint: Endpoint) -> None:
    """A request without an authorizer's context is refused."""
    endpoint.prepare(call.table)
    context = {"requestId": "r", "stage": "v1", "domainName": "d"}

    assert 401 == call.refused(endpoint.body, requestContext=context).status


@pytest.mark.parametrize(
    ("endpoint", "arrange"), FORBIDDEN, ids=[f"{endpoint.name}-{caller.__name__}" for endpoint, caller in FORBIDDEN]
)
def test_403_is_one_answer_for_all(call: Call, endpoint: Endpoint, arrange: Callable[[Table], None]) -> None:
    """A forbidden caller learns neither the reason, nor whether a key exists, nor whether a deletion is scheduled."""
    call.table.put_key()
    arrange(call.table)

    answers = [call.refused(endpoint.body, user_id="someone", key_id=key_id) for key_id in (KEY_ID, nth_id(2))]
    call.table.freeze()
    answers.append(call.refused(endpoint.body, user_id="someone"))

    assert [endpoint.forbidden] * 3 == answers


@each(*READING)
def test_403_costs_one_request_to_dynamodb(call: Call, endpoint: Endpoint) -> None:
    """Nothing but the membership is read for a forbidden caller."""
    with faults.injected() as operations:
        call.refused(user_id="stranger")

    assert ["BatchGetItem"] == operations
    assert endpoint.forbidden == call.refused(user_id="stranger")


@each(*WRITING)
def test_an_organization_that_does_not_exist_is_not_created(call: Call, endpoint: Endpoint) -> None:
    """A membership without its organization grants nothing."""
    call.table.put_member("someone", "owner", OTHER_ORGANIZATION_ID)
    elsewhere = {"organizationId": OTHER_ORGANIZATION_ID}

    assert call.refused(endpoint.body, user_id="someone", authorizer=elsewhere).status in {403, 404, 409}


@pytest.mark.parametrize("change", [{"role": "member"}, {"suspended_at": "2026-01-01T00:00:00.000Z"}], ids=repr)
@each(*WRITING)
def test_403_for_a_role_lost_meanwhile(call: Call, endpoint: Endpoint, change: dict[str, str]) -> None:
    """The role at the time of the write counts, not that of the read before it."""
    endpoint.prepare(call.table)
    member = {"role": endpoint.role} | change
    before = call.table.items()
    lose_role = meanwhile(lambda: call.table.put_member("user_1", **member))

    with faults.injected(*[None] * (len(endpoint.requests) - 1), lose_role):
        refusal = call.fails(endpoint.body)

    assert endpoint.forbidden == refusal
    assert [item for item in before if item["sk"] != "MEMBER#user_1"] == [
        item for item in call.table.items() if item["sk"] != "MEMBER#user_1"
    ]


@each(*READING)
def test_reading_goes_on_in_a_frozen_organization(call: Call, endpoint: Endpoint) -> None:
    """Keys and audit log of an organization that is scheduled for deletion can still be read."""
    endpoint.prepare(call.table)
    call.table.freeze()

    assert 200 == call()["statusCode"]


@each(*REFUSED_WHILE_FROZEN)
def test_410_a_frozen_organization(call: Call, endpoint: Endpoint) -> None:
    """Owners and admins are told that the organization is scheduled for deletion."""
    endpoint.prepare(call.table)
    call.table.freeze()

    refusal = call.refused(endpoint.body)

    assert 410 == refusal.status
    assert "ORGANIZATION_FROZEN" == refusal.code


@each(*REFUSED_WHILE_FROZEN)
def test_410_an_organization_frozen_meanwhile(call: Call, endpoint: Endpoint) -> None:
    """The organization's state at the time of the write counts, not that of the read before it."""
    endpoint.prepare(call.table)
    key = call.table.under("KEY#")

    with faults.injected(*[None] * (len(endpoint.requests) - 1), meanwhile(call.table.freeze)):
        refusal = call.fails(endpoint.body)

    assert 410 == refusal.status
    assert key == call.table.under("KEY#")
    assert [] == call.table.under("AUDIT#")
