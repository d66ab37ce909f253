"""A function behind the authorizer, which provides the key's organization and permissions."""

import json
from typing import Any


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return the context from the authorizer. A real function would read the organization's reports."""
    context = event["requestContext"]["authorizer"]
    caller = {name: context[name] for name in ("organizationId", "apiKeyId", "keyName", "permissions")}
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"route": f"{event['httpMethod']} {event['resource']}", "caller": caller}),
    }
