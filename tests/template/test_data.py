"""What the template keeps: the table and the pepper survive mistakes, even the deletion of the stack."""

from __future__ import annotations

import json

import pytest

from local.intrinsics import mapping, text
from tests.template.cloudformation import properties, resource, resources, section


@pytest.mark.parametrize("logical_id", ["Table", "Pepper", "ApiGatewayAccount", "ApiGatewayLogRole"])
def test_what_others_depend_on_outlives_the_stack(logical_id: str) -> None:
    """Neither deleting the stack nor replacing the resource deletes it."""
    declared = resource(logical_id)

    assert (declared["DeletionPolicy"], declared["UpdateReplacePolicy"]) == ("Retain", "Retain")


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
    """It is encrypted, can be restored to any second of the last 35 days, and cannot be deleted by a slip."""
    table = properties("Table")

    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True


def test_the_table_costs_nothing_while_idle_and_forgets_what_has_expired() -> None:
    """On-demand capacity, and items with a ttl go by themselves."""
    table = properties("Table")

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_the_pepper_is_generated_as_version_one() -> None:
    """64 random characters that nobody has seen. Any change here would replace the pepper and end every key."""
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
