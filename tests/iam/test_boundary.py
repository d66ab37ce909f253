"""The permissions boundary: what the functions need, and nothing that leads out of the stack."""

from __future__ import annotations

import pytest

from local.intrinsics import mapping, sequence, text
from tests.iam.policies import ACCOUNT, STACK, Request, actions, allows, statements
from tests.template.cloudformation import function_ids, properties, resource

BOUNDARY = statements("Boundary")

_REGION = "eu-central-1"
ARNS = {
    "dynamodb": f"arn:aws:dynamodb:{_REGION}:{ACCOUNT}:table/{STACK}-Table-1A2B3C4D5E6F",
    "secretsmanager": f"arn:aws:secretsmanager:{_REGION}:{ACCOUNT}:secret:Pepper-1A2B3C4D5E6F-a1b2c3",
    "sqs": f"arn:aws:sqs:{_REGION}:{ACCOUNT}:{STACK}-OrganizationEventsQueue-1A2B",
}

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
    """Return the actions that the functions of the template are allowed."""
    return {
        text(mapping(statement, name)["Action"], name)
        for name in function_ids()
        for policy in sequence(properties(name).get("Policies"), name)
        for statement in sequence(mapping(policy, name)["Statement"], name)
    }


@pytest.mark.parametrize("action", sorted(actions_of_functions()))
def test_a_function_may_do_its_work(action: str) -> None:
    """A permission that is new in the template has to be in the boundary as well, or it counts for nothing."""
    assert allows(BOUNDARY, Request(action, ARNS[action.split(":", maxsplit=1)[0]]))


@pytest.mark.parametrize("action", sorted(LOGS_OF_API_GATEWAY | TRACES))
def test_logs_and_traces_are_written(action: str) -> None:
    """The boundary leaves room for the managed policies of the roles, on all resources."""
    assert allows(BOUNDARY, Request(action, "*"))


@pytest.mark.parametrize("group", ["API-Gateway-Execution-Logs_a1b2c3/v1:log-stream:1", "/aws/apigateway/welcome"])
def test_api_gateway_reads_its_own_logs_only(group: str) -> None:
    """Its managed policy would let the role read the logs of every application of the account."""
    for action in READING_LOGS:
        assert allows(BOUNDARY, Request(action, f"arn:aws:logs:{_REGION}:{ACCOUNT}:log-group:{group}"))
        assert not allows(BOUNDARY, Request(action, f"arn:aws:logs:{_REGION}:{ACCOUNT}:log-group:/aws/lambda/billing"))


def test_keys_are_used_by_services_only() -> None:
    """A key of KMS decrypts what a service stores, and nothing that a function brings along."""
    key = f"arn:aws:kms:{_REGION}:{ACCOUNT}:key/0a1b"

    assert allows(BOUNDARY, Request("kms:Decrypt", key, {"kms:ViaService": f"dynamodb.{_REGION}.amazonaws.com"}))
    assert not allows(BOUNDARY, Request("kms:Decrypt", key, {"kms:ViaService": f"s3.{_REGION}.amazonaws.com"}))
    assert not allows(BOUNDARY, Request("kms:Decrypt", key))


def test_nothing_else_is_within_the_boundary() -> None:
    """No action that no role of the stack has a use for; nothing of IAM, STS or Lambda in particular."""
    assert actions(BOUNDARY) == actions_of_functions() | LOGS_OF_API_GATEWAY | READING_LOGS | TRACES | KEYS
    assert {"iam", "sts", "lambda", "cloudformation"}.isdisjoint(action.split(":")[0] for action in actions(BOUNDARY))


@pytest.mark.parametrize(
    "request_",
    [
        Request("dynamodb:GetItem", f"arn:aws:dynamodb:{_REGION}:{ACCOUNT}:table/billing"),
        Request("dynamodb:GetItem", f"arn:aws:dynamodb:{_REGION}:999999999999:table/{STACK}-Table-1A2B3C4D5E6F"),
        Request("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{_REGION}:{ACCOUNT}:secret:billing-a1b2c3"),
        Request("sqs:SendMessage", f"arn:aws:sqs:{_REGION}:{ACCOUNT}:billing"),
        Request("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/OrganizationAccountAccessRole"),
        Request("lambda:InvokeFunction", f"arn:aws:lambda:{_REGION}:{ACCOUNT}:function:billing"),
        Request("s3:GetObject", "arn:aws:s3:::billing/records"),
    ],
    ids=str,
)
def test_a_role_with_every_permission_stays_inside(request_: Request) -> None:
    """GIVEN a role of the stack that was given AdministratorAccess THEN it reaches nothing outside all the same."""
    assert not allows(BOUNDARY, request_)


def test_the_operator_works_on_the_table_alone() -> None:
    """The command line's policy names the stack's table and the stack."""
    operator = statements("Operator")

    assert allows(operator, Request("dynamodb:PutItem", ARNS["dynamodb"]))
    assert not allows(operator, Request("dynamodb:DeleteTable", ARNS["dynamodb"]))
    assert not allows(operator, Request("dynamodb:PutItem", f"arn:aws:dynamodb:{_REGION}:{ACCOUNT}:table/billing"))


def test_the_log_role_is_what_the_boundary_is_made_for() -> None:
    """It is the one role that is written in the template, and has one managed policy."""
    assert properties("ApiGatewayLogRole")["ManagedPolicyArns"] == [
        "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    ]
    assert resource("ApiGatewayLogRole")["Type"] == "AWS::IAM::Role"
