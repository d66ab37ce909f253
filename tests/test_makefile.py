"""`make help` is short, and `make help-all` lists every command."""

from __future__ import annotations

import re
import subprocess

from tests.support.environment import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def listed(target: str) -> list[str]:
    """Return the lines that a target prints."""
    command = ["make", "--no-print-directory", target]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    return finished.stdout.splitlines()


def test_help_is_short() -> None:
    """A newcomer gets at most twelve lines, of at most 80 columns."""
    lines = listed("help")

    assert 5 < len(lines) <= 12
    assert [] == [line for line in lines + listed("help-all") if len(line) > 80]


def test_help_all_lists_every_command() -> None:
    """Every phony target but `help` has a line, with any characters in its name."""
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    named = {line.split()[1] for line in listed("help-all")}

    assert set(phony.replace("\\\n", " ").split()) - {"help"} == named
    assert {"e2e", "test", "generate"} <= named
