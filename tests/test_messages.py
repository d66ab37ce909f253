"""Messages and ticks in events/: replayed, and checked against the forms of SQS and EventBridge.

events/README.md describes a folder's files. Without a status, a folder's name begins with the outcome.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cases import BATCHES, MESSAGES, TICKS, outcome_of
from tests.support.replay import UNTOUCHED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from local.iam import Decision
    from tests.support.cases import Case


OUTCOMES = {
    # applied; older than the state or applied before; set aside; returned to the queue
    "sync_organizations": {"followed", "outdated", "aside", "again"},
    # deleted; not due or canceled; failed
    "purge_organizations": {"purged", "kept", "failed"},
}
"""The outcomes of an event; that of a batch is the last one that any of its messages has."""


# ---- Replay --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", MESSAGES, ids=str)
def test_replay(case: Case, replay: Callable[[Case], list[str]], decisions: Collection[Decision]) -> None:
    """GIVEN a case's seed WHEN the function gets the event THEN answer, table and both queues are as expected.

    The function's role allows all requests; tests/test_roles.py tests that it allows no others.
    """
    assert [] == replay(case)
    assert [] == [decision for decision in decisions if not decision.is_allowed]


# ---- The files -----------------------------------------------------------------------------------------------


def test_each_outcome_has_events() -> None:
    """Every function has an event for each outcome."""
    outcomes: dict[str, set[str]] = {}
    for case in MESSAGES:
        outcomes.setdefault(case.function, set()).add(outcome_of(case))

    assert OUTCOMES == outcomes


@pytest.mark.parametrize("case", MESSAGES, ids=str)
def test_a_folder_holds_three_files(case: Case) -> None:
    """Event, seed and expectation, with known fields only."""
    assert ["event.json", "expected.json", "seed.json"] == sorted(path.name for path in case.folder.iterdir())
    assert {"items"} <= case.seed.keys() <= {"items", "environment", "table", "dynamodb"}
    assert case.expected.keys() - UNTOUCHED.keys() - {"put_aside"} in ({"answer"}, {"error"})


@pytest.mark.parametrize("case", BATCHES, ids=str)
def test_the_folder_of_a_batch_names_the_outcome(case: Case) -> None:
    """The outcome is visible in the answer, in the dead-letter queue and in the table."""
    written_to = [item for kind in UNTOUCHED for item in case.expected.get(kind, [])]
    if case.expected["answer"]["batchItemFailures"]:
        seen = "again"
    elif case.expected.get("put_aside"):
        seen = "aside"
    else:
        seen = "followed" if any(not item["sk"].startswith("AUDIT#") for item in written_to) else "outdated"

    assert outcome_of(case) == seen


@pytest.mark.parametrize("case", TICKS, ids=str)
def test_the_folder_of_a_tick_names_the_outcome(case: Case) -> None:
    """The outcome is visible in the answer."""
    seen = "failed" if "error" in case.expected else "purged" if case.expected["answer"]["purged"] else "kept"

    assert outcome_of(case) == seen


# AWS Lambda Developer Guide, "Using Lambda with Amazon SQS".
MESSAGE_FIELDS = {
    "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "eventSource",
    "eventSourceARN", "awsRegion",
}  # fmt: skip
ATTRIBUTES = {"ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"}
# Amazon EventBridge User Guide, "Events".
EVENT_FIELDS = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}


@pytest.mark.parametrize("case", BATCHES, ids=str)
def test_batches_have_the_form_of_lambda(case: Case) -> None:
    """A message has all fields of SQS and no others, and repeated values are equal."""
    assert {"Records"} == case.event.keys()
    for message in case.event["Records"]:
        assert MESSAGE_FIELDS == message.keys()
        assert ATTRIBUTES == message["attributes"].keys()
        assert hashlib.md5(message["body"].encode(), usedforsecurity=False).hexdigest() == message["md5OfBody"]
        assert f"arn:{message['eventSource']}:{message['awsRegion']}:" in message["eventSourceARN"]


def bodies(case: Case) -> list[dict[str, Any]]:
    """Return the events of a batch that can be parsed."""
    texts = [message["body"] for message in case.event["Records"]]
    return [json.loads(text) for text in texts if text.startswith("{")]


@pytest.mark.parametrize("case", BATCHES, ids=str)
def test_messages_hold_events_of_the_bus(case: Case) -> None:
    """A body has all fields of an event of EventBridge."""
    assert [EVENT_FIELDS] * len(bodies(case)) == [event.keys() for event in bodies(case)]


@pytest.mark.parametrize("case", TICKS, ids=str)
def test_ticks_have_the_form_of_eventbridge(case: Case) -> None:
    """A tick is an event of a schedule on the default bus."""
    assert case.event.keys() == EVENT_FIELDS
    assert "aws.events" == case.event["source"]
    assert "Scheduled Event" == case.event["detail-type"]
    assert {} == case.event["detail"]


def test_message_ids_are_unique() -> None:
    """An id in the log identifies one case."""
    ids = [message["messageId"] for case in BATCHES for message in case.event["Records"]]

    assert len(ids) == len(set(ids))
