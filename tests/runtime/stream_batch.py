"""A batch of the table's stream, as Lambda sends it to publish_events."""

from __future__ import annotations

from typing import Any

FIRST, SECOND = "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01", "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c02"
"""Organizations."""


def record(organization_id: str, number: int) -> dict[str, Any]:
    """Return the record of a new audit record, as Lambda reads it from the stream of the table."""
    key = {"pk": {"S": f"ORG#{organization_id}"}, "sk": {"S": f"AUDIT#{record_id(number)}"}}
    image = {
        "event": "api_key.created",
        "actor_type": "user",
        "actor_id": "user_9",
        "target_type": "api_key",
        "target_id": "019b7892-1c00-7e49-b4ac-66a7be17471b",
        "changes": '{"before": null, "after": {"name": "CI"}}',
        "source_ip": "203.0.113.7",
        "request_id": "r-1",
        "created_at": "2026-01-02T03:04:05.678Z",
        "received_at": "2026-01-02T03:04:05.678Z",
    }
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/keywright-Table/stream/1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1767323045,
            "Keys": key,
            "NewImage": {**key, **{name: {"S": value} for name, value in image.items()}},
            "SequenceNumber": sequence_number(number),
            "SizeBytes": 500,
            "StreamViewType": "NEW_IMAGE",
        },
    }


def record_id(number: int) -> str:
    """Return the id of an audit record, which its event has as well."""
    return f"019b7892-1c00-7e49-b4ac-66a7be17{number:04x}"


def sequence_number(number: int) -> str:
    """Return the place of a record in its shard."""
    return str(100_000_000_000_000_000_000 + number)


BATCH = {"Records": [record(FIRST, 1), record(FIRST, 2), record(SECOND, 3)]}
"""Two records of one organization, so two requests: the first and the third record, then the second."""
