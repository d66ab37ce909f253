"""The way of a report of leaked keys that a request had no time for: queue, function, and what it cannot settle."""

from __future__ import annotations

import pytest

from local.intrinsics import Json, mapping, sequence, text
from tests.support.cloudformation import properties, resource, section

FOURTEEN_DAYS = 14 * 24 * 3600
QUEUES = ["LeakReportsQueue", "LeakReportsDeadLetters"]


def arn_of(logical_id: str) -> dict[str, Json]:
    """Return the ARN of a resource, as the template writes it."""
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def declared(logical_id: str) -> dict[str, Json]:
    """Return the properties of a resource, as written."""
    return mapping(resource(logical_id)["Properties"], logical_id)


@pytest.mark.parametrize("queue", QUEUES)
def test_queues_are_encrypted_and_wait_as_long_as_queues_can(queue: str) -> None:
    """Queues are encrypted and keep messages for 14 days, the maximum."""
    assert properties(queue)["SqsManagedSseEnabled"] is True
    assert FOURTEEN_DAYS == properties(queue)["MessageRetentionPeriod"]


@pytest.mark.parametrize("queue", QUEUES)
def test_no_other_service_sends_reports(queue: str) -> None:
    """The policy of a queue allows nothing, so only roles of the stack send; and it requires TLS."""
    policy = declared(f"{queue}Policy")
    (deny,) = sequence(mapping(policy["PolicyDocument"], queue)["Statement"], queue)

    assert [{"Ref": queue}] == policy["Queues"]
    assert {
        "Sid": "RefusePlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": arn_of(queue),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    } == deny


def test_a_report_comes_again_once_no_invocation_can_still_have_it() -> None:
    """A message returns after six times the function's timeout, as AWS advises, for at least half an hour in all."""
    queue, function = properties("LeakReportsQueue"), properties("ProcessLeakReports")
    visibility_seconds = int(text(queue["VisibilityTimeout"], "VisibilityTimeout"))
    redrive = mapping(declared("LeakReportsQueue")["RedrivePolicy"], "RedrivePolicy")

    assert visibility_seconds == 6 * int(text(function["Timeout"], "Timeout"))
    assert arn_of("LeakReportsDeadLetters") == redrive["deadLetterTargetArn"]
    assert visibility_seconds * int(text(redrive["maxReceiveCount"], "maxReceiveCount")) >= 30 * 60


def test_a_message_fills_an_invocation_and_returns_if_it_fails() -> None:
    """A message fills an invocation, and one that fails returns to the queue."""
    mapped = declared("LeakReportsMapping")

    assert {"Ref": "ProcessLeakReports"} == mapped["FunctionName"]
    assert arn_of("LeakReportsQueue") == mapped["EventSourceArn"]
    assert ["ReportBatchItemFailures"] == mapped["FunctionResponseTypes"]
    assert 1 == mapped["BatchSize"]


@pytest.mark.parametrize(
    ("alarm", "namespace", "metric", "statistic"),
    [
        ("LeakedKeysAlarm", "Keywright", "LeakedKeys", "Sum"),
        ("LeakReportsAlarm", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"),
    ],
)
def test_the_first_one_raises_an_alarm(alarm: str, namespace: str, metric: str, statistic: str) -> None:
    """The first leaked key, and the first report that could not be settled, raise an alarm within a minute."""
    found = declared(alarm)

    assert [namespace, metric, statistic] == [found[name] for name in ("Namespace", "MetricName", "Statistic")]
    assert [60, 1, 0] == [found[name] for name in ("Period", "EvaluationPeriods", "Threshold")]
    assert "GreaterThanThreshold" == found["ComparisonOperator"]
    assert "notBreaching" == found["TreatMissingData"]
    assert "docs/runbooks/leaked-key.md" in text(found["AlarmDescription"], alarm)


def test_the_alarm_of_dead_letters_is_that_of_these() -> None:
    """The alarm counts the messages of this dead-letter queue."""
    dimension = {"Name": "QueueName", "Value": {"Fn::GetAtt": ["LeakReportsDeadLetters", "QueueName"]}}

    assert [dimension] == declared("LeakReportsAlarm")["Dimensions"]


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("LeakReportsQueueArn", arn_of("LeakReportsQueue")),
        ("LeakReportsDeadLettersUrl", {"Ref": "LeakReportsDeadLetters"}),
        ("LeakReportsDeadLettersArn", arn_of("LeakReportsDeadLetters")),
    ],
)
def test_outputs_name_what_an_operator_needs(output: str, value: dict[str, Json]) -> None:
    """The outputs name both queues."""
    assert value == mapping(section("Outputs")[output], output)["Value"]
