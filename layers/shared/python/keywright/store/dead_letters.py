"""The queue of the events that could not be used, each with the reason."""

from __future__ import annotations

from keywright.settings import settings
from keywright.store.aws import queues, require_genuine, with_retries


def put(body: str, reason: str) -> None:
    """Put an event aside as it came.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if SQS throttles or does not answer.
    """
    url = settings().dead_letter_queue_url
    attributes = {"reason": {"DataType": "String", "StringValue": reason}}
    message = {"QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes}
    with_retries(lambda: require_genuine(queues().call("SendMessage", message), "MessageId"))
