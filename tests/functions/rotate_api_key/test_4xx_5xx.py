"""POST /v1/auth/api-keys/{id}/rotate: every refusal, none of which writes anything."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from keywright.domain import key_text
from keywright.store import table
from tests.support.client import calling

if TYPE_CHECKING:
    from tests.support.client import Call

call = calling("rotate_api_key")

INVALID = [
    (-1, "must be at least 0"),
    (604_801, "must be at most 604800"),
    (10**30, "must be at most 604800"),
    (1.5, "must be a whole number"),
    ("60", "must be a whole number"),
    (True, "must be a whole number"),
    (None, "must be a whole number"),
    ([], "must be a whole number"),
    ({}, "must be a whole number"),
]


@pytest.mark.parametrize(("value", "rule"), INVALID, ids=[json.dumps(value)[:20] for value, _ in INVALID])
def test_400_each_invalid_grace_period(call: Call, value: object, rule: str) -> None:
    """The message names the field and the rule; the hint names the bounds."""
    call.table.put_key()

    refusal = call.refused({"gracePeriodSeconds": value})

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert f"gracePeriodSeconds {rule}" == refusal.message
    assert "gracePeriodSeconds is a whole number from 0 to 604800 (7 days)." == refusal.hint


def test_409_after_the_last_generation(call: Call) -> None:
    """A key's text has two bytes for the generation."""
    call.table.put_key(generation=65_535)

    refusal = call.refused()

    assert 409 == refusal.status
    assert "The API key was rotated 65535 times, which is the maximum" == refusal.message
    assert "Create a new key to replace it." == refusal.hint


def test_500_hides_the_exception(call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a generic message; the log gets the exception, with the key's text redacted."""
    call.table.put_key()
    made: list[str] = []
    encode = key_text.encode

    def recorded(prefix: str, payload: bytes, tag_key: bytes) -> str:
        made.append(encode(prefix, payload, tag_key))
        return made[-1]

    def broken(*_: object) -> None:
        raise RuntimeError(f"cannot store {made[0]}")

    monkeypatch.setattr(key_text, "encode", recorded)
    monkeypatch.setattr(table, "commit", broken)
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        refusal = call.refused()

    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert 500 == refusal.status
    assert "An unexpected error occurred" == refusal.message
    assert "RuntimeError: cannot store [redacted]" in logged
    assert made[0][-20:] not in logged
