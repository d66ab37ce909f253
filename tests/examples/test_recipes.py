"""The templates of the recipes: which events they send, in which form, and what they may do."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from keywright.domain.audit_event import AuditEvent
from tests.support import recipes
from tests.support.depth import mostly_deep
from tests.support.environment import ROOT
from tests.support.iam_policies import Request, allows
from tests.support.published_events import SCHEMAS
from tests.support.recipes import EVENTS, NAMES, hostile, recipe

if TYPE_CHECKING:
    from collections.abc import Iterable

HOSTILE = [
    '"',
    "\\",
    '","text":"',
    "<!channel>",
    "a\nb",
    "\u2028",
    "\x00",
    "\x7f",
    "<kind>",
    "${AWS::Region}",
    "'",
    "😀",
    "\ud800",
]
ORGANIZATION = "4e0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01"
ACCOUNT = "123456789012"


def kinds_selected(name: str, **parameters: str) -> set[str]:
    """Return the kinds of events that the rule of a recipe matches. It matches all or none of a kind."""
    chosen = recipe(name, **parameters)
    selected = {kind: {chosen.selects(event) for event in events} for kind, events in EVENTS.items()}
    assert all(len(results) == 1 for results in selected.values())
    return {kind for kind, results in selected.items() if True in results}


def texts_of(name: str, events: Iterable[dict[str, Any]]) -> list[str]:
    """Return what the target of a recipe gets for events."""
    chosen = recipe(name)
    return [chosen.sent(event) for event in events]


def test_there_is_an_event_of_every_kind() -> None:
    """The tests below use an event of each kind that Keywright publishes."""
    assert {kind.value for kind in AuditEvent} == EVENTS.keys()
    for kind, events in EVENTS.items():
        validator = jsonschema.Draft202012Validator(SCHEMAS[kind], format_checker=jsonschema.FormatChecker())
        for event in events:
            validator.validate(event)


@pytest.mark.parametrize("name", ["siem", "webhook"])
def test_all_events_are_sent(name: str) -> None:
    """The rule of a recipe for all events matches every kind."""
    assert EVENTS.keys() == kinds_selected(name)


@pytest.mark.parametrize("name", ["slack", "mail"])
def test_only_the_named_events_are_sent(name: str) -> None:
    """The rule matches the kinds that its parameter names by default, and no others; each exists."""
    named = set(str(recipe(name).parameter("EventKinds")["Default"]).split(","))

    assert named & EVENTS.keys() == kinds_selected(name)
    assert named <= EVENTS.keys()


@pytest.mark.parametrize("name", ["slack", "mail", "webhook"])
def test_kinds_can_be_chosen(name: str) -> None:
    """With the parameter EventKinds, the rule matches these kinds only."""
    assert {"api_key.created", "organization.created"} == kinds_selected(
        name, EventKinds="api_key.created,organization.created"
    )


@pytest.mark.parametrize("name", ["mail", "webhook"])
def test_an_organization_can_be_chosen(name: str) -> None:
    """With the parameter OrganizationId, the rule matches the events of this organization only."""
    chosen = recipe(name, OrganizationId=ORGANIZATION, EventKinds="api_key.deleted")
    (event, *_) = EVENTS["api_key.deleted"]

    assert chosen.selects(event | {"detail": event["detail"] | {"organizationId": ORGANIZATION}})
    assert not chosen.selects(event)


@pytest.mark.parametrize("name", NAMES)
def test_events_of_others_are_not_sent(name: str) -> None:
    """No rule matches an event of another source on the same bus."""
    chosen = recipe(name)

    assert not any(chosen.selects(event | {"source": "another"}) for events in EVENTS.values() for event in events)


@pytest.mark.parametrize("value", mostly_deep(HOSTILE, lambda value: value == '"'), ids=ascii)
def test_a_message_of_slack_is_json_for_any_value(value: str) -> None:
    """GIVEN hostile names, metadata and ids of users THEN the message is JSON with a text, and has none of them."""
    events = [event for kind in kinds_selected("slack") for event in EVENTS[kind]]

    messages = [json.loads(sent) for sent in texts_of("slack", [hostile(event, value) for event in events])]

    assert [json.loads(sent) for sent in texts_of("slack", events)] == messages
    assert all(message.keys() == {"text"} for message in messages)
    assert all(re.fullmatch(r"[\w.:`\n ,-]+", message["text"]) for message in messages)


@pytest.mark.parametrize("value", mostly_deep(HOSTILE, lambda value: value == '"'), ids=ascii)
def test_a_mail_has_the_same_lines_for_any_value(value: str) -> None:
    """GIVEN hostile names, metadata and ids of users THEN the mail has four quoted lines, and none of them."""
    events = [event for kind in kinds_selected("mail") for event in EVENTS[kind]]

    mails = texts_of("mail", [hostile(event, value) for event in events])

    assert texts_of("mail", events) == mails
    assert all(re.fullmatch(r'("[\w.:, -]+"\n?){4}', mail) for mail in mails)


@pytest.mark.parametrize("name", ["slack", "mail"])
def test_what_is_inserted_is_never_free_text(name: str) -> None:
    """Every inserted value is an id, a time or the kind in the schemas of all kinds that the parameter can name."""
    chosen = recipe(name)
    pattern = str(chosen.parameter("EventKinds")["AllowedPattern"])
    allowed = {kind for kind in SCHEMAS if re.search(pattern, kind)}

    assert {kind for kind in SCHEMAS if not kind.startswith("member.")} == allowed
    for kind in allowed:
        for path in chosen.target["InputTransformer"]["InputPathsMap"].values():
            schema = SCHEMAS[kind]
            for step in path.split(".")[1:]:
                assert step in schema["required"]
                schema = schema["properties"][step]
            assert "const" in schema or schema.get("format") in {"uuid", "date-time"}, (kind, path)


def test_the_transformer_of_the_tests_escapes_nothing() -> None:
    """GIVEN a template that inserts a name WHEN the name has a quotation mark THEN the result is not JSON."""
    transformer = {"InputPathsMap": {"name": "$.name"}, "InputTemplate": '{"a": <name>, "b": "<name>"}'}

    assert {"a": "CI", "b": "CI"} == json.loads(recipes.transformed(transformer, {"name": "CI"}))
    assert '{"a": "C"I", "b": "C"I"}' == recipes.transformed(transformer, {"name": 'C"I'})


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_delivered_is_kept(name: str) -> None:
    """The rule's target has an encrypted dead-letter queue for the recipe's rules alone, and an alarm watches it."""
    chosen = recipe(name)
    (policy,) = chosen.of_type("AWS::SQS::QueuePolicy").values()
    rule = {"aws:SourceArn": "Rule.Arn"}
    statements = [
        {key: value for key, value in each.items() if key != "Principal"}
        for each in policy["PolicyDocument"]["Statement"]
    ]

    assert {"Arn": "DeadLetters.Arn"} == chosen.target["DeadLetterConfig"]
    assert chosen.properties("DeadLetters")["SqsManagedSseEnabled"]
    assert [{"Name": "QueueName", "Value": "DeadLetters.QueueName"}] == chosen.properties("DeadLettersAlarm")[
        "Dimensions"
    ]
    assert allows(statements, Request("sqs:SendMessage", "DeadLetters.Arn", rule))
    assert not allows(statements, Request("sqs:SendMessage", "DeadLetters.Arn", {"aws:SourceArn": "Another.Arn"}))
    assert not allows(statements, Request("sqs:ReceiveMessage", "DeadLetters.Arn", rule))
    assert {"Service": "events.amazonaws.com"} == policy["PolicyDocument"]["Statement"][0]["Principal"]


ROLES = {
    ("slack", "Role"): {"events:InvokeApiDestination Destination.ArnForPolicy"},
    ("siem", "RuleRole"): {"firehose:PutRecord Stream.Arn", "firehose:PutRecordBatch Stream.Arn"},
    ("siem", "FunctionRole"): {"logs:CreateLogStream Logs.Arn", "logs:PutLogEvents Logs.Arn"},
    ("siem", "StreamRole"): {
        *(f"s3:{action} Bucket.Arn" for action in ("GetBucketLocation", "ListBucket", "ListBucketMultipartUploads")),
        *(f"s3:{action} Bucket.Arn/*" for action in ("AbortMultipartUpload", "GetObject", "PutObject")),
        *(
            f"lambda:{action} Function.Arn{version}"
            for action in ("InvokeFunction", "GetFunctionConfiguration")
            for version in ("", ":*")
        ),
        "logs:PutLogEvents Logs.Arn",
    },
    ("webhook", "Role"): {
        *(
            f"sqs:{action} Queue.Arn"
            for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")
        ),
        "sqs:SendMessage DeadLetters.Arn",
        "secretsmanager:GetSecretValue SigningSecret",
        "logs:CreateLogStream Logs.Arn",
        "logs:PutLogEvents Logs.Arn",
    },
}
"""Permissions of each role: a call of the rule, of the function, or of Lambda and Firehose for them."""


@pytest.mark.parametrize(("name", "role"), ROLES)
def test_a_role_allows_what_it_needs_and_nothing_else(name: str, role: str) -> None:
    """Each role allows the actions that its user calls, on the recipe's own resources, and no others."""
    statements = recipe(name).statements(role)
    allowed = {
        f"{action} {resource}"
        for statement in statements
        for action in _list(statement["Action"])
        for resource in _list(statement["Resource"])
    }

    assert ROLES[name, role] == allowed
    assert {"Allow"} == {statement["Effect"] for statement in statements}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_each_role_has_its_test() -> None:
    """No role of a recipe is missing in the table above, and none has a managed policy."""
    roles = {(name, role): item for name in NAMES for role, item in recipe(name).of_type("AWS::IAM::Role").items()}
    functions = [item for name in NAMES for item in recipe(name).of_type("AWS::Serverless::Function").values()]

    assert ROLES.keys() == roles.keys()
    assert not any("ManagedPolicyArns" in item for item in roles.values())
    assert all({"Role"} == {"Role", "Policies"} & item.keys() for item in functions)


