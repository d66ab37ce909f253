"""JSON that people read and compare: what fits into a line is on one line, and anything else has an entry a line."""

from __future__ import annotations

import json
from typing import Any

_WIDTH = 120


def dumps(value: Any) -> str:
    """Return a value as JSON with lines of at most 120 characters, as long as no single text is longer."""
    return _text(value, "", 0) + "\n"


def _text(value: Any, indent: str, column: int) -> str:
    """Return a value that begins at a column of a line with this indentation."""
    line = json.dumps(value, ensure_ascii=False)
    if column + len(line) < _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    opening, closing = "[]" if isinstance(value, list) else "{}"
    names = [f"{json.dumps(name, ensure_ascii=False)}: " for name in value] if isinstance(value, dict) else [""] * len(value)
    entries = list(value.values() if isinstance(value, dict) else value)
    if len(entries) == 1:  # on the same line, without another level of indentation
        return f"{opening}{names[0]}{_text(entries[0], indent, column + 1 + len(names[0]))}{closing}"
    inner = f"{indent} "
    lines = [
        f"{inner}{name}{_text(entry, inner, len(inner) + len(name))}" for name, entry in zip(names, entries, strict=True)
    ]
    return "\n".join([opening, ",\n".join(lines), f"{indent}{closing}"])
