"""Every function of the template: one identity, observable, and allowed no more than it needs."""

from __future__ import annotations

import pytest

from local.intrinsics import Json, mapping, sequence, text
from tests.support.cloudformation import folder_name, function_ids, properties, resource, resources, section
from tests.support.environment import ROOT
from tests.support.mistakes import GONE, Mistake, about, checks_in, mistakes
from tests.support.modules import FUNCTIONS

each_function = pytest.mark.parametrize("function", function_ids())

API_GATEWAY_TIMEOUT_SECONDS = 29
WITHOUT_CALLER = ["AnnounceExpirations", "ArchiveRecords", "ProcessLeakReports", "PublishEvents", "PurgeOrganizations"]
"""The functions that no caller waits for."""

BOUNDARY = "arn:aws:iam::123456789012:policy/keywright-iam-Boundary-1A2B3C"

OWN_RESOURCES = [
    {"Fn::Sub": "${Table.Arn}/stream/*"},
    {"Ref": "Pepper"},
    {"Fn::GetAtt": ["Table", "StreamArn"]},
    {"Fn::Sub": "${AuditArchiveBucket.Arn}/audit/*"},
    *(
        {"Fn::GetAtt": [name, "Arn"]}
        for name in (
            "AuditArchiveBucket",
            "Table",
            "OrganizationEventsQueue",
            "OrganizationEventsDeadLetters",
            "LeakReportsQueue",
            "EventBus",
            "EventsDeadLetters",
            "ArchiveDeadLetters",
        )
    ),
]
OBJECTS = "/audit/*"
"""The end of a resource that is the objects of the archive: their names have numbers."""


def test_the_template_and_the_functions_folder_name_the_same_functions() -> None:
    """Every function of the template has its folder, and every folder is deployed."""
    assert sorted(FUNCTIONS) == sorted(folder_name(function) for function in function_ids())


@each_function
def test_a_function_runs_the_handler_of_the_folder_of_its_name(function: str) -> None:
    """A function's logical id names the folder of its code."""
    declared = properties(function)

    assert declared["CodeUri"] == f"functions/{folder_name(function)}"
    assert declared["Handler"] == "handler.handler"


@each_function
def test_a_function_has_no_dependencies_of_its_own(function: str) -> None:
    """No function has a requirements.txt: sam build would need the exact Python of the runtime for it."""
    assert not (ROOT / "functions" / folder_name(function) / "requirements.txt").exists()


@each_function
def test_a_function_is_traced(function: str) -> None:
    """Every invocation appears in X-Ray."""
    assert properties(function)["Tracing"] == "Active"


@each_function
def test_a_function_logs_to_a_group_of_its_own_that_forgets(function: str) -> None:
    """Each function has its own log group, whose logs are deleted after LogRetentionDays."""
    group = f"{function}Logs"

    assert mapping(resource(function)["Properties"], function)["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": {"Ref": group},
    }
    assert properties(group, LogRetentionDays="7") == {"RetentionInDays": "7"}


@pytest.mark.parametrize("function", [function for function in function_ids() if function not in WITHOUT_CALLER])
def test_a_function_ends_before_api_gateway_gives_up(function: str) -> None:
    """A function times out before API Gateway does, so that its own answer reaches the client."""
    assert 0 < int(text(properties(function)["Timeout"], function)) < API_GATEWAY_TIMEOUT_SECONDS


OWN_VARIABLES = {
    "AuthorizeApiKey": {"ACCESS_RULES": {"Ref": "AccessRules"}},
    "ArchiveRecords": {"AUDIT_ARCHIVE_BUCKET": {"Ref": "AuditArchiveBucket"}},
    "GetConsole": {"CONSOLE_CLIENT_ID": {"Ref": "ConsoleClientId"}, "CONSOLE_SCOPE": {"Ref": "ConsoleScope"}},
    "PublishEvents": {
        "EVENT_BUS_NAME": {"Ref": "EventBus"},
        "EVENTS_DEAD_LETTER_QUEUE_URL": {"Ref": "EventsDeadLetters"},
    },
    "ReportLeak": {"LEAK_REPORTS_QUEUE_URL": {"Ref": "LeakReportsQueue"}},
    "ReportGithubLeaks": {
        "LEAK_REPORTS_QUEUE_URL": {"Ref": "LeakReportsQueue"},
        "GITHUB_KEYS_URL": {"Ref": "GitHubKeysUrl"},
    },
}
"""Variables that would not fit into the environment of all functions. A name has one value: the local service runs all
functions in one process.
"""


