"""The permissions boundary allows the functions' requests, and none outside the stack."""

from __future__ import annotations

import pytest

from local.intrinsics import mapping, sequence, text
from tests.support.cloudformation import function_ids, properties, resource
from tests.support.iam_policies import ACCOUNT, STACK, Request, actions, allows, statements

BOUNDARY = statements("Boundary")

_REGION = "eu-central-1"
ARNS = {
    "dynamodb": f"arn:aws:dynamodb:{_REGION}:{ACCOUNT}:table/{STACK}-Table-1A2B3C4D5E6F",
    "events": f"arn:aws:events:{_REGION}:{ACCOUNT}:event-bus/{STACK}-events",
    "s3": f"arn:aws:s3:::{STACK}-auditarchivebucket-1a2b3c4d5e6f/audit/000000000001.jsonl",
    "secretsmanager": f"arn:aws:secretsmanager:{_REGION}:{ACCOUNT}:secret:Pepper-1A2B3C4D5E6F-a1b2c3",
    "sqs": f"arn:aws:sqs:{_REGION}:{ACCOUNT}:{STACK}-OrganizationEventsQueue-1A2B",
}

IN_THIS_ACCOUNT = {"aws:ResourceAccount": ACCOUNT}
"""In the context of every request to a resource of the account; ARNs of S3 do not name it."""

STREAM = f"{ARNS['dynamodb']}/stream/2026-01-31T12:00:00.000"
STREAM_ACTIONS = {
    f"dynamodb:{action}" for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
}
"""Service Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB"."""

LOGS = {f"logs:{action}" for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")}
LOGS_OF_API_GATEWAY = LOGS | {f"logs:{action}" for action in ("DescribeLogGroups", "DescribeLogStreams")}
READING_LOGS = {"logs:FilterLogEvents", "logs:GetLogEvents"}
TRACES = {
    f"xray:{action}"
    for action in (
        *("PutTraceSegments", "PutTelemetryRecords"),
        *("GetSamplingRules", "GetSamplingTargets", "GetSamplingStatisticSummaries"),
    )
}
"""AWS Managed Policy Reference: AWSLambdaBasicExecutionRole, AWSXRayDaemonWriteAccess and the one for API Gateway."""
KEYS = {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}


def actions_of_functions() -> set[str]:
    """Return the actions in the roles of the template's functions."""
    return {
        text(mapping(statement, name)["Action"], name)
        for name in function_ids()
        for policy in sequence(properties(name).get("Policies"), name)
        for statement in sequence(mapping(policy, name)["Statement"], name)
    }


@pytest.mark.parametrize("action", sorted(actions_of_functions()))
def test_the_actions_of_functions_are_allowed(action: str) -> None:
    """The boundary allows each action of the functions' roles; without it, a new permission has no effect."""
    service = action.split(":", maxsplit=1)[0]

    arn = STREAM if action in STREAM_ACTIONS else ARNS[service]
    assert allows(BOUNDARY, Request(action, arn, IN_THIS_ACCOUNT))


@pytest.mark.parametrize("action", sorted(LOGS_OF_API_GATEWAY | TRACES))
def test_logs_and_traces_are_written(action: str) -> None:
    """The boundary allows the actions of the roles' managed policies, on all resources."""
    assert allows(BOUNDARY, Request(action, "*"))


@pytest.mark.parametrize("group", ["API-Gateway-Execution-Logs_a1b2c3/v1:log-stream:1", "/aws/apigateway/welcome"])
def test_api_gateway_reads_its_own_logs_only(group: str) -> None:
    """The boundary limits the role of API Gateway, whose managed policy allows all logs of the account."""
    for action in READING_LOGS:
        assert allows(BOUNDARY, Request(action, f"arn:aws:logs:{_REGION}:{ACCOUNT}:log-group:{group}"))
        assert not allows(BOUNDARY, Request(action, f"arn:aws:logs:{_REGION}:{ACCOUNT}:log-group:/aws/lambda/billing"))


def test_kms_keys_are_used_by_services_only() -> None:
    """KMS keys are used only through the stack's services, never by a function directly."""
    key = f"arn:aws:kms:{_REGION}:{ACCOUNT}:key/0a1b"

    assert allows(BOUNDARY, Request("kms:Decrypt", key, {"kms:ViaService": f"dynamodb.{_REGION}.amazonaws.com"}))
    assert not allows(BOUNDARY, Request("kms:Decrypt", key, {"kms:ViaService": f"s3.{_REGION}.amazonaws.com"}))
    assert not allows(BOUNDARY, Request("kms:Decrypt", key))


def test_nothing_else_is_within_the_boundary() -> None:
    """The boundary has the actions of the stack's roles only, and none of IAM, STS or Lambda."""
    assert actions(BOUNDARY) == actions_of_functions() | LOGS_OF_API_GATEWAY | READING_LOGS | TRACES | KEYS
    assert {"iam", "sts", "lambda", "cloudformation"}.isdisjoint(action.split(":")[0] for action in actions(BOUNDARY))


@pytest.mark.parametrize(
    "request_",
    [
        Request("dynamodb:GetItem", f"arn:aws:dynamodb:{_REGION}:{ACCOUNT}:table/billing"),
        Request(
            "dynamodb:GetRecords", f"arn:aws:dynamodb:{_REGION}:{ACCOUNT}:table/billing/stream/2026-01-31T12:00:00.000"
        ),
        Request("events:PutEvents", f"arn:aws:events:{_REGION}:{ACCOUNT}:event-bus/billing"),
        Request("events:PutEvents", f"arn:aws:events:{_REGION}:{ACCOUNT}:event-bus/{STACK}-organizations"),
        Request("dynamodb:GetItem", f"arn:aws:dynamodb:{_REGION}:999999999999:table/{STACK}-Table-1A2B3C4D5E6F"),
        Request("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{_REGION}:{ACCOUNT}:secret:billing-a1b2c3"),
        Request("sqs:SendMessage", f"arn:aws:sqs:{_REGION}:{ACCOUNT}:billing"),
        Request("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/OrganizationAccountAccessRole"),
        Request("lambda:InvokeFunction", f"arn:aws:lambda:{_REGION}:{ACCOUNT}:function:billing"),
        Request("s3:GetObject", "arn:aws:s3:::billing/records", IN_THIS_ACCOUNT),
        Request("s3:PutObject", ARNS["s3"], {"aws:ResourceAccount": "999999999999"}),
        Request("s3:ListBucket", ARNS["s3"].partition("/")[0], {"aws:ResourceAccount": "999999999999"}),
    ],
    ids=str,
)
def test_a_role_with_every_permission_stays_inside(request_: Request) -> None:
    """GIVEN a role of the stack with AdministratorAccess THEN the boundary denies resources outside the stack."""
    assert not allows(BOUNDARY, request_)


def test_the_operator_is_limited_to_the_table() -> None:
    """The command line's policy allows items of the stack's table only."""
    operator = statements("Operator")

    assert allows(operator, Request("dynamodb:PutItem", ARNS["dynamodb"]))
    assert not allows(operator, Request("dynamodb:DeleteTable", ARNS["dynamodb"]))
    assert not allows(operator, Request("dynamodb:PutItem", f"arn:aws:dynamodb:{_REGION}:{ACCOUNT}:table/billing"))


def test_the_log_role_has_one_managed_policy() -> None:
    """The only role written in the template has only the managed policy that the boundary allows."""
    assert properties("ApiGatewayLogRole")["ManagedPolicyArns"] == [
        "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    ]
    assert resource("ApiGatewayLogRole")["Type"] == "AWS::IAM::Role"
