"""Computed files are up to date: `make generate` changes none of them."""

from __future__ import annotations

from tests.support.environment import ROOT
from tools import generate


def test_make_generate_changes_nothing() -> None:
    """Every computed file is what its sources say: errors, models, handlers, events, prices and measurements."""
    outdated = []
    for path, write in generate.files().items():
        text = path.read_text(encoding="utf-8")
        if write(text) != text:
            outdated.append(str(path.relative_to(ROOT)))

    assert [] == outdated


def test_no_picture_is_left_over() -> None:
    """Every picture of docs/performance is drawn from the report."""
    drawn = {path for path in generate.files() if path.suffix == ".svg"}

    assert set((ROOT / "docs" / "performance").glob("*.svg")) == drawn