@each_function
def test_a_function_has_the_environment_all_functions_have(function: str) -> None:
    """Few functions have variables that others do not have."""
    declared = mapping(mapping(resource(function)["Properties"], function).get("Environment"), function)

    assert OWN_VARIABLES.get(function, {}) == mapping(declared.get("Variables"), function)


def test_the_environment_holds_no_secret() -> None:
    """The environment names the secret of the pepper and does not resolve it."""
    environment = mapping(mapping(section("Globals")["Function"], "Globals")["Environment"], "Environment")

    assert mapping(environment["Variables"], "Variables")["PEPPER_SECRET_ID"] == {"Ref": "Pepper"}
    assert "resolve:secretsmanager" not in str(section("Globals"))


@each_function
def test_a_permission_is_one_action_on_one_resource(function: str) -> None:
    """Each statement of a role allows one action on one resource; only streams and objects have wildcards."""
    for statement in _statements(function):
        assert set(statement) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        assert isinstance(statement["Action"], str)
        assert isinstance(statement["Resource"], str)
        is_list = statement["Action"] == "dynamodb:ListStreams"
        resource = (
            statement["Resource"].removesuffix("/stream/*") if is_list else statement["Resource"].removesuffix(OBJECTS)
        )
        assert "*" not in f"{statement['Action']}{resource}"


@each_function
def test_a_permission_is_on_a_resource_of_this_stack(function: str) -> None:
    """Statements name the stack's table, pepper, queues and bus only."""
    for statement in _written_statements(function):
        assert statement["Resource"] in OWN_RESOURCES


@each_function
def test_a_function_has_no_other_way_to_permissions(function: str) -> None:
    """Functions have no external role and no managed policy."""
    assert not {"Role", "ManagedPolicyArns"} & properties(function).keys()


@each_function
def test_a_role_has_the_boundary_that_is_given(function: str) -> None:
    """Roles have the permissions boundary of the parameter, and none without it."""
    assert BOUNDARY == properties(function, PermissionsBoundaryArn=BOUNDARY)["PermissionsBoundary"]
    assert "PermissionsBoundary" not in properties(function)


@pytest.mark.parametrize("role", list(resources("AWS::IAM::Role")))
def test_a_role_that_no_function_has_is_bounded_as_well(role: str) -> None:
    """Other roles have the boundary too: the deployer's policy allows none without it."""
    assert BOUNDARY == properties(role, PermissionsBoundaryArn=BOUNDARY)["PermissionsBoundary"]
    assert "PermissionsBoundary" not in properties(role)


def _statements(function: str) -> list[dict[str, Json]]:
    policies = sequence(properties(function).get("Policies"), function)
    # A name instead of a policy would be one of AWS's managed policies or SAM's templates, which are far wider.
    documents = [mapping(policy, function) for policy in policies]
    return [
        mapping(statement, function)
        for document in documents
        for statement in sequence(document["Statement"], function)
    ]


def _written_statements(function: str) -> list[dict[str, Json]]:
    policies = sequence(mapping(resource(function)["Properties"], function).get("Policies"), function)
    return [
        mapping(statement, function)
        for policy in policies
        for statement in sequence(mapping(policy, function)["Statement"], function)
    ]


FUNCTION = "Globals.Function"
CREATE = "Resources.CreateApiKey.Properties"
STATEMENT = f"{CREATE}.Policies.0.Statement.0"
ABOUT_CREATE = about("CreateApiKey")

