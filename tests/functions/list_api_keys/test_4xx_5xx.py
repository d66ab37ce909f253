"""GET /v1/auth/api-keys: every refusal, each with its pagination."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.client import calling
from tests.support.endpoints import NO_PAGE

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("list_api_keys")


WRONG = {
    "enabled": (["", "True", "FALSE", "1", "0", "yes", "null", " true", "true,false"], "must be true or false"),
    "permission": (
        ["", "sessions", "sessions:fly", "Sessions:read", "sessions:read,webhooks:write", " sessions:read", "*"],
        "is not a permission of this service",
    ),
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


def test_400_hints_list_the_permissions(call: Call) -> None:
    """The hint lists the valid values."""
    assert "sessions:read" in call.refused(query={"permission": "sessions:fly"}).hint


def test_400_names_every_wrong_parameter(call: Call) -> None:
    """The message names up to three wrong parameters."""
    assert (
        "limit must be a whole number from 1 to 100; starting_after must be a cursor of this list; "
        "enabled must be true or false"
    ) == call.refused(query={"limit": "0", "starting_after": "x", "enabled": "x"}).message
