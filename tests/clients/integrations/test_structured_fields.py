"""The parser that tests read the headers of limits with."""

from __future__ import annotations

import pytest

from tests.clients.integrations.structured_fields import parse


def test_items_are_parsed_with_their_parameters() -> None:
    """A list of strings with integer parameters is parsed."""
    assert [("rate", {"r": 8, "t": 2}), ("quota", {"r": 0})] == parse('"rate";r=8;t=2, "quota";r=0')


@pytest.mark.parametrize(
    "field", ["", "rate;r=8", '"rate";r=8,', '"rate" "quota"', '"rate";r=1.5', '"rate";R=1', '"räte"', '"rate";r=8;']
)
def test_anything_else_is_refused(field: str) -> None:
    """A text that is not such a list is refused, so that the parser can fail a test."""
    with pytest.raises(ValueError, match=r"no (item|separator) at"):
        parse(field)
