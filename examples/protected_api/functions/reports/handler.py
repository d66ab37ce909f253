"""What an API does for the holder of a key: the authorizer has said whose it is."""

import json
from typing import Any


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer with what the authorizer found out. A real one would look up the organization's reports."""
    caller = event["requestContext"]["authorizer"]
    found = {name: caller[name] for name in ("organizationId", "apiKeyId", "keyName", "permissions")}
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"route": f"{event['httpMethod']} {event['resource']}", "caller": found}),
    }
