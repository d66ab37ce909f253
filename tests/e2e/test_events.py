"""Events out of the deployed stack: the table's stream, the mapping with its filter, the function, the bus."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.api.deployment import AUDIT_LOGS, Deployment, data, listed
from tests.e2e.__main__ import STACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 60
"""For an event to come out."""


@pytest.fixture
def bus() -> str:
    """The name of the stack's bus of events."""
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "EventBusName")


@pytest.fixture
def received(bus: str) -> Iterator[Callable[[int], list[dict[str, Any]]]]:
    """A consumer: a rule of the bus for keys, to a queue. Return the events that it got, at least so many."""
    sqs, events = boto3.client("sqs"), boto3.client("events")
    name = f"consumer-{uuid.uuid4()}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["keywright"], "detail-type": [{"prefix": "api_key."}]}
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

    def receive(count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        end = time.monotonic() + SECONDS
        while len(found) < count and time.monotonic() < end:
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
                "Messages", []
            ):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    yield receive
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=url)


def test_changes_over_http_come_out_on_the_bus(
    deployment: Deployment, received: Callable[[int], list[dict[str, Any]]]
) -> None:
    """GIVEN a rule of the bus WHEN a key is made, rotated and deleted THEN its queue gets three audit records."""
    key = deployment.create_key()
    data(deployment.rotate(key["id"]))
    data(deployment.delete(key["id"]))

    events = received(3)

    page, _ = listed(deployment.request("GET", AUDIT_LOGS, params={"limit": "10", "target_id": key["id"]}))
    assert ["api_key.created", "api_key.rotated", "api_key.deleted"] == [event["detail-type"] for event in events]
    assert {"keywright"} == {event["source"] for event in events}
    assert [{**record, "organizationId": deployment.organization_id} for record in reversed(page)] == [
        event["detail"] for event in events
    ]
