"""Turns events of Keywright into those of the Open Cybersecurity Schema Framework, for Firehose: see docs/recipes.md.

Source: OCSF 1.8.0, https://schema.ocsf.io/1.8.0.
"""

from __future__ import annotations

import base64
import json
import time
from datetime import datetime
from typing import Any

Json = dict[str, Any]

VERSION = "1.8.0"
ACCOUNT_CHANGE, ENTITY_MANAGEMENT, USER_ACCESS, GROUP_MANAGEMENT = 3001, 3004, 3005, 3006
DETECTION_FINDING, BASE_EVENT = 2004, 0
OTHER = 99
PRODUCT = {"name": "Keywright", "vendor_name": "Keywright"}

CLASSES = {
    "api_key.created": (ENTITY_MANAGEMENT, 1),  # Create
    "api_key.imported": (ENTITY_MANAGEMENT, 1),
    "api_key.updated": (ENTITY_MANAGEMENT, 3),  # Update
    "api_key.rotated": (ENTITY_MANAGEMENT, 3),
    "api_key.deleted": (ENTITY_MANAGEMENT, 4),  # Delete
    "api_key.expiring": (ENTITY_MANAGEMENT, OTHER),
    "api_key.expired": (ENTITY_MANAGEMENT, 11),  # Deactivate
    "api_key.leak_reported": (DETECTION_FINDING, 1),  # Create
    "api_key.retired_secret_used": (DETECTION_FINDING, 1),
    "organization.created": (ENTITY_MANAGEMENT, 1),
    "organization.updated": (ENTITY_MANAGEMENT, 3),
    "organization.deletion_requested": (ENTITY_MANAGEMENT, 12),  # Suspend: its keys are refused
    "organization.deletion_canceled": (ENTITY_MANAGEMENT, 13),  # Resume
    "member.added": (GROUP_MANAGEMENT, 3),  # Add User
    "member.removed": (GROUP_MANAGEMENT, 4),  # Remove User
    "member.role_changed": (USER_ACCESS, 1),  # Assign Privileges
    "member.suspended": (ACCOUNT_CHANGE, 5),  # Disable
    "member.reinstated": (ACCOUNT_CHANGE, 2),  # Enable
}
"""`class_uid` and `activity_id` for each `detail-type`. Others become base events."""
FINDINGS = {
    "api_key.leak_reported": (4, "The text of an API key is public"),
    "api_key.retired_secret_used": (3, "A rotated-out secret of an API key was used"),
}
"""`severity_id` (4 is high, 3 medium) and title of each finding."""
USER_TYPES = {"user": 1, "operator": 2, "system": 3}
"""`type_id` of actors: User, Admin, System. Others have 99 and their name in `type`."""
MAPPED = {"id", "event", "actor", "targetId", "targetType", "organizationId"}
MAPPED |= {"sourceIp", "requestId", "createdAt", "receivedAt"}
"""Fields of `detail` that have an attribute of OCSF. The rest, and fields of later versions, are in `unmapped`."""


def handler(event: Json, _context: object) -> Json:
    """Transform a batch of records. One that is not JSON goes to the prefix for errors as it is."""
    return {"records": [_transformed(record) for record in event["records"]]}


def _transformed(record: Json) -> Json:
    try:
        text = base64.b64decode(record["data"]).decode()
        line = json.dumps(ocsf(json.loads(text), text), separators=(",", ":")) + "\n"
    except (ValueError, RecursionError):
        return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]}
    return {"recordId": record["recordId"], "result": "Ok", "data": base64.b64encode(line.encode()).decode()}


def ocsf(event: Any, text: str) -> Json:
    """Return the event of OCSF for an event, or a base event with its text if it has not the form of Keywright's."""
    try:
        return _mapped(event)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        metadata = {"version": VERSION, "product": PRODUCT}
        unknown = {"severity_id": 0, "time": int(time.time() * 1000), "metadata": metadata, "raw_data": text}
        return _of_class(BASE_EVENT, 0) | unknown


def _of_class(class_uid: int, activity_id: int) -> Json:
    uids = {"class_uid": class_uid, "category_uid": class_uid // 1000, "type_uid": class_uid * 100 + activity_id}
    return uids | {"activity_id": activity_id}


def _mapped(event: Json) -> Json:
    kind, detail = event["detail-type"], event["detail"]
    class_uid, activity_id = CLASSES.get(kind, (BASE_EVENT, OTHER))
    mapped = _of_class(class_uid, activity_id) | {
        "severity_id": 1,  # Informational
        "status_id": 1,  # Success; of findings: New
        "time": _milliseconds(detail["createdAt"]),
        "message": f"{kind} {detail['targetId']}",
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "product": PRODUCT,
            "uid": detail["id"],
            "event_code": kind,
            "tenant_uid": detail["organizationId"],
            "original_time": detail["createdAt"],
            "logged_time": _milliseconds(detail["receivedAt"]),
        },
        "cloud": {"provider": "AWS", "account": {"uid": event["account"]}, "region": event["region"]},
        "unmapped": {name: value for name, value in detail.items() if name not in MAPPED},
    }
    if detail["requestId"]:
        mapped["metadata"]["correlation_uid"] = detail["requestId"]
    if activity_id == OTHER:
        mapped["activity_name"] = kind
    return mapped | _of_kind(class_uid, detail)


def _of_kind(class_uid: int, detail: Json) -> Json:
    """Return the attributes that only the class of an event has."""
    before, after = (detail["changes"].get(part) or {} for part in ("before", "after"))
    address = detail["sourceIp"] or after.get("lastUsedIp")
    actor = detail["actor"]
    user_type = {"type_id": USER_TYPES.get(actor["type"], OTHER), "type": actor["type"]}
    origin = {"actor": {"user": {"uid": actor["id"]} | user_type}}
    if address:
        origin["src_endpoint"] = {"ip": address}
    target = {"uid": detail["targetId"]}
    typed = target | {"type": detail["targetType"]}
    match class_uid:
        case 3001:  # ACCOUNT_CHANGE
            return origin | {"user": target}
        case 3004:  # ENTITY_MANAGEMENT
            name = after.get("name") or before.get("name")
            type_id = 4 if detail["targetType"] == "organization" else OTHER
            return origin | {"entity": typed | {"type_id": type_id} | ({"name": name} if name else {})}
        case 3005:  # USER_ACCESS
            return origin | {"user": target, "privileges": [after["role"]]}
        case 3006:  # GROUP_MANAGEMENT
            return origin | {"user": target, "group": {"uid": detail["organizationId"], "type": "organization"}}
        case 2004:  # DETECTION_FINDING
            severity_id, title = FINDINGS[detail["event"]]
            info = {"uid": detail["id"], "title": title, "created_time": _milliseconds(detail["createdAt"])}
            finding = {"finding_info": info, "is_alert": True, "severity_id": severity_id}
            return finding | {"resources": [typed], "evidences": [origin]}
    return {"unmapped": detail}  # of an unknown kind


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
