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

from dataclasses import dataclass, field
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
from keywright.errors import API_KEY_NOT_FOUND, SERVICE_UNAVAILABLE, ServiceError
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
    from keywright.store.layout import Item

ACTOR = Actor(ActorType.SYSTEM, "leak_reports")

_READ_KEYS = 100
"""Amazon DynamoDB API Reference, BatchGetItem: the most items of one request."""
_ATTEMPTS = 20
"""As many as a deletion gets: a report should not be lost because of an edit."""
_QUEUE_SHARE = 1 / 3
_SETTLING_SHARE = 2 / 3
"""Time for settling and for the queue, once it is known which texts are keys, or not."""
_LEAST_QUEUE_SECONDS = ATTEMPT_SECONDS + 0.5
"""Time for the queue: one attempt at the least."""


def report(body: ReportLeak, origin: Origin) -> LeakResults:
    """Report texts, and return the outcome of each, in order.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if something is left that was neither identified nor taken by the queue; what
            could be settled is settled, and to report all of it again is safe.
    """
    identified = identify(body.keys)
    identified.add_imported()
    issued = identified.issued
    url = url_to_keep(body.url, [text for text, key in zip(body.keys, issued, strict=True) if key is not None])
    findings = tuple(Finding(text, url) for text in dict.fromkeys(issued) if text is not None)
    outcomes = take(LeakReport(findings, LeakSource.REPORT, clock.now(), origin)) if findings else {}
    identified.require_all()
    results = [LeakOutcome.UNKNOWN if text is None else outcomes[text] for text in issued]
    return LeakResults(results=[LeakResult(outcome=outcome.value) for outcome in results])


@dataclass(slots=True)
class Identified:
    """The keys of the texts of a report, as far as they are known.

    Attributes:
        texts: the texts.
        issued: the key and generation of each text, in order; None for a text that was not issued here.
        failure: why it is not known of some of these. The others are settled all the same.
    """

    texts: Sequence[str] = field(repr=False)
    issued: list[IssuedText | None] = field(default_factory=list)
    failure: ServiceError | None = None

    def add_imported(self) -> None:
        """Find the keys of imported texts too, where the deployment takes them: a read of all texts together."""
        if not settings().takes_imported_keys:
            return
        from keywright.keys import imported  # noqa: PLC0415 - loaded only where imported keys are taken

        try:
            with deadline.reserving(_SETTLING_SHARE, _LEAST_QUEUE_SECONDS):
                others = [text for text in self.texts if _decoded(text) is NotIssuedHere.MALFORMED]
                found = dict(zip(others, imported.find(others), strict=True))
        except ServiceError as error:
            self.failure = error
        else:
            self.issued = [
                known or _issued(found.get(text)) for text, known in zip(self.texts, self.issued, strict=True)
            ]

    def require_all(self) -> None:
        """Refuse the report if it is not known of every text whether it was issued here.

        Raises:
            ServiceError: SERVICE_UNAVAILABLE.
        """
        if self.failure is not None:
            raise self.failure


def identify(texts: Sequence[str]) -> Identified:
    """Return the key and generation of each text that this service has issued: without a read."""
    identified = Identified(texts)
    with deadline.reserving(_SETTLING_SHARE, _LEAST_QUEUE_SECONDS):
        for text in texts:
            try:
                parts = _decoded(text)
            except ServiceError as error:  # of this pepper version it is not known whether it exists
                identified.failure, parts = error, NotIssuedHere.MALFORMED
            identified.issued.append(None if isinstance(parts, NotIssuedHere) else _issued(parts))
    return identified


def _decoded(text: str) -> KeyParts | NotIssuedHere:
    return key_text.decode(text, settings().key_prefix, pepper.peppers().tag_key)


def _issued(parts: KeyParts | None) -> IssuedText | None:
    return None if parts is None else IssuedText(parts.organization_id, parts.key_id, parts.generation)


def url_to_keep(url: str | None, texts: Sequence[str]) -> str | None:
    """Return where texts were found, to be stored and shown; None if it is no URL, or would show a key."""
    return url if url and is_url(url) and not shows_a_key(url, settings().key_prefix, texts) else None


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
    """Settle the findings in order, and add the outcome of each. Those after one that fails are settled too.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE, at once: it would be the same for others. CONFLICT after many lost races.
        Exception: what the first failing finding caused.
    """
    failures: list[Exception] = []
    for findings in _batches(report.findings):
        items = _read([finding.issued for finding in findings])
        for finding in findings:
            try:
                outcomes[finding.issued] = _settled(finding, items.get(finding.issued), report)
            except Exception as error:  # what one key causes must not hold up the rest
                if isinstance(error, ServiceError) and error.error is SERVICE_UNAVAILABLE:
                    raise
                failures.append(error)
    if failures:
        raise failures[0]


def _batches(findings: Iterable[Finding]) -> Iterator[list[Finding]]:
    remaining = iter(findings)
    while batch := list(islice(remaining, _READ_KEYS)):
        yield batch


def _read(texts: Sequence[IssuedText]) -> dict[IssuedText, Item]:
    """Read the items of up to 100 keys, strongly consistent, in one BatchGetItem, which takes each key once."""
    sort_keys = {text: layout.api_key_sort_key(text.key_id) for text in texts}
    places = {
        (text.organization_id, sort_key): layout.in_organization(text.organization_id, sort_key)
        for text, sort_key in sort_keys.items()
    }
    items = table.read_keys(list(places.values()))
    return {text: items[sort_key] for text, sort_key in sort_keys.items() if sort_key in items}


def _settled(finding: Finding, item: Item | None, report: LeakReport) -> LeakOutcome:
    """Settle a finding by the key as it was read; read it again if it has changed since."""
    as_read = [item]

    def act() -> LeakOutcome:
        item = as_read.pop() if as_read else _read([finding.issued]).get(finding.issued)
        if item is None:
            return LeakOutcome.INACTIVE
        record = api_keys.parse_api_key(item)
        if record.organization_id != finding.issued.organization_id:
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
        # Enabled with a leak: it was reported with LeakResponse notify. The report that it has is kept.
        return {"enabled": False} if disables and key.enabled else LeakOutcome.ALREADY_REPORTED
    leak = Leak(generation, report.reported_at, report.source, finding.url)
    return {"leak": leak, "enabled": False} if disables else {"leak": leak}