@pytest.mark.parametrize(
    ("name", "role", "service"),
    [("slack", "Role", "events"), ("siem", "RuleRole", "events"), ("siem", "StreamRole", "firehose")],
)
def test_a_service_takes_a_role_for_this_account_only(name: str, role: str, service: str) -> None:
    """A role that a service takes on behalf of a resource is for resources of this account."""
    (statement,) = recipe(name).properties(role)["AssumeRolePolicyDocument"]["Statement"]

    assert {"Service": f"{service}.amazonaws.com"} == statement["Principal"]
    assert {"StringEquals": {"aws:SourceAccount": ACCOUNT}} == statement["Condition"]


def test_only_rules_publish_mails() -> None:
    """The topic takes messages from EventBridge only, and is encrypted with a key that EventBridge can use.

    The statements have no conditions: AWS supports none in topics' policies for EventBridge, and none on the source in
    those of keys for EventBridge and encrypted topics.
    """
    chosen = recipe("mail")
    (statement,) = chosen.properties("TopicPolicy")["PolicyDocument"]["Statement"]
    policy = [{key: value for key, value in statement.items() if key != "Principal"}]
    (_, for_events) = chosen.properties("Key")["KeyPolicy"]["Statement"]

    assert allows(policy, Request("sns:Publish", "Topic"))
    assert not allows(policy, Request("sns:Subscribe", "Topic"))
    assert not allows(policy, Request("sns:Publish", "Another"))
    assert {"Service": "events.amazonaws.com"} == statement["Principal"] == for_events["Principal"]
    assert ["kms:GenerateDataKey*", "kms:Decrypt"] == for_events["Action"]
    assert not [each for each in (statement, for_events) if "Condition" in each]
    assert "Key" == chosen.properties("Topic")["KmsMasterKeyId"]


