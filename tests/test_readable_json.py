"""The JSON of computed files."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tools.readable_json import dumps

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=60,
)


@given(VALUES)
def test_the_value_stays_the_same(value: object) -> None:
    """Reading the text gives the value that was written."""
    assert value == json.loads(dumps(value))


def test_what_fits_is_on_one_line() -> None:
    """A short value is on one line, a long one has an entry a line, and a single entry opens on the line before."""
    rows = [{"name": "a" * 40, "value": number} for number in range(3)]

    row = '{"name": "' + "a" * 40 + '", "value": '
    assert f'{{"rows": [\n {row}0}},\n {row}1}},\n {row}2}}\n]}}\n' == dumps({"rows": rows})
