"""The way of an identity provider's event through the template: bus, rule, queue, function, and what cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.intrinsics import Json, mapping, sequence, text
from tests.support.cloudformation import properties, resource, section

if TYPE_CHECKING:
    from collections.abc import Iterator

FOURTEEN_DAYS = 14 * 24 * 3600
QUEUES = ["OrganizationEventsQueue", "OrganizationEventsDeadLetters"]


def arn_of(logical_id: str) -> dict[str, Json]:
    """Return the ARN of a resource, as the template writes it."""
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def declared(logical_id: str) -> dict[str, Json]:
    """Return the properties of a resource, as written."""
    return mapping(resource(logical_id)["Properties"], logical_id)


def test_each_stack_has_a_bus_of_its_own() -> None:
    """The bus has the stack's name in its own, so that several stacks can share an account."""
    assert declared("OrganizationEventBus")["Name"] == {"Fn::Sub": "${AWS::StackName}-organizations"}


def test_every_event_of_the_bus_reaches_the_queue() -> None:
    """The rule matches every event: a malformed one becomes a dead letter, while a narrower rule would drop it."""
    rule = declared("OrganizationEventsRule")
    (target,) = sequence(rule["Targets"], "Targets")

    assert rule["EventBusName"] == {"Ref": "OrganizationEventBus"}
    assert rule["EventPattern"] == {"source": [{"prefix": ""}]}
    assert target == {
        "Id": "Queue",
        "Arn": arn_of("OrganizationEventsQueue"),
        "DeadLetterConfig": {"Arn": arn_of("OrganizationEventsDeadLetters")},
    }


@pytest.mark.parametrize("queue", QUEUES)
def test_queues_are_encrypted_and_wait_as_long_as_queues_can(queue: str) -> None:
    """Queues are encrypted and keep messages for 14 days, the maximum."""
    found = properties(queue)

    assert found["SqsManagedSseEnabled"] is True
    assert found["MessageRetentionPeriod"] == FOURTEEN_DAYS


def test_an_event_comes_again_once_no_invocation_can_still_have_it() -> None:
    """A message returns after six times the function's timeout, as AWS advises, for at least half an hour in all."""
    queue, function = properties("OrganizationEventsQueue"), properties("SyncOrganizations")
    visibility_seconds = int(text(queue["VisibilityTimeout"], "VisibilityTimeout"))
    redrive = mapping(declared("OrganizationEventsQueue")["RedrivePolicy"], "RedrivePolicy")

    assert visibility_seconds == 6 * int(text(function["Timeout"], "Timeout"))
    assert redrive["deadLetterTargetArn"] == arn_of("OrganizationEventsDeadLetters")
    assert visibility_seconds * int(text(redrive["maxReceiveCount"], "maxReceiveCount")) >= 30 * 60


def test_of_a_batch_only_what_has_failed_comes_again() -> None:
    """The function reports failed messages of a batch, and only those return to the queue."""
    mapped = declared("OrganizationEventsMapping")

    assert mapped["FunctionName"] == {"Ref": "SyncOrganizations"}
    assert mapped["EventSourceArn"] == arn_of("OrganizationEventsQueue")
    assert mapped["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("queue", QUEUES)
def test_only_the_rule_may_put_events_into_a_queue_by_its_policy(queue: str) -> None:
    """The policy of a queue allows EventBridge to send for this rule only, and requires TLS."""
    allow, deny = statements(queue)

    assert allow["Effect"] == "Allow"
    assert allow["Action"] == "sqs:SendMessage"
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": arn_of("OrganizationEventsRule")}}
    assert deny["Effect"] == "Deny"
    assert deny["Action"] == "sqs:*"
    assert deny["Principal"] == "*"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert [allow["Resource"], deny["Resource"]] == [arn_of(queue)] * 2


def statements(queue: str) -> Iterator[dict[str, Json]]:
    """Return the statements of a queue's policy, as written."""
    policy = declared(f"{queue}Policy")
    assert policy["Queues"] == [{"Ref": queue}]
    document = mapping(policy["PolicyDocument"], queue)
    return (mapping(statement, queue) for statement in sequence(document["Statement"], queue))


def test_what_cannot_be_used_raises_an_alarm() -> None:
    """The first dead letter raises an alarm within a minute; an empty queue that reports nothing does not."""
    alarm = declared("OrganizationEventsAlarm")

    assert alarm["Namespace"] == "AWS/SQS"
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": ["OrganizationEventsDeadLetters", "QueueName"]}}
    ]
    assert alarm["Statistic"] == "Maximum"
    assert alarm["Period"] == 60
    assert alarm["EvaluationPeriods"] == 1
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["Threshold"] == 0
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize(
    ("name", "function"),
    [("PurgeFailuresAlarm", "PurgeOrganizations"), ("ExpirationsAlarm", "AnnounceExpirations")],
)
def test_a_scheduled_run_that_fails_raises_an_alarm(name: str, function: str) -> None:
    """A failed run, which has no caller, raises an alarm."""
    alarm = declared(name)

    assert alarm["Namespace"] == "AWS/Lambda"
    assert alarm["MetricName"] == "Errors"
    assert alarm["Statistic"] == "Sum"
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": function}}]
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["Threshold"] == 0


def test_the_function_is_told_where_to_put_what_it_cannot_use() -> None:
    """The environment has the address of the dead-letter queue."""
    environment = mapping(mapping(section("Globals")["Function"], "Globals")["Environment"], "Environment")

    assert mapping(environment["Variables"], "")["DEAD_LETTER_QUEUE_URL"] == {"Ref": "OrganizationEventsDeadLetters"}


@pytest.mark.parametrize("function", ["PurgeOrganizations", "AnnounceExpirations"])
def test_a_scheduled_function_runs_every_hour(function: str) -> None:
    """A run has time for about ten thousand items, and the next one goes on."""
    events = mapping(declared(function)["Events"], "Events")

    assert [mapping(event, "")["Type"] for event in events.values()] == ["Schedule"]
    assert mapping(mapping(events["Hourly"], "")["Properties"], "")["Schedule"] == "rate(1 hour)"
    assert properties(function)["Timeout"] == 300


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("OrganizationEventBusName", {"Ref": "OrganizationEventBus"}),
        ("OrganizationEventBusArn", arn_of("OrganizationEventBus")),
        ("OrganizationEventsDeadLettersUrl", {"Ref": "OrganizationEventsDeadLetters"}),
    ],
)
def test_outputs_name_what_a_forwarder_and_an_operator_need(output: str, value: dict[str, Json]) -> None:
    """The outputs name the event bus and the dead-letter queue."""
    assert mapping(section("Outputs")[output], output)["Value"] == value
