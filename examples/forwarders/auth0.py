"""A Lambda function behind a rule: from Auth0's event stream to Keywright's event bus.

The rule is one on the partner event bus that Auth0's event stream delivers to, with the pattern
{"source": [{"prefix": "aws.partner/auth0.com/"}]}. Environment: EVENT_BUS_NAME (an output of Keywright's stack).
Permission: events:PutEvents on that bus. Subscriptions of the stream: organization.created, organization.updated,
organization.deleted, organization.member.added, organization.member.deleted, organization.member.role.assigned,
organization.member.role.deleted.
"""

from __future__ import annotations

import json
import os
from typing import Any

import boto3

ROLES = {"owner": "owner", "admin": "admin"}
"""The name of a role in Auth0, and what Keywright makes of it; whoever has none of them is a member."""

_ORGANIZATIONS = {
    "organization.created": "organization.created",
    "organization.updated": "organization.updated",
    "organization.deleted": "organization.deletion_requested",
}
_MEMBERS = {
    "organization.member.added": "member.added",
    "organization.member.deleted": "member.removed",
    "organization.member.role.assigned": "member.role_changed",
    "organization.member.role.deleted": "member.role_changed",
}


def events(cloud_event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Turn an event of Auth0's, a CloudEvent, into events: detail-type and detail of each; none if it is another."""
    kind, found = cloud_event["type"], cloud_event["data"]["object"]
    detail: dict[str, Any] = {"eventId": cloud_event["id"], "time": cloud_event["time"]}
    if kind in _ORGANIZATIONS:
        name = {} if kind == "organization.deleted" else {"name": found.get("display_name") or found["name"]}
        return [(_ORGANIZATIONS[kind], {**detail, "organization": {"id": found["id"], **name}})]
    if kind not in _MEMBERS:
        return []
    member = {"userId": found["user"]["user_id"]}
    if "role" in found:
        if found["role"]["name"] not in ROLES:
            return []
        member["role"] = ROLES[found["role"]["name"]] if kind.endswith(".assigned") else "member"
    return [(_MEMBERS[kind], {**detail, "organization": {"id": found["organization"]["id"]}, "member": member})]


def handler(event: dict[str, Any], _: object) -> None:
    """Take an event. Whatever goes wrong raises, so that Lambda tries again."""
    put(events(event["detail"]))


def put(found: list[tuple[str, dict[str, Any]]]) -> None:
    """Put events on the bus, all of them or none that counts: what is sent again changes nothing."""
    if not found:
        return
    entries = [
        {
            "EventBusName": os.environ["EVENT_BUS_NAME"],
            "Source": "auth0.forwarder",
            "DetailType": kind,
            "Detail": json.dumps(detail),
        }
        for kind, detail in found
    ]
    answer = boto3.client("events").put_events(Entries=entries)
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"{answer['FailedEntryCount']} events were not taken")
