"""Reports that keys are public."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote
from uuid import UUID

from keywright.clock import rfc3339, stored
from keywright.domain import key_text
from keywright.domain.principals import Origin
from keywright.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

URL_CHARACTERS = 2048

URL_PATTERN = r"^https?://([0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][!-~]*)?$"
"""Regular expression of a URL without user name and password, which the API description has too."""
_ENCODINGS = 5
"""No URL is percent-encoded more often by accident; one that is could hide a key."""


class LeakSource(StrEnum):
    """Who reported a leak. Their names are part of the API."""

    REPORT = "report"
    """Anyone who holds the text."""
    GITHUB = "github"
    """GitHub's secret scanning."""


class LeakOutcome(StrEnum):
    """What became of a reported text. Their names are part of the API."""

    REPORTED = "reported"
    """The report is kept with the key, or has ended the grace period of the text."""
    ALREADY_REPORTED = "already_reported"
    """An earlier report of the same text is kept with the key."""
    INACTIVE = "inactive"
    """The text was issued here and is not accepted any more."""
    ACCEPTED = "accepted"
    """The text was issued here. The report waits in the queue."""
    UNKNOWN = "unknown"
    """The text was not issued here."""


@immutable
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


@immutable
class IssuedText:
    """The key and the generation of a text that was issued here: the ids without the secret."""

    organization_id: UUID
    key_id: UUID
    generation: int


@immutable
class Finding:
    """A text that was found, and where; None if the report does not say."""

    issued: IssuedText
    url: str | None


@immutable
class LeakReport:
    """A report of texts that are public, each once."""

    findings: tuple[Finding, ...]
    source: LeakSource
    reported_at: datetime
    origin: Origin

    def message(self) -> str:
        """Return the report as a message of a queue. It holds no text of a key."""
        content = {
            "source": self.source.value,
            "reportedAt": rfc3339(self.reported_at),
            "sourceIp": self.origin.source_ip,
            "requestId": self.origin.request_id,
            "findings": [
                {
                    "organizationId": str(finding.issued.organization_id),
                    "keyId": str(finding.issued.key_id),
                    "generation": finding.issued.generation,
                    "url": finding.url,
                }
                for finding in self.findings
            ],
        }
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def parse(cls, message: str) -> LeakReport:
        """Parse what `message` wrote."""
        content = json.loads(message)
        findings = tuple(
            Finding(IssuedText(UUID(each["organizationId"]), UUID(each["keyId"]), each["generation"]), each["url"])
            for each in content["findings"]
        )
        origin = Origin(content["sourceIp"], content["requestId"])
        return cls(findings, LeakSource(content["source"]), stored(content["reportedAt"]), origin)


def is_url(text: str) -> bool:
    """Return whether a text is an http(s) URL of at most 2,048 characters that carries no credentials."""
    return len(text) <= URL_CHARACTERS and re.fullmatch(URL_PATTERN, text) is not None


def shows_a_key(url: str, prefix: str, texts: Sequence[str]) -> bool:
    """Return whether a URL holds what could be the text of a key: it is stored and shown.

    Args:
        url: the URL, percent-encoded any number of times.
        prefix: prefix of the deployment's keys.
        texts: texts of keys. Those of imported keys have no form of their own.
    """
    form = re.compile(f"{re.escape(prefix)}[0-9A-Za-z]{{{key_text.TEXT_CHARACTERS}}}")
    for _ in range(_ENCODINGS):
        if form.search(url) or any(text in url for text in texts):
            return True
        decoded = unquote(url)
        if decoded == url:
            return False
        url = decoded
    return True
