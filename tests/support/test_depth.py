"""Quick and full depth: the number of repetitions, and which tests run."""

from __future__ import annotations

import pytest

from tests.support import depth


@pytest.mark.deep
def test_a_deep_test_runs_at_full_depth_only() -> None:
    """This test is never run without DEPTH=full."""
    assert depth.FULL


def test_deep_tests_are_left_out_of_a_quick_run(request: pytest.FixtureRequest) -> None:
    """Without DEPTH=full, no selected test is deep."""
    deep = [item.name for item in request.session.items if item.get_closest_marker("deep")]

    assert depth.FULL or [] == deep


def test_an_ordinary_test_is_the_same_at_any_depth(request: pytest.FixtureRequest) -> None:
    """A test without repetitions is not run a second time."""
    assert not depth.goes_deeper(request.node)


def test_properties_go_deeper(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A property of hypothesis has more examples at full depth."""
    monkeypatch.setattr(request.function, "is_hypothesis_test", True, raising=False)

    assert depth.goes_deeper(request.node)


def test_tests_of_a_module_with_sizes_go_deeper(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that imports `size` has tests that repeat more at full depth."""
    monkeypatch.setattr(request.module, "size", depth.size, raising=False)

    assert depth.goes_deeper(request.node)


@pytest.mark.parametrize(
    ("is_full", "variable", "expected"),
    [(False, None, 1), (True, None, 10), (False, "5", 5), (True, "5", 5)],
)
def test_sizes(monkeypatch: pytest.MonkeyPatch, is_full: bool, variable: str | None, expected: int) -> None:  # noqa: FBT001
    """A variable wins over full depth, which wins over quick."""
    monkeypatch.setattr(depth, "FULL", is_full)
    if variable is not None:
        monkeypatch.setenv("ROUNDS_OF_THIS_TEST", variable)

    assert expected == depth.size("ROUNDS_OF_THIS_TEST", 1, full=10)
    assert (5 if variable else 1) == depth.size("ROUNDS_OF_THIS_TEST", 1)
