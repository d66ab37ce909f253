"""Parsing of request bodies."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.api.json_body import parse_object, quoted
from keywright.errors import BAD_REQUEST, ServiceError
from tests.support.depth import size

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=size("LEAVES", 10, full=100),
)


@given(st.dictionaries(st.text(), VALUES))
def test_an_object_comes_back_as_it_was(value: dict[str, object]) -> None:
    """Every number and character is kept."""
    assert value == parse_object(json.dumps(value).encode())


@given(st.binary())
def test_bytes_give_an_object_or_a_bad_request(body: bytes) -> None:
    """No sequence of bytes raises anything else."""
    try:
        value = parse_object(body)
    except ServiceError as error:
        assert BAD_REQUEST is error.error  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(value, dict)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The request has no body"),
        (b" ", "The body is not valid JSON: Expecting value, at line 1, column 2"),
        (b"null", "The body must be a JSON object"),
        (b"[]", "The body must be a JSON object"),
        (b'"text"', "The body must be a JSON object"),
        (b"{'a': 1}", "The body is not valid JSON: Expecting property name enclosed in double quotes"),
        (b'{"a": "\xff"}', "The body is not valid UTF-8: byte 7 cannot be decoded"),
        (b"\xed\xa0\x80", "The body is not valid UTF-8: byte 0 cannot be decoded"),
        (b'{"a": NaN}', "The body is not valid JSON: NaN is not a JSON value"),
        (b'{"a": -Infinity}', "The body is not valid JSON: -Infinity is not a JSON value"),
        (b'{"a": 1, "a": 2}', 'The body contains "a" twice in one object'),
        (b'{"a": {"b": 1, "b": 1}}', 'The body contains "b" twice in one object'),
        (b"[" * 30_000, "The body is nested too deeply"),
        (b'{"a":' * 30_000, "The body is nested too deeply"),
    ],
)
def test_the_message_names_the_problem(body: bytes, message: str) -> None:
    """The message names the mistake and its place."""
    with pytest.raises(ServiceError) as caught:
        parse_object(body)

    assert caught.value.message.startswith(message)


def test_integers_beyond_every_double_are_read_all_the_same() -> None:
    """Unknown fields can hold any number, even one with 10,000 digits."""
    body = b'{"ignored": ' + b"9" * 10_000 + b"}"

    assert {"ignored": float("inf")} == parse_object(body)


def test_large_integers_stay_exact() -> None:
    """2**53 + 1, which a double cannot hold, and the longest exact one."""
    assert {"a": 2**53 + 1, "b": 10**399} == parse_object(json.dumps({"a": 2**53 + 1, "b": 10**399}).encode())


def test_quoted_names_are_escaped_and_cut() -> None:
    """A name that a caller chose cannot break or flood a message."""
    assert '"a\\nb"' == quoted("a\nb")
    assert 65 == len(quoted("x" * 1000))
