"""Reading the template: as CloudFormation and SAM do, or with an error that names the place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.intrinsics import Json, Resolver, TemplateError, load_template
from local.template import StreamReader, read_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.template import Stack

    Read = Callable[..., Stack]

ROOT = Path(__file__).parents[2]
RESOLVER = Resolver(
    parameters={"Name": "kk_", "Number": "7", "List": ["a", "b"], "Empty": ""},
    conditions={
        "HasName": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Name"}, ""]}]},
        "IsSeven": {"Fn::Equals": [{"Ref": "Number"}, 7]},
        "Both": {"Fn::And": [{"Condition": "HasName"}, {"Condition": "IsSeven"}]},
        "Neither": {"Fn::Not": [{"Fn::Or": [{"Condition": "HasName"}, {"Condition": "IsSeven"}]}]},
    },
    resources={
        "Table": {"Type": "AWS::DynamoDB::Table"},
        "Named": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": {"Fn::Sub": "t-${Name}"}}},
        "Run": {"Type": "AWS::Serverless::Function"},
    },
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Name"}, "kk_"),
        ({"Ref": "List"}, ["a", "b"]),
        ({"Ref": "Table"}, "keywright-local-Table"),
        ({"Ref": "Named"}, "t-kk_"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Fn::GetAtt": ["Named", "StreamArn"]}, "arn:aws:dynamodb:us-east-1:123456789012:table/t-kk_/stream/local"),
        ({"Fn::GetAtt": ["Run", "Arn"]}, "arn:aws:lambda:us-east-1:123456789012:function:keywright-local-Run"),
        ({"Fn::Sub": "${Name}-${AWS::Region}-${!Name}-${Run.Arn}"},
         "kk_-us-east-1-${Name}-arn:aws:lambda:us-east-1:123456789012:function:keywright-local-Run"),
        ({"Fn::Sub": ["${A}$context.b", {"A": {"Ref": "Name"}}]}, "kk_$context.b"),
        ({"Fn::If": ["Both", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Neither", "yes", "no"]}, "no"),
        ({"Fn::Join": [",", {"Ref": "List"}]}, "a,b"),
        ({"Fn::Select": [1, {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Fn::If": ["Both", {"Ref": "AWS::NoValue"}, 2]}]}, {"b": [1]}),
    ],
    ids=str,
)  # fmt: skip
def test_intrinsic_function(value: Json, expected: Json) -> None:
    """Each intrinsic function has CloudFormation's value."""
    assert expected == RESOLVER.resolve(value, "here")


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::ImportValue": "x"},
        {"Ref": "Nothing"},
        {"Fn::GetAtt": ["Nothing", "Arn"]},
        {"Fn::GetAtt": ["Run", "StreamArn"]},
        {"Fn::Sub": "${Nothing}"},
        {"Fn::If": ["Nothing", 1, 2]},
        {"Fn::Select": [9, ["a"]]},
        {"Fn::Join": ","},
    ],
    ids=str,
)
def test_unsupported_value(value: Json) -> None:
    """A value that cannot be evaluated is an error that names its place."""
    with pytest.raises(TemplateError, match=r"^Resources\.X\.a\[0\]: "):
        RESOLVER.resolve({"a": [value]}, "Resources.X")


def test_short_tags_and_dates(tmp_path: Path) -> None:
    """Short tags become the long form, and dates stay strings."""
    path = tmp_path / "template.yaml"
    path.write_text("a: !GetAtt X.Arn\nb: !Sub ['${x}', {x: !Ref Y}]\nVersion: 2012-10-17\n")

    assert {
        "a": {"Fn::GetAtt": ["X", "Arn"]},
        "b": {"Fn::Sub": ["${x}", {"x": {"Ref": "Y"}}]},
        "Version": "2012-10-17",
    } == load_template(path)


