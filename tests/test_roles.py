"""The role of each function has exactly the permissions that its events need.

None is missing: every function runs with its own role (local/iam.py), and the replay of an event fails if a request is
denied. None is superfluous: without any single action, the event that is named here fails.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from local.case_files import EVENTS
from local.cases import Case

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from local.iam import AccessKey, Decision, Iam
    from local.template import Function, Stack

NEEDED_BY = {
    "authorize_session": {},
    "get_console": {},
    "get_console_script": {},
    "get_openapi": {},
    "get_reference": {},
    "create_api_key": {
        "dynamodb:BatchGetItem": "200_idempotent_replay_after_expiry",
        "dynamodb:ConditionCheckItem": "200_example",
        "dynamodb:PutItem": "200_example",
        "secretsmanager:GetSecretValue": "200_example",
    },
    "list_api_keys": {"dynamodb:BatchGetItem": "200_first_page", "dynamodb:Query": "200_first_page"},
    "get_api_key": {"dynamodb:BatchGetItem": "200_used"},
    "get_api_key_usage": {"dynamodb:BatchGetItem": "200_week"},
    "update_api_key": {
        "dynamodb:BatchGetItem": "200_name",
        "dynamodb:ConditionCheckItem": "200_name",
        "dynamodb:DeleteItem": "200_limits_taken_away",
        "dynamodb:PutItem": "200_name",
    },
    "delete_api_key": {
        "dynamodb:BatchGetItem": "200_used",
        "dynamodb:ConditionCheckItem": "200_used",
        "dynamodb:DeleteItem": "200_used",
        "dynamodb:PutItem": "200_used",
    },
    "rotate_api_key": {
        "dynamodb:BatchGetItem": "200_at_once",
        "dynamodb:ConditionCheckItem": "200_at_once",
        "dynamodb:PutItem": "200_at_once",
        "secretsmanager:GetSecretValue": "200_at_once",
    },
    "get_current_organization": {"dynamodb:BatchGetItem": "200_example"},
    "list_audit_logs": {"dynamodb:BatchGetItem": "200_first_page", "dynamodb:Query": "200_first_page"},
    "request_organization_deletion": {
        "dynamodb:ConditionCheckItem": "200_owner",
        "dynamodb:PutItem": "200_owner",
        "dynamodb:UpdateItem": "200_owner",
    },
    "cancel_organization_deletion": {
        "dynamodb:BatchGetItem": "200_owner",
        "dynamodb:ConditionCheckItem": "200_owner",
        "dynamodb:DeleteItem": "200_owner",
        "dynamodb:PutItem": "200_owner",
        "dynamodb:UpdateItem": "200_owner",
    },
    "authorize_api_key": {
        "dynamodb:BatchGetItem": "200_own_route",
        "dynamodb:PutItem": "401_rotated_out_reported",
        "dynamodb:UpdateItem": "200_use_is_written",
        "secretsmanager:GetSecretValue": "200_own_route",
    },
    "verify_api_key": {
        "dynamodb:BatchGetItem": "200_disabled",
        "dynamodb:PutItem": "200_not_found_rotated_out_reported",
        "dynamodb:UpdateItem": "200_hash_of_another_price",
        "secretsmanager:GetSecretValue": "200_disabled",
    },
    "verify_api_keys": {
        "dynamodb:BatchGetItem": "200_example",
        "dynamodb:PutItem": "200_not_found_rotated_out_reported",
        "dynamodb:UpdateItem": "200_hash_of_another_price",
        "secretsmanager:GetSecretValue": "200_example",
    },
    "get_current_api_key": {"dynamodb:BatchGetItem": "200_bearer"},
    "revoke_current_api_key": {
        "dynamodb:BatchGetItem": "200_example",
        "dynamodb:ConditionCheckItem": "200_example",
        "dynamodb:DeleteItem": "200_example",
        "dynamodb:PutItem": "200_example",
    },
    "sync_organizations": {
        "sqs:GetQueueAttributes": "followed_member_added",
        "sqs:ReceiveMessage": "followed_member_added",
        "sqs:DeleteMessage": "followed_member_added",
        "sqs:SendMessage": "aside_not_json",
        "dynamodb:BatchGetItem": "followed_member_added",
        "dynamodb:GetItem": "outdated_after_the_purge",
        "dynamodb:ConditionCheckItem": "followed_member_added",
        "dynamodb:UpdateItem": "followed_member_added",
        "dynamodb:PutItem": "followed_member_added",
        "dynamodb:DeleteItem": "followed_deletion_canceled",
    },
    "report_leak": {
        "dynamodb:BatchGetItem": "200_example",
        "dynamodb:PutItem": "200_example",
        "secretsmanager:GetSecretValue": "200_example",
        "sqs:SendMessage": "200_accepted_by_the_queue",
    },
    "report_github_leaks": {
        "dynamodb:BatchGetItem": "200_example",
        "dynamodb:PutItem": "200_example",
        "secretsmanager:GetSecretValue": "200_example",
        "sqs:SendMessage": "200_accepted_by_the_queue",
    },
    "process_leak_reports": {
        "sqs:GetQueueAttributes": "settled_one",
        "sqs:ReceiveMessage": "settled_one",
        "sqs:DeleteMessage": "settled_one",
        "dynamodb:BatchGetItem": "settled_one",
        "dynamodb:PutItem": "settled_one",
    },
    "archive_records": {
        "dynamodb:ListStreams": "archived_one",
        "dynamodb:DescribeStream": "archived_one",
        "dynamodb:GetShardIterator": "archived_one",
        "dynamodb:GetRecords": "archived_one",
        "dynamodb:GetItem": "archived_one",
        "dynamodb:UpdateItem": "archived_one",
        "s3:PutObject": "archived_one",
        "s3:GetObject": "archived_after_another",
        "s3:ListBucket": "archived_after_another",
        "sqs:SendMessage": "again_s3_down",
    },
    "publish_events": {
        "dynamodb:ListStreams": "published_one",
        "dynamodb:DescribeStream": "published_one",
        "dynamodb:GetShardIterator": "published_one",
        "dynamodb:GetRecords": "published_one",
        "events:PutEvents": "published_one",
        "sqs:SendMessage": "aside_malformed",
    },
    "announce_expirations": {
        "dynamodb:Query": "announced_7_days",
        "dynamodb:BatchGetItem": "announced_7_days",
        "dynamodb:ConditionCheckItem": "forgotten_deleted_key",
        "dynamodb:UpdateItem": "announced_7_days",
        "dynamodb:PutItem": "announced_7_days",
        "dynamodb:DeleteItem": "announced_expired",
    },
    "purge_organizations": {
        "dynamodb:Query": "purged_one",
        "dynamodb:BatchGetItem": "purged_one",
        "dynamodb:ConditionCheckItem": "purged_one",
        "dynamodb:UpdateItem": "purged_one",
        "dynamodb:PutItem": "purged_one",
        "dynamodb:DeleteItem": "purged_one",
    },
}
"""The event that fails if the function's role lacks the action."""

