"""Retained data: the table and the pepper survive mistakes, even the deletion of the stack."""

from __future__ import annotations

import json

import pytest

from local.intrinsics import mapping, text
from tests.support.cloudformation import properties, resource, resources, section


@pytest.mark.parametrize(
    ("logical_id", "policy"),
    [
        # Its deletion protection would make taking back a first deployment fail.
        ("Table", "Retain"),
        ("Pepper", "RetainExceptOnCreate"),
        # The account's setting is not taken back, and would name a role that is gone.
        ("ApiGatewayAccount", "Retain"),
        ("ApiGatewayLogRole", "Retain"),
    ],
)
def test_what_others_depend_on_outlives_the_stack(logical_id: str, policy: str) -> None:
    """Neither deleting the stack nor replacing the resource deletes it; a pepper that no key has seen yet may go."""
    declared = resource(logical_id)

    assert (policy, "Retain") == (declared["DeletionPolicy"], declared["UpdateReplacePolicy"])


def test_the_table_has_one_key_and_no_index() -> None:
    """One partition per organization; every read is by primary key."""
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
    """It can be restored to any second of the last 35 days, and cannot be deleted by a slip."""
    table = properties("Table")

    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True


def test_the_table_costs_nothing_while_idle_and_forgets_what_has_expired() -> None:
    """On-demand capacity, items with a ttl go by themselves, and no key of KMS is paid for each request.

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
    """Several stacks can stand side by side in one account, and a retained table is not in a new one's way."""
    assert not any(name_property in mapping(found["Properties"], "") for found in resources(resource_type).values())


def test_the_log_role_of_the_account_can_be_left_alone() -> None:
    """With false, the stack does not touch the setting that other APIs of the account depend on."""
    managed = [name for name, found in section("Resources").items() if "Condition" in mapping(found, name)]

    assert managed == ["ApiGatewayAccount", "ApiGatewayLogRole"]
    assert {mapping(section("Resources")[name], name)["Condition"] for name in managed} == {"ManagesApiGatewayLogRole"}
