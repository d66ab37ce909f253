"""The report of the benchmarks, and its measurements."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from benchmarks import summary
from benchmarks.budgets import Budget, Limit, budgets
from benchmarks.measuring import Effort, Percentiles, Sample, in_turns, percentiles
from benchmarks.pictures import draw, draw_curves, fill_tables, pictures
from benchmarks.report import Bars, Curves, Section, Table, median_run, percentile_table, write_report

if TYPE_CHECKING:
    from pathlib import Path


def section(name: str, value: float) -> Section:
    """Return a section with one table and one budget."""
    return Section(
        name, "Title", [Table("Some", ("what", "ms"), [("a|b", value)])], budgets=[Budget(Limit.WARM, value)]
    )


def test_budgets(tmp_path: Path) -> None:
    """The report has the budgets of all sections, in the order of their limits, which are the present ones."""
    path = tmp_path / "report.json"
    limited = Section("two", "Title", budgets=[Budget(Limit.LIMITED, 0.8)])

    write_report(path, [limited])
    write_report(path, [section("one", Limit.WARM.most)])

    report = json.loads(path.read_text())
    assert ["two", "one"] == [*report]
    assert [(Limit.WARM, True), (Limit.LIMITED, False)] == [(one.limit, one.is_met) for one in budgets(report)]


def test_samples_are_not_in_the_report(tmp_path: Path) -> None:
    """The report has rounded results; what was measured in each round stays out of it."""
    path = tmp_path / "report.json"
    measured = section("one", 1 / 3)
    measured.samples = [0.1, 0.2]

    write_report(path, [measured])

    entry = json.loads(path.read_text())["one"]
    assert "samples" not in entry
    assert [["a|b", 0.3333]] == entry["tables"][0]["rows"]


def test_a_new_run_replaces_a_section(tmp_path: Path) -> None:
    """A new run of a section replaces it and its budgets."""
    path = tmp_path / "report.json"
    for value in (1.5, 0.5):
        write_report(path, [section("one", value)])

    assert [0.5] == [budget.value for budget in budgets(json.loads(path.read_text()))]


def test_the_median_run_is_judged() -> None:
    """Of three runs, the one with the median is shown and judged; the values of all are beside it."""
    runs = [section("one", value) for value in (0.5, 0.3, 0.4)]

    median = median_run(runs)

    all_runs, own = median.tables
    assert [Budget(Limit.WARM, 0.4)] == median.budgets
    assert [(Limit.WARM.title, 0.5, 0.3, 0.4, "50.0%")] == all_runs.rows
    assert [("a|b", 0.4)] == own.rows


def test_each_budget_has_its_own_median() -> None:
    """GIVEN two budgets with medians in different runs THEN each is judged by its own."""
    values = [(0.1, 0.7), (0.2, 0.5), (0.3, 0.6)]
    runs = [
        Section("one", "Title", budgets=[Budget(Limit.WARM, warm), Budget(Limit.LIMITED, limited)])
        for warm, limited in values
    ]

    assert [0.2, 0.6] == [budget.value for budget in median_run(runs).budgets]


def test_a_run_that_failed_is_shown() -> None:
    """GIVEN a run in which something was not measured THEN that is the result, and not the median of the others."""
    failed = Section("one", "Title", failures=["no emulator"])

    assert failed is median_run([section("one", 0.1), failed, section("one", 0.3)])


def test_tables_in_the_document(tmp_path: Path) -> None:
    """Tables of measured sections are replaced; other text and other tables stay."""
    path = tmp_path / "report.json"
    write_report(path, [section("one", 0.1234)])
    document = "before\n<!-- one -->\nold\n<!-- /one -->\nbetween\n<!-- two -->\nkept\n<!-- /two -->\nafter\n"

    text = fill_tables(document, json.loads(path.read_text()))

    assert "| what | ms |\n| --- | --- |\n| a b | 0.123 |" in text
    assert "old" not in text
    assert text.startswith("before\n<!-- one -->\n")
    assert text.endswith("<!-- /one -->\nbetween\n<!-- two -->\nkept\n<!-- /two -->\nafter\n")


def test_a_picture_has_a_bar_for_each_value() -> None:
    """A bar is as long as its value, in proportion, and is labeled with name and value."""
    picture = ET.fromstring(draw(Bars("Title", "ms", [("ours <1>", 10.0, True), ("theirs", 20.0, False)])))  # noqa: S314

    _, *bars = [element for element in picture if element.tag.endswith("rect")]
    assert [1, 2] == [float(bar.attrib["width"]) / float(bars[0].attrib["width"]) for bar in bars]
    assert ["Title (ms)", "ours <1>", "10", "theirs", "20"] == [
        element.text for element in picture if element.tag.endswith("text")
    ]


def test_a_wide_range_has_a_logarithmic_scale() -> None:
    """Values that differ by more than a factor of thirty are drawn on a logarithmic scale, which the title says."""
    assert "Title (ms, logarithmic)" in draw(Bars("Title", "ms", [("a", 1.0, True), ("b", 1000.0, False)]))


CURVES = Curves(
    "Title",
    "offered",
    "admitted",
    ("exact", [(0.25, 0.25), (1.0, 1.0), (4.0, 1.0)]),
    [("ours <1>", [(0.25, 0.25), (4.0, 1.0)], True), ("theirs", [(0.25, 0.25), (4.0, 4.0)], False)],
)


def test_curves_have_a_point_for_each_value() -> None:
    """Equal ratios are equally far apart, on both axes; each line has a name above the picture and its points."""
    picture = ET.fromstring(draw_curves(CURVES))  # noqa: S314

    points = [
        (float(element.attrib["cx"]), float(element.attrib["cy"]), element.attrib["fill"])
        for element in picture
        if element.tag.endswith("circle")
    ]
    texts = [element.text for element in picture if element.tag.endswith("text")]
    (left, bottom, ours), (right, middle, _), (_, _, theirs), (_, top, _) = points
    assert left < right
    assert bottom - middle == pytest.approx(middle - top, abs=0.2)
    assert ours != theirs
    assert {"Title", "exact", "ours <1>", "theirs", "offered", "admitted", "0.25", "1", "2"} <= set(texts)


def test_pictures_of_a_report(tmp_path: Path) -> None:
    """GIVEN a report with bars and curves WHEN pictures are drawn from it THEN each is drawn as its kind."""
    path = tmp_path / "report.json"
    bars = Bars("Bars", "ms", [("ours", 1.0, True)])
    measured = Section("one", "Title", pictures={"bars": bars, "curves": CURVES})
    write_report(path, [measured])

    assert {"bars": draw(bars), "curves": draw_curves(CURVES)} == pictures(json.loads(path.read_text()))


@pytest.mark.deep
def test_functions_run_in_turns() -> None:
    """Each function runs in every round; every other round has the reverse order."""
    turns: list[str] = []
    effort = Effort(is_quick=True, rounds=3, calls=2, keys=0)
    samples = in_turns({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, effort)

    assert "aaabbb" + "aabb" + "bbaa" + "aabb" == "".join(turns)
    assert [3, 3] == [len(sample.rounds) for sample in samples.values()]


def test_ratio() -> None:
    """A ratio is the median over rounds, so one outlier has no effect."""
    assert 2.0 == Sample([2.0, 4.0, 900.0]).ratio(Sample([1.0, 2.0, 3.0]))


def test_percentiles() -> None:
    """Percentiles are values that were measured, in whatever order; the maximum is the last of them."""
    assert Percentiles(50, 90, 99, 100) == percentiles([*range(100, 0, -1)])
    assert Percentiles(7, 7, 7, 7) == percentiles([7])


def test_every_call_counts() -> None:
    """GIVEN rounds of calls THEN their medians are kept, and one slow call is the maximum of all calls."""
    sample = Sample()
    sample.add([1.0, 2.0, 3.0])
    sample.add([4.0, 4.0, 90.0])

    assert [2.0, 4.0] == sample.rounds
    assert Percentiles(3.0, 90.0, 90.0, 90.0) == sample.percentiles


def test_table_of_percentiles() -> None:
    """The table of single calls is in its unit, and leaves out what was not called."""
    table = percentile_table("Calls", {"some": [0.001, 0.002], "none": []}, "ms", 1000)

    assert ("what", "calls", "p50 ms", "p90 ms", "p99 ms", "maximum ms") == table.columns
    assert [("some", 2, 1.0, 2.0, 2.0, 2.0)] == table.rows


def test_the_summary_leaves_out_what_was_not_measured() -> None:
    """A line of a part that is not in the report is missing; costs are computed, not measured, and always there."""
    assert ["a million verifications"] == [what for what, _, _ in summary.lines({})]


def test_the_summary_has_the_measured_number_beside_its_limit() -> None:
    """A number of a budget is written into the words of its line."""
    measured = {"limits": {"budgets": [{"name": Limit.ADMITTED.title, "value": 1.01}]}}

    line = next(summary.lines(measured))
    assert "admits 1.01 x the limit" in line[1]
    assert f"{Limit.ADMITTED.most:g}" == line[2]
