"""Retained data: the table and the pepper survive mistakes, even the deletion of the stack."""

from __future__ import annotations

import json

import pytest

from local.intrinsics import mapping, text
from tests.support.cloudformation import properties, resource, resources, section
from tests.support.mistakes import GONE, Mistake, about, checks_in, mistakes

ARCHIVE = {"Condition": "ArchivesAuditRecords"}


@pytest.mark.parametrize(
    ("logical_id", "policy"),
    [
        # Its deletion protection would make taking back a first deployment fail.
        ("Table", "Retain"),
        ("Pepper", "RetainExceptOnCreate"),
        ("AuditArchiveBucket", "RetainExceptOnCreate"),
        ("AuditArchiveBucketPolicy", "RetainExceptOnCreate"),
        # The account's setting is not taken back, and would name a role that is gone.
        ("ApiGatewayAccount", "Retain"),
        ("ApiGatewayLogRole", "Retain"),
    ],
)
def test_what_others_depend_on_outlives_the_stack(logical_id: str, policy: str) -> None:
    """Neither deleting the stack nor replacing a resource deletes it; a pepper goes if the first deployment fails."""
    declared = resource(logical_id)

    assert policy == declared["DeletionPolicy"]
    assert "Retain" == declared["UpdateReplacePolicy"]


def test_the_table_has_one_key_and_no_index() -> None:
    """The table has a partition key and a sort key, and no index."""
    table = properties("Table")

    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert table["AttributeDefinitions"] == [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ]
    assert not {"GlobalSecondaryIndexes", "LocalSecondaryIndexes"} & set(table)


def test_the_table_is_protected() -> None:
    """The table has point-in-time recovery and deletion protection."""
    table = properties("Table")

    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True


def test_the_table_costs_nothing_while_idle_and_forgets_what_has_expired() -> None:
    """Capacity is on demand, expired items are deleted, and no KMS key is paid for each request.

    Without an SSESpecification DynamoDB encrypts a table with a key that costs nothing (DynamoDB Developer Guide,
    "Encryption at rest"); SSEEnabled chooses one of KMS.
    """
    table = properties("Table")

    assert "SSESpecification" not in table

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_the_pepper_is_generated_as_version_one() -> None:
    """Secrets Manager generates 64 random characters. Any change here would replace the pepper and break every key."""
    generated = mapping(properties("Pepper")["GenerateSecretString"], "GenerateSecretString")
    version = text(generated["GenerateStringKey"], "GenerateStringKey")

    assert generated == {
        "SecretStringTemplate": '{"current": 1}',
        "GenerateStringKey": "1",
        "PasswordLength": 64,
        "ExcludePunctuation": True,
    }
    assert str(json.loads(text(generated["SecretStringTemplate"], "SecretStringTemplate"))["current"]) == version


@pytest.mark.parametrize(
    ("resource_type", "name_property"),
    [
        ("AWS::DynamoDB::Table", "TableName"),
        ("AWS::SecretsManager::Secret", "Name"),
        ("AWS::Logs::LogGroup", "LogGroupName"),
        ("AWS::Serverless::Function", "FunctionName"),
        ("AWS::IAM::Role", "RoleName"),
        ("AWS::SQS::Queue", "QueueName"),
        ("AWS::Events::Rule", "Name"),
        ("AWS::CloudWatch::Alarm", "AlarmName"),
    ],
)
def test_nothing_has_a_fixed_name(resource_type: str, name_property: str) -> None:
    """Names are generated, so one account can hold several stacks beside a retained table."""
    assert not any(name_property in mapping(found["Properties"], "") for found in resources(resource_type).values())


def test_the_log_role_of_the_account_can_be_left_alone() -> None:
    """With ManageApiGatewayLogRole=false the stack does not change the account's setting."""
    managed = [
        name
        for name, found in section("Resources").items()
        if "Condition" in mapping(found, name) and not ARCHIVE.items() <= mapping(found, name).items()
    ]

    assert managed == ["ApiGatewayAccount", "ApiGatewayLogRole"]
    assert {mapping(section("Resources")[name], name)["Condition"] for name in managed} == {"ManagesApiGatewayLogRole"}


TABLE = "Resources.Table.Properties"
GENERATED = "Resources.Pepper.Properties.GenerateSecretString"

MISTAKES = [
    *(
        mistake
        for name, policy, wrong_policies in (
            ("Table", "Retain", ("Delete", "RetainExceptOnCreate")),
            ("Pepper", "RetainExceptOnCreate", ("Delete", "Retain")),
            ("ApiGatewayAccount", "Retain", ("Delete",)),
            ("ApiGatewayLogRole", "Retain", ("Delete", "RetainExceptOnCreate")),
        )
        for mistake in mistakes(
            test_what_others_depend_on_outlives_the_stack,
            *((f"Resources.{name}.DeletionPolicy", wrong) for wrong in wrong_policies),
            (f"Resources.{name}.UpdateReplacePolicy", "Snapshot"),
            cases=about(name, policy),
        )
    ),
    *mistakes(
        test_the_table_has_one_key_and_no_index,
        (f"{TABLE}.GlobalSecondaryIndexes", [{"IndexName": "by_hash"}]),
        (f"{TABLE}.KeySchema.1", GONE),
    ),
    *mistakes(
        test_the_table_is_protected,
        (f"{TABLE}.DeletionProtectionEnabled", False),
        (f"{TABLE}.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", False),
    ),
    *mistakes(
        test_the_table_costs_nothing_while_idle_and_forgets_what_has_expired,
        (f"{TABLE}.BillingMode", "PROVISIONED"),
        (f"{TABLE}.TimeToLiveSpecification.AttributeName", "expires"),
        (f"{TABLE}.SSESpecification", {"SSEEnabled": True}),
    ),
    *mistakes(
        test_the_pepper_is_generated_as_version_one,
        (f"{GENERATED}.PasswordLength", 8),
        (f"{GENERATED}.SecretStringTemplate", '{"current": 2}'),
        (f"{GENERATED}.GenerateStringKey", "2"),
    ),
    *mistakes(
        test_nothing_has_a_fixed_name,
        (f"{TABLE}.TableName", "keywright"),
        cases=about("AWS::DynamoDB::Table", "TableName"),
    ),
    *mistakes(
        test_the_log_role_of_the_account_can_be_left_alone,
        ("Resources.ApiGatewayAccount.Condition", GONE),
        ("Resources.Table.Condition", "HasPublicUrl"),
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_noticed(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a template that passes WHEN one thing in it is wrong THEN its check fails."""
    mistake.assert_noticed(monkeypatch)


def test_each_check_has_a_mistake() -> None:
    """Every check above has a mistake that it notices."""
    assert checks_in(globals()) == {mistake.check.__name__ for mistake in MISTAKES}
