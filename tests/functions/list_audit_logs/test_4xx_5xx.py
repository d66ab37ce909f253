"""GET /v1/auth/orgs/audit-logs: every refusal, each with its pagination."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.client import calling
from tests.support.endpoints import NO_PAGE

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("list_audit_logs")


TIMES = ["", "now", "2026-03-01", "2026-03-01T12:00:00", "2026-02-30T12:00:00Z", "1772366400"]
"""create_api_key/test_expires_at.py has all forms of wrong times."""
A_TIME = "must be an RFC 3339 time"
WRONG: dict[str, tuple[list[str], str]] = {
    "event": (
        [
            *("", ",", "api_key", "api_key.*", "API_KEY.CREATED", "api_key.created,", "api_key.created,unknown"),
            *("api_key.created;api_key.updated", "member.*", "\ud800"),
        ],
        "must be a comma-separated list of events",
    ),
    "actor_type": (
        ["", ",", "key", "USER", "user,", "user,key", "user;system", "api_*", "None", "\ud800"],
        "must be a comma-separated list of actor types",
    ),
    "created_from": (TIMES, A_TIME),
    "created_to": (TIMES, A_TIME),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, (values, _) in WRONG.items() for value in values],
    ids=lambda value: repr(value) if len(value) < 100 else "long",
)
def test_400_each_parameter(call: Call, name: str, value: str) -> None:
    """The message names the parameter and the rule it breaks."""
    refusal = call.refused(query={name: value})

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert f"{name} {WRONG[name][1]}" == refusal.message
    assert NO_PAGE == refusal.pagination


def test_400_hints_list_the_events(call: Call) -> None:
    """The hint lists the valid values."""
    hint = call.refused(query={"event": "api_key.revoked"}).hint

    assert "api_key.retired_secret_used, api_key.rotated, api_key.updated, member.added" in hint


def test_400_hints_list_the_types_of_actors(call: Call) -> None:
    """The hint lists the valid values."""
    hint = call.refused(query={"actor_type": "key"}).hint

    assert "Use any of: api_key, identity_provider, operator, system, user." == hint


def test_400_hints_at_the_name_of_the_filter(call: Call) -> None:
    """The name of the field in responses is not the name of the parameter: the hint has that."""
    assert "Did you mean actor_type?" == call.refused(query={"actorType": "user"}).hint


@pytest.mark.parametrize("name", ["created_from", "created_to"])
def test_400_hints_at_a_plus_that_became_a_space(call: Call, name: str) -> None:
    """An unencoded `+` of an offset arrives as a space: the hint says to encode it."""
    assert "%2B" in call.refused(query={name: "2026-03-01T12:00:00 01:00"}).hint
    assert "%2B" not in call.refused(query={name: "2026-03-01"}).hint
