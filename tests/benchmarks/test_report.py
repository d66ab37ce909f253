"""What a run writes down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.measuring import Effort, Sample, in_turns
from benchmarks.pictures import filled
from benchmarks.report import Budget, Section, Table, write

if TYPE_CHECKING:
    from pathlib import Path


def section(name: str, value: float) -> Section:
    """Make a section with one table and one budget."""
    return Section(name, "Title", [Table("Some", ("what", "ms"), [("a|b", value)])], budgets=[Budget("b", value, 1.0)])


def test_budgets_are_met_up_to_their_limit(tmp_path: Path) -> None:
    """With name, value and limit, as programs read them."""
    path = tmp_path / "report.json"

    write(path, [section("one", 1.0)], is_quick=True)
    write(path, [section("two", 1.5)], is_quick=False)

    report = json.loads(path.read_text())
    assert [
        {"name": "b", "value": 1.0, "limit": 1.0, "met": True},
        {"name": "b", "value": 1.5, "limit": 1.0, "met": False},
    ] == report["budgets"]
    assert {"one": True, "two": False} == {name: entry["is_quick"] for name, entry in report["sections"].items()}


def test_a_section_that_is_run_again_replaces_what_it_said(tmp_path: Path) -> None:
    """And its budgets, which are not there twice."""
    path = tmp_path / "report.json"
    for value in (1.5, 0.5):
        write(path, [section("one", value)], is_quick=True)

    assert [0.5] == [budget["value"] for budget in json.loads(path.read_text())["budgets"]]


def test_tables_stand_between_their_marks(tmp_path: Path) -> None:
    """What people have written stays, and so does the table of what was not measured."""
    path = tmp_path / "report.json"
    write(path, [section("one", 0.1234)], is_quick=True)
    document = "before\n<!-- one -->\nold\n<!-- /one -->\nbetween\n<!-- two -->\nkept\n<!-- /two -->\nafter\n"

    text = filled(document, json.loads(path.read_text()))

    assert "| what | ms |\n| --- | --- |\n| a b | 0.123 |" in text
    assert "old" not in text
    assert text.startswith("before\n<!-- one -->\n")
    assert text.endswith("<!-- /one -->\nbetween\n<!-- two -->\nkept\n<!-- /two -->\nafter\n")


def test_functions_have_their_turns_round_after_round() -> None:
    """So that what a machine does meanwhile meets all of them."""
    turns: list[str] = []
    effort = Effort(is_quick=True, rounds=3, calls=2, keys=0)
    samples = in_turns({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, effort)

    assert "aaabbb" + 3 * "aabb" == "".join(turns)
    assert [3, 3] == [len(sample.rounds) for sample in samples.values()]


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    """One round that was disturbed does not decide."""
    assert 2.0 == Sample([2.0, 4.0, 900.0]).ratio(Sample([1.0, 2.0, 3.0]))
