"""POST /v1/auth/api-keys: `expiresAt`, the time from which a key no longer works."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import VALID_BODY, calling

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

call = calling("create_api_key")

NOW = "2030-01-31T12:00:00.000Z"


def body(expires_at: object) -> dict[str, Any]:
    """Return a body with an expiry."""
    return VALID_BODY | {"expiresAt": expires_at}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        pytest.param("2031-01-31T12:00:00Z", "2031-01-31T12:00:00.000Z", id="seconds"),
        pytest.param("2031-01-31t12:00:00z", "2031-01-31T12:00:00.000Z", id="lower case"),
        pytest.param("2031-01-31T12:00:00.5Z", "2031-01-31T12:00:00.500Z", id="tenths"),
        pytest.param("2031-01-31T12:00:00.123Z", "2031-01-31T12:00:00.123Z", id="milliseconds"),
        pytest.param("2031-01-31T12:00:00.123999Z", "2031-01-31T12:00:00.123Z", id="microseconds"),
        pytest.param("2031-01-31T12:00:00.123999999Z", "2031-01-31T12:00:00.123Z", id="nanoseconds"),
        pytest.param("2031-01-31T12:00:00+00:00", "2031-01-31T12:00:00.000Z", id="UTC as an offset"),
        pytest.param("2031-01-31T12:00:00-00:00", "2031-01-31T12:00:00.000Z", id="an unknown zone"),
        pytest.param("2031-01-31T12:00:00+05:30", "2031-01-31T06:30:00.000Z", id="east"),
        pytest.param("2031-01-31T12:00:00-23:59", "2031-02-01T11:59:00.000Z", id="west, the day after"),
        pytest.param("2032-02-29T00:00:00Z", "2032-02-29T00:00:00.000Z", id="a leap day"),
        pytest.param("2030-01-31T12:00:00.001Z", "2030-01-31T12:00:00.001Z", id="in a millisecond"),
        pytest.param("2030-01-31T11:30:00-01:00", "2030-01-31T12:30:00.000Z", id="in the future elsewhere"),
        pytest.param("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z", id="the end of time"),
        pytest.param("9999-12-31T23:59:59.999+23:59", "9999-12-31T00:00:59.999Z", id="the end of time, in the east"),
    ],
)
def test_200_every_form_of_rfc_3339(call: Call, stop_clock: Callable[[str], datetime], sent: str, stored: str) -> None:
    """Every form of RFC 3339 is stored and audited in UTC with milliseconds."""
    stop_clock(NOW)

    call.data(body(sent))

    (key,) = call.table.under("KEY#")
    (record,) = call.table.under("AUDIT#")
    assert stored == key["expires_at"]
    assert stored == json.loads(record["changes"])["after"]["expiresAt"]


@pytest.mark.parametrize("sent", [VALID_BODY, body(None)])
def test_200_without_one_a_key_does_not_expire(call: Call, sent: dict[str, Any]) -> None:
    """A key without `expiresAt`, or with null, never expires."""
    call.data(sent)

    (key,) = call.table.under("KEY#")
    assert "expires_at" not in key


def test_200_the_expiry_comes_back(call: Call, functions: Callable[[str], Call]) -> None:
    """The stored expiry is returned."""
    key_id = call.data(body("2099-01-31T12:00:00+01:00"))["id"]

    assert "2099-01-31T11:00:00.000Z" == functions("get_api_key").data(key_id=key_id)["expiresAt"]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(NOW, id="now"),
        pytest.param("2030-01-31T12:00:00.000999Z", id="within this millisecond"),
        pytest.param("2030-01-31T11:59:59.999Z", id="a millisecond ago"),
        pytest.param("2030-01-31T12:30:00+01:00", id="in the past elsewhere"),
        pytest.param("0001-01-01T00:00:00Z", id="the first year"),
    ],
)
def test_400_a_time_in_the_past(call: Call, stop_clock: Callable[[str], datetime], sent: str) -> None:
    """An expiry in the past is refused."""
    stop_clock(NOW)

    refusal = call.refused(body(sent))

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert "expiresAt must be in the future" == refusal.message


MALFORMED: list[Any] = [
    *("", " ", "never", "null", "tomorrow", "2031", "2031-01", "2031-01-31", "12:00:00Z", "20310131T120000Z"),
    *("2031-01-31T12:00:00", "2031-01-31 12:00:00Z", "2031-01-31T12:00Z", "2031-01-31T12Z", "2031-1-31T12:00:00Z"),
    *("2031-W05-5T12:00:00Z", "2031-031T12:00:00Z", "2031-01-31T12:00:00,5Z", "2031-01-31T12:00:00.Z"),
    *("2031-01-31T12:00:00.1234567890Z", "2031-01-31T12:00:00 Z", " 2031-01-31T12:00:00Z", "2031-01-31T12:00:00Z\n"),
    *("2031-01-31T12:00:00+01", "2031-01-31T12:00:00+0100", "2031-01-31T12:00:00+1:00", "2031-01-31T12:00:00UTC"),
    *("2031-02-29T12:00:00Z", "2031-04-31T12:00:00Z", "2031-13-01T12:00:00Z", "2031-00-01T12:00:00Z"),
    *("2031-01-31T24:00:00Z", "2031-01-31T25:00:00Z", "2031-01-31T12:60:00Z", "2031-01-31T12:00:60Z"),
    *("2031-01-31T12:00:00+24:00", "2031-01-31T12:00:00+12:60", "2031-01-31T12:00:00-23:99"),
    *("10000-01-01T00:00:00Z", "+2031-01-31T12:00:00Z", "-2031-01-31T12:00:00Z", "0000-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01"),
    *("\N{FULLWIDTH DIGIT TWO}031-01-31T12:00:00Z", "2031-01-31T12:00:00\N{MINUS SIGN}01:00", "\ud800", "x" * 10_000),
    *(1927540800, 1927540800.5, True, False, [], {}, ["2031-01-31T12:00:00Z"]),
]


@pytest.mark.parametrize("sent", MALFORMED, ids=lambda sent: repr(sent)[:40])
def test_400_an_invalid_time(call: Call, sent: object) -> None:
    """The message names the rule; the hint shows a valid time."""
    refusal = call.refused(body(sent))

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert "expiresAt must be an RFC 3339 time" == refusal.message
    assert "Include the time zone, as in 2030-01-31T12:00:00Z." == refusal.hint