AT_QUICK_DEPTH = {
    "dynamodb:PutItem",
    "secretsmanager:GetSecretValue",
    "sqs:SendMessage",
    "events:PutEvents",
    "s3:PutObject",
}
"""The actions that each function is tried without at quick depth too."""


@pytest.fixture
def folders(stack: Stack) -> dict[str, Function]:
    """The functions by their folder's name."""
    return {function.directory.name: function for function in stack.functions.values()}


def test_each_action_of_a_role_has_an_event(folders: dict[str, Function]) -> None:
    """Each action of a role is granted once, and has an event that needs it."""
    roles = {
        name: sorted(action for statement in function.statements for action in statement.actions)
        for name, function in folders.items()
    }

    assert {name: sorted(needed) for name, needed in NEEDED_BY.items()} == roles


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(
    ("function", "action"),
    [
        pytest.param(function, action, marks=[] if action in AT_QUICK_DEPTH else [pytest.mark.deep])
        for function, needed in NEEDED_BY.items()
        for action in needed
    ],
)
def test_an_event_fails_without_its_action(
    function: str,
    action: str,
    revoke: Callable[[str, str], None],
    replay: Callable[[Case], list[str]],
    decisions: Collection[Decision],
) -> None:
    """GIVEN a role that lacks one action WHEN the event is replayed THEN the action is denied and the event fails."""
    revoke(function, action)

    try:
        failures = replay(Case(EVENTS / function / f"{NEEDED_BY[function][action]}.json"))
    except ClientError as denied:  # Lambda reads queue and stream with the function's role
        failures = [str(denied)]

    assert {action} == {decision.permission.action for decision in decisions if not decision.is_allowed}
    assert [] != failures


@pytest.fixture
def revoke(
    iam: Iam, folders: dict[str, Function], access_keys: dict[str, AccessKey], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Remove an action from the role of a function."""

    def remove(function: str, action: str) -> None:
        whole = folders[function]
        role = tuple(statement for statement in whole.statements if action not in statement.actions)
        key = iam.assume_role(replace(whole, statements=role), os.environ)
        monkeypatch.setitem(access_keys, function, key)

    return remove
