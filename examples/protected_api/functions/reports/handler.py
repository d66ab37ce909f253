"""A function behind the authorizer, which provides the key's organization and permissions."""

import json
from typing import Any


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return the context from the authorizer. A real function would read the organization's reports."""
    context = event["requestContext"]["authorizer"]
    # Only with Limited=allow; otherwise API Gateway has already answered 403.
    if context.get("limited") == "true":
        return _too_many_requests(context)
    caller = {name: context[name] for name in ("organizationId", "apiKeyId", "keyName", "permissions")}
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"route": f"{event['httpMethod']} {event['resource']}", "caller": caller}),
    }


def _too_many_requests(context: dict[str, str]) -> dict[str, Any]:
    """Return 429. Without seconds to wait, the key never works again under its quota, and has no retry-after."""
    seconds = context["retryAfterSeconds"]
    return {
        "statusCode": 429,
        "headers": {"content-type": "application/json"} | ({"retry-after": seconds} if seconds else {}),
        "body": json.dumps({"error": {name: context[name] for name in ("code", "message", "hint")}}),
    }
