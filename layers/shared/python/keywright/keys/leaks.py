"""Reports that keys are public. Who holds a text may report it: its tag shows that it was issued here.

A made-up text ends at its checksum or tag, without a read. No report costs a hash: the tag is keyed with the pepper, so
a text with a right tag is one that was issued (domain/key_text.py).

What a report changes depends on the generation of the text:

    the current one       the report is kept with the key; with LeakResponse disable the key is disabled
    the previous one,     with disable its grace period ends; with notify the report is kept with the key
    in its grace period
    any other             nothing: no verification accepts the text

Each change is conditional on the key as it was read, and a report that is kept is not replaced by another one of the
same generation. So reports may arrive twice and at the same time, from requests and from the queue, and change a key
once. An organization that is scheduled for deletion takes reports too. A purge leaves no record of one: it deletes keys
before audit records, and without its key a report changes nothing.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from keywright import clock, deadline
from keywright.api.schemas import LeakResult, LeakResults
from keywright.aws.retries import ATTEMPT_SECONDS
from keywright.domain import key_text
from keywright.domain.audit_event import AuditEvent
from keywright.domain.key_text import NotIssuedHere
from keywright.domain.leak import Finding, IssuedText, Leak, LeakOutcome, LeakReport, LeakSource, is_url, shows_a_key
from keywright.domain.principals import Actor, ActorType
from keywright.domain.revocation_reason import RevocationReason
from keywright.errors import API_KEY_NOT_FOUND, ServiceError
from keywright.keys import leak_log
from keywright.keys.changes import commit_change
from keywright.log import describe, logger
from keywright.settings import settings
from keywright.store import api_keys, layout, leak_queue, pepper, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from keywright.api.lambda_types import BatchAnswer, LambdaContext, QueueEvent
    from keywright.api.schemas import ReportLeak
    from keywright.domain.key_text import KeyParts
    from keywright.domain.principals import Origin
    from keywright.store.api_keys import ApiKeyRecord

ACTOR = Actor(ActorType.SYSTEM, "leak_reports")

_READ_KEYS = 100
"""Amazon DynamoDB API Reference, BatchGetItem: the most items of one request."""
_ATTEMPTS = 20
"""As many as a deletion gets: a report should not be lost because of an edit."""
_QUEUE_SHARE = 1 / 3
_LEAST_QUEUE_SECONDS = ATTEMPT_SECONDS + 0.5
"""Time for the queue: one attempt at the least."""


def report(body: ReportLeak, origin: Origin) -> LeakResults:
    """Report texts, and return the outcome of each, in order.

    Raises:
        ServiceError: as `identify` and `take`.
    """
    issued, url = _with_imported(body.keys, identify(body.keys)), url_to_keep(body.url)
    findings = tuple(Finding(text, url) for text in dict.fromkeys(issued) if text is not None)
    outcomes = take(LeakReport(findings, LeakSource.REPORT, clock.now(), origin)) if findings else {}
    results = [LeakOutcome.UNKNOWN if text is None else outcomes[text] for text in issued]
    return LeakResults(results=[LeakResult(outcome=outcome.value) for outcome in results])


def identify(texts: Sequence[str]) -> list[IssuedText | None]:
    """Return the key and generation of each text, in order; None for a text that was not issued here.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if the pepper cannot be fetched.
    """
    return [_identified(text) for text in texts]


def _identified(text: str) -> IssuedText | None:
    parts = _decoded(text)
    return None if isinstance(parts, NotIssuedHere) else _issued(parts)


def _with_imported(texts: Sequence[str], issued: Sequence[IssuedText | None]) -> list[IssuedText | None]:
    """Return the keys of texts, imported ones too, where the deployment takes them: a read of all texts together.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    if not settings().takes_imported_keys:
        return list(issued)
    from keywright.keys import imported  # noqa: PLC0415 - loaded only where imported keys are taken

    others = [text for text in texts if _decoded(text) is NotIssuedHere.MALFORMED]
    found = dict(zip(others, imported.find(others), strict=True))
    return [known or _issued(found.get(text)) for text, known in zip(texts, issued, strict=True)]


def _decoded(text: str) -> KeyParts | NotIssuedHere:
    return key_text.decode(text, settings().key_prefix, pepper.peppers().tag_key)


def _issued(parts: KeyParts | None) -> IssuedText | None:
    return None if parts is None else IssuedText(parts.organization_id, parts.key_id, parts.generation)


def url_to_keep(url: str | None) -> str | None:
    """Return where a text was found, to be stored and shown; None if it is no URL, or would show a key."""
    return url if url and is_url(url) and not shows_a_key(url, settings().key_prefix) else None


