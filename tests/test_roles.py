"""The role of each function has exactly the permissions that its events need.

None is missing: every function runs with its own role (local/iam.py), and the replay of an event fails if a request is
denied. None is superfluous: without any single action, the event that is named here fails.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.support.cases import EVENTS, Case
from tests.support.cloudformation import folder_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from local.iam import AccessKey, Decision, Iam
    from local.template import Stack

NEEDED_BY = {
    "AuthorizeSession": {},
    "GetOpenapi": {},
    "GetReference": {},
    "CreateApiKey": {
        "dynamodb:BatchGetItem": "200_idempotent_replay_after_expiry",
        "dynamodb:ConditionCheckItem": "200_example",
        "dynamodb:PutItem": "200_example",
        "secretsmanager:GetSecretValue": "200_example",
    },
    "ListApiKeys": {"dynamodb:BatchGetItem": "200_first_page", "dynamodb:Query": "200_first_page"},
    "GetApiKey": {"dynamodb:BatchGetItem": "200_used"},
    "UpdateApiKey": {
        "dynamodb:BatchGetItem": "200_name",
        "dynamodb:ConditionCheckItem": "200_name",
        "dynamodb:PutItem": "200_name",
    },
    "DeleteApiKey": {
        "dynamodb:BatchGetItem": "200_used",
        "dynamodb:ConditionCheckItem": "200_used",
        "dynamodb:DeleteItem": "200_used",
        "dynamodb:PutItem": "200_used",
    },
    "RotateApiKey": {
        "dynamodb:BatchGetItem": "200_at_once",
        "dynamodb:ConditionCheckItem": "200_at_once",
        "dynamodb:PutItem": "200_at_once",
        "secretsmanager:GetSecretValue": "200_at_once",
    },
    "ListAuditLogs": {"dynamodb:BatchGetItem": "200_first_page", "dynamodb:Query": "200_first_page"},
    "RequestOrganizationDeletion": {
        "dynamodb:ConditionCheckItem": "200_owner",
        "dynamodb:PutItem": "200_owner",
        "dynamodb:UpdateItem": "200_owner",
    },
    "CancelOrganizationDeletion": {
        "dynamodb:BatchGetItem": "200_owner",
        "dynamodb:ConditionCheckItem": "200_owner",
        "dynamodb:DeleteItem": "200_owner",
        "dynamodb:PutItem": "200_owner",
        "dynamodb:UpdateItem": "200_owner",
    },
    "AuthorizeApiKey": {
        "dynamodb:BatchGetItem": "200_own_route",
        "dynamodb:UpdateItem": "200_use_is_written",
        "secretsmanager:GetSecretValue": "200_own_route",
    },
    "VerifyApiKey": {
        "dynamodb:BatchGetItem": "200_disabled",
        "dynamodb:UpdateItem": "200_hash_of_another_price",
        "secretsmanager:GetSecretValue": "200_disabled",
    },
    "GetCurrentApiKey": {"dynamodb:BatchGetItem": "200_bearer"},
    "SyncOrganizations": {
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
    "PurgeOrganizations": {
        "dynamodb:Query": "purged_one",
        "dynamodb:BatchGetItem": "purged_one",
        "dynamodb:ConditionCheckItem": "purged_one",
        "dynamodb:UpdateItem": "purged_one",
        "dynamodb:PutItem": "purged_one",
        "dynamodb:DeleteItem": "purged_one",
    },
}
"""The event that fails if the function's role lacks the action."""


def test_each_action_of_a_role_has_an_event(stack: Stack) -> None:
    """Each action of a role is granted once, and has an event that needs it."""
    roles = {
        name: [action for statement in function.statements for action in statement.actions]
        for name, function in stack.functions.items()
    }

    assert {name: sorted(needed) for name, needed in NEEDED_BY.items()} == {
        name: sorted(actions) for name, actions in roles.items()
    }


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(
    ("function", "action"), [(function, action) for function, needed in NEEDED_BY.items() for action in needed]
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

    failures = ["polling was denied"]
    with suppress(ClientError):
        failures = replay(Case(EVENTS / folder_name(function) / NEEDED_BY[function][action]))

    assert {action} == {decision.permission.action for decision in decisions if not decision.is_allowed}
    assert [] != failures


@pytest.fixture
def revoke(
    iam: Iam, stack: Stack, access_keys: dict[str, AccessKey], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Remove an action from the role of a function."""

    def remove(function: str, action: str) -> None:
        whole = stack.functions[function]
        role = tuple(statement for statement in whole.statements if action not in statement.actions)
        key = iam.assume_role(replace(whole, statements=role), os.environ)
        monkeypatch.setitem(access_keys, folder_name(function), key)

    return remove
