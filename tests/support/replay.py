"""Replay of a case: apply its seed, invoke the function, and compare the table before and after."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3

from local.changes import Item, Key, from_json, to_json, written
from tests.support import table_stream
from tests.support.cases import WITHOUT_STATUS, message_id
from tests.support.dead_letters import take_letters
from tests.support.event_queue import EventQueue
from tests.support.matchers import differences
from tests.support.published_events import invalid_events
from tests.support.world import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.cases import Case
    from local.iam import AccessKey
    from local.object_store import ObjectStore
    from local.template import Function, Stack
    from tests.support.event_bus import EventBus
    from tests.support.world import World

MAPPINGS = {"sync_organizations": "OrganizationEventsMapping", "process_leak_reports": "LeakReportsMapping"}
"""The event source mapping of each function with a queue."""
STREAM_MAPPINGS = {"archive_records": "ArchiveMapping", "publish_events": "EventsMapping"}
"""The mapping of each function that reads the table's stream."""
NOTHING_SENT: dict[str, list[object]] = {"published": [], "archived": []}
"""By default, a function that reads the stream sends nothing elsewhere."""
NO_SERVER = "http://127.0.0.1:1"
"""An address on which no server listens."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay of cases, each with the role of its function.

    Attributes:
        access_keys: the access key of each function, by its folder's name.
    """

    world: World
    stack: Stack
    access_keys: Mapping[str, AccessKey]
    setting: Callable[[str, str], None]
    load_handler: Callable[[str], Callable[..., object]]
    event_bus: EventBus
    object_store: ObjectStore

    def __call__(self, case: Case) -> list[str]:
        """Return the differences between the expected and the actual outcome of a case.

        The event of each audit record that it writes is as the published schema says.
        """
        if case.function in STREAM_MAPPINGS:
            return self._changes(case)
        return self._messages(case) if case.function in WITHOUT_STATUS else self._request(case)

    def _request(self, case: Case) -> list[str]:
        if "LEAK_REPORTS_QUEUE_URL" in self._function(case.function).environment:
            reports = boto3.client("sqs").create_queue(QueueName="leak-reports")["QueueUrl"]
            self.setting("LEAK_REPORTS_QUEUE_URL", reports)
        prepare(case.seed, self.world, self.setting)
        before = items(self.world)

        outcome = invoke(self.load_handler(case.function), case.event, self.world)

        changes = written(before, items(self.world))
        return [*differences(case.expected, {**outcome, **changes}), *invalid_events(changes["added"])]

    def _messages(self, case: Case) -> list[str]:
        """Replay a batch of messages from their queue, or a scheduled event."""
        operator = boto3.client("sqs")
        dead_letters = operator.create_queue(QueueName=f"dead-letters-{uuid.uuid4()}")["QueueUrl"]
        self.setting("DEAD_LETTER_QUEUE_URL", dead_letters)
        prepare(case.seed, self.world, self.setting)
        before = items(self.world)
        context = Context(remaining_milliseconds=self._function(case.function).timeout_seconds * 1000)
        ids = {message["body"]: message["messageId"] for message in case.event.get("Records", [])}
        key = self.access_keys[case.function]
        queue = EventQueue.holding(MAPPINGS[case.function], list(ids), operator, key) if ids else None
        if queue:
            assert sorted(ids) == sorted(message["Body"] for message in queue.poll())

        outcome = invoke(self.load_handler(case.function), case.event, replace(self.world, context=context))

        if queue:
            failed = {failure["itemIdentifier"] for failure in outcome["answer"]["batchItemFailures"]}
            queue.finish(body for body, message_id in ids.items() if message_id not in failed)
            assert len(failed) == queue.length(operator)
        changes = written(before, items(self.world))
        actual = {**outcome, **changes, "put_aside": put_aside(dead_letters, case)}
        return [*differences({"put_aside": [], **case.expected}, actual), *invalid_events(changes["added"])]

    def _changes(self, case: Case) -> list[str]:
        """Replay a batch of the table's stream."""
        queue_url = table_stream.dead_letters("EventsMapping")
        take_letters(queue_url)
        self.setting("EVENTS_DEAD_LETTER_QUEUE_URL", queue_url)
        table, key = self.world.table, self.access_keys[case.function]
        stream = table_stream.Stream.turned_on(table, key)
        self.object_store.seed(case.seed.get("archive", []))
        prepare(case.seed, self.world, self.setting)
        for item in case.records.values():
            table.put(**{name: from_json(value) for name, value in item.items()})
        images = [record["dynamodb"]["NewImage"] for record in case.event["Records"]]
        assert images == [image for image in stream.poll() if image in images]
        before = items(self.world)
        context = Context(remaining_milliseconds=self._function(case.function).timeout_seconds * 1000)

        outcome = invoke(self.load_handler(case.function), case.event, replace(self.world, context=context))

        aside = put_aside(queue_url, case)
        if outcome.get("answer", {}).get("batchItemFailures"):
            stream.set_aside(STREAM_MAPPINGS[case.function])
        return differences(
            {"put_aside": [], **NOTHING_SENT, **case.expected},
            {
                **outcome,
                **written(before, items(self.world)),
                "put_aside": aside,
                "published": self.event_bus.delivered,
                "archived": self.object_store.lines[len(case.seed.get("archive", [])) :],
            },
        )

    def _function(self, name: str) -> Function:
        """Return a function by its folder's name."""
        (function,) = [each for each in self.stack.functions.values() if each.directory.name == name]
        return function