KINDS_OF_KEYS = ["api_key.created", "organization.updated", "api_key.created,organization.updated"]
ACCEPTED = {
    ("slack", "WebhookUrl"): (
        ["https://hooks.slack.com/services/T0/B0/x1Y", "https://hooks.slack-gov.com/services/T0/B0/x"],
        [
            "http://hooks.slack.com/services/T0/B0/x",
            "https://hooks.slack.com.example/services/T0",
            "https://example.com/",
        ],
    ),
    ("slack", "EventKinds"): (
        KINDS_OF_KEYS,
        ["member.removed", "api_key.created,member.removed", "api_key.created\n", "api_key.a, api_key.b", ""],
    ),
    ("mail", "EventKinds"): (KINDS_OF_KEYS, ["member.removed", ""]),
    ("webhook", "Url"): (
        ["https://a.example", "https://a.example:8443/x?y=%20", "https://a.example?x", "https://10.0.0.1/"],
        [
            "http://a.example",
            "https://u:p@a.example/",
            "https://a.example/#x",
            "https://a.example/a b",
            "https://",
            "https://a..b",
        ],
    ),
    ("webhook", "EventKinds"): (["", "member.added,api_key.created", *EVENTS], ["member", "api_key.a, api_key.b", ","]),
    ("webhook", "OrganizationId"): (["", ORGANIZATION], ["acme", ORGANIZATION.upper(), f"{ORGANIZATION} "]),
    ("mail", "OrganizationId"): (["", ORGANIZATION], ["acme"]),
    ("mail", "EmailAddress"): (["owner@example.com"], ["owner", "a b@example.com"]),
}
"""Values that a parameter takes, and others."""


@pytest.mark.parametrize(("name", "parameter"), ACCEPTED)
def test_a_parameter_takes_what_the_recipe_can_use(name: str, parameter: str) -> None:
    """The pattern of a parameter takes usable values only."""
    pattern = re.compile(str(recipe(name).parameter(parameter)["AllowedPattern"]))
    usable, unusable = ACCEPTED[name, parameter]

    assert usable == [value for value in [*usable, *unusable] if pattern.fullmatch(value)]


