"""The figures of docs/reliability.md: each is of a run of its command, and each command can be run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.depth import size
from tests.support.environment import ROOT
from tests.support.figures import record
from tools import figures
from tools.figures import SUITES

if TYPE_CHECKING:
    from pathlib import Path

PAGE = figures.PAGE.read_text(encoding="utf-8")
RECORDED = json.loads(figures.FIGURES.read_text(encoding="utf-8"))
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def guarantees() -> list[list[str]]:
    """Return the cells of the first table of the page, without its heading."""
    lines = [line for line in PAGE.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines[2:]]


def test_every_guarantee_has_a_suite() -> None:
    """The third column of a guarantee names its suite, and every suite is named."""
    named = [re.match(r"<!-- (\w+) -->", row[2]) for row in guarantees()]

    assert set(SUITES) == {match[1] for match in named if match}
    assert None not in named


def test_the_page_shows_what_was_recorded() -> None:
    """`make generate` changes nothing, and does not show figures of a suite without a record."""
    assert figures.with_figures(PAGE) == PAGE
    for row in guarantees():
        name = row[2].split()[1]
        if name not in RECORDED:
            assert "not recorded" == row[3]


@pytest.mark.parametrize("name", SUITES)
def test_a_command_names_what_exists(name: str) -> None:
    """Each path of a command is a file or a folder, and each target is one of the Makefile."""
    program, *rest = SUITES[name].command.split()

    if program == "make":
        assert {rest[0]} <= TARGETS
    else:
        paths = [word for word in rest if word.startswith("tests/")]
        assert paths
        assert [] == [path for path in paths if not (ROOT / path).exists()]


@pytest.mark.parametrize("name", RECORDED)
def test_a_record_says_what_was_run(name: str) -> None:
    """A record has a command, a date, a depth and numbers."""
    entry = RECORDED[name]

    assert {"command", "date", "depth", "numbers"} == entry.keys()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry["date"])
    assert entry["numbers"]


def test_figures_are_written_if_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With FIGURES, a suite and the depth of a test write their figures; the latest of each counts."""
    monkeypatch.setenv("FIGURES", str(tmp_path))
    monkeypatch.setenv("SOME_RACES", "7")

    record("load", requests=1)
    record("load", requests=2, changes=3)
    size("SOME_RACES", 5)

    assert {"requests": 2, "changes": 3, "some_races": 7} == figures.recorded(tmp_path)


def test_nothing_is_written_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without FIGURES, tests write no file."""
    monkeypatch.delenv("FIGURES", raising=False)
    monkeypatch.chdir(tmp_path)

    record("load", requests=1)

    assert [] == list(tmp_path.iterdir())


def test_passed_tests_are_counted() -> None:
    """The tests of several runs of pytest add up, and expected failures are counted separately."""
    output = "...\n3 passed, 1 xfailed in 2.00s\n...\n1204 passed, 2 skipped in 9.00s\n"

    assert {"tests": 1207, "documented_differences": 1} == figures.tests(output)
    assert {} == figures.tests("no tests ran\n")


def test_a_failed_suite_records_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that fails, or that does not write its figures, is named, and leaves the records as they are."""
    monkeypatch.setattr(figures, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setitem(SUITES, "failing", figures.Suite("false"))
    monkeypatch.setitem(SUITES, "silent", figures.Suite("true", ("requests",)))

    assert 1 == figures.main(["failing", "silent", "unknown"])
    assert [] == list(tmp_path.iterdir())


def test_a_suite_records_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a suite that writes figures WHEN it succeeds THEN those that the page shows are recorded."""
    script = tmp_path / "suite"
    script.write_text('#!/bin/sh\necho \'{"requests": 5, "other": 6}\' > "$FIGURES/a.jsonl"\necho "$DEPTH, 8 passed"\n')
    script.chmod(0o755)
    monkeypatch.setattr(figures, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setitem(SUITES, "load", figures.Suite(str(script), ("tests", "requests")))

    assert 0 == figures.main(["load"])
    written = json.loads((tmp_path / "figures.json").read_text())["load"]
    assert {"tests": 8, "requests": 5} == written["numbers"]
    assert "full" == written["depth"]
