"""moto as a WSGI application: the service that a signature names, and no other."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from werkzeug.test import Client

from local.emulated_aws import application

if TYPE_CHECKING:
    from tests.support.world import World

SIGNED = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("service", "target", "answer"),
    [
        ("dynamodb", "DynamoDB_20120810.DescribeEndpoints", "dynamodb.us-east-1.amazonaws.com"),
        ("secretsmanager", "secretsmanager.GetRandomPassword", "RandomPassword"),
        ("sqs", "AmazonSQS.ListQueues", "{"),
    ],
)
def test_the_service_that_signs_answers(service: str, target: str, answer: str) -> None:
    """A request goes to the service in the scope of its signature."""
    headers = {"Authorization": SIGNED.format(service), "X-Amz-Target": target}
    response = Client(application).post("/", data=b"{}", headers=headers)

    assert 200 == response.status_code
    assert answer in response.text


def test_the_caller_is_known() -> None:
    """STS, whose requests are forms, names the caller."""
    form = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
    response = Client(application).post("/", data=form, headers={"Authorization": SIGNED.format("sts")})

    assert 200 == response.status_code
    assert "<Account>123456789012</Account>" in response.text


@pytest.mark.parametrize("authorization", ["", SIGNED.format("s3"), "AWS4-HMAC-SHA256 Credential=local/dynamodb"])
def test_other_services_do_not_exist(authorization: str) -> None:
    """A request to another service, or without a signature, is not found."""
    response = Client(application).post("/", data=b"{}", headers={"Authorization": authorization})

    assert 404 == response.status_code


@pytest.mark.deep
def test_nothing_is_kept_of_what_is_gone(world: World) -> None:
    """GIVEN an item that is changed in transactions WHEN it is deleted THEN memory has neither it nor older tables."""
    name, key = world.table.name, {"pk": {"S": "ORG#1"}, "sk": {"S": "ORG"}}
    before = _counted("Item", "Table")

    for _ in range(3):
        world.table.client.transact_write_items(TransactItems=[{"Put": {"TableName": name, "Item": key}}])
    world.table.client.transact_write_items(TransactItems=[{"Delete": {"TableName": name, "Key": key}}])

    assert before == _counted("Item", "Table")


def _counted(*classes: str) -> list[int]:
    """Return the numbers of moto's objects in memory."""
    gc.collect()
    names = [
        type(each).__name__ for each in gc.get_objects() if type(each).__module__.startswith("moto.dynamodb.models")
    ]
    return [names.count(name) for name in classes]