def put_aside(queue_url: str, case: Case) -> list[dict[str, str]]:
    """Return which messages or records of a case were set aside, with the reasons, and remove them from the queue."""
    return [{"messageId": message_id(case, letter.body), "reason": letter.reason} for letter in take_letters(queue_url)]


def prepare(seed: dict[str, Any], world: World, setting: Callable[[str, str], None]) -> None:
    """Apply a seed: items, pepper, environment, failures."""
    put_items(seed, world)
    if "pepper" in seed:
        secret_id, secret = os.environ["PEPPER_SECRET_ID"], json.dumps(seed["pepper"])
        boto3.client("secretsmanager").put_secret_value(SecretId=secret_id, SecretString=secret)
    for name, value in seed.get("environment", {}).items():
        setting(name, value)
    if seed.get("table") is False:
        setting("TABLE_NAME", "there-is-no-such-table")
    if seed.get("dynamodb") == "down":
        setting("AWS_ENDPOINT_URL_DYNAMODB", NO_SERVER)
    if seed.get("eventbridge") == "down":
        setting("AWS_ENDPOINT_URL_EVENTBRIDGE", NO_SERVER)
    if seed.get("s3") == "down":
        setting("AWS_ENDPOINT_URL_S3", NO_SERVER)


def put_items(seed: dict[str, Any], world: World) -> None:
    """Write the items of a seed."""
    for item in seed["items"]:
        world.table.put(**{name: from_json(value) for name, value in item.items()})


def items(world: World) -> dict[Key, Item]:
    """Return the table's items by key."""
    return {
        (item["pk"], item["sk"]): {name: to_json(value) for name, value in item.items()} for item in world.table.items()
    }


def invoke(handler: Callable[..., Any], event: dict[str, Any], world: World) -> dict[str, Any]:
    """Call a handler as Lambda does, through JSON both ways; return its answer or its error."""
    try:
        answer = json.loads(json.dumps(handler(event, world.context)))
    except Exception as error:  # noqa: BLE001 - Lambda reports every exception
        return {"error": {"type": type(error).__name__, "message": str(error)}}
    if answer.get("body"):
        answer["body"] = in_envelope(answer["body"])
    return {"answer": answer}


def in_envelope(body: str) -> object:
    """Return the parsed body of an answer; a document, which has no envelope, stays a text."""
    content = json.loads(body) if body.startswith("{") else {}
    return content if "data" in content else body
