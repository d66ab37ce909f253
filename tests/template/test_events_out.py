"""The way of an audit record through the template: the table's stream, mapping, function, bus, and what is too old."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from keywright.store import layout
from local.filters import matches
from local.intrinsics import Json, mapping, sequence, text
from tests.support.cloudformation import properties, resource, resources, section
from tests.support.mistakes import GONE, Mistake, about, checks_in, mistakes

DAY = 24 * 3600
LARGEST_BUS_NAME = 256
"""Amazon EventBridge API Reference, "CreateEventBus"."""
LONGEST_STACK_NAME = 128
"""CloudFormation User Guide, "Stack name"."""
KEPT_BY_A_STREAM = DAY
"""Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams": records are removed after 24 hours."""
SECONDS_OF_AN_INVOCATION = 60
UNREAD = "IF(FILL(polled, 0) == 0, FILL(writes, 0), 0) + FILL(throttled, 0)"


def declared(logical_id: str) -> dict[str, Json]:
    """Return the properties of a resource, as written."""
    return mapping(resource(logical_id)["Properties"], logical_id)


def change(name: str, pk: str, sk: str) -> dict[str, Json]:
    """Return a record of the table's stream, of a change with that name."""
    return {"eventName": name, "dynamodb": {"Keys": {"pk": {"S": pk}, "sk": {"S": sk}}, "SequenceNumber": "1"}}


def filters() -> list[Json]:
    """Return the patterns of the mapping."""
    listed = sequence(mapping(declared("EventsMapping")["FilterCriteria"], "FilterCriteria")["Filters"], "Filters")
    return [json.loads(text(mapping(each, "Filter")["Pattern"], "Pattern")) for each in listed]


def test_each_stack_has_a_bus_of_events() -> None:
    """The bus has the stack's name in its own, and the longest fits. It is not the bus that makes members."""
    name = text(mapping(declared("EventBus")["Name"], "Name")["Fn::Sub"], "Name")

    assert "${AWS::StackName}-events" == name
    assert len(name.replace("${AWS::StackName}", "s" * LONGEST_STACK_NAME)) <= LARGEST_BUS_NAME
    assert {"Ref": "EventBus"} not in [declared(rule)["EventBusName"] for rule in resources("AWS::Events::Rule")]


def test_the_function_reads_the_stream_of_the_table_from_its_beginning() -> None:
    """The stream has whole new items, and the mapping misses none that are written during a deployment."""
    mapped = declared("EventsMapping")

    assert {"StreamViewType": "NEW_IMAGE"} == declared("Table")["StreamSpecification"]
    assert {"Ref": "PublishEvents"} == mapped["FunctionName"]
    assert {"Fn::GetAtt": ["Table", "StreamArn"]} == mapped["EventSourceArn"]
    assert "TRIM_HORIZON" == mapped["StartingPosition"]


def test_new_audit_records_reach_the_function_and_nothing_else() -> None:
    """Items of other kinds, expired audit records and changed ones do not invoke the function."""
    partition = layout.organization_partition(UUID("5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01"))
    record = f"{layout.AUDIT_RECORDS[0]}01"
    (pattern,) = filters()

    assert matches(pattern, change("INSERT", partition, record))
    for other in (
        change("MODIFY", partition, record),
        change("REMOVE", partition, record),
        change("INSERT", partition, f"{layout.API_KEYS[0]}01"),
        change("INSERT", partition, f"{layout.MEMBERS[0]}user"),
    ):
        assert not matches(pattern, other)


def test_the_order_of_an_organization_is_kept() -> None:
    """One invocation at a time reads a shard, which has every record of an organization."""
    assert {"ParallelizationFactor", "TumblingWindowInSeconds"}.isdisjoint(declared("EventsMapping"))


def test_what_fails_comes_again_until_it_is_too_old() -> None:
    """Lambda goes on at the record that failed, isolates it, and sets records aside before the stream loses them.

    AWS Lambda Developer Guide, "Configuring partial batch response with DynamoDB and Lambda" and "Retain discarded
    records for a DynamoDB event source in Lambda".
    """
    mapped = declared("EventsMapping")

    assert ["ReportBatchItemFailures"] == mapped["FunctionResponseTypes"]
    assert mapped["BisectBatchOnFunctionError"] is True
    assert "MaximumRetryAttempts" not in mapped
    assert int(text(mapped["MaximumRecordAgeInSeconds"], "age")) <= KEPT_BY_A_STREAM / 2
    assert {"OnFailure": {"Destination": {"Fn::GetAtt": ["EventsDeadLetters", "Arn"]}}} == mapped["DestinationConfig"]


