"""JSON that people read and compare: what fits into a line is on one line, and anything else has an entry a line."""

from __future__ import annotations

import json
from typing import Any


def dumps(value: Any, width: int = 120) -> str:
    """Return a value as JSON with lines of at most `width` characters, except for longer texts."""
    return _text(value, "", 0, width) + "\n"


def _text(value: Any, indent: str, column: int, width: int) -> str:
    """Return a value that begins at a column of a line with this indentation."""
    line = json.dumps(value, ensure_ascii=False)
    if column + len(line) < width or not isinstance(value, dict | list) or not value:
        return line
    if isinstance(value, dict):
        opening, closing = "{}"
        names = [f"{json.dumps(name, ensure_ascii=False)}: " for name in value]
        entries = list(value.values())
    else:
        opening, closing = "[]"
        names, entries = [""] * len(value), value
    if len(entries) == 1:  # on the same line, without another level of indentation
        return f"{opening}{names[0]}{_text(entries[0], indent, column + 1 + len(names[0]), width)}{closing}"
    inner = f"{indent} "
    lines = [
        f"{inner}{name}{_text(entry, inner, len(inner) + len(name), width)}"
        for name, entry in zip(names, entries, strict=True)
    ]
    return "\n".join([opening, ",\n".join(lines), f"{indent}{closing}"])
