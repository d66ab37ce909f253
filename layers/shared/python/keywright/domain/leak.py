"""Reports that a key is public."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from keywright.clock import rfc3339, stored

if TYPE_CHECKING:
    from datetime import datetime


class LeakSource(StrEnum):
    """Who reported a leak. Their names are part of the API."""

    REPORT = "report"
    """Anyone who holds the text."""
    GITHUB = "github"
    """GitHub's secret scanning."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A report that the text of a key is public.

    Attributes:
        generation: of the reported text.
        url: where it was found; None if the report does not say.
    """

    generation: int
    reported_at: datetime
    source: LeakSource
    url: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return the report as the API shows it."""
        return {"reportedAt": rfc3339(self.reported_at), "source": self.source.value, "url": self.url}

    def stored(self) -> str:
        """Return the text of the report in the table."""
        return json.dumps({"generation": self.generation, **self.as_json()}, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> Leak:
        """Parse what `stored` wrote."""
        fields = json.loads(text)
        return cls(fields["generation"], stored(fields["reportedAt"]), LeakSource(fields["source"]), fields["url"])
