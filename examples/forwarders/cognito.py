"""A Lambda function that forwards changes of a Cognito user pool to Keywright's event bus.

Trigger: an EventBridge rule on the default bus, for calls that CloudTrail records:

    {"source": ["aws.cognito-idp"], "detail-type": ["AWS API Call via CloudTrail"], "detail": {"eventName":
     ["AdminAddUserToGroup", "AdminRemoveUserFromGroup", "AdminDisableUser", "AdminEnableUser"],
     "requestParameters": {"userPoolId": ["<the pool>"]}}}

Environment: EVENT_BUS_NAME (an output of Keywright's stack). Permissions: events:PutEvents on that bus,
cognito-idp:AdminListGroupsForUser and cognito-idp:AdminGetUser on the pool. Cognito has no organizations: here a group
is a role in an organization, and is named <organization>:<role>.
"""

from __future__ import annotations

import json
import os
from typing import Any

import boto3

ROLES = ("owner", "admin", "member")
"""From the most to the least powerful. With several groups in one organization, the most powerful role counts."""

_GROUPS = {"AdminAddUserToGroup", "AdminRemoveUserFromGroup"}
_SUSPENSIONS = {"AdminDisableUser": "member.suspended", "AdminEnableUser": "member.reinstated"}


def translate(trail: dict[str, Any], groups: list[str], *, is_enabled: bool) -> list[tuple[str, dict[str, Any]]]:
    """Translate a recorded call to Cognito into events, each a detail-type and a detail.

    CloudTrail says that the user changed, the pool says how the user is now. CloudTrail alone is not enough: its times
    are whole seconds, so the order of a removal and an addition in the same second is unknown.

    Args:
        trail: the `detail` of the EventBridge event, which has the `sub` of the user but not the username.
        groups: the names of the groups that the user is in now.
        is_enabled: whether the user is enabled now.
    """
    user_id, name = trail["additionalEventData"]["sub"], trail["eventName"]
    roles: dict[str, list[str]] = {}
    for group in groups:
        organization, _, role = group.rpartition(":")
        if organization and role in ROLES:
            roles.setdefault(organization, []).append(role)
    detail: dict[str, Any] = {"eventId": trail["eventID"], "time": trail["eventTime"]}
    if name in _GROUPS:
        organization, _, role = trail["requestParameters"]["groupName"].rpartition(":")
        if not organization or role not in ROLES:
            return []
        detail["organization"] = {"id": organization}
        if organization not in roles:
            return [("member.removed", {**detail, "member": {"userId": user_id}})]
        highest = min(roles[organization], key=ROLES.index)
        added = ("member.added", {**detail, "member": {"userId": user_id, "role": highest}})
        # Adding a member ends a suspension, so a disabled user is suspended again. At equal times the longer id wins.
        suspension = {**detail, "eventId": f"{trail['eventID']}/disabled", "member": {"userId": user_id}}
        return [added] if is_enabled else [added, ("member.suspended", suspension)]
    return [
        (_SUSPENSIONS[name], {**detail, "organization": {"id": organization}, "member": {"userId": user_id}})
        for organization in sorted(roles)
        if name in _SUSPENSIONS
    ]


def handler(event: dict[str, Any], _: object) -> None:
    """Forward an event. Every failure raises, so that Lambda retries it."""
    trail = event["detail"]
    if trail.get("errorCode"):
        return  # a refused call changed nothing
    # Cognito accepts the `sub` as a username, unless users sign in with an alias.
    user = {"UserPoolId": trail["requestParameters"]["userPoolId"], "Username": trail["additionalEventData"]["sub"]}
    client = boto3.client("cognito-idp")
    pages = client.get_paginator("admin_list_groups_for_user").paginate(**user)
    groups = [group["GroupName"] for page in pages for group in page["Groups"]]
    publish(translate(trail, groups, is_enabled=client.admin_get_user(**user)["Enabled"]))


def publish(events: list[tuple[str, dict[str, Any]]]) -> None:
    """Put events on the bus.

    Raises:
        RuntimeError: the bus did not accept all of them. Sending all again is safe: Keywright ignores duplicates.
    """
    client, maximum_entries = boto3.client("events"), 10
    for first in range(0, len(events), maximum_entries):
        entries = [
            {
                "EventBusName": os.environ["EVENT_BUS_NAME"],
                "Source": "cognito.forwarder",
                "DetailType": kind,
                "Detail": json.dumps(detail),
            }
            for kind, detail in events[first : first + maximum_entries]
        ]
        answer = client.put_events(Entries=entries)
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"{answer['FailedEntryCount']} events were not accepted")
