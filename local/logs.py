"""The log of the functions, and what it says about one request."""

from __future__ import annotations

import io
import json
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from local.intrinsics import Json

_LINES: ContextVar[list[str] | None] = ContextVar("lines", default=None)
_REASONS = ("reason", "code")
"""The fields that say why something was refused, the most precise first."""
_PLAIN = {
    "ExpiredSignatureError": "the session token has expired",
    "InvalidAudienceError": "the session token is for another audience",
    "InvalidIssuerError": "the session token is from another issuer",
    "InvalidSignatureError": "the signature of the session token is wrong",
}
"""Reasons that are names of PyJWT's exceptions."""
_FIRST_ERROR = 400
_SHOWN_CHARACTERS = 120


class Log(io.TextIOBase):
    """A text stream that writes to a file and to the collector of the current thread."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write a text."""
        lines = _LINES.get()
        if lines is not None:
            lines.append(text)
        return self._file.write(text)

    def flush(self) -> None:
        """Flush the file."""
        self._file.flush()

    def writable(self) -> bool:
        """Return True."""
        return True


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect what this thread logs while the context is open."""
    texts: list[str] = []
    token = _LINES.set(texts)
    try:
        yield texts
    finally:
        _LINES.reset(token)


def entries(texts: Sequence[str]) -> list[Mapping[str, Json]]:
    """Return the JSON objects among the lines of a log."""
    parsed: list[Mapping[str, Json]] = []
    for line in "".join(texts).splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            parsed.append(content)
    return parsed


def reason(texts: Sequence[str], status: int) -> str | None:
    """Return why a request was refused, or why a key is not valid if the log says it; else None."""
    for entry in entries(texts):
        if entry.get("message") == "unexpected error":
            return "unexpected error, see the log"
        if status < _FIRST_ERROR and (entry.get("message") != "verification" or entry.get("code") == "VALID"):
            continue
        for name in _REASONS:
            if entry.get(name):
                word = str(entry[name])
                return _PLAIN.get(word, word)
    return None


def line(method: str, path: str, status: int, started: float, reason: str | None = None) -> str:
    """Return the line of a request for the terminal.

    Args:
        method: of the request.
        path: of the request, without the query.
        status: of the answer.
        started: when the request arrived, by `time.perf_counter`.
        reason: why it was refused.
    """
    milliseconds = (time.perf_counter() - started) * 1000
    why = "" if reason is None else f": {_printable(reason)}"
    return f"{method} {_printable(path)} {status} {milliseconds:.0f} ms{why}"


def _printable(text: str) -> str:
    """Return the beginning of a text of the client, without control characters."""
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return "".join(character if character.isprintable() else "?" for character in shown)
