"""Dead-letter queues: what a function cannot process, each with the reason."""

from __future__ import annotations

from keywright.aws.retries import queues, require_genuine, with_retries


def put_dead_letter(queue_url: str, body: str, reason: str) -> None:
    """Send what no retry can help to a dead-letter queue.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if SQS throttles or does not answer.
    """
    attributes = {"reason": {"DataType": "String", "StringValue": reason}}
    message = {"QueueUrl": queue_url, "MessageBody": body, "MessageAttributes": attributes}
    with_retries(lambda: require_genuine(queues().call("SendMessage", message), "MessageId"))
