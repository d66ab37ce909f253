"""Draws docs/first-run.svg, the picture of a first run: starts the service, creates a key, and draws what was said."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "first-run.svg"

COLUMNS = 100
LINE_PIXELS = 19
CHARACTER_PIXELS = 8.4
MARGIN_PIXELS = 18
TITLE_PIXELS = 34
FONT_PIXELS = 14

_START_SECONDS = 60
_SECRET = re.compile(r"(eyJ[\w-]{12})[\w.-]+|(kk_\w{10})\w+")
"""A token or a key: its beginning is enough to be recognized, and nobody types it from a picture."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the terminal.

    Attributes:
        kind: `prompt` for what was typed, `said` for what came of it.
    """

    kind: str
    text: str


def record() -> list[Line]:
    """Run the service on its usual port and create a key with the command that it prints."""
    with TemporaryDirectory() as directory:
        stack_file = Path(directory) / "stack.json"
        environment = {**os.environ, "STACK_FILE": str(stack_file)}
        process = subprocess.Popen(
            [sys.executable, "-m", "local"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            said = _until_ready(process, stack_file)
            command = said[said.index("curl") :].split("\n\n", 1)[0]
            answer = subprocess.run(  # noqa: S603 - the same
                ["bash", "-c", command],  # noqa: S607
                capture_output=True,
                text=True,
                check=True,
            )
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=_START_SECONDS)
    json.loads(answer.stdout)["data"]["key"]  # or else there is nothing to show
    return [
        Line("prompt", "$ make run"),
        *_lines("said", said.split("Create an API key", 1)[0].strip()),
        Line("said", ""),
        *_lines("prompt", f"$ {command}"),
        *_lines("said", answer.stdout.strip()),
    ]


def _until_ready(process: subprocess.Popen[str], stack_file: Path) -> str:
    assert process.stdout  # noqa: S101 - it was asked for
    deadline = time.monotonic() + _START_SECONDS
    said = ""
    while "Ctrl-C stops" not in said:
        line = process.stdout.readline()
        if not line or time.monotonic() > deadline:
            sys.exit(f"the local service did not start:\n{said}")
        said += line
    if not stack_file.exists():
        sys.exit("the local service has written no stack file")
    return said


def _lines(kind: str, text: str) -> list[Line]:
    return [
        Line(kind, _clipped(_SECRET.sub(lambda match: f"{match[1] or match[2]}...", line))) for line in text.split("\n")
    ]


def _clipped(line: str) -> str:
    return line if len(line) <= COLUMNS else f"{line[: COLUMNS - 3]}..."


def draw(lines: list[Line]) -> str:
    """Draw a terminal with these lines."""
    width = round(COLUMNS * CHARACTER_PIXELS + 2 * MARGIN_PIXELS)
    height = TITLE_PIXELS + len(lines) * LINE_PIXELS + 2 * MARGIN_PIXELS
    rows = [
        f'<text class="{line.kind}" x="{MARGIN_PIXELS}" '
        f'y="{TITLE_PIXELS + MARGIN_PIXELS + (number + 1) * LINE_PIXELS - 5}">{escape(line.text)}</text>'
        for number, line in enumerate(lines)
        if line.text
    ]
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                f'height="{height}" role="img" aria-label="make run starts the service; curl creates a key">'
            ),
            (
                f"<style>text {{ font: {FONT_PIXELS}px ui-monospace, Menlo, Consolas, monospace; white-space: pre }} "
                ".said { fill: #c9d3df } .prompt { fill: #9be38b }</style>"
            ),
            f'<rect width="{width}" height="{height}" rx="9" fill="#16202c"/>',
            *(
                f'<circle cx="{20 + 20 * number}" cy="18" r="6" fill="{colour}"/>'
                for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
            ),
            *rows,
            "</svg>",
            "",
        ]
    )


def main() -> int:
    """Rewrite the picture; 0."""
    PICTURE.write_text(draw(record()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
