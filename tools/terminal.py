"""The picture of the first run, docs/first-run.svg: starts the service, creates a key, and draws the terminal."""

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

from local.options import ROOT

PICTURE = ROOT / "docs" / "first-run.svg"

COLUMNS = 100
LINE_PIXELS = 19
CHARACTER_PIXELS = 8.4
MARGIN_PIXELS = 18
TITLE_PIXELS = 34
FONT_PIXELS = 14

_START_SECONDS = 60
_SHOWN = [
    (re.compile(r"(eyJ[\w-]{12})[\w.-]+"), r"\1..."),
    (re.compile(r"kk_\w+"), "kk_0ETHK3Teh1..."),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "01a20a38-9585-719d-81cb-3b8af1c594c2"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:8787"),
]
"""What is shown in place of the token, and of the key, id and port of this run, so that the picture stays the same."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the terminal.

    Attributes:
        kind: `prompt` for input, `output` for output.
    """

    kind: str
    text: str


def record() -> list[Line]:
    """Start the service on a free port, create a key with the command that it prints, and return the lines."""
    with TemporaryDirectory() as directory:
        stack_file = Path(directory) / "stack.json"
        environment = {**os.environ, "STACK_FILE": str(stack_file), "PORT": "0"}
        process = subprocess.Popen(
            [sys.executable, "-m", "local"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            welcome = _until_ready(process, stack_file)
            command = welcome[welcome.index("curl") :].split("\n\n", 1)[0]
            answer = subprocess.run(  # noqa: S603 - the printed command
                ["bash", "-c", command],  # noqa: S607
                capture_output=True,
                text=True,
                check=True,
            )
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=_START_SECONDS)
    json.loads(answer.stdout)["data"]["key"]  # fails without a key
    return [
        Line("prompt", "$ make run"),
        *_lines("output", welcome.split("Create an API key", 1)[0].strip()),
        Line("output", ""),
        *_lines("prompt", f"$ {command}"),
        *_lines("output", answer.stdout.strip()),
    ]


def _until_ready(process: subprocess.Popen[str], stack_file: Path) -> str:
    assert process.stdout  # noqa: S101 - stdout is a pipe
    deadline = time.monotonic() + _START_SECONDS
    output = ""
    while "Ctrl-C stops" not in output:
        line = process.stdout.readline()
        if not line or time.monotonic() > deadline:
            sys.exit(f"the local service did not start:\n{output}")
        output += line
    if not stack_file.exists():
        sys.exit("the local service did not write a stack file")
    return output


def _lines(kind: str, text: str) -> list[Line]:
    for pattern, shown in _SHOWN:
        text = pattern.sub(shown, text)
    return [Line(kind, _clipped(line)) for line in text.split("\n")]


def _clipped(line: str) -> str:
    return line if len(line) <= COLUMNS else f"{line[: COLUMNS - 3]}..."


def draw_terminal(lines: list[Line]) -> str:
    """Return a picture of a terminal as SVG."""
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
                ".output { fill: #c9d3df } .prompt { fill: #9be38b }</style>"
            ),
            f'<rect width="{width}" height="{height}" rx="9" fill="#16202c"/>',
            *(
                f'<circle cx="{20 + 20 * number}" cy="18" r="6" fill="{color}"/>'
                for number, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
            ),
            *rows,
            "</svg>",
            "",
        ]
    )
