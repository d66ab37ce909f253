"""The growth of latency and memory."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING

from benchmarks import deployment, growth, hot_path, stub
from benchmarks.measuring import QUICK
from benchmarks.report import Section, Table
from local import dynamodb_local

if TYPE_CHECKING:
    import pytest

    from benchmarks.measuring import Effort

TABLE = Table("Some", ("what",), [])


def test_notes_of_what_was_measured_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a measurement that adds a note of its result THEN the section has it beside its other notes."""

    def memory(_: Effort, section: Section) -> Table:
        section.notes.append("grew by 1 MB")
        return TABLE

    monkeypatch.setattr(stub, "run_stub", lambda _: nullcontext(SimpleNamespace(url="http://stub")))
    monkeypatch.setattr(hot_path, "answers", lambda _: {})
    monkeypatch.setattr(dynamodb_local, "run_server", lambda _: nullcontext("http://dynamodb"))
    monkeypatch.setattr(deployment, "enter", lambda **_: None)
    monkeypatch.setattr(growth, "_by_size", lambda *_: TABLE)
    monkeypatch.setattr(growth, "_memory", memory)

    assert "grew by 1 MB" in growth.run(QUICK).notes
