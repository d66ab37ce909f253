"""The queue of reports of leaks: findings that an invocation has no time for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.aws.retries import queues, require_genuine, with_retries
from keywright.immutable import replace
from keywright.settings import leak_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keywright.domain.leak import Finding, LeakReport

MESSAGE_FINDINGS = 500
"""The worker settles as many in a fraction of its time, one transaction each."""
MESSAGE_CHARACTERS = 200_000
"""Amazon SQS Developer Guide, "Amazon SQS message quotas": at least 256 KiB for a message, all of it ASCII here."""
_FINDING_CHARACTERS = 200
"""Of a finding without its URL, generously."""


def put(report: LeakReport) -> None:
    """Send a report to the queue, in as many messages as it needs.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if SQS throttles or does not answer. Some messages may have been sent; to send
            them again changes nothing.
    """
    url = leak_settings().leak_reports_queue_url
    for findings in _in_messages(report.findings):
        message = {"QueueUrl": url, "MessageBody": replace(report, findings=findings).message()}
        with_retries(lambda message=message: require_genuine(queues().call("SendMessage", message), "MessageId"))  # type: ignore[misc]  # bound at once


def _in_messages(findings: tuple[Finding, ...]) -> Iterator[tuple[Finding, ...]]:
    message: list[Finding] = []
    characters = 0
    for finding in findings:
        length = _FINDING_CHARACTERS + 2 * len(finding.url or "")  # JSON escapes quotation marks and backslashes
        if message and (len(message) == MESSAGE_FINDINGS or characters + length > MESSAGE_CHARACTERS):
            yield tuple(message)
            message, characters = [], 0
        message.append(finding)
        characters += length
    if message:
        yield tuple(message)