def take(report: LeakReport) -> dict[IssuedText, LeakOutcome]:
    """Settle as many findings of a report as time allows, and leave the rest to the queue.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if something is left that the queue did not take; to report it again is safe.
    """
    outcomes: dict[IssuedText, LeakOutcome] = {}
    with deadline.reserving(_QUEUE_SHARE, _LEAST_QUEUE_SECONDS):
        try:
            _settle(report, outcomes)
        except ServiceError as error:
            logger().warning("reports of leaks wait in the queue", extra={"reason": error.reason or error.error.code})
        except Exception as error:  # noqa: BLE001 - what one key causes must not lose the rest
            logger().error("unexpected error", extra={"operation": "leaks", "details": describe(error)})
        finally:
            leak_log.write(report.source, outcomes.values())
    rest = tuple(finding for finding in report.findings if finding.issued not in outcomes)
    if rest:
        leak_queue.put(LeakReport(rest, report.source, report.reported_at, report.origin))
    return {finding.issued: LeakOutcome.ACCEPTED for finding in rest} | outcomes


def process(event: QueueEvent, context: LambdaContext) -> BatchAnswer:
    """Settle the reports of a batch. One that fails is named in the answer, and SQS delivers it again."""
    with deadline.within(context.get_remaining_time_in_millis()):
        again = [
            message["messageId"]
            for message in event["Records"]
            if not _is_settled(message["body"], message["messageId"], context.aws_request_id)
        ]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}


def _is_settled(body: str, message_id: str, request_id: str) -> bool:
    about: dict[str, object] = {"operation": "process_leak_reports", "request_id": request_id, "message_id": message_id}
    outcomes: dict[IssuedText, LeakOutcome] = {}
    try:
        report = LeakReport.parse(body)
        try:
            _settle(report, outcomes)
        finally:
            leak_log.write(report.source, outcomes.values())
    except ServiceError as error:
        logger().warning("report comes again", extra={**about, "reason": error.reason or error.error.code})
        return False
    except Exception as error:  # noqa: BLE001 - one report must not fail the rest of its batch
        logger().error("unexpected error", extra={**about, "details": describe(error)})
        return False
    logger().info("report", extra={**about, "outcome": f"settled {len(outcomes)}"})
    return True


def _settle(report: LeakReport, outcomes: dict[IssuedText, LeakOutcome]) -> None:
    """Settle the findings in order, and add the outcome of each; those before an exception are settled.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE; CONFLICT after many lost races.
    """
    for findings in _batches(report.findings):
        keys = _read(finding.issued for finding in findings)
        for finding in findings:
            outcomes[finding.issued] = _settled(finding, keys.get(finding.issued), report)


def _batches(findings: Iterable[Finding]) -> Iterator[list[Finding]]:
    remaining = iter(findings)
    while batch := list(islice(remaining, _READ_KEYS)):
        yield batch


def _read(texts: Iterable[IssuedText]) -> dict[IssuedText, ApiKeyRecord]:
    """Read the keys of up to 100 texts, strongly consistent, in one BatchGetItem, which takes each key once."""
    texts = list(texts)
    places = {
        (text.organization_id, text.key_id): layout.in_organization(
            text.organization_id, layout.api_key_sort_key(text.key_id)
        )
        for text in texts
    }
    records = [api_keys.parse_api_key(item) for item in table.read_keys(list(places.values())).values()]
    keys = {(record.organization_id, record.key_id): record for record in records}
    found = {text: keys.get((text.organization_id, text.key_id)) for text in texts}
    return {text: record for text, record in found.items() if record is not None}


def _settled(finding: Finding, key: ApiKeyRecord | None, report: LeakReport) -> LeakOutcome:
    """Settle a finding by the key as it was read; read it again if it has changed since."""
    as_read = [key]

    def act() -> LeakOutcome:
        record = as_read.pop() if as_read else _read([finding.issued]).get(finding.issued)
        if record is None:
            return LeakOutcome.INACTIVE
        change = _response(record, finding, report)
        if isinstance(change, LeakOutcome):
            return change
        commit_change(
            record,
            change,
            ACTOR,
            report.origin,
            [],
            event=AuditEvent.API_KEY_LEAK_REPORTED,
            reason=RevocationReason.COMPROMISED,
        )
        return LeakOutcome.REPORTED

    try:
        return table.retry_on_conflict(act, _ATTEMPTS)
    except ServiceError as error:
        if error.error is not API_KEY_NOT_FOUND:
            raise
        return LeakOutcome.INACTIVE  # deleted since it was read


def _response(key: ApiKeyRecord, finding: Finding, report: LeakReport) -> dict[str, Any] | LeakOutcome:
    """Return the fields that a finding changes, or why it changes nothing."""
    generation, disables = finding.issued.generation, settings().disables_leaked_keys
    is_current = generation == key.generation
    is_previous = generation == key.generation - 1 and key.previous_valid_until(clock.now()) is not None
    if not is_current and not is_previous:
        return LeakOutcome.INACTIVE
    if is_previous and disables:
        return {"previous_hash": None, "previous_expires_at": None}
    if key.leak is not None and key.leak.generation >= generation:
        return LeakOutcome.ALREADY_REPORTED
    leak = Leak(generation, report.reported_at, report.source, finding.url)
    return {"leak": leak, "enabled": False} if disables else {"leak": leak}
