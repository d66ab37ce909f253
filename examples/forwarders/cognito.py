"""A Lambda function behind a rule: from what is done to a Cognito user pool to Keywright's event bus.

The rule is one on the default bus, for what CloudTrail reports:

    {"source": ["aws.cognito-idp"], "detail-type": ["AWS API Call via CloudTrail"], "detail": {"eventName":
     ["AdminAddUserToGroup", "AdminRemoveUserFromGroup", "AdminDisableUser", "AdminEnableUser"],
     "requestParameters": {"userPoolId": ["<the pool>"]}}}

Environment: EVENT_BUS_NAME (an output of Keywright's stack). Permissions: events:PutEvents on that bus,
cognito-idp:AdminListGroupsForUser and cognito-idp:AdminGetUser on the pool. Cognito has no organizations: here a group
is one role in one organization, and is called <organization>:<role>.
"""

from __future__ import annotations

import json
import os
from typing import Any

import boto3

ROLES = ("owner", "admin", "member")
"""From the most to the least powerful: of several groups of one organization, the first counts."""

_GROUPS = {"AdminAddUserToGroup", "AdminRemoveUserFromGroup"}
_SUSPENSIONS = {"AdminDisableUser": "member.suspended", "AdminEnableUser": "member.reinstated"}


def events(trail: dict[str, Any], groups: list[str], *, is_enabled: bool) -> list[tuple[str, dict[str, Any]]]:
    """Turn a call to Cognito, as CloudTrail tells it, into events: detail-type and detail of each.

    The trail says that something has changed, and the pool how it is now: of a removal and an addition in the same
    second, the trail, whose times are whole seconds, does not say which came first.

    Args:
        trail: the `detail` of the EventBridge event. It does not hold the username, but the `sub`.
        groups: the names of the groups that the user is in.
        is_enabled: whether the user is.
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
        # Whoever is added is not suspended, unless it is said as well; of the same time, the longer id is the later.
        again = {**detail, "eventId": f"{trail['eventID']}/disabled", "member": {"userId": user_id}}
        return [added] if is_enabled else [added, ("member.suspended", again)]
    return [
        (_SUSPENSIONS[name], {**detail, "organization": {"id": organization}, "member": {"userId": user_id}})
        for organization in sorted(roles)
        if name in _SUSPENSIONS
    ]


def handler(event: dict[str, Any], _: object) -> None:
    """Take an event. Whatever goes wrong raises, so that Lambda tries again."""
    trail = event["detail"]
    if trail.get("errorCode"):
        return  # what Cognito has refused has changed nothing
    # A `sub` is taken for a username, unless users sign in with an alias as their username.
    user = {"UserPoolId": trail["requestParameters"]["userPoolId"], "Username": trail["additionalEventData"]["sub"]}
    client = boto3.client("cognito-idp")
    pages = client.get_paginator("admin_list_groups_for_user").paginate(**user)
    groups = [group["GroupName"] for page in pages for group in page["Groups"]]
    put(events(trail, groups, is_enabled=client.admin_get_user(**user)["Enabled"]))


def put(found: list[tuple[str, dict[str, Any]]]) -> None:
    """Put events on the bus, all of them or none that counts: what is sent again changes nothing."""
    client, most_at_once = boto3.client("events"), 10
    for first in range(0, len(found), most_at_once):
        entries = [
            {
                "EventBusName": os.environ["EVENT_BUS_NAME"],
                "Source": "cognito.forwarder",
                "DetailType": kind,
                "Detail": json.dumps(detail),
            }
            for kind, detail in found[first : first + most_at_once]
        ]
        answer = client.put_events(Entries=entries)
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"{answer['FailedEntryCount']} events were not taken")