def test_a_destination_of_slack_is_one_that_aws_takes() -> None:
    """The address and the header of the connection have the patterns of EventBridge's API, and a message a second."""
    chosen = recipe("slack")
    destination = chosen.properties("Destination")
    header = chosen.properties("Connection")["AuthParameters"]["ApiKeyAuthParameters"]

    assert re.fullmatch(r"((%[0-9A-Fa-f]{2}|[-()_.!~*';/?:@&=+$,A-Za-z0-9])+)", destination["InvocationEndpoint"])
    assert re.fullmatch(r"[^\x00-\x1F:\x7F]{1,512}", header["ApiKeyName"])
    assert header["ApiKeyName"].lower() not in {"user-agent", "content-type", "range", "host", "content-length"}
    assert 1 == destination["InvocationRateLimitPerSecond"]
    assert chosen.parameter("WebhookUrl")["NoEcho"]


def test_the_bucket_of_the_siem_is_private() -> None:
    """The bucket has no public access, is encrypted, refuses requests without TLS, and stays when the stack goes."""
    chosen = recipe("siem")
    bucket = chosen.properties("Bucket")
    (statement,) = chosen.properties("BucketPolicy")["PolicyDocument"]["Statement"]

    assert {True} == set(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    assert 400 == bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"]
    assert "Retain" == chosen.resources["Bucket"]["DeletionPolicy"]
    assert {"Bool": {"aws:SecureTransport": "false"}} == statement["Condition"]
    assert "Deny" == statement["Effect"]


@pytest.mark.parametrize(
    ("bucket", "key", "is_kept"),
    [
        ("Bucket", "errors/processing-failed/2026/03/01/keywright", True),
        ("Bucket", "ocsf/2026/03/01/keywright.json.gz", False),
        ("another", "errors/processing-failed/2026/03/01/keywright", False),
    ],
)
def test_what_was_not_transformed_raises_the_alarm(bucket: str, key: str, *, is_kept: bool) -> None:
    """GIVEN an object that Firehose writes for records it could not transform THEN S3's event is a dead letter."""
    chosen = recipe("siem")
    (target,) = chosen.properties("ErrorsRule")["Targets"]
    (policy,) = chosen.of_type("AWS::SQS::QueuePolicy").values()
    condition = policy["PolicyDocument"]["Statement"][0]["Condition"]
    destination = chosen.properties("Stream")["ExtendedS3DestinationConfiguration"]
    detail = {"bucket": {"name": bucket}, "object": {"key": key}}
    event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}

    assert is_kept == chosen.selects(event, rule="ErrorsRule")
    assert not chosen.selects(event)
    assert destination["ErrorOutputPrefix"].startswith("errors/")
    assert chosen.properties("Bucket")["NotificationConfiguration"]["EventBridgeConfiguration"]["EventBridgeEnabled"]
    assert "DeadLetters.Arn" == target["Arn"]
    assert "ErrorsRule.Arn" in condition["ArnEquals"]["aws:SourceArn"]


def test_firehose_takes_the_names_of_objects() -> None:
    """The prefixes have expressions that Firehose knows; the one for errors names the kind of error, as it has to."""
    destination = recipe("siem").properties("Stream")["ExtendedS3DestinationConfiguration"]
    expressions = {name: re.findall(r"!\{([\w:/-]+)\}", destination[name]) for name in ("Prefix", "ErrorOutputPrefix")}

    assert ["timestamp:yyyy/MM/dd"] == expressions["Prefix"]
    assert ["firehose:error-output-type", "timestamp:yyyy/MM/dd"] == expressions["ErrorOutputPrefix"]
    assert re.fullmatch(r"\.[0-9a-z!\-_.*'()]+", destination["FileExtension"])


PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_deploys_the_recipe(name: str) -> None:
    """The command of the page names the template, and parameters of it, among them each that has no default."""
    (options,) = re.findall(
        rf"sam deploy --template-file examples/{name}/template.yaml --stack-name keywright-{name} (.+?)\n```",
        PAGE,
        re.DOTALL,
    )
    given = set(re.findall(r"(\w+)=", options.partition("--parameter-overrides")[2]))
    declared = recipe(name).parameters
    required = {parameter for parameter, item in declared.items() if "Default" not in item}

    assert "--resolve-s3" in options
    assert "--capabilities CAPABILITY_IAM" in options
    assert required <= given <= declared.keys()


@pytest.mark.parametrize(("name", "module"), [("siem", "ocsf"), ("webhook", "webhook")])
def test_a_function_needs_nothing_but_its_runtime(name: str, module: str) -> None:
    """A function imports the standard library and boto3 only, and has less than 200 lines."""
    code = (ROOT / "examples" / name / f"{module}.py").read_text(encoding="utf-8")
    imported = {found.split(".")[0] for found in re.findall(r"^(?:from|import) (\S+)", code, re.MULTILINE)}

    assert imported - {"boto3"} <= sys.stdlib_module_names
    assert len(code.splitlines()) < 200
