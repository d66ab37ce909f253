"""The cases of events/: folders with an event, a seed and an expected outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).parents[2] / "events"


@dataclass(frozen=True)
class Case:
    """A folder of events/: `<function>/<status>_<case>`."""

    folder: Path

    @property
    def function(self) -> str:
        """Return the function's folder name."""
        return self.folder.parent.name

    @property
    def status(self) -> int:
        """Return the status that the caller of the API sees."""
        return int(self.folder.name.split("_", 1)[0])

    @cached_property
    def event(self) -> dict[str, Any]:
        """Return the event of the invocation."""
        return self._read("event.json")

    @cached_property
    def expected(self) -> dict[str, Any]:
        """Return the expected outcome."""
        return self._read("expected.json")

    @cached_property
    def seed(self) -> dict[str, Any]:
        """Return the state before the invocation."""
        return self._read("seed.json")

    @property
    def is_request(self) -> bool:
        """Return whether this is a request, not a question to an authorizer."""
        return "type" not in self.event

    def _read(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return content

    def __str__(self) -> str:
        return f"{self.function}-{self.folder.name}"


WITHOUT_STATUS = {"purge_organizations", "sync_organizations"}
"""Functions without a caller, so without a status; their cases are MESSAGES."""
CASES = [Case(folder) for folder in sorted(EVENTS.glob("*/*/")) if folder.parent.name not in WITHOUT_STATUS]
REQUESTS = [case for case in CASES if case.is_request]
QUESTIONS = [case for case in CASES if not case.is_request]

MESSAGES = [Case(folder) for folder in sorted(EVENTS.glob("*/*/")) if folder.parent.name in WITHOUT_STATUS]
BATCHES = [case for case in MESSAGES if case.function == "sync_organizations"]
TICKS = [case for case in MESSAGES if case.function == "purge_organizations"]


def outcome_of(case: Case) -> str:
    """Return the outcome that a case's folder names."""
    return case.folder.name.split("_", 1)[0]
