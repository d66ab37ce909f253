"""Events of an identity provider as they reach sync_organizations: from EventBridge through a queue."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import boto3

from local.intrinsics import text
from tests.support.cloudformation import properties
from tests.support.dead_letters import Letter, take_letters
from tests.support.world import ORGANIZATION_ID, Context, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from local.iam import AccessKey

TIME = "2026-03-01T12:00:00.000Z"
NAME_OF_PROVIDER = "com.example.identity"


def event(kind: str, *, time: str = TIME, event_id: str | None = None, **detail: Any) -> dict[str, Any]:
    """Return an event as EventBridge delivers it, by default of the organization and without a member.

    Source: Amazon EventBridge User Guide, "Events".
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": NAME_OF_PROVIDER,
        "account": "123456789012",
        "time": "2026-03-01T12:00:01Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": {
            "eventId": event_id or f"{kind}-{uuid.uuid4()}",
            "time": time,
            "organization": {"id": ORGANIZATION_ID},
            **detail,
        },
    }


def about(user_id: str = "user_1", **state: Any) -> dict[str, Any]:
    """Return the member part of an event."""
    return {"member": {"userId": user_id, **state}}


def message(body: object, message_id: str) -> dict[str, Any]:
    """Return a message as Lambda reads it from a queue; a body other than text is written as JSON.

    Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS".
    """
    return {
        "messageId": message_id,
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1772366401000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1772366401002",
        },
        "messageAttributes": {},
        "md5OfBody": "0",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:events",
        "awsRegion": "eu-central-1",
    }


@dataclass(slots=True)
class EventQueue:
    """The queue of organization events, polled as Lambda polls it: with the role of the function.

    Source: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping", "Configuring
    execution role permissions".

    Attributes:
        lambda_: the client of the poller, with the credentials of the function's role.
    """

    lambda_: SQSClient
    url: str
    received: list[MessageTypeDef] = field(default_factory=list)

    @classmethod
    def holding(cls, mapping: str, bodies: Sequence[str], operator: SQSClient, key: AccessKey) -> EventQueue:
        """Return the queue of an event source mapping of the template, with exactly these messages."""
        source = text(properties(mapping)["EventSourceArn"], "EventSourceArn")
        name = source.rpartition(":")[2]
        operator.delete_queue(QueueUrl=operator.create_queue(QueueName=name)["QueueUrl"])
        url = operator.create_queue(QueueName=name)["QueueUrl"]
        for body in bodies:
            operator.send_message(QueueUrl=url, MessageBody=body)
        lambda_ = boto3.client("sqs", aws_access_key_id=key.access_key, aws_secret_access_key=key.secret_key)
        return cls(lambda_, url)

    def poll(self) -> Sequence[MessageTypeDef]:
        """Receive a batch of messages."""
        self.length(self.lambda_)
        answer = self.lambda_.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        self.received = answer.get("Messages", [])
        return self.received

    def finish(self, bodies: Iterable[str]) -> None:
        """Delete the messages of the batch that did not fail, by their bodies."""
        receipts = {message["Body"]: message["ReceiptHandle"] for message in self.received}
        for body in bodies:
            self.lambda_.delete_message(QueueUrl=self.url, ReceiptHandle=receipts[body])

    def length(self, client: SQSClient) -> int:
        """Return the number of messages in the queue, including those in flight."""
        counts: list[QueueAttributeNameType] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = client.get_queue_attributes(QueueUrl=self.url, AttributeNames=counts)["Attributes"]
        return sum(int(attributes[name]) for name in counts)


@dataclass(frozen=True, slots=True)
class Sync:
    """sync_organizations as Lambda calls it, with its dead-letter queue."""

    handler: Callable[..., Any]
    world: World
    queue: SQSClient
    url: str

    @classmethod
    def opened(
        cls, handler: Callable[..., Any], world: World, setting: Callable[[str, str], None], *, seconds: int
    ) -> Sync:
        """Return the function with an empty dead-letter queue and that much time for each batch."""
        queue = boto3.client("sqs")
        url = queue.create_queue(QueueName=f"dead-letters-{uuid.uuid4()}")["QueueUrl"]
        setting("DEAD_LETTER_QUEUE_URL", url)
        return cls(handler, replace(world, context=Context(remaining_milliseconds=seconds * 1000)), queue, url)

    def __call__(self, *bodies: object) -> list[int]:
        """Deliver a batch; return the positions of the events that return to the queue."""
        records = [message(body, f"message-{index}") for index, body in enumerate(bodies)]
        answer = self.handler({"Records": records}, self.world.context)
        assert {"batchItemFailures": answer["batchItemFailures"]} == answer
        assert all({"itemIdentifier"} == failure.keys() for failure in answer["batchItemFailures"])
        return [int(failure["itemIdentifier"].removeprefix("message-")) for failure in answer["batchItemFailures"]]

    def with_time_left(self, milliseconds: int) -> Sync:
        """Return the same function, with less time left."""
        return replace(self, world=replace(self.world, context=Context(remaining_milliseconds=milliseconds)))

    def put_aside(self) -> list[Letter]:
        """Return and remove everything in the dead-letter queue."""
        return take_letters(self.url)
