"""The dead-letter queue: events that cannot be applied, each with the reason."""

from __future__ import annotations

from keywright.aws.retries import queues, require_genuine, with_retries
from keywright.settings import settings


def put_dead_letter(body: str, reason: str) -> None:
    """Send an event, as it arrived, to the dead-letter queue.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if SQS throttles or does not answer.
    """
    url = settings().dead_letter_queue_url
    attributes = {"reason": {"DataType": "String", "StringValue": reason}}
    message = {"QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes}
    with_retries(lambda: require_genuine(queues().call("SendMessage", message), "MessageId"))
