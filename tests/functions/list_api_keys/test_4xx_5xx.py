"""GET /v1/auth/api-keys: every refusal, each with its pagination."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import faults
from tests.support.client import calling
from tests.support.world import KEY_ID, nth_id

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("list_api_keys")

NO_PAGE = {"limit": 10, "has_more": False, "next_cursor": None}
NO_PAGE_OF_25 = {"limit": 25, "has_more": False, "next_cursor": None}
ASKED_FOR_25 = {"limit": "25"}

WRONG = {
    "limit": (
        [
            *("0", "101", "-1", "+1", "1.5", "1e1", "abc", "", " 1", "1 ", "1\n", "1000", "9" * 5000),
            *("\N{ARABIC-INDIC DIGIT ONE}", "\N{SUPERSCRIPT TWO}", "0x1", "1_0", "true", "None"),
        ],
        "must be a whole number from 1 to 100",
    ),
    "starting_after": (
        [
            *("", "abc", "1", KEY_ID[:-1], KEY_ID + "0", KEY_ID.replace("-", ""), f"{{{KEY_ID}}}"),
            *(f"urn:uuid:{KEY_ID}", f"KEY#{KEY_ID}", f"{KEY_ID}\n", "\ud800", "null"),
        ],
        "must be a cursor of this list",
    ),
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


@pytest.mark.parametrize(
    "wrong", [{"starting_after": "x"}, {"enabled": "x"}, {"permission": "x"}], ids=lambda wrong: next(iter(wrong))
)
def test_400_repeats_a_valid_limit(call: Call, wrong: dict[str, str]) -> None:
    """The pagination of a refusal repeats a valid limit, even when another parameter is wrong."""
    assert NO_PAGE_OF_25 == call.refused(query=ASKED_FOR_25 | wrong).pagination


def test_503_within_the_functions_time(call: Call) -> None:
    """A filter that drops nearly all of many keys ends with 503 before Lambda ends the function."""
    long = "x" * 300_000
    for number in range(8):  # two megabytes: more than DynamoDB reads at once
        call.table.put_key(nth_id(number), metadata=f'{{"a":"{long}"}}')
    with faults.injected() as operations:
        refusal = call.with_time_left(1000).refused(query={"limit": "1", "enabled": "false"})

    assert 503 == refusal.status
    assert operations.count("Query") <= 1
