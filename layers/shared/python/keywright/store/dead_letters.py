"""The queue of the events that could not be used, each with the reason."""

from __future__ import annotations

from keywright.aws.retries import queues, require_genuine, with_retries
from keywright.settings import settings


def put(body: str, reason: str) -> None:
    """Put an event aside as it came.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if SQS throttles or does not answer.
    """
    url = settings().dead_letter_queue_url
    attributes = {"reason": {"DataType": "String", "StringValue": reason}}
    message = {"QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes}
    with_retries(lambda: require_genuine(queues().call("SendMessage", message), "MessageId"))
