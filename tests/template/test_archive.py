"""The archive in the template: off by default; a bucket that stays, a second reader of the stream, its alarms."""

from __future__ import annotations

import json

import pytest

from local.intrinsics import Json, mapping, sequence
from tests.support.cloudformation import properties, resource, section
from tests.support.mistakes import GONE, Mistake, about, checks_in, mistakes

DAY = 24 * 3600
CONDITION = "ArchivesAuditRecords"
RESOURCES = [
    "ArchiveRecords",
    "ArchiveRecordsLogs",
    "ArchiveDelayedAlarm",
    "ArchiveStoppedAlarm",
    "ArchiveLostAlarm",
    "AuditArchiveBucket",
    "AuditArchiveBucketPolicy",
    "ArchiveDeadLetters",
    "ArchiveDeadLettersPolicy",
    "ArchiveMapping",
]
LOCKED = {"AuditArchive": "on", "AuditArchiveLockDays": "90"}
MOST_READERS = 2
"""Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams": processes that read a shard at once."""
LARGEST_WINDOW_SECONDS = 300
LARGEST_BATCH = 10_000
"""AWS Lambda API Reference, "CreateEventSourceMapping"."""


def declared(logical_id: str) -> dict[str, Json]:
    """Return the properties of a resource, as written."""
    return mapping(resource(logical_id)["Properties"], logical_id)


@pytest.mark.parametrize("name", RESOURCES)
def test_there_is_no_archive_by_default(name: str) -> None:
    """Everything of the archive has its condition, which is that of a parameter that is off."""
    assert CONDITION == resource(name)["Condition"]
    assert {"Fn::Equals": [{"Ref": "AuditArchive"}, "on"]} == section("Conditions")[CONDITION]
    assert "off" == mapping(section("Parameters")["AuditArchive"], "AuditArchive")["Default"]


@pytest.mark.parametrize("name", ["AuditArchiveBucketName", "ArchiveDeadLettersUrl"])
def test_outputs_name_bucket_and_dead_letters(name: str) -> None:
    """The command line and the runbook find both in the outputs."""
    assert CONDITION == mapping(section("Outputs")[name], name)["Condition"]


