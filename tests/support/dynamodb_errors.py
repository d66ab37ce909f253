"""Refusals as DynamoDB words them (Amazon DynamoDB Developer Guide, "Error handling with DynamoDB")."""

from __future__ import annotations

from typing import Any

_NAMESPACE = "com.amazonaws.dynamodb.v20120810#"


def error(code: str) -> dict[str, Any]:
    """Return the body of an error."""
    return {"__type": f"{_NAMESPACE}{code}", "message": "injected"}


def canceled(*codes: str) -> dict[str, Any]:
    """Return the body of a canceled transaction, with one reason for each of its items."""
    return {
        "__type": f"{_NAMESPACE}TransactionCanceledException",
        "Message": "injected",
        "CancellationReasons": [{"Code": code} for code in codes],
    }
