"""The emulator's differences, tested directly; tests/api tests the behavior of AWS."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import WaiterError

from local.intrinsics import load_template, mapping
from local.options import ROOT
from local.template import GatewayResponse, read_stack
from tests.api.deployment import CREATE, KEY, VERIFY, Deployment
from tests.e2e.__main__ import PYTHON_VERSION, STACK, api_id
from tests.e2e.differences import is_refused

if TYPE_CHECKING:
    import httpx

    from local.intrinsics import Json

RESPONSES = "x-amazon-apigateway-gateway-responses"
HEADER = "gatewayresponse.header."
NAMES_EVERY_RECORD = """def handler(event, context):
    numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}
"""
"""A function that nothing is done for."""
NOTHING_YET = "No records processed"
SECONDS_OF_A_STREAM = 30


def create_stack(name: str, resource: dict[str, Json]) -> str:
    """Create a stack of one resource; return the resource's id."""
    client = boto3.client("cloudformation")
    client.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Only": resource}}))
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    (created,) = client.describe_stack_resources(StackName=name)["StackResources"]
    identifier: str = created["PhysicalResourceId"]
    return identifier


def ask(deployment: Deployment, method: str, path: str, persona: str) -> httpx.Response:
    """Send a request without the HTTP suite's checks of every response."""
    headers = {"authorization": f"Bearer {deployment.tokens[persona]}"}
    return deployment.client.request(method, deployment.base_url + path, headers=headers)


def test_gateway_responses_in_a_definition_are_ignored() -> None:
    """AWS reads them there. When the emulator does, `gateway_responses` of differences.py can be deleted."""
    definition: Json = {
        "openapi": "3.0.1",
        "info": {"title": "An API with a gateway response", "version": "1"},
        "paths": {},
        RESPONSES: {"UNAUTHORIZED": {"statusCode": 418}},
    }
    api = create_stack("definition", {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": definition}})

    response = boto3.client("apigateway").get_gateway_response(restApiId=api, responseType="UNAUTHORIZED")

    assert response["defaultResponse"]


def test_the_gateway_responses_are_the_templates() -> None:
    """The API has status, headers and body of each of the template's gateway responses, and no others."""
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    parameters = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}
    responses = boto3.client("apigateway").get_gateway_responses(restApiId=api_id(STACK))["items"]

    deployed = {
        response["responseType"]: GatewayResponse(
            int(response["statusCode"]),
            {name.removeprefix(HEADER): value for name, value in response["responseParameters"].items()},
            response["responseTemplates"]["application/json"],
        )
        for response in responses
        if not response["defaultResponse"]
    }
    assert read_stack(ROOT / "template.yaml", parameters, {}).api.gateway_responses == deployed


def test_the_context_of_a_denial_is_missing(deployment: Deployment) -> None:
    """On AWS, the gateway response has code, message and hint of the denying authorizer."""
    response = ask(deployment, "GET", KEY.format(id="a%0Ab"), "admin")

    assert "$context.authorizer.code" == response.json()["error"]["code"]


def test_conditions_of_a_policy_are_ignored(deployment: Deployment) -> None:
    """On AWS, a key works only from its allowed addresses, which are a condition of the policy."""
    made = deployment.create_key(allowedIps=["192.0.2.0/24"])

    assert 200 == deployment.current(made["key"]).status_code


def test_no_policy_matches_a_line_break_in_a_path(deployment: Deployment) -> None:
    """On AWS, a policy for the whole API allows a path with a line break."""
    assert 403 == ask(deployment, "GET", KEY.format(id="a%0Ab"), "admin").status_code


def test_the_first_of_two_parameters_is_taken(deployment: Deployment) -> None:
    """AWS passes the last value of a repeated query parameter to the function, the emulator the first."""
    response = ask(deployment, "GET", f"{CREATE}?limit=1&limit=2", "admin")

    assert 1 == response.json()["pagination"]["limit"]


def test_any_token_opens_a_route_with_aws_iam(deployment: Deployment) -> None:
    """AWS refuses a token instead of a signature; here the function gets an event without an IAM identity."""
    assert 500 == ask(deployment, "POST", VERIFY, "member").status_code


def test_a_large_request_is_authorized(deployment: Deployment) -> None:
    """AWS refuses a request of more than 10 MB before its token is checked."""
    response = deployment.create(b"x" * 11 * 1024 * 1024, persona=None)

    assert 401 == response.status_code


def test_a_failed_record_of_a_stream_does_not_come_again() -> None:
    """On AWS, a stream goes on at the record that the function names; here the batch is done."""
    name = f"stream-{uuid.uuid4()}"
    dynamodb, functions = boto3.client("dynamodb"), boto3.client("lambda")
    table = dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    functions.create_function(
        FunctionName=name,
        Runtime=f"python{PYTHON_VERSION}",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="handler.handler",
        Code={"ZipFile": zipped("handler.py", NAMES_EVERY_RECORD)},
    )
    uuid_of_mapping = functions.create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=table["LatestStreamArn"],
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )["UUID"]
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "1"}})

    end = time.monotonic() + SECONDS_OF_A_STREAM
    result = NOTHING_YET
    while result == NOTHING_YET and time.monotonic() < end:
        time.sleep(0.1)
        result = functions.get_event_source_mapping(UUID=uuid_of_mapping)["LastProcessingResult"]

    functions.delete_event_source_mapping(UUID=uuid_of_mapping)
    assert "OK - 1 records" == result


def zipped(name: str, content: str) -> bytes:
    """Return a ZIP file of one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


REFUSED = [
    name
    for name, resource in mapping(load_template(ROOT / "template.yaml")["Resources"], "Resources").items()
    if is_refused(mapping(resource, name))
]


def test_the_emulator_refuses_a_resource() -> None:
    """The template has a resource that `is_refused` leaves out; otherwise the function can be deleted."""
    assert REFUSED


def test_an_alarm_over_several_metrics_is_refused() -> None:
    """The creation of such an alarm fails, so it is not deployed."""
    alarm: dict[str, Json] = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "Metrics": [{"Id": "rate", "Expression": "1 / 2"}],
        },
    }

    with pytest.raises(WaiterError):
        create_stack("alarm", alarm)