def test_the_bucket_is_private_encrypted_and_keeps_versions() -> None:
    """No object can be public, all are encrypted and owned by the account, and none is overwritten without a trace."""
    bucket = properties("AuditArchiveBucket")

    assert {True} == set(mapping(bucket["PublicAccessBlockConfiguration"], "block").values())
    assert {"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} == mapping(
        bucket["PublicAccessBlockConfiguration"], "block"
    ).keys()
    assert {"Status": "Enabled"} == bucket["VersioningConfiguration"]
    assert {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]} == bucket["OwnershipControls"]
    assert {
        "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    } == bucket["BucketEncryption"]


@pytest.mark.parametrize(
    ("logical_id", "action", "resources"),
    [
        (
            "AuditArchiveBucketPolicy",
            "s3:*",
            [{"Fn::GetAtt": ["AuditArchiveBucket", "Arn"]}, {"Fn::Sub": "${AuditArchiveBucket.Arn}/*"}],
        ),
        ("ArchiveDeadLettersPolicy", "sqs:*", {"Fn::GetAtt": ["ArchiveDeadLetters", "Arn"]}),
    ],
)
def test_plain_http_is_refused(logical_id: str, action: str, resources: Json) -> None:
    """Bucket and queue refuse every request without TLS."""
    deny = sequence(mapping(declared(logical_id)["PolicyDocument"], "policy")["Statement"], "policy")[0]

    assert {
        "Sid": "RefusePlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resources,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    } == deny


def test_only_the_function_writes_objects_and_never_over_one() -> None:
    """The bucket refuses objects of every other principal, and those that are written without a condition."""
    statements = sequence(mapping(declared("AuditArchiveBucketPolicy")["PolicyDocument"], "policy")["Statement"], "")
    _, others, replacing = (mapping(each, "statement") for each in statements)
    role = {"Fn::GetAtt": ["ArchiveRecordsRole", "Arn"]}

    for deny in (others, replacing):
        assert ["Deny", "*"] == [deny["Effect"], deny["Principal"]]
        assert {"Fn::Sub": "${AuditArchiveBucket.Arn}/audit/*"} == deny["Resource"]
    assert [["s3:PutObject", "s3:ReplicateObject"], "s3:PutObject"] == [others["Action"], replacing["Action"]]
    assert {"ArnNotEquals": {"aws:PrincipalArn": role}} == others["Condition"]
    assert {"Null": {"s3:if-none-match": "true"}} == replacing["Condition"]


def test_objects_are_locked_if_days_are_given() -> None:
    """Object Lock is enabled with the bucket. A rule, in compliance mode, is there with a number of days only."""
    enabled = {"ObjectLockEnabled": "Enabled"}
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": "90"}}

    assert properties("AuditArchiveBucket")["ObjectLockEnabled"] is True
    assert enabled == properties("AuditArchiveBucket")["ObjectLockConfiguration"]
    assert {**enabled, "Rule": rule} == properties("AuditArchiveBucket", **LOCKED)["ObjectLockConfiguration"]


def test_the_function_is_the_second_reader_of_the_stream_and_the_last() -> None:
    """Both readers get the same records of the same stream from its beginning, and there is no third."""
    mappings = {
        name: mapping(mapping(found, name)["Properties"], name)
        for name, found in section("Resources").items()
        if mapping(found, name)["Type"] == "AWS::Lambda::EventSourceMapping"
    }
    readers = {
        name: found
        for name, found in mappings.items()
        if found["EventSourceArn"] == {"Fn::GetAtt": ["Table", "StreamArn"]}
    }

    assert MOST_READERS == len(readers)
    assert {"Ref": "ArchiveRecords"} == readers["ArchiveMapping"]["FunctionName"]
    for name in ("FilterCriteria", "StartingPosition"):
        assert readers["EventsMapping"][name] == readers["ArchiveMapping"][name]


def test_an_object_has_the_records_of_five_minutes() -> None:
    """The window and the batch are the largest that Lambda has: each object is a request and an invocation."""
    mapped = declared("ArchiveMapping")

    assert LARGEST_WINDOW_SECONDS == mapped["MaximumBatchingWindowInSeconds"]
    assert LARGEST_BATCH == mapped["BatchSize"]


def test_what_fails_comes_again_until_it_is_too_old() -> None:
    """A batch comes again for six hours, in halves if the function fails, and is then set aside."""
    mapped = declared("ArchiveMapping")

    assert ["ReportBatchItemFailures"] == mapped["FunctionResponseTypes"]
    assert mapped["BisectBatchOnFunctionError"] is True
    assert "MaximumRetryAttempts" not in mapped
    assert DAY / 4 == mapped["MaximumRecordAgeInSeconds"]
    assert {"OnFailure": {"Destination": {"Fn::GetAtt": ["ArchiveDeadLetters", "Arn"]}}} == mapped["DestinationConfig"]
    assert [True, 14 * DAY] == [
        properties("ArchiveDeadLetters")[name] for name in ("SqsManagedSseEnabled", "MessageRetentionPeriod")
    ]


def test_the_function_has_only_the_head_of_the_table() -> None:
    """Of the table, it may read and write the partition of the head."""
    (policy,) = sequence(declared("ArchiveRecords")["Policies"], "policies")
    statements = [mapping(each, "statement") for each in sequence(mapping(policy, "policy")["Statement"], "policy")]
    of_table = [each for each in statements if each["Resource"] == {"Fn::GetAtt": ["Table", "Arn"]}]

    assert ["dynamodb:GetItem", "dynamodb:UpdateItem"] == [each["Action"] for each in of_table]
    for each in of_table:
        assert {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["ARCHIVE"]}} == each["Condition"]


def test_a_stream_that_is_not_read_raises_an_alarm() -> None:
    """The alarm is that of events, about the mapping and the function of the archive."""
    of_events = json.dumps(declared("EventsStoppedAlarm")["Metrics"])

    assert declared("EventsMapping")["MetricsConfig"] == declared("ArchiveMapping")["MetricsConfig"]
    assert declared("ArchiveStoppedAlarm")["Metrics"] == json.loads(
        of_events.replace("EventsMapping", "ArchiveMapping").replace("PublishEvents", "ArchiveRecords")
    )


@pytest.mark.parametrize(
    ("alarm", "metric", "dimension", "threshold"),
    [
        (
            "ArchiveDelayedAlarm",
            "IteratorAge",
            {"Name": "FunctionName", "Value": {"Ref": "ArchiveRecords"}},
            3 * LARGEST_WINDOW_SECONDS * 1000,
        ),
        (
            "ArchiveLostAlarm",
            "ApproximateNumberOfMessagesVisible",
            {"Name": "QueueName", "Value": {"Fn::GetAtt": ["ArchiveDeadLetters", "QueueName"]}},
            0,
        ),
    ],
)
def test_late_and_lost_records_raise_alarms(alarm: str, metric: str, dimension: Json, threshold: int) -> None:
    """A batch is late after three windows; the first record that is set aside is one too many."""
    found = declared(alarm)

    assert [metric, "Maximum", [dimension]] == [found[name] for name in ("MetricName", "Statistic", "Dimensions")]
    assert [threshold, 1, "GreaterThanThreshold"] == [
        found[name] for name in ("Threshold", "EvaluationPeriods", "ComparisonOperator")
    ]


BUCKET = "Resources.AuditArchiveBucket.Properties"
MAPPING = "Resources.ArchiveMapping.Properties"
BUCKET_STATEMENTS = "Resources.AuditArchiveBucketPolicy.Properties.PolicyDocument.Statement"
STATEMENTS = "Resources.ArchiveRecords.Properties.Policies.0.Statement"

MISTAKES = [
    *mistakes(
        test_there_is_no_archive_by_default,
        ("Resources.ArchiveMapping.Condition", GONE),
        ("Parameters.AuditArchive.Default", "on"),
        (f"Conditions.{CONDITION}", {"Fn::Equals": [{"Ref": "AuditArchive"}, "off"]}),
        cases=about("ArchiveMapping"),
    ),
    *mistakes(
        test_outputs_name_bucket_and_dead_letters,
        ("Outputs.AuditArchiveBucketName.Condition", GONE),
        cases=about("AuditArchiveBucketName"),
    ),
    *mistakes(
        test_the_bucket_is_private_encrypted_and_keeps_versions,
        (f"{BUCKET}.PublicAccessBlockConfiguration.BlockPublicPolicy", False),
        (f"{BUCKET}.PublicAccessBlockConfiguration.IgnorePublicAcls", GONE),
        (f"{BUCKET}.VersioningConfiguration.Status", "Suspended"),
        (f"{BUCKET}.OwnershipControls", GONE),
        (f"{BUCKET}.BucketEncryption", GONE),
    ),
    *mistakes(
        test_plain_http_is_refused,
        ("Resources.AuditArchiveBucketPolicy.Properties.PolicyDocument.Statement.0.Effect", "Allow"),
        (
            "Resources.AuditArchiveBucketPolicy.Properties.PolicyDocument.Statement.0.Resource",
            {"Fn::GetAtt": ["AuditArchiveBucket", "Arn"]},
        ),
        cases=about(
            "AuditArchiveBucketPolicy",
            "s3:*",
            [{"Fn::GetAtt": ["AuditArchiveBucket", "Arn"]}, {"Fn::Sub": "${AuditArchiveBucket.Arn}/*"}],
        ),
    ),
    *mistakes(
        test_only_the_function_writes_objects_and_never_over_one,
        (f"{BUCKET_STATEMENTS}.1.Effect", "Allow"),
        (f"{BUCKET_STATEMENTS}.1.Action", "s3:PutObject"),
        (
            f"{BUCKET_STATEMENTS}.1.Condition.ArnNotEquals.aws:PrincipalArn",
            {"Fn::GetAtt": ["PublishEventsRole", "Arn"]},
        ),
        (f"{BUCKET_STATEMENTS}.2.Condition.Null.s3:if-none-match", "false"),
        (f"{BUCKET_STATEMENTS}.2.Resource", {"Fn::GetAtt": ["AuditArchiveBucket", "Arn"]}),
    ),
    *mistakes(
        test_objects_are_locked_if_days_are_given,
        (f"{BUCKET}.ObjectLockEnabled", False),
        (f"{BUCKET}.ObjectLockConfiguration", GONE),
        (f"{BUCKET}.ObjectLockConfiguration.Rule", GONE),
        ("Conditions.LocksArchive", {"Fn::Equals": [{"Ref": "AuditArchiveLockDays"}, 0]}),
    ),
    *mistakes(
        test_the_function_is_the_second_reader_of_the_stream_and_the_last,
        (f"{MAPPING}.FunctionName", {"Ref": "PublishEvents"}),
        (f"{MAPPING}.StartingPosition", "LATEST"),
        (f"{MAPPING}.FilterCriteria", GONE),
        (
            "Resources.OrganizationEventsMapping.Properties.EventSourceArn",
            {"Fn::GetAtt": ["Table", "StreamArn"]},
        ),
    ),
    *mistakes(
        test_an_object_has_the_records_of_five_minutes,
        (f"{MAPPING}.MaximumBatchingWindowInSeconds", GONE),
        (f"{MAPPING}.BatchSize", 100),
    ),
    *mistakes(
        test_what_fails_comes_again_until_it_is_too_old,
        (f"{MAPPING}.FunctionResponseTypes", GONE),
        (f"{MAPPING}.BisectBatchOnFunctionError", False),
        (f"{MAPPING}.MaximumRetryAttempts", 2),
        (f"{MAPPING}.MaximumRecordAgeInSeconds", DAY),
        (f"{MAPPING}.DestinationConfig", GONE),
        ("Resources.ArchiveDeadLetters.Properties.SqsManagedSseEnabled", False),
    ),
    *mistakes(
        test_the_function_has_only_the_head_of_the_table,
        (f"{STATEMENTS}.4.Condition", GONE),
        (f"{STATEMENTS}.5.Condition.ForAllValues:StringEquals.dynamodb:LeadingKeys", ["*"]),
        (f"{STATEMENTS}.5.Action", "dynamodb:PutItem"),
    ),
    *mistakes(
        test_late_and_lost_records_raise_alarms,
        ("Resources.ArchiveLostAlarm.Properties.Threshold", 1),
        ("Resources.ArchiveLostAlarm.Properties.Statistic", "Average"),
        cases=about(
            "ArchiveLostAlarm",
            "ApproximateNumberOfMessagesVisible",
            {"Name": "QueueName", "Value": {"Fn::GetAtt": ["ArchiveDeadLetters", "QueueName"]}},
            0,
        ),
    ),
    *mistakes(
        test_a_stream_that_is_not_read_raises_an_alarm,
        ("Resources.ArchiveMapping.Properties.MetricsConfig", GONE),
        ("Resources.ArchiveStoppedAlarm.Properties.Metrics.0.Expression", "FILL(throttled, 0)"),
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_noticed(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a template that passes WHEN one thing in it is wrong THEN its check fails."""
    mistake.assert_noticed(monkeypatch)


def test_each_check_has_a_mistake() -> None:
    """Every check above has a mistake that it notices."""
    assert checks_in(globals()) == {mistake.check.__name__ for mistake in MISTAKES}
