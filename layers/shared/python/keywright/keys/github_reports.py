"""Reports of GitHub's secret scanning: each match that is a key is settled as any other report.

Source: GitHub Docs, "Secret scanning partner program".
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from keywright import clock
from keywright.api.envelope import Unwrapped
from keywright.domain.leak import Finding, LeakReport, LeakSource
from keywright.errors import BAD_REQUEST, ServiceError
from keywright.immutable import immutable
from keywright.keys import leaks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from keywright.api.schemas import GitHubLabel
    from keywright.domain.leak import IssuedText
    from keywright.domain.principals import Origin

ANSWER_BYTES = 5 * 1024 * 1024
"""Lambda takes an answer of 6 MB (AWS Lambda Developer Guide, "Lambda quotas"), in which the body is a JSON string."""


@immutable
class _Match:
    token: str
    kind: str
    url: str | None


def report(body: bytes, origin: Origin) -> Unwrapped[GitHubLabel]:
    """Settle a report, or leave what there is no time for to the queue; return the labels of its matches.

    Raises:
        ServiceError: BAD_REQUEST if the body is not a list; SERVICE_UNAVAILABLE if the queue did not take what is left,
            or if it is not known of a match whether it is a key.
    """
    matches = list(_matches(body))
    identified = leaks.identify([match.token for match in matches])
    issued = identified.issued
    first: dict[IssuedText, Finding] = {}
    for match, text in zip(matches, issued, strict=True):
        if text is not None:
            first.setdefault(text, Finding(text, leaks.url_to_keep(match.url, [match.token])))
    if first:
        leaks.take(LeakReport(tuple(first.values()), LeakSource.GITHUB, clock.now(), origin))
    identified.require_all()
    return Unwrapped(_labels(matches, issued))


def _matches(body: bytes) -> Iterator[_Match]:
    """Parse the matches of a report. What has no token is skipped: it cannot be a key."""
    try:
        entries = json.loads(body)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise ServiceError(BAD_REQUEST, "The body must be a JSON array of matches", reason="not a JSON array")
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("token"), str):
            kind, url = entry.get("type"), entry.get("url")
            yield _Match(entry["token"], kind if isinstance(kind, str) else "", url if isinstance(url, str) else None)


def _labels(matches: Sequence[_Match], issued: Sequence[IssuedText | None]) -> str:
    """Return the feedback about matches as JSON, those that are keys first, as much as an answer can hold."""
    both = list(zip(matches, issued, strict=True))
    ordered = [each for each in both if each[1] is not None] + [each for each in both if each[1] is None]
    return f"[{','.join(_within_answer(_label(match, text) for match, text in ordered))}]"


def _label(match: _Match, text: IssuedText | None) -> str:
    label = {
        "token_hash": hashlib.sha256(match.token.encode("utf-8", "surrogatepass")).hexdigest(),
        "token_type": match.kind,
        "label": "false_positive" if text is None else "true_positive",
    }
    return json.dumps(label, separators=(",", ":"))


def _within_answer(labels: Iterable[str]) -> Iterator[str]:
    size = 0
    for label in labels:
        size += len(json.dumps(label))
        if size > ANSWER_BYTES:
            return
        yield label
