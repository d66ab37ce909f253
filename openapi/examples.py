"""Examples of requests and responses, from events/. The tests replay every event, so each example is true."""

from __future__ import annotations

import base64
import json
import re
import string
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from keywright.domain import key_text
from local.cases import read_cases

if TYPE_CHECKING:
    from pathlib import Path

    from local.cases import Case

Json = Any

KEY_ID = "019b7e3c-9585-719d-81cb-3b8af1c594c2"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KEY_TEXT = ("kk_EXAMPLE" + 2 * _DIGITS)[: len("kk_") + key_text.TEXT_CHARACTERS]
"""A text with the length of a key, which scanners do not take for one: clients are generated from the description."""
_SAMPLES = {
    "uuid7": KEY_ID,
    "api key": _KEY_TEXT,
    "hint": key_text.hint(_KEY_TEXT, "kk_"),
    "rfc3339": "2026-01-02T12:34:56.789Z",
    "date": "2026-01-02",
    "any string": "...",
}
"""Samples that replace the matchers of expected answers (events/README.md)."""

_MATCHER = re.compile(rf"<({'|'.join(_SAMPLES)})(?::[^>+]*)?(?:\+(\d+)([ds]))?>")
_KEY = re.compile(r"kk_[0-9A-Za-z]{92}")
"""A key in an event."""
_DOCS = re.compile(r"https://[^/\"]+/v1/docs#")
SHOWN = 3
"""The maximum number of examples of one code."""


@dataclass(frozen=True)
class Example:
    """A case of events/."""

    case: Case
    base_url: str

    @property
    def name(self) -> str:
        """The case's name without the status."""
        return self.case.name.partition("_")[2]

    @cached_property
    def answer(self) -> Json:
        """The body of the response, with samples instead of matchers."""
        text = json.dumps(self.case.expected["answer"]["body"], ensure_ascii=False)
        text = _MATCHER.sub(_sample, text)
        return json.loads(_DOCS.sub(f"{self.base_url}/docs#", text))

    @cached_property
    def body(self) -> Json:
        """The body of the request; None if it is not JSON."""
        event = self.case.event
        text = event["body"] or ""
        try:
            decoded = base64.b64decode(text).decode() if event["isBase64Encoded"] else text
            return json.loads(_KEY.sub(_SAMPLES["api key"], decoded))
        except ValueError:
            return None

    @property
    def code(self) -> str | None:
        """The code of an error; None for a success."""
        match self.answer:
            case {"error": {"code": code}}:
                return str(code)
            case _:
                return None


def _sample(matcher: re.Match[str]) -> str:
    """Return the sample of a matcher: of dates, that many days later."""
    sample = _SAMPLES[matcher[1]]
    if matcher[1] != "date" or matcher[2] is None:
        return sample
    return (date.fromisoformat(sample) + timedelta(days=int(matcher[2]))).isoformat()


def examples(events: Path, function: str, base_url: str) -> list[Example]:
    """Return the examples of a function, without preflight requests."""
    cases = read_cases(events, function)
    return [Example(case, base_url) for case in cases if case.status != HTTPStatus.NO_CONTENT]


def refusals(recorded: list[Example], code: str) -> dict[str, Json]:
    """Return up to `SHOWN` different responses with a code, by name."""
    different: dict[str, Json] = {}
    for example in recorded:
        if example.code == code and example.answer not in different.values() and len(different) < SHOWN:
            different[example.name] = example.answer
    return different


def success(recorded: list[Example], prefer: str) -> Example | None:
    """Return the example with this name, or else the first success."""
    successes = [example for example in recorded if example.case.status == HTTPStatus.OK]
    return next((example for example in successes if example.name == prefer), successes[0] if successes else None)
