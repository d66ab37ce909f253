"""How DynamoDB words what it refuses (Amazon DynamoDB Developer Guide, "Error handling with DynamoDB")."""

from __future__ import annotations

from typing import Any

_NAMESPACE = "com.amazonaws.dynamodb.v20120810#"


def error(code: str) -> dict[str, Any]:
    """Word an error."""
    return {"__type": f"{_NAMESPACE}{code}", "message": "injected"}


def canceled(*codes: str) -> dict[str, Any]:
    """Word a transaction's cancellation for these reasons, one for each of its items."""
    return {
        "__type": f"{_NAMESPACE}TransactionCanceledException",
        "Message": "injected",
        "CancellationReasons": [{"Code": code} for code in codes],
    }
