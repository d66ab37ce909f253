"""A Lambda function that forwards Auth0's event stream to Keywright's event bus.

Trigger: an EventBridge rule on the partner event bus that the event stream delivers to, with the pattern
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
"""Keywright's role for each role name in Auth0. A user with none of these roles is a member."""

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


def translate(cloud_event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Translate a CloudEvent of Auth0 into events, each a detail-type and a detail; other events into none."""
    kind, content = cloud_event["type"], cloud_event["data"]["object"]
    detail: dict[str, Any] = {"eventId": cloud_event["id"], "time": cloud_event["time"]}
    if kind in _ORGANIZATIONS:
        name = {} if kind == "organization.deleted" else {"name": content.get("display_name") or content["name"]}
        return [(_ORGANIZATIONS[kind], {**detail, "organization": {"id": content["id"], **name}})]
    if kind not in _MEMBERS:
        return []
    member = {"userId": content["user"]["user_id"]}
    if "role" in content:
        if content["role"]["name"] not in ROLES:
            return []
        member["role"] = ROLES[content["role"]["name"]] if kind.endswith(".assigned") else "member"
    return [(_MEMBERS[kind], {**detail, "organization": {"id": content["organization"]["id"]}, "member": member})]


def handler(event: dict[str, Any], _: object) -> None:
    """Forward an event. Every failure raises, so that Lambda retries it."""
    publish(translate(event["detail"]))


def publish(events: list[tuple[str, dict[str, Any]]]) -> None:
    """Put events on the bus.

    Raises:
        RuntimeError: the bus did not accept all of them. Sending all again is safe: Keywright ignores duplicates.
    """
    if not events:
        return
    entries = [
        {
            "EventBusName": os.environ["EVENT_BUS_NAME"],
            "Source": "auth0.forwarder",
            "DetailType": kind,
            "Detail": json.dumps(detail),
        }
        for kind, detail in events
    ]
    answer = boto3.client("events").put_events(Entries=entries)
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"{answer['FailedEntryCount']} events were not accepted")
