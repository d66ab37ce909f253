"""The shapes of what Lambda reads from a queue, and of how a function names the messages that have to come again.

Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS" and "Handling errors for an SQS event source".
"""

from __future__ import annotations

from typing import TypedDict


class QueueMessage(TypedDict):
    """A message, as far as Keywright reads it. The body is what the event bus has put there: an event as JSON."""

    messageId: str
    body: str


class QueueEvent(TypedDict):
    """A batch of messages."""

    Records: list[QueueMessage]


class BatchItemFailure(TypedDict):
    """A message that has to come again."""

    itemIdentifier: str


class BatchAnswer(TypedDict):
    """What became of a batch: whatever is not named is done, and leaves the queue."""

    batchItemFailures: list[BatchItemFailure]