def test_the_function_has_the_time_of_many_requests() -> None:
    """No caller waits for the function: it can repeat requests for a minute."""
    assert SECONDS_OF_AN_INVOCATION == properties("PublishEvents")["Timeout"]


def test_what_is_too_old_waits_in_an_encrypted_queue() -> None:
    """The queue is encrypted and keeps messages for 14 days, the maximum. Only roles of the account send, over TLS."""
    policy = declared("EventsDeadLettersPolicy")
    (deny,) = sequence(mapping(policy["PolicyDocument"], "policy")["Statement"], "policy")

    assert properties("EventsDeadLetters")["SqsManagedSseEnabled"] is True
    assert 14 * DAY == properties("EventsDeadLetters")["MessageRetentionPeriod"]
    assert [{"Ref": "EventsDeadLetters"}] == policy["Queues"]
    assert {
        "Sid": "RefusePlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": {"Fn::GetAtt": ["EventsDeadLetters", "Arn"]},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    } == deny


def test_late_records_raise_an_alarm_before_they_are_set_aside() -> None:
    """One late batch is enough: failing invocations are minutes apart, and a minute without any is no datapoint."""
    alarm = declared("EventsDelayedAlarm")

    assert ["AWS/Lambda", "IteratorAge", "Maximum"] == [
        alarm[name] for name in ("Namespace", "MetricName", "Statistic")
    ]
    assert [{"Name": "FunctionName", "Value": {"Ref": "PublishEvents"}}] == alarm["Dimensions"]
    assert [300, 1, 300_000] == [alarm[name] for name in ("Period", "EvaluationPeriods", "Threshold")]
    assert "GreaterThanThreshold" == alarm["ComparisonOperator"]


def test_a_stream_that_is_not_read_raises_an_alarm() -> None:
    """Without invocations there is no age: writes of the table are compared with the changes that Lambda has read."""
    alarm = declared("EventsStoppedAlarm")
    found, *metrics = [mapping(each, "Metrics") for each in sequence(alarm["Metrics"], "Metrics")]

    assert {"Metrics": ["EventCount"]} == declared("EventsMapping")["MetricsConfig"]
    assert UNREAD == found["Expression"]
    assert [
        ("polled", "PolledEventCount", {"Ref": "EventsMapping"}),
        ("writes", "ConsumedWriteCapacityUnits", {"Ref": "Table"}),
        ("throttled", "Throttles", {"Ref": "PublishEvents"}),
    ] == [(metric["Id"], *_metric_and_resource(metric)) for metric in metrics]
    assert [3, 0] == [alarm[name] for name in ("EvaluationPeriods", "Threshold")]
    assert "GreaterThanThreshold" == alarm["ComparisonOperator"]


def _metric_and_resource(metric: dict[str, Json]) -> tuple[Json, Json]:
    described = mapping(mapping(metric["MetricStat"], "MetricStat")["Metric"], "Metric")
    (dimension,) = [mapping(each, "Dimensions") for each in sequence(described["Dimensions"], "Dimensions")]
    return described["MetricName"], dimension["Value"]


def test_the_first_record_that_is_set_aside_raises_an_alarm() -> None:
    """The alarm counts the messages of this dead-letter queue."""
    alarm = declared("EventsLostAlarm")

    assert ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"] == [
        alarm[name] for name in ("Namespace", "MetricName", "Statistic")
    ]
    assert [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["EventsDeadLetters", "QueueName"]}}] == alarm["Dimensions"]
    assert [60, 1, 0] == [alarm[name] for name in ("Period", "EvaluationPeriods", "Threshold")]
    assert "GreaterThanThreshold" == alarm["ComparisonOperator"]


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("EventBusName", {"Ref": "EventBus"}),
        ("EventBusArn", {"Fn::GetAtt": ["EventBus", "Arn"]}),
        ("EventsDeadLettersUrl", {"Ref": "EventsDeadLetters"}),
    ],
)
def test_outputs_name_what_a_consumer_and_an_operator_need(output: str, value: dict[str, Json]) -> None:
    """The outputs name the bus, for rules, and the dead-letter queue."""
    assert value == mapping(section("Outputs")[output], output)["Value"]


