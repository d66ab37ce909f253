"""Values that are built once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from keywright import cache
from keywright.cache import once


def test_threads_share_a_value() -> None:
    """Concurrent calls build one value."""
    made: list[object] = []

    @once
    def slow() -> object:
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    with ThreadPoolExecutor(8) as pool:
        results = set(pool.map(lambda _: slow(), range(8)))

    assert (set(made), 1) == (results, len(made))


def test_a_value_may_need_another() -> None:
    """A function that runs once may call another one."""

    @once
    def inner() -> str:
        return "inner"

    @once
    def outer() -> str:
        return f"outer of {inner()}"

    assert "outer of inner" == outer()


def test_a_failure_is_not_kept() -> None:
    """A call after a failure builds the value."""
    results = iter([ValueError("not yet"), "made"])

    @once
    def moody() -> str:
        result = next(results)
        if isinstance(result, ValueError):
            raise result
        return str(result)

    with pytest.raises(ValueError, match="not yet"):
        moody()
    assert "made" == moody()


def test_none_is_a_result() -> None:
    """A function that returns None also runs once."""
    calls: list[int] = []

    @once
    def nothing() -> None:
        calls.append(1)

    nothing()
    nothing()

    assert [1] == calls


def test_a_new_container_has_no_values() -> None:
    """`clear_all` clears every function that runs once, including the service's own."""
    calls: list[str] = []

    @once
    def one() -> None:
        calls.append("one")

    @once
    def other() -> None:
        calls.append("other")

    for _ in range(2):
        one()
        other()
        cache.clear_all()

    assert ["one", "other"] * 2 == calls


def test_values_can_be_kept() -> None:
    """`clear_all` leaves out the functions that it is given."""
    calls: list[str] = []

    @once
    def kept() -> None:
        calls.append("kept")

    @once
    def cleared() -> None:
        calls.append("cleared")

    for _ in range(2):
        kept()
        cleared()
        cache.clear_all(keep=(kept,))

    assert ["kept", "cleared", "cleared"] == calls
