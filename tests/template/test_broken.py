"""The checks of the template fail on a template that is broken: each on the one mistake that it is there for."""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from local.intrinsics import TemplateError
from tests.support import cloudformation
from tests.template import test_api, test_data, test_functions

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

Template = dict[str, Any]
GONE = object()

CHECKED: tuple[ModuleType, ...] = (test_api, test_data, test_functions)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A plausible mistake in the template.

    Attributes:
        check: the test that has to notice.
        arguments: what the check is about, where it is made for several things.
        place: where in the template, with dots; numbers are places in lists.
        value: what stands there by mistake; GONE if it was forgotten.
    """

    check: Callable[..., None]
    arguments: tuple[Any, ...]
    place: str
    value: object

    def __str__(self) -> str:
        said = "is forgotten" if self.value is GONE else f"is {self.value!r}"
        return f"{self.check.__name__.removeprefix('test_')}: {self.place} {said}"

    def made_in(self, template: Template) -> Template:
        """Return the template with the mistake."""
        broken = copy.deepcopy(template)
        *way, last = self.place.split(".")
        place: Any = broken
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        name = int(last) if isinstance(place, list) else last
        if self.value is GONE:
            del place[name]
        else:
            place[name] = self.value
        return broken


def mistake(check: Callable[..., None], *arguments: object, **at: object) -> Mistake:
    """Describe a mistake: the check, its arguments, and place and value."""
    return Mistake(check, arguments, str(at["place"]), at["value"])


def about(function: str, name: str) -> str:
    """Return the path of a property of a function."""
    return f"Resources.{function}.Properties.{name}"


FUNCTION = "Globals.Function"
CREATE = "Resources.CreateApiKey.Properties"
STATEMENT = f"{CREATE}.Policies.0.Statement.0"
API = "Resources.Api.Properties"
SESSION = f"{API}.Auth.Authorizers.SessionAuthorizer"
TABLE = "Resources.Table.Properties"
PEPPER = "Resources.Pepper"
LOG_FORMAT = f"{API}.AccessLogSetting.Format"

_ARN = {"Fn::GetAtt": ["Table", "Arn"]}
_FOREIGN = "arn:aws:dynamodb:eu-central-1:123456789012:table/other"

MISTAKES = [
    # Functions.
    mistake(
        test_functions.test_the_template_and_the_functions_folder_name_the_same_functions,
        place="Resources.DeleteApiKey",
        value=GONE,
    ),
    *(
        mistake(
            test_functions.test_a_function_runs_the_handler_of_the_folder_of_its_name,
            "CreateApiKey",
            place=f"{CREATE}.{name}",
            value=value,
        )
        for name, value in {"CodeUri": "functions/rotate_api_key", "Handler": "app.handler"}.items()
    ),
    mistake(test_functions.test_a_function_is_traced, "CreateApiKey", place=f"{FUNCTION}.Tracing", value="PassThrough"),
    mistake(test_functions.test_a_function_is_traced, "CreateApiKey", place=f"{FUNCTION}.Tracing", value=GONE),
    mistake(test_functions.test_a_function_is_traced, "CreateApiKey", place=f"{CREATE}.Tracing", value="Disabled"),
    *(
        mistake(
            test_functions.test_a_function_logs_to_a_group_of_its_own_that_forgets,
            "CreateApiKey",
            place=place,
            value=value,
        )
        for place, value in (
            (f"{CREATE}.LoggingConfig", GONE),
            (f"{CREATE}.LoggingConfig.LogFormat", "Text"),
            (f"{CREATE}.LoggingConfig.LogGroup", {"Ref": "ListApiKeysLogs"}),
            ("Resources.CreateApiKeyLogs", GONE),
            ("Resources.CreateApiKeyLogs.Properties.RetentionInDays", GONE),
            ("Resources.CreateApiKeyLogs.Properties.RetentionInDays", 3653),
        )
    ),
    *(
        mistake(
            test_functions.test_a_function_ends_before_api_gateway_gives_up, "CreateApiKey", place=place, value=value
        )
        for place, value in ((f"{FUNCTION}.Timeout", 29), (f"{CREATE}.Timeout", 60), (f"{FUNCTION}.Timeout", GONE))
    ),
    mistake(
        test_functions.test_a_function_has_the_environment_all_functions_have,
        "CreateApiKey",
        place=f"{CREATE}.Environment",
        value={"Variables": {"TABLE_NAME": "other"}},
    ),
    *(
        mistake(
            test_functions.test_the_environment_holds_no_secret,
            place=f"{FUNCTION}.Environment.Variables.{name}",
            value="{{resolve:secretsmanager:keywright}}",
        )
        for name in ("PEPPER_SECRET_ID", "PEPPER")
    ),
    *(
        mistake(
            test_functions.test_a_permission_is_one_action_on_one_resource,
            "CreateApiKey",
            place=f"{STATEMENT}.{name}",
            value=value,
        )
        for name, value in (
            ("Action", "dynamodb:*"),
            ("Action", "*"),
            ("Action", ["dynamodb:PutItem", "dynamodb:DeleteItem"]),
            ("Resource", "*"),
            ("Resource", {"Fn::Sub": "${Table.Arn}/*"}),
            ("Resource", [_ARN, _ARN]),
            ("Effect", "Deny"),
            ("NotAction", "dynamodb:Scan"),
            ("Sid", GONE),
        )
    ),
    mistake(
        test_functions.test_a_permission_is_one_action_on_one_resource,
        "CreateApiKey",
        place=f"{CREATE}.Policies",
        value=["AmazonDynamoDBFullAccess"],
    ),
    *(
        mistake(
            test_functions.test_a_permission_is_on_a_resource_of_this_stack,
            "CreateApiKey",
            place=f"{STATEMENT}.Resource",
            value=value,
        )
        for value in (_FOREIGN, "*", {"Fn::Sub": "arn:${AWS::Partition}:dynamodb:::table/*"}, {"Ref": "OidcIssuer"})
    ),
    *(
        mistake(
            test_functions.test_a_function_has_no_other_way_to_permissions,
            "CreateApiKey",
            place=f"{CREATE}.{name}",
            value=value,
        )
        for name, value in (
            ("Role", {"Fn::GetAtt": ["ApiGatewayLogRole", "Arn"]}),
            ("ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]),
        )
    ),
    *(
        mistake(test_functions.test_a_role_has_the_boundary_that_is_given, "CreateApiKey", place=place, value=value)
        for place, value in (
            (f"{FUNCTION}.PermissionsBoundary", GONE),
            (f"{FUNCTION}.PermissionsBoundary", {"Ref": "PermissionsBoundaryArn"}),
            (f"{CREATE}.PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess"),
        )
    ),
    mistake(
        test_functions.test_a_role_that_no_function_has_is_bounded_as_well,
        "ApiGatewayLogRole",
        place="Resources.ApiGatewayLogRole.Properties.PermissionsBoundary",
        value=GONE,
    ),
    # The API.
    mistake(test_api.test_the_stage_is_the_version_in_the_path, place=f"{API}.StageName", value="prod"),
    mistake(test_api.test_the_stage_is_the_version_in_the_path, place=f"{API}.OpenApiVersion", value=GONE),
    mistake(test_api.test_requests_are_traced_from_the_gateway_on, place=f"{API}.TracingEnabled", value=False),
    *(
        mistake(test_api.test_every_route_is_throttled, place=f"{API}.MethodSettings.0.{name}", value=value)
        for name, value in (
            ("ThrottlingRateLimit", 10_000),
            ("ThrottlingBurstLimit", GONE),
            ("HttpMethod", "GET"),
            ("ResourcePath", "/auth/api-keys"),
        )
    ),
    *(
        mistake(test_api.test_verification_is_throttled_apart, place=f"{API}.MethodSettings.1.{name}", value=value)
        for name, value in (
            ("ThrottlingRateLimit", {"Ref": "ThrottlingRate"}),
            ("ThrottlingBurstLimit", GONE),
            ("ResourcePath", "/auth/api-keys/verify"),
        )
    ),
    *(
        mistake(
            test_api.test_public_documents_are_throttled_low,
            route,
            place=f"{API}.MethodSettings.{number}.{name}",
            value={"Ref": parameter},
        )
        for number, route in ((2, "GET /~1docs"), (3, "GET /~1openapi.json"))
        for name, parameter in (("ThrottlingRateLimit", "ThrottlingRate"), ("ThrottlingBurstLimit", "ThrottlingBurst"))
    ),
    *(
        mistake(
            test_api.test_separate_limits_are_those_of_routes_that_exist,
            place=f"{API}.MethodSettings.2.{name}",
            value=value,
        )
        for name, value in (("ResourcePath", "/docs"), ("ResourcePath", "/~1documents"), ("HttpMethod", "*"))
    ),
    mistake(test_api.test_public_routes_have_separate_limits, place=f"{API}.MethodSettings.3", value=GONE),
    mistake(
        test_api.test_public_routes_have_separate_limits,
        place=about("ListApiKeys", "Events.Route.Properties.Auth"),
        value={"Authorizer": "NONE"},
    ),
    *(
        mistake(
            test_api.test_every_route_is_measured, place=f"{API}.MethodSettings.{number}.MetricsEnabled", value=value
        )
        for number, value in ((0, False), (1, GONE), (2, False))
    ),
    mistake(test_api.test_each_deployment_of_the_stack_reaches_the_stage, place=f"{API}.AlwaysDeploy", value=GONE),
    mistake(test_api.test_each_deployment_of_the_stack_reaches_the_stage, place=f"{API}.AlwaysDeploy", value=False),
    *(
        mistake(test_api.test_access_logs_wait_for_the_log_role_where_the_stack_sets_it, place=place, value=value)
        for place, value in (
            ("Resources.Api.DependsOn", "ApiGatewayAccount"),
            (f"{API}.AccessLogSetting.DestinationArn", {"Fn::GetAtt": ["AccessLogs", "Arn"]}),
            (f"{API}.AccessLogSetting.DestinationArn.Fn::Select.0", 1),
        )
    ),
    mistake(
        test_api.test_documents_travel_compressed_and_answers_with_a_key_do_not,
        place=f"{API}.MinimumCompressionSize",
        value=0,
    ),
    *(
        mistake(
            test_api.test_the_gateway_logs_no_headers_and_no_bodies,
            place=f"{API}.MethodSettings.{number}.{name}",
            value=value,
        )
        for number in range(4)
        for name, value in (("LoggingLevel", "INFO"), ("DataTraceEnabled", True), ("LoggingLevel", GONE))
    ),
    mistake(
        test_api.test_a_request_is_one_line_of_json_in_the_access_log, place=LOG_FORMAT, value="$context.requestId"
    ),
    mistake(
        test_api.test_the_access_log_has_no_credentials,
        place=LOG_FORMAT,
        value='{"token": "$context.authorizer.token", "path": "$context.path"}',
    ),
    mistake(
        test_api.test_access_logs_are_deleted_after_the_days_the_operator_chose,
        place="Resources.AccessLogs.Properties",
        value={},
    ),
    *(
        mistake(
            test_api.test_the_session_authorizer_is_asked_by_token_and_its_answer_reused,
            place=f"{SESSION}.{name}",
            value=value,
        )
        for name, value in (
            ("FunctionPayloadType", "REQUEST"),
            ("Identity.Header", "X-Token"),
            ("Identity.ReauthorizeEvery", 3600),
        )
    ),
    mistake(
        test_api.test_what_can_be_a_session_token_reaches_the_authorizer,
        f"bearer {test_api.TOKEN}",
        place=f"{SESSION}.Identity.ValidationExpression",
        value="^Bearer .+$",
    ),
    mistake(
        test_api.test_what_cannot_be_a_session_token_is_refused_by_the_gateway,
        f"Bearer {test_api.TOKEN} ",
        place=f"{SESSION}.Identity.ValidationExpression",
        value=".*",
    ),
    mistake(
        test_api.test_the_validation_expression_is_read_alike_by_every_engine,
        place=f"{SESSION}.Identity.ValidationExpression",
        value="(?i)bearer [a-z.]+",
    ),
    # Data.
    *(
        mistake(
            test_data.test_what_others_depend_on_outlives_the_stack,
            name,
            right,
            place=f"Resources.{name}.{policy}",
            value=wrong,
        )
        for name, right, others in (
            ("Table", "Retain", ("Delete", "RetainExceptOnCreate")),
            ("Pepper", "RetainExceptOnCreate", ("Delete", "Retain")),
            ("ApiGatewayAccount", "Retain", ("Delete",)),
            ("ApiGatewayLogRole", "Retain", ("Delete", "RetainExceptOnCreate")),
        )
        for policy, wrong in (*(("DeletionPolicy", other) for other in others), ("UpdateReplacePolicy", "Snapshot"))
    ),
    mistake(
        test_data.test_the_table_has_one_key_and_no_index,
        place=f"{TABLE}.GlobalSecondaryIndexes",
        value=[{"IndexName": "by_hash"}],
    ),
    mistake(test_data.test_the_table_has_one_key_and_no_index, place=f"{TABLE}.KeySchema.1", value=GONE),
    *(
        mistake(test_data.test_the_table_is_protected, place=f"{TABLE}.{name}", value=value)
        for name, value in (
            ("DeletionProtectionEnabled", False),
            ("PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", False),
        )
    ),
    *(
        mistake(
            test_data.test_the_table_costs_nothing_while_idle_and_forgets_what_has_expired,
            place=f"{TABLE}.{name}",
            value=value,
        )
        for name, value in (
            ("BillingMode", "PROVISIONED"),
            ("TimeToLiveSpecification.AttributeName", "expires"),
            ("SSESpecification", {"SSEEnabled": True}),
        )
    ),
    *(
        mistake(
            test_data.test_the_pepper_is_generated_as_version_one,
            place=f"{PEPPER}.Properties.GenerateSecretString.{name}",
            value=value,
        )
        for name, value in (
            ("PasswordLength", 8),
            ("SecretStringTemplate", '{"current": 2}'),
            ("GenerateStringKey", "2"),
        )
    ),
    mistake(
        test_data.test_nothing_has_a_fixed_name,
        "AWS::DynamoDB::Table",
        "TableName",
        place=f"{TABLE}.TableName",
        value="keywright",
    ),
    mistake(
        test_data.test_the_log_role_of_the_account_can_be_left_alone,
        place="Resources.ApiGatewayAccount.Condition",
        value=GONE,
    ),
    mistake(
        test_data.test_the_log_role_of_the_account_can_be_left_alone,
        place="Resources.Table.Condition",
        value="HasPublicUrl",
    ),
]
"""A check of several things is broken in one of them."""

MISTAKES_OF_ROUTES: dict[Callable[[test_api.Route], None], list[tuple[str, object]]] = {
    test_api.test_a_route_has_an_authorizer_unless_it_answers_preflight_requests: [
        (f"{API}.Auth.DefaultAuthorizer", "NONE"),
        (about("ListApiKeys", "Events.Route.Properties.Auth"), {"Authorizer": "NONE"}),
        (about("VerifyApiKey", "Events.Route.Properties.Auth"), GONE),
        (about("GetCurrentApiKey", "Events.Route.Properties.Auth"), GONE),
    ],
    test_api.test_a_path_answers_preflight_requests: [(about("CreateApiKey", "Events.Preflight"), GONE)],
    test_api.test_the_path_of_a_route_leaves_the_version_to_the_stage: [
        (about("CreateApiKey", "Events.Route.Properties.Path"), "/v1/auth/api-keys")
    ],
}
"""Of checks that are made for each route: at least one of the routes of the broken template fails."""

NOT_OF_THE_TEMPLATE = {test_functions.test_a_function_has_no_dependencies_of_its_own}
"""Checks of folders only."""


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mistake], None]:
    """Put a broken template in the place of the real one."""
    whole = cloudformation._template()

    def put(made: Mistake) -> None:
        template = made.made_in(whole)
        assert template != whole
        monkeypatch.setattr(cloudformation, "_template", lambda: template)

    return put


@pytest.mark.parametrize("made", MISTAKES, ids=str)
def test_a_mistake_is_noticed(made: Mistake, broken: Callable[[Mistake], None]) -> None:
    """GIVEN a template that passes WHEN one thing in it is wrong THEN its check fails."""
    made.check(*made.arguments)

    broken(made)

    with pytest.raises((AssertionError, KeyError, ValueError, TypeError, TemplateError)):
        made.check(*made.arguments)


OF_ROUTES = [Mistake(check, (), *change) for check, changes in MISTAKES_OF_ROUTES.items() for change in changes]


@pytest.mark.parametrize("made", OF_ROUTES, ids=str)
def test_a_mistake_about_a_route_is_noticed(made: Mistake, broken: Callable[[Mistake], None]) -> None:
    """GIVEN a template whose routes pass WHEN one of them is wrong THEN the check fails for one of them."""
    assert [] == refused(made.check)

    broken(made)

    assert refused(made.check)


def refused(check: Callable[..., None]) -> list[test_api.Route]:
    """Return the routes of the current template that a check fails for."""
    found = []
    for route in test_api.declared_routes():
        if check is test_api.test_a_path_answers_preflight_requests and route.authorizer == "AWS_IAM":
            continue
        try:
            check(route)
        except AssertionError:
            found.append(route)
    return found


def test_each_check_has_a_mistake() -> None:
    """Every check has a mistake that it finds."""
    checks = {
        check
        for module in CHECKED
        for name, check in inspect.getmembers(module, inspect.isfunction)
        if name.startswith("test_") and check.__module__ == module.__name__
    }

    assert checks - NOT_OF_THE_TEMPLATE == {made.check for made in MISTAKES} | MISTAKES_OF_ROUTES.keys()
