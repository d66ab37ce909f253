"""Matchers of expectations (events/README.md), and the comparison of an outcome with its expectation."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MATCHERS = {
    "uuid7": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "api key": r"kk_[0-9A-Za-z]{92}",
    "hint": r"kk_\.\.\.[0-9A-Za-z]{4}",
    "rfc3339": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "date": r"\d{4}-\d\d-\d\d",
    "epoch": r"\d+",
    "base64": r"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
    "phc": r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}",
    "any string": r".+",
    "document": r"(?s:.{500,})",
}
_MATCHER = re.compile(rf"<({'|'.join(MATCHERS)})(?::([a-z]+)(?:\+(\d+)([ds]))?)?>")
_UNITS = {"d": timedelta(days=1), "s": timedelta(seconds=1)}


class Nothing:
    """The value of a missing field."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = Nothing()


@dataclass(slots=True)
class Comparison:
    """A comparison of an outcome with its expectation.

    Attributes:
        labels: the value of each `<matcher:label>`, set where it first occurs.
        lines: one line for each difference.
    """

    labels: dict[str, object] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def compare(self, expected: object, actual: object, place: str) -> None:
        """Add the differences between two values, and between everything inside them."""
        if isinstance(expected, dict) and isinstance(actual, dict):
            for name in expected.keys() | actual.keys():
                self.compare(expected.get(name, NOTHING), actual.get(name, NOTHING), f"{place}.{name}")
        elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
            for index, (expected_item, actual_item) in enumerate(zip(expected, actual, strict=True)):
                self.compare(expected_item, actual_item, f"{place}[{index}]")
        elif isinstance(expected, str) and _MATCHER.search(expected):
            # Epochs are the only matcher of numbers, and match nothing else.
            expected_type = (int, Decimal) if expected.startswith("<epoch") else (str,)
            if not (
                isinstance(actual, expected_type) and type(actual) is not bool and self._fits(expected, str(actual))
            ):
                self.lines.append(f"{place}: expected {expected}, found {actual!r}")
        elif expected != actual or isinstance(expected, bool) != isinstance(actual, bool):
            self.lines.append(f"{place}: expected {expected!r}, found {actual!r}")

    def _fits(self, expected: str, actual: str) -> bool:
        """Return whether a text matches; a label has the same value everywhere."""
        pattern, matchers, position = "", list(_MATCHER.finditer(expected)), 0
        for matcher in matchers:
            pattern += re.escape(expected[position : matcher.start()]) + f"({MATCHERS[matcher[1]]})"
            position = matcher.end()
        match = re.fullmatch(pattern + re.escape(expected[position:]), actual)
        return match is not None and all(
            self.labels.setdefault(label, meaning) == meaning
            for matcher, text in zip(matchers, match.groups(), strict=True)
            for label, meaning in _meanings(matcher, text)
        )


def _meanings(matcher: re.Match[str], text: str) -> Iterator[tuple[str, object]]:
    """Return the values that a text gives a label: the text, or the time from which it is that many days or seconds."""
    kind, label, count, unit = matcher.groups()
    if label is None:
        return
    if kind not in {"rfc3339", "date", "epoch"}:
        yield label, text
        return
    moment = datetime.fromtimestamp(int(text), UTC) if kind == "epoch" else datetime.fromisoformat(text)
    if count is not None:
        moment -= int(count) * _UNITS[unit]
    if kind != "epoch":
        yield label, moment
    if kind == "date":
        return
    yield f"{label} in seconds", int(moment.timestamp())  # the precision of an epoch


def differences(expected: object, actual: object) -> list[str]:
    """Return one line for each difference between an expectation, which may hold matchers, and an outcome."""
    comparison = Comparison()
    comparison.compare(expected, actual, "$")
    return comparison.lines