class TestStack:
    """The parts that are read from a template."""

    def test_globals_are_merged(self, read: Read) -> None:
        """A function's properties are merged with Globals, its environment by name."""
        changed = read(
            (
                "{CodeUri: functions/authorize}",
                "{CodeUri: functions/authorize, Timeout: 9, Environment: {Variables: {A: 1}}}",
            )
        )
        function = changed.functions["Authorize"]

        assert 9 == function.timeout_seconds
        assert 512 == function.memory_mib
        assert "1" == function.environment["A"]
        assert "keywright-local-Table" == function.environment["TABLE_NAME"]

    def test_environment_is_shared(self, read: Read) -> None:
        """The environment of the process has the variables of every function."""
        assert {
            "TABLE_NAME": "keywright-local-Table",
            "PEPPER_SECRET_ID": "keywright-local-Pepper",
            "OIDC_ISSUER": "http://127.0.0.1:9",
        } == read().environment()

    def test_conflicting_environments(self, read: Read) -> None:
        """Functions share one process, so a variable cannot have two values."""
        stack = read(("{CodeUri: functions/authorize}", "{CodeUri: x, Environment: {Variables: {TABLE_NAME: y}}}"))

        with pytest.raises(TemplateError, match="sets TABLE_NAME to another value"):
            stack.environment()

    def test_schedules_are_ignored(self, read: Read) -> None:
        """Only events of type Api become routes."""
        schedule = "        Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}\n"

        assert read((schedule, "")).api.routes == read().api.routes

    def test_readers_of_streams(self, read: Read) -> None:
        """A mapping of a stream has its function, table, batch size and patterns; it consumes no queue."""
        mapping = "FunctionName: !Ref Say, EventSourceArn: !GetAtt Table.StreamArn"
        filters = 'FilterCriteria: {Filters: [{Pattern: \'{"eventName": ["INSERT"]}\'}]}'
        added = f"""
  All: {{Type: AWS::Lambda::EventSourceMapping, Properties: {{{mapping}}}}}
  Some: {{Type: AWS::Lambda::EventSourceMapping, Properties: {{{mapping}, BatchSize: 7, {filters}}}}}
"""
        stack = read(("\nResources:\n", f"\nResources:{added}"))

        assert (
            StreamReader("Say", "keywright-local-Table", 100, ()),
            StreamReader("Say", "keywright-local-Table", 7, ({"eventName": ["INSERT"]},)),
        ) == stack.stream_readers
        assert {} == stack.consumers

    @pytest.mark.parametrize(
        ("pattern", "message"),
        [
            ('{"a": {"b": [{"exists": true}]}}', r"FilterCriteria\.a\.b: the local service supports texts and pref"),
            ('{"a": "b"}', r"FilterCriteria\.a: the local service supports"),
            ('{"a": [1]}', r"FilterCriteria\.a: the local service supports"),
            ('{"a": [{"prefix": 1}]}', r"FilterCriteria\.a: the local service supports"),
            ('{"$or": [{"a": ["b"]}]}', "the local service supports"),
            ("{", "is not JSON"),
        ],
    )
    def test_filter_that_is_not_supported(self, read: Read, pattern: str, message: str) -> None:
        """A filter with another rule is refused at the start: its records would be lost, or be too many."""
        added = f"""
  Some:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Say
      EventSourceArn: !GetAtt Table.StreamArn
      FilterCriteria: {{Filters: [{{Pattern: '{pattern}'}}]}}
"""
        with pytest.raises(TemplateError, match=rf"^Resources\.Some\.Properties.*{message}"):
            read(("\nResources:\n", f"\nResources:{added}"))

    def test_queues_of_each_bus(self, read: Read) -> None:
        """The rules of a bus name its queues; a bus without rules has none."""
        added = """
  In: {Type: AWS::Events::EventBus, Properties: {Name: in}}
  Out: {Type: AWS::Events::EventBus, Properties: {Name: out}}
  First: {Type: AWS::SQS::Queue}
  Second: {Type: AWS::SQS::Queue}
  One:
    Type: AWS::Events::Rule
    Properties: {EventBusName: !Ref In, Targets: [{Id: a, Arn: !GetAtt First.Arn}]}
  Two:
    Type: AWS::Events::Rule
    Properties: {EventBusName: !Ref In, Targets: [{Id: a, Arn: !GetAtt Second.Arn}]}
"""
        stack = read(("\nResources:\n", f"\nResources:{added}"))

        assert ("in", "out") == stack.buses
        assert {"in": ("keywright-local-First", "keywright-local-Second")} == stack.event_queues

    def test_authorizer_of_a_route(self, read: Read) -> None:
        """A route has its own authorizer, AWS_IAM, none, or the default."""
        authorizers = {route.path: route.authorizer for route in read().api.routes}

        assert "Session" == authorizers["/things"]
        assert authorizers["/open"] is None
        assert "Asked" == authorizers["/asked"]
        assert "AWS_IAM" == authorizers["/signed"]

    def test_iam_can_be_the_default(self, read: Read) -> None:
        """AWS_IAM can be the default authorizer."""
        stack = read(("DefaultAuthorizer: Session", "DefaultAuthorizer: AWS_IAM"))

        assert "AWS_IAM" == {route.path: route.authorizer for route in stack.api.routes}["/things"]

    def test_parameter(self, read: Read) -> None:
        """A parameter value overrides the default."""
        assert "tenant" == read(OrganizationClaim="tenant").parameters["OrganizationClaim"]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (("Authorizer: Asked", "Authorizer: Other"), "no authorizer Other; it has NONE, AWS_IAM, Asked, "),
            (
                ("Authorizer: Asked", "ApiKeyRequired: true"),
                "ApiKeyRequired is supported by the local service with AUTH",
            ),
            (("      StageName: v1", "      StageName: v1\n      Cors: '*'"), r"Api\.Properties\.Cors: not supported"),
            (("!GetAtt Authorize.Arn", "arn:aws:lambda:elsewhere"), "no function of this template has the ARN"),
            (("Ref Pepper", "ImportValue Pepper"), "does not support the intrinsic function Fn::ImportValue"),
        ],
    )
    def test_unsupported_template(self, read: Read, change: tuple[str, str], message: str) -> None:
        """A template with an unsupported feature is refused."""
        with pytest.raises(TemplateError, match=message):
            read(change)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"Nothing": "1"}, "the template has no parameter Nothing; it has OidcAudience, "),
            ({"OrganizationClaim": "Org"}, "parameter OrganizationClaim must match"),
            ({"PublicUrl": "p" * 41}, "parameter PublicUrl must have at most 40 characters; it has 41"),
        ],
    )
    def test_invalid_parameter(self, read: Read, parameters: dict[str, str], message: str) -> None:
        """A parameter that a deployment would refuse is refused."""
        with pytest.raises(TemplateError, match=message):
            read(**parameters)

    def test_parameter_without_value(self, project: Path) -> None:
        """A parameter without default is required."""
        with pytest.raises(TemplateError, match="parameter OidcIssuer has no default"):
            read_stack(project / "template.yaml", {}, {})


def test_bounds_of_numbers_are_not_enforced() -> None:
    """Bounds of numbers are not enforced, so that tests can hash more cheaply than a deployment."""
    values = {"OidcIssuer": "http://127.0.0.1:1", "OidcAudience": "x", "Argon2MemoryKib": "8"}

    assert "8" == read_stack(ROOT / "template.yaml", values, {}).environment()["ARGON2_MEMORY_KIB"]
