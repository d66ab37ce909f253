"""Batches and scheduled events in events/: each is replayed, and all have the forms of SQS, Lambda and EventBridge.

events/README.md describes the files. Without a status, a case's name begins with its outcome.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from keywright.domain.leak import LeakReport
from local.filters import matches
from tests.support.cases import BATCHES, CHANGES, LEAKS, MESSAGES, TICKS, unequal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from local.cases import Case
    from local.iam import Decision
    from local.template import Stack
    from tests.support.cases import Comparison


OUTCOMES = {
    # applied; older than the state or applied before; set aside; returned to the queue
    "sync_organizations": {"followed", "outdated", "aside", "again"},
    # settled; returned to the queue
    "process_leak_reports": {"settled", "again"},
    # on the event bus; set aside; comes again, from the first that is not on the bus
    "publish_events": {"published", "aside", "again"},
    # in the audit log; no key expires then; not due; failed
    "announce_expirations": {"announced", "forgotten", "kept", "failed"},
    # in the bucket; comes again
    "archive_records": {"archived", "again"},
    # deleted; not due or canceled; failed
    "purge_organizations": {"purged", "kept", "failed"},
}
"""The outcomes of an event; that of a batch is the last one that any of its messages has."""


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("case", MESSAGES, ids=str)
def test_replay(case: Case, replay: Callable[[Case], list[str]], decisions: Collection[Decision]) -> None:
    """GIVEN a case's seed WHEN the function gets the event THEN answer, table and both queues are as expected.

    The function's role allows all requests; tests/test_roles.py tests that it allows no others.
    """
    assert [] == replay(case)
    assert [] == [decision for decision in decisions if not decision.is_allowed]


def test_each_outcome_has_an_event() -> None:
    """Every function without a caller has an event for each of its outcomes."""
    outcomes: dict[str, set[str]] = {}
    for case in MESSAGES:
        outcomes.setdefault(case.function, set()).add(case.outcome)

    assert OUTCOMES == outcomes


def test_cases_expect_an_answer_or_an_error() -> None:
    """A function answers or fails, and its writes are listed."""

    def outcome(case: Case) -> Iterator[Comparison]:
        fields = case.expected.keys() & {"answer", "error"}
        yield "number of outcomes", 1, len(fields)
        yield (
            "fields",
            fields | {"added", "changed", "removed"},
            case.expected.keys() - {"put_aside", "published", "archived"},
        )

    assert [] == unequal(MESSAGES, outcome)


def test_batches_are_named_after_their_outcome() -> None:
    """A batch's outcome is visible in the answer, in the dead-letter queue and in the table."""

    def outcome(case: Case) -> Iterator[Comparison]:
        writes = [item for kind in ("added", "changed", "removed") for item in case.expected[kind]]
        if case.expected["answer"]["batchItemFailures"]:
            yield "outcome", "again", case.outcome
        elif case.expected["put_aside"]:
            yield "outcome", "aside", case.outcome
        else:
            is_applied = any(not item["sk"].startswith("AUDIT#") for item in writes)
            yield "outcome", "followed" if is_applied else "outdated", case.outcome

    assert [] == unequal(BATCHES, outcome)


def test_reports_are_named_after_their_outcome() -> None:
    """A report's outcome is visible in the answer."""

    def outcome(case: Case) -> Iterator[Comparison]:
        yield "outcome", "again" if case.expected["answer"]["batchItemFailures"] else "settled", case.outcome

    assert [] == unequal(LEAKS, outcome)


def test_reports_hold_what_the_functions_send() -> None:
    """A body is a report as the functions write it."""

    def body(case: Case) -> Iterator[Comparison]:
        for message in case.event["Records"]:
            yield "body", LeakReport.parse(message["body"]).message(), message["body"]

    assert [] == unequal(LEAKS, body)


