"""The logger: timestamps in Lambda's format, and descriptions of errors without secrets."""

from __future__ import annotations

import json
import logging
import time

import pytest

from keywright.log import describe, logger, timestamp, write

SECONDS = 1767357296.789
RFC_3339 = "2026-01-02T12:34:56.789Z"


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns"])
def test_timestamps_are_rfc_3339_in_utc(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """The logger and `timestamp` write the same form, in any time zone of the machine."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        record = logging.LogRecord("keywright", logging.INFO, __file__, 1, "purge", (), None)
        record.created, record.msecs = SECONDS, 789.0
        line = json.loads(logger().registered_formatter.format(record))
        written = timestamp(SECONDS)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert RFC_3339 == line["timestamp"]
    assert RFC_3339 == written


def test_a_line_has_the_form_of_the_loggers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has every field of the logger's line but its place in the code, among them the trace of the invocation."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-67890abc-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1")
    monkeypatch.setattr(time, "time", lambda: SECONDS)
    record = logging.LogRecord("keywright", logging.INFO, __file__, 1, "request", (), None)
    record.created, record.msecs = SECONDS, 789.0
    record.status = 200
    of_logger = json.loads(logger().registered_formatter.format(record))

    write("request", {"status": 200, "reason": None})

    del of_logger["location"]
    assert of_logger == json.loads(capsys.readouterr().out)


def test_a_description_has_the_causes_and_no_secrets() -> None:
    """Texts of 40 or more characters of base64url are redacted, in causes as well; UUIDs stay."""
    secret, identifier = "s3cret-" * 6, "0192f3a4-b5c6-7d8e-9fa0-b1c2d3e4f506"
    error = ValueError(f"outer {identifier}")
    error.__cause__ = KeyError(secret)

    text = describe(error)

    assert f"ValueError: outer {identifier}" in text
    assert "KeyError: '[redacted]'" in text
    assert secret not in text