MAPPING = "Resources.EventsMapping.Properties"
QUEUE = "Resources.EventsDeadLetters.Properties"
STOPPED = "Resources.EventsStoppedAlarm.Properties"
LATE = "Resources.EventsDelayedAlarm.Properties"
LOST = "Resources.EventsLostAlarm.Properties"
PATTERN = f"{MAPPING}.FilterCriteria.Filters.0.Pattern"

MISTAKES = [
    *mistakes(
        test_each_stack_has_a_bus_of_events,
        ("Resources.EventBus.Properties.Name", {"Fn::Sub": "keywright-events"}),
        ("Resources.OrganizationEventsRule.Properties.EventBusName", {"Ref": "EventBus"}),
    ),
    *mistakes(
        test_the_function_reads_the_stream_of_the_table_from_its_beginning,
        ("Resources.Table.Properties.StreamSpecification.StreamViewType", "NEW_AND_OLD_IMAGES"),
        (f"{MAPPING}.StartingPosition", "LATEST"),
        (f"{MAPPING}.FunctionName", {"Ref": "SyncOrganizations"}),
    ),
    *mistakes(
        test_new_audit_records_reach_the_function_and_nothing_else,
        (PATTERN, '{"eventName": ["INSERT"]}'),
        (PATTERN, '{"dynamodb": {"Keys": {"sk": {"S": [{"prefix": "AUDIT#"}]}}}}'),
        (PATTERN, '{"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": "KEY#"}]}}}}'),
    ),
    *mistakes(test_the_order_of_an_organization_is_kept, (f"{MAPPING}.ParallelizationFactor", 10)),
    *mistakes(
        test_what_fails_comes_again_until_it_is_too_old,
        (f"{MAPPING}.FunctionResponseTypes", GONE),
        (f"{MAPPING}.BisectBatchOnFunctionError", False),
        (f"{MAPPING}.MaximumRetryAttempts", 2),
        (f"{MAPPING}.MaximumRecordAgeInSeconds", DAY),
        (f"{MAPPING}.DestinationConfig", GONE),
    ),
    *mistakes(test_the_function_has_the_time_of_many_requests, ("Resources.PublishEvents.Properties.Timeout", GONE)),
    *mistakes(
        test_what_is_too_old_waits_in_an_encrypted_queue,
        (f"{QUEUE}.SqsManagedSseEnabled", False),
        (f"{QUEUE}.MessageRetentionPeriod", DAY),
        ("Resources.EventsDeadLettersPolicy.Properties.PolicyDocument.Statement.0.Effect", "Allow"),
    ),
    *mistakes(
        test_late_records_raise_an_alarm_before_they_are_set_aside,
        (f"{LATE}.Period", 60),
        (f"{LATE}.EvaluationPeriods", 5),
        (f"{LATE}.Dimensions", GONE),
    ),
    *mistakes(
        test_a_stream_that_is_not_read_raises_an_alarm,
        (f"{MAPPING}.MetricsConfig", GONE),
        (f"{STOPPED}.Metrics.0.Expression", "FILL(throttled, 0)"),
        (f"{STOPPED}.Metrics.2.MetricStat.Metric.Dimensions.0.Value", "another-table"),
        (f"{STOPPED}.EvaluationPeriods", 1),
    ),
    *mistakes(
        test_the_first_record_that_is_set_aside_raises_an_alarm,
        (f"{LOST}.Threshold", 1),
        (f"{LOST}.Statistic", "Average"),
    ),
    *mistakes(
        test_outputs_name_what_a_consumer_and_an_operator_need,
        ("Outputs.EventBusName.Value", {"Ref": "OrganizationEventBus"}),
        cases=about("EventBusName", {"Ref": "EventBus"}),
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_noticed(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a template that passes WHEN one thing in it is wrong THEN its check fails."""
    mistake.assert_noticed(monkeypatch)


def test_each_check_has_a_mistake() -> None:
    """Every check above has a mistake that it notices."""
    assert checks_in(globals()) == {mistake.check.__name__ for mistake in MISTAKES}