def test_changes_are_named_after_their_outcome() -> None:
    """A batch of the stream is done, has records that are set aside, or the answer names one that comes again."""
    done = {"archive_records": "archived", "publish_events": "published"}

    def outcome(case: Case) -> Iterator[Comparison]:
        if case.expected["answer"]["batchItemFailures"]:
            yield "outcome", "again", case.outcome
        else:
            yield "outcome", "aside" if "put_aside" in case.expected else done[case.function], case.outcome

    assert [] == unequal(CHANGES, outcome)


def test_scheduled_events_are_named_after_their_outcome() -> None:
    """The outcome of a run is visible in the answer."""
    announced = {"expiring": "announced", "expired": "announced"}

    def outcome(case: Case) -> Iterator[Comparison]:
        counts = case.expected.get("answer", {"failed": 1})
        (counted,) = [name for name, count in counts.items() if count] or ["kept"]
        yield "outcome", announced.get(counted, counted), case.outcome

    assert [] == unequal(TICKS, outcome)


# AWS Lambda Developer Guide, "Using Lambda with Amazon SQS".
MESSAGE_FIELDS = {
    "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "eventSource",
    "eventSourceARN", "awsRegion",
}  # fmt: skip
ATTRIBUTES = {"ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"}
# Amazon EventBridge User Guide, "Events".
EVENT_FIELDS = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}


def test_batches_have_the_form_of_lambda() -> None:
    """A message has all fields of SQS and no others, and repeated values are equal."""

    def fields(case: Case) -> Iterator[Comparison]:
        yield "fields", {"Records"}, case.event.keys()
        for message in case.event["Records"]:
            digest = hashlib.md5(message["body"].encode(), usedforsecurity=False).hexdigest()
            queue = f"arn:{message['eventSource']}:{message['awsRegion']}"
            yield "fields of a message", MESSAGE_FIELDS, message.keys()
            yield "attributes", ATTRIBUTES, message["attributes"].keys()
            yield "digest", digest, message["md5OfBody"]
            yield "queue", queue, ":".join(message["eventSourceARN"].split(":")[:4])

    assert [] == unequal(BATCHES + LEAKS, fields)


def test_messages_hold_events_of_the_bus() -> None:
    """A body that is JSON has all fields of an event of EventBridge and no others."""

    def fields(case: Case) -> Iterator[Comparison]:
        for message in case.event["Records"]:
            if message["body"].startswith("{"):
                yield "body", EVENT_FIELDS, json.loads(message["body"]).keys()

    assert [] == unequal(BATCHES, fields)


# Amazon DynamoDB Streams API Reference, "Record"; AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB".
RECORD_FIELDS = {"eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN"}
CHANGE_FIELDS = {
    "ApproximateCreationDateTime", "Keys", "NewImage", "SequenceNumber", "SizeBytes", "StreamViewType",
}  # fmt: skip


def test_changes_have_the_form_of_lambda(stack: Stack) -> None:
    """A record has all fields of a stream of new images, matches the filters, and comes after the one before it."""
    patterns = [pattern for reader in stack.stream_readers for pattern in reader.patterns]

    def fields(case: Case) -> Iterator[Comparison]:
        numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in case.event["Records"]]
        yield "order", sorted(set(numbers)), numbers
        for record in case.event["Records"]:
            yield "fields of a record", RECORD_FIELDS, record.keys()
            yield "fields of a change", CHANGE_FIELDS, record["dynamodb"].keys()
            yield "filter", True, all(matches(pattern, record) for pattern in patterns)

    assert [] == unequal(CHANGES, fields)


def test_scheduled_events_have_the_form_of_eventbridge() -> None:
    """A run is started by a schedule on the default bus."""

    def fields(case: Case) -> Iterator[Comparison]:
        yield "fields", EVENT_FIELDS, case.event.keys()
        yield "source", "aws.events", case.event["source"]
        yield "detail-type", "Scheduled Event", case.event["detail-type"]
        yield "detail", {}, case.event["detail"]

    assert [] == unequal(TICKS, fields)


def test_message_ids_are_unique() -> None:
    """An id in the log identifies one message."""
    ids = [message["messageId"] for case in BATCHES + LEAKS for message in case.event["Records"]]

    assert len(ids) == len(set(ids))
