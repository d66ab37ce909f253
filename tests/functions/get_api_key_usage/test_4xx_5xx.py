"""GET /v1/auth/api-keys/{id}/usage: refusals of its query. tests/functions has those of every endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import faults
from tests.support.client import Refusal, calling

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

call = calling("get_api_key_usage")

RANGE = "Send a day from 2027-12-03 to 2028-03-01. Days are in UTC."
FORM = "Write it as in 2030-01-31. Days are in UTC."
NAMES = "The query parameters are: from, to."
ORDER = "Both days are included. Send the earlier one as from, or omit to for the uses until today."


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        ({"from": "2027-12-02"}, "from must be one of the last 90 days", RANGE),
        ({"to": "2027-12-02"}, "to must be one of the last 90 days", RANGE),
        ({"from": "2028-03-02"}, "from must be one of the last 90 days", RANGE),
        ({"to": "2028-03-02"}, "to must be one of the last 90 days", RANGE),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "from must be one of the last 90 days", RANGE),
        ({"from": "2028-03-01", "to": "2028-02-29"}, "from must not be after to", ORDER),
        ({"from": "2027-02-29"}, "from must be a date", FORM),
        ({"to": "2028-03-00"}, "to must be a date", FORM),
        ({"from": "2028-13-01"}, "from must be a date", FORM),
        ({"from": "0000-01-01"}, "from must be a date", FORM),
        ({"from": ""}, "from must be a date", FORM),
        ({"from": " 2028-03-01"}, "from must be a date", FORM),
        ({"from": "20280301"}, "from must be a date", FORM),
        ({"from": "2028-W09-3"}, "from must be a date", FORM),
        ({"from": "2028-3-1"}, "from must be a date", FORM),
        ({"from": "2028-03-01T00:00:00Z"}, "from must be a date", FORM),
        ({"from": "\N{ARABIC-INDIC DIGIT TWO}028-03-01"}, "from must be a date", FORM),
        ({"from": "today", "to": "now"}, "from must be a date; to must be a date", FORM),
        ({"From": "2028-03-01"}, "From is not a query parameter of this request", "Did you mean from?"),
        ({"from_": "2028-03-01"}, "from_ is not a query parameter of this request", "Did you mean from?"),
        (
            {"since": "2028-03-01"},
            "since is not a query parameter of this request",
            "The query parameters are: from, to.",
        ),
    ],
    ids=str,
)
def test_400_names_the_parameter_and_the_remedy(
    call: Call, stop_clock: Callable[[str], datetime], query: dict[str, str], message: str, hint: str
) -> None:
    """A refusal names the parameter and what to send instead, and nothing is read."""
    stop_clock("2028-03-01T00:00:00.000Z")
    call.table.put_key()

    with faults.injected() as operations:
        refusal = call.refused(query=query)

    assert Refusal(400, "BAD_REQUEST", message, hint, None) == refusal
    assert [] == operations
