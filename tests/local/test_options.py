"""Reading the options from environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.options import OptionError, Options


def test_defaults() -> None:
    """Without variables, the service is where the examples of the documentation expect it."""
    options = Options.from_environment({})

    assert 8787 == options.port
    assert 28800 == options.demo_ttl_seconds
    assert options.empty is False
    assert options.events is False
    assert {} == options.parameters


def test_values() -> None:
    """Every variable is read. Numbers in PARAMETERS become strings, as in CloudFormation."""
    options = Options.from_environment(
        {
            "PORT": "0",
            "DEMO_TTL": "5",
            "EMPTY": "1",
            "EVENTS": "1",
            "PARAMETERS": '{"A": 8, "B": "x"}',
            "STACK_FILE": "/tmp/s.json",  # noqa: S108
        }
    )
    expected = Options(0, 5, empty=True, events=True, parameters={"A": "8", "B": "x"}, stack_file=Path("/tmp/s.json"))  # noqa: S108

    assert expected == options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "-1"),
        ("PORT", "65535"),
        ("PORT", "9" * 5000),
        ("PORT", "²"),
        ("DEMO_TTL", "0"),
        ("DEMO_TTL", "1.5"),
        ("EMPTY", "yes"),
        ("EVENTS", "all"),
        ("PARAMETERS", "KeyPrefix=dev_"),
        ("PARAMETERS", "[]"),
        ("PARAMETERS", '{"A": {}}'),
    ],
)
def test_invalid_value(name: str, value: str) -> None:
    """The message about an invalid value names the variable."""
    with pytest.raises(OptionError, match=f"^{name} must be "):
        Options.from_environment({name: value})