MISTAKES = [
    *mistakes(test_the_template_and_the_functions_folder_name_the_same_functions, ("Resources.DeleteApiKey", GONE)),
    *mistakes(
        test_a_function_runs_the_handler_of_the_folder_of_its_name,
        (f"{CREATE}.CodeUri", "functions/rotate_api_key"),
        (f"{CREATE}.Handler", "app.handler"),
        cases=ABOUT_CREATE,
    ),
    *mistakes(
        test_a_function_is_traced,
        (f"{FUNCTION}.Tracing", "PassThrough"),
        (f"{FUNCTION}.Tracing", GONE),
        (f"{CREATE}.Tracing", "Disabled"),
        cases=ABOUT_CREATE,
    ),
    *mistakes(
        test_a_function_logs_to_a_group_of_its_own_that_forgets,
        (f"{CREATE}.LoggingConfig", GONE),
        (f"{CREATE}.LoggingConfig.LogFormat", "Text"),
        (f"{CREATE}.LoggingConfig.LogGroup", {"Ref": "ListApiKeysLogs"}),
        ("Resources.CreateApiKeyLogs", GONE),
        ("Resources.CreateApiKeyLogs.Properties.RetentionInDays", GONE),
        ("Resources.CreateApiKeyLogs.Properties.RetentionInDays", 3653),
        cases=ABOUT_CREATE,
    ),
    *mistakes(
        test_a_function_ends_before_api_gateway_gives_up,
        (f"{FUNCTION}.Timeout", 29),
        (f"{CREATE}.Timeout", 60),
        (f"{FUNCTION}.Timeout", GONE),
        cases=ABOUT_CREATE,
    ),
    *mistakes(
        test_a_function_has_the_environment_all_functions_have,
        (f"{CREATE}.Environment", {"Variables": {"TABLE_NAME": "other"}}),
        cases=ABOUT_CREATE,
    ),
    *mistakes(
        test_the_environment_holds_no_secret,
        (f"{FUNCTION}.Environment.Variables.PEPPER_SECRET_ID", "{{resolve:secretsmanager:keywright}}"),
        (f"{FUNCTION}.Environment.Variables.PEPPER", "{{resolve:secretsmanager:keywright}}"),
    ),
    *mistakes(
        test_a_permission_is_one_action_on_one_resource,
        (f"{STATEMENT}.Action", "dynamodb:*"),
        (f"{STATEMENT}.Action", "*"),
        (f"{STATEMENT}.Action", ["dynamodb:PutItem", "dynamodb:DeleteItem"]),
        (f"{STATEMENT}.Resource", "*"),
        (f"{STATEMENT}.Resource", {"Fn::Sub": "${Table.Arn}/*"}),
        (f"{STATEMENT}.Resource", [{"Fn::GetAtt": ["Table", "Arn"]}] * 2),
        (f"{STATEMENT}.Effect", "Deny"),
        (f"{STATEMENT}.NotAction", "dynamodb:Scan"),
        (f"{STATEMENT}.Sid", GONE),
        (f"{CREATE}.Policies", ["AmazonDynamoDBFullAccess"]),
        cases=ABOUT_CREATE,
    ),
    *mistakes(
        test_a_permission_is_on_a_resource_of_this_stack,
        (f"{STATEMENT}.Resource", "arn:aws:dynamodb:eu-central-1:123456789012:table/other"),
        (f"{STATEMENT}.Resource", "*"),
        (f"{STATEMENT}.Resource", {"Fn::Sub": "arn:${AWS::Partition}:dynamodb:::table/*"}),
        (f"{STATEMENT}.Resource", {"Ref": "OidcIssuer"}),
        cases=ABOUT_CREATE,
    ),
    *mistakes(
        test_a_function_has_no_other_way_to_permissions,
        (f"{CREATE}.Role", {"Fn::GetAtt": ["ApiGatewayLogRole", "Arn"]}),
        (f"{CREATE}.ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]),
        cases=ABOUT_CREATE,
    ),
    *mistakes(
        test_a_role_has_the_boundary_that_is_given,
        (f"{FUNCTION}.PermissionsBoundary", GONE),
        (f"{FUNCTION}.PermissionsBoundary", {"Ref": "PermissionsBoundaryArn"}),
        (f"{CREATE}.PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess"),
        cases=ABOUT_CREATE,
    ),
    *mistakes(
        test_a_role_that_no_function_has_is_bounded_as_well,
        ("Resources.ApiGatewayLogRole.Properties.PermissionsBoundary", GONE),
        cases=about("ApiGatewayLogRole"),
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_noticed(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a template that passes WHEN one thing in it is wrong THEN its check fails."""
    mistake.assert_noticed(monkeypatch)


def test_each_check_has_a_mistake() -> None:
    """Every check of the template above has a mistake that it notices."""
    of_folders_only = {"test_a_function_has_no_dependencies_of_its_own"}

    assert checks_in(globals()) - of_folders_only == {mistake.check.__name__ for mistake in MISTAKES}
