"""The queue of the events that could not be used, each with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.settings import settings
from keywright.store.aws import queues, with_retries

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef


def put(body: str, reason: str) -> None:
    """Put an event aside as it came.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if SQS throttles or does not answer.
    """
    url = settings().dead_letter_queue_url
    attributes: dict[str, MessageAttributeValueTypeDef] = {"reason": {"DataType": "String", "StringValue": reason}}
    with_retries(lambda: queues().send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes))
