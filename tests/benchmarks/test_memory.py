"""Times and prices by memory size."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.memory import Measured, sizes_table
from tools.costs import Costs

PRICES = {
    "lambda_request": {"per": 1_000_000, "price": 0.2},
    "lambda_arm_gb_second": {"per": 1, "price": 0.000_01},
}
COSTS = Costs(
    {"as_of": "2026-01-01", "region": "us-east-1", "currency": "USD", "note": "", "prices": PRICES},
    {"numbers": {}, "ways": {}, "companies": {}},
)


def line(megabytes: float, warm: list[float]) -> dict[str, Any]:
    """Return the line of a memory size with these seconds of warm verifications."""
    table = sizes_table({megabytes: Measured([0.5, 0.7, 0.6], warm, [0.03])}, COSTS)
    return dict(zip(table.columns, table.rows[0], strict=True))


def test_a_processor_is_given_for_1769_megabytes() -> None:
    """The share of a processor is in proportion to memory."""
    assert [0.5, 1.0] == [line(megabytes, [0.001])["processors"] for megabytes in (1769 / 2, 1769)]


def test_times_are_in_milliseconds() -> None:
    """First answers and first uses are medians; warm verifications have percentiles."""
    shown = line(1024, [number / 1000 for number in range(1, 101)])

    columns = ("first answer ms", "warm p50 ms", "warm p99 ms", "first use of another key ms")
    assert [600, 50, 99, 30] == [shown[column] for column in columns]


@pytest.mark.parametrize(("seconds", "dollars"), [(0.005, 0.25), (0.0051, 0.26)], ids=["5 ms", "6 ms"])
def test_lambda_charges_whole_milliseconds(seconds: float, dollars: float) -> None:
    """A million warm verifications cost their requests, and their memory for each millisecond that began."""
    assert pytest.approx(dollars) == line(1024, [seconds])["dollars for a million warm"]
