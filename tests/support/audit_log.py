"""Audit logs, and the state of an organization's keys: as the log describes it, and as the table has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Partition = Mapping[str, Mapping[str, Any]]


def audit_log(partition: Partition) -> list[dict[str, Any]]:
    """Return an organization's audit records as the API shows them, oldest first.

    Args:
        partition: the organization's items by sort key, in order.
    """
    return [_shown(item) for sort_key, item in partition.items() if sort_key.startswith("AUDIT#")]


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": item["sk"].removeprefix("AUDIT#"),
        "event": item["event"],
        "actor": {"type": item["actor_type"], "id": item["actor_id"], "name": _actor_name(item)},
        "targetId": item["target_id"],
        "targetType": item["target_type"],
        "changes": json.loads(item["changes"]),
        "sourceIp": item.get("source_ip"),
        "requestId": item.get("request_id"),
        "createdAt": item["created_at"],
        "receivedAt": item["received_at"],
        "reason": item.get("reason"),
    }


def _actor_name(item: Mapping[str, Any]) -> str | None:
    match item["actor_type"]:
        case "api_key":
            name: str = json.loads(item["changes"])["before"]["name"]  # all that a key does is to delete itself
            return name
        case "system":
            jobs = {"expirations": "expirations", "leak_reports": "leak reports", "verification": "verification"}
            return jobs[item["actor_id"]]
    return None


def replayed(log: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the state of each key by its id, after all changes of a log in order.

    Raises:
        AssertionError: the `before` of a record is not the state that the records before it describe.
    """
    keys: dict[str, dict[str, Any]] = {}
    for record in log:
        key_id, before, after = record["targetId"], record["changes"].get("before"), record["changes"]["after"]
        match record["event"]:
            case "api_key.created" | "api_key.imported":
                assert key_id not in keys
                keys[key_id] = {"leak": None, **after, "generation": 0, "previousKeyExpiresAt": None}
            case "api_key.updated" | "api_key.rotated" | "api_key.leak_reported":
                assert before == {name: keys[key_id][name] for name in before}
                keys[key_id] |= after
            case "api_key.deleted":
                assert before == {name: keys[key_id][name] for name in before}
                del keys[key_id]
    return keys


def key_states(partition: Partition) -> dict[str, dict[str, Any]]:
    """Return the same state as the items of the keys have it."""
    return {
        sort_key.removeprefix("KEY#"): {
            "name": item["name"],
            "enabled": item["enabled"],
            "permissions": item["permissions"],
            "metadata": json.loads(item["metadata"]),
            "expiresAt": item.get("expires_at"),
            "rateLimit": json.loads(item["rate_limit"]) if "rate_limit" in item else None,
            "quota": json.loads(item["quota"]) if "quota" in item else None,
            "allowedIps": item.get("allowed_ips"),
            "leak": _shown_leak(item),
            "generation": int(item["generation"]),
            "previousKeyExpiresAt": item.get("previous_expires_at"),
        }
        for sort_key, item in partition.items()
        if sort_key.startswith("KEY#")
    }


def _shown_leak(item: Mapping[str, Any]) -> dict[str, Any] | None:
    if "leak" not in item:
        return None
    return {name: value for name, value in json.loads(item["leak"]).items() if name != "generation"}
