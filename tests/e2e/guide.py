"""Guides of docs/, followed in one shell: all blocks of commands but those marked `<!-- not run: the reason -->`."""

from __future__ import annotations

import re
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SECONDS = 180
"""Time limit of a block."""
_BLOCK = re.compile(
    r"^#{2,3} (?P<heading>[^\n]+)$"
    r"|^(?P<indent> *)(?:<!-- not run: (?P<reason>[^>]+) -->\n\s*)?```sh\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_PREPARED = 'set -euo pipefail; source .block < .answers; echo; echo "$DONE"\n'
DONE = "---- the block is done ----"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of commands in a guide.

    Attributes:
        heading: heading of its section.
        text: the commands.
        reason: why it is not run; None if it is.
    """

    heading: str
    text: str
    reason: str | None


def blocks(guide: Path) -> Iterator[Block]:
    """Return the blocks of a guide, in order."""
    heading = ""
    for match in _BLOCK.finditer(guide.read_text(encoding="utf-8")):
        heading = match["heading"] or heading
        if match["text"] is not None:
            text = re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
            yield Block(heading, text, match["reason"])


class Shell:
    """A shell, while the context is open."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            ["bash"],  # noqa: S607 - the reader's shell
            cwd=folder,
            env={**environment, "DONE": DONE},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, text: str, answers: str = "") -> str:
        """Run a block, answer its questions, and return its output. A failing command ends the shell."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        (self._folder / ".block").write_text(text, encoding="utf-8")
        (self._folder / ".answers").write_text(answers, encoding="utf-8")
        self._process.stdin.write(_PREPARED)
        self._process.stdin.flush()
        lines: list[str] = []
        alarm = threading.Timer(SECONDS, self._process.kill)
        alarm.start()
        try:
            for line in self._process.stdout:
                if line == f"{DONE}\n":
                    return "".join(lines).strip()
                lines.append(line)
        finally:
            alarm.cancel()
        raise AssertionError(f"the guide fails at:\n{text}\nwith the output:\n{''.join(lines)}")

    def close(self) -> None:
        """Close the shell."""
        self._process.kill()
        self._process.communicate()
