"""The events in events/ of functions that nobody waits for, replayed: messages of a queue, and the ticks of a schedule.

What a folder holds is told in events/README.md. Such a function has no status; its folders begin with what becomes of
the event.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.bus import EventQueue
from tests.test_events import EVENTS, UNTOUCHED, WITHOUT_STATUS, Case, differences, invoke, items, prepare, written
from tests.world import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from local.iam import AccessKey, Decision
    from local.template import Stack
    from tests.world import World

CASES = [Case(folder) for folder in sorted(EVENTS.glob("*/*/")) if folder.parent.name in WITHOUT_STATUS]
BATCHES = [case for case in CASES if case.function == "sync_organizations"]
TICKS = [case for case in CASES if case.function == "purge_organizations"]

OUTCOMES = {
    # It is followed; it is older than what is known, or was followed before; it is put aside; it comes again.
    "sync_organizations": {"followed", "outdated", "aside", "again"},
    # What is due is gone; it is still there, or nothing is due; something went wrong.
    "purge_organizations": {"purged", "kept", "failed"},
}
"""What an event can lead to; of a batch, the last that is true of any of its messages."""


def outcome_of(case: Case) -> str:
    """Give what a case's folder says will become of the event."""
    return case.folder.name.split("_", 1)[0]


# ---- Replay --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_replay(case: Case, replay_message: Callable[[Case], list[str]], decisions: Collection[Decision]) -> None:
    """GIVEN the seed WHEN the function gets the event THEN what is expected comes of it, here and in both queues.

    The function's role allows all that this takes (tests/test_roles.py has the converse: nothing else).
    """
    assert [] == replay_message(case)
    assert [] == [decision for decision in decisions if not decision.is_allowed]


@pytest.fixture
def replay_message(
    world: World,
    stack: Stack,
    access_keys: Mapping[str, AccessKey],
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., object]],
) -> Callable[[Case], list[str]]:
    """Replay an event of a queue or a schedule; the result is the differences from what is expected."""

    def replayed(case: Case) -> list[str]:
        operator = boto3.client("sqs")
        aside_url = operator.create_queue(QueueName=f"dead-letters-{uuid.uuid4()}")["QueueUrl"]
        setting("DEAD_LETTER_QUEUE_URL", aside_url)
        prepare(case.seed, world, setting)
        before = items(world)
        (function,) = [found for found in stack.functions.values() if found.directory.name == case.function]
        context = Context(remaining_milliseconds=function.timeout_seconds * 1000)
        names = {message["body"]: message["messageId"] for message in case.event.get("Records", [])}
        queue = EventQueue.holding(list(names), operator, access_keys[case.function]) if names else None
        if queue:
            assert sorted(names) == sorted(message["Body"] for message in queue.poll())

        outcome = invoke(load_handler(case.function), case.event, replace(world, context=context))

        if queue:
            again = {failure["itemIdentifier"] for failure in outcome["answer"]["batchItemFailures"]}
            queue.finish(body for body, name in names.items() if name not in again)
            assert len(again) == queue.length(operator)
        aside = operator.receive_message(QueueUrl=aside_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        put_aside = [
            {"messageId": names[letter["Body"]], "reason": letter["MessageAttributes"]["reason"]["StringValue"]}
            for letter in aside.get("Messages", [])
        ]
        return differences(
            {**UNTOUCHED, "put_aside": [], **case.expected},
            {**outcome, **written(before, items(world)), "put_aside": put_aside},
        )

    return replayed


# ---- The files -----------------------------------------------------------------------------------------------


def test_each_outcome_has_events() -> None:
    """For every function there is, everything that can become of an event."""
    found: dict[str, set[str]] = {}
    for case in CASES:
        found.setdefault(case.function, set()).add(outcome_of(case))

    assert OUTCOMES == found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_folder_holds_three_files(case: Case) -> None:
    """The event, the world before, and what comes of it; with no field in them that means nothing."""
    assert ["event.json", "expected.json", "seed.json"] == sorted(path.name for path in case.folder.iterdir())
    assert {"items"} <= case.seed.keys() <= {"items", "environment", "table", "dynamodb"}
    assert case.expected.keys() - UNTOUCHED.keys() - {"put_aside"} in ({"answer"}, {"error"})


@pytest.mark.parametrize("case", BATCHES, ids=str)
def test_the_folder_of_a_batch_says_what_becomes_of_it(case: Case) -> None:
    """As far as anybody can see: in the answer, in the dead-letter queue and in the table."""
    written_to = [item for kind in UNTOUCHED for item in case.expected.get(kind, [])]
    if case.expected["answer"]["batchItemFailures"]:
        seen = "again"
    elif case.expected.get("put_aside"):
        seen = "aside"
    else:
        seen = "followed" if any(not item["sk"].startswith("AUDIT#") for item in written_to) else "outdated"

    assert outcome_of(case) == seen


@pytest.mark.parametrize("case", TICKS, ids=str)
def test_the_folder_of_a_tick_says_what_becomes_of_what_is_due(case: Case) -> None:
    """As the answer says."""
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
def test_batches_have_the_shape_that_lambda_gives_them(case: Case) -> None:
    """No field is left out, none is made up, and none contradicts another."""
    assert {"Records"} == case.event.keys()
    for message in case.event["Records"]:
        assert (MESSAGE_FIELDS, ATTRIBUTES) == (message.keys(), message["attributes"].keys())
        assert hashlib.md5(message["body"].encode(), usedforsecurity=False).hexdigest() == message["md5OfBody"]
        assert f"arn:{message['eventSource']}:{message['awsRegion']}:" in message["eventSourceARN"]


def bodies(case: Case) -> list[dict[str, Any]]:
    """Read the events of a batch that can be read."""
    texts = [message["body"] for message in case.event["Records"]]
    return [json.loads(text) for text in texts if text.startswith("{")]


@pytest.mark.parametrize("case", BATCHES, ids=str)
def test_messages_hold_what_the_bus_has_put_into_the_queue(case: Case) -> None:
    """An event with everything that EventBridge adds to it."""
    assert [EVENT_FIELDS] * len(bodies(case)) == [event.keys() for event in bodies(case)]


@pytest.mark.parametrize("case", TICKS, ids=str)
def test_ticks_have_the_shape_that_eventbridge_gives_them(case: Case) -> None:
    """Of a schedule on the default bus."""
    assert case.event.keys() == EVENT_FIELDS
    assert ("aws.events", "Scheduled Event", {}) == (
        case.event["source"],
        case.event["detail-type"],
        case.event["detail"],
    )


def test_message_ids_are_unique() -> None:
    """A line of a log leads to one case."""
    ids = [message["messageId"] for case in BATCHES for message in case.event["Records"]]

    assert len(ids) == len(set(ids))
