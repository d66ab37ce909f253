"""Dead-letter queues: what was set aside, and why."""

from __future__ import annotations

from typing import NamedTuple

import boto3


class Letter(NamedTuple):
    """A message that was set aside.

    Attributes:
        reason: empty if the message has none.
    """

    body: str
    reason: str


def take_letters(queue_url: str) -> list[Letter]:
    """Return everything in a dead-letter queue, and remove it."""
    sqs = boto3.client("sqs")
    letters = []
    while messages := sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
    ).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            attributes = message.get("MessageAttributes", {})
            reason = attributes["reason"]["StringValue"] if "reason" in attributes else ""
            letters.append(Letter(message["Body"], reason))
    return letters
