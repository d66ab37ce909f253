"""How deep tests go: the number of repetitions of tests that can be repeated at will, and tests that only run deep.

`make test` is quick. `make test-all` sets DEPTH=full. A variable of one test wins over both:
RACES=200 INTERLEAVINGS=1000 MUTATIONS=1000000 POLICIES=20000 make test
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar, cast

import pytest

from tests.support.figures import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _pytest.mark import ParameterSet

Case = TypeVar("Case")

FULL = os.environ.get("DEPTH") == "full"
"""Whether everything runs, at full depth."""


def size(name: str, quick: int, full: int | None = None) -> int:
    """Return a number of repetitions: that of the variable `name`, or `full` with DEPTH=full, or `quick`."""
    number = int(os.environ.get(name, full if FULL and full is not None else quick))
    record("depth", **{name.lower(): number})
    return number


def mostly_deep(cases: Iterable[Case], is_quick: Callable[[Case], bool]) -> list[ParameterSet]:
    """Return the cases of a parameter, of which all but a few only run at full depth."""
    return [pytest.param(case, marks=[] if is_quick(case) else [pytest.mark.deep]) for case in cases]


def goes_deeper(item: pytest.Item) -> bool:
    """Return whether a test goes deeper at full depth: it is deep, a property, or in a module with a `size`."""
    test = cast("pytest.Function", item)
    is_property = getattr(test.function, "is_hypothesis_test", False)
    return item.get_closest_marker("deep") is not None or is_property or getattr(test.module, "size", None) is size
